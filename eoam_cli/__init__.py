"""The command `eoam`: pictures, videos, webcams, the doctor and the benchmark. Never loaded inside OBS."""

from __future__ import annotations
