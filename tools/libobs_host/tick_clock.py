"""Measure the longest tick of libobs's graphics thread, which viewers notice at a first use.

Any host of libobs can use it, in OBS or without: it needs the library and nothing else. libobs calls a tick callback
at the start of each turn of its graphics thread, so the time between two of them is the turn and the pause behind it:
at 30 frames per second some 33 ms, and more as soon as anything held the thread up.
"""

from __future__ import annotations

import ctypes
import threading
import time
from typing import Final

_Tick: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_float)


class TickClock:
    """Counts from `with` on; `library` is the loaded libobs by ctypes.CDLL, since a tick may wait for Python's lock."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._add = library["obs_add_tick_callback"]
        self._remove = library["obs_remove_tick_callback"]
        for function in (self._add, self._remove):
            function.restype = None
            function.argtypes = (_Tick, ctypes.c_void_p)
        self._thunk = _Tick(self._tick)
        self._lock = threading.Lock()
        self._last = 0
        self._longest = 0
        self._ticks = 0

    def __enter__(self) -> TickClock:
        self._add(self._thunk, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove(self._thunk, None)  # waits for a tick that runs

    def read(self) -> tuple[int, float]:
        """Return how many ticks there were since `with` or the last `read`, and the longest time between two, in ms."""
        with self._lock:
            ticks, longest = self._ticks, self._longest
            self._ticks = self._longest = 0
        return ticks, longest / 1e6

    def _tick(self, _param: int | None, _seconds: float) -> None:
        now = time.perf_counter_ns()
        with self._lock:
            if self._last:
                self._longest = max(self._longest, now - self._last)
            self._last = now
            self._ticks += 1
