"""libobs through ctypes: its functions, callbacks, log and interface, and the process that it runs in."""

from __future__ import annotations
