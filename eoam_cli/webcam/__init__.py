"""Use a camera without OBS: frames from a device, through the core, to a virtual camera or a window."""

from __future__ import annotations
