"""Make the pictures of scripts/demo, and those of the panels in the documents."""
