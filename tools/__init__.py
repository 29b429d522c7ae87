"""What develops and tests the project; nothing here is shipped."""
