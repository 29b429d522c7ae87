"""Picture files, read upright and in sRGB with numpy and OpenCV alone, and written as PNG."""

from __future__ import annotations
