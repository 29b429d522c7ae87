"""Change one thing at a time in the frame path, and see whether the tests without an OBS notice."""
