"""Damaged and absurd inputs for every reader, each target in a process of its own with bounded memory."""
