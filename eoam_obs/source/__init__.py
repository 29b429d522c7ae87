"""The source type: its registration, instances, stored settings, state, texts, and OBS's requests to a source."""

from __future__ import annotations
