"""Feed damaged and absurd inputs to every reader, each target in a process of its own with limited memory."""
