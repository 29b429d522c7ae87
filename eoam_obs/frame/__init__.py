"""The frame path: everything done for each frame, on the graphics thread and on the worker."""

from __future__ import annotations
