"""The panels of the filter and of the script."""

from __future__ import annotations
