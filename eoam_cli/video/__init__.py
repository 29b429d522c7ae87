"""Remove the background of videos: everything that decodes is written, and losses are reported."""

from __future__ import annotations
