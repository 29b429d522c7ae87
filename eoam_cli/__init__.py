"""`eoam`: pictures, videos and webcams on the command line, the doctor and the benchmark. Never loaded inside OBS."""

from __future__ import annotations
