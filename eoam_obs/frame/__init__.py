"""The frame path: what happens with each frame, on the graphics thread and on the worker."""

from __future__ import annotations
