"""Single questions about the training, each with the command that answers it."""

from __future__ import annotations
