"""Count what is missing of a video: pictures that do not decode, and the end of a truncated file.

Counters in headers are wrong even in good files, after a lossless cut or if a camera skipped pictures. So pictures that
were stored but did not come out are counted.
"""

from __future__ import annotations

import heapq
from typing import Final

_MANY_AT_ONCE: Final = 8  # fewer may be missing by design, as at the start of a recording cut out of a broadcast


class Losses:
    """Track which pictures went into a decoder and which came out."""

    def __init__(self) -> None:
        self._pending: list[int] = []  # times of pictures that went in, the earliest first
        self._owed = 0  # errors of the decoder for which no missing picture was found yet
        self._lost = 0
        self._ends: tuple[float, float | None] | None = None

    @property
    def pictures(self) -> int:
        """Number of pictures that were left out."""
        return self._lost

    def entered(self, time: int | None) -> None:
        """Record that a picture of this time, in units of its stream, is about to be decoded."""
        if time is not None:
            heapq.heappush(self._pending, time)

    def refused(self) -> None:
        """Record a decoder error."""
        self._owed += 1

    def skipped(self, count: int) -> None:
        """Record that so many pictures are missing in the file itself, between others."""
        self._lost += count

    def shown(self, time: int | None) -> int:
        """Record that a picture came out, and return how many are missing before it.

        They come out in the order of their times. Without a time it is the earliest.
        """
        if time is None:
            if self._pending:
                heapq.heappop(self._pending)
            return 0
        passed = 0
        while self._pending and self._pending[0] < time:
            heapq.heappop(self._pending)
            passed += 1
        while self._pending and self._pending[0] == time:
            heapq.heappop(self._pending)
        return self._settle(passed)

    def ended(self) -> None:
        """Record that nothing more will come out; call `cut_short` before."""
        if self._ends is None:
            self._settle(len(self._pending))
        else:  # the last one is incomplete, and belongs to the missing end
            self._owed = max(0, self._owed - max(1, len(self._pending)))
        self._lost += self._owed  # those without a time
        self._pending, self._owed = [], 0

    def cut_short(self, *, after: float, of: float | None) -> None:
        """Record that the file ends after so many seconds, of the `of` seconds that it should have, if known."""
        self._ends = after, of

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user: at most one sentence."""
        left_out = f"{self._lost} frame{'s were' if self._lost != 1 else ' was'} left out"
        if self._ends is None:
            return (f"The video is damaged: {left_out}.",) if self._lost else ()
        after, of = self._ends
        if of is None:
            missing = f"everything after {after:.1f} seconds is missing"
        else:
            missing = f"the last {max(of - after, 0.1):.1f} of {of:.1f} seconds are missing"
        if self._lost:
            return (f"The video is damaged and ends early: {left_out}, and {missing}.",)
        return (f"The video ends early: {missing}.",)

    def _settle(self, passed: int) -> int:
        # Codecs have packets without a picture, so output that did not come is missing only if the decoder reported an
        # error, or if it is a lot: a decoder waits for the next complete picture without an error.
        if passed and (self._owed or passed >= _MANY_AT_ONCE):
            self._lost += passed
            self._owed = max(0, self._owed - passed)
            return passed
        return 0
