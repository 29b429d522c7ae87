"""Define the error of these tools."""

from __future__ import annotations


class WindowsToolError(Exception):
    """Something that is needed cannot be had or made; the message names it and the remedy. Exit code 3."""
