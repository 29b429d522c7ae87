"""Tools for developing and testing the project; nothing here is shipped."""
