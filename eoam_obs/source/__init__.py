"""The source type: its registration, instances, stored settings, state and texts, and what OBS asks of a source."""

from __future__ import annotations
