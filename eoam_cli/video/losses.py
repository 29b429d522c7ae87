"""What is missing of a video: pictures that do not decode, and the end of a file that was cut short.

Counters in headers are wrong in good files: after a lossless cut, or where a camera skipped pictures. So what is
counted is what was there to be shown and was not.
"""

from __future__ import annotations

import heapq
from typing import Final

_MANY_AT_ONCE: Final = (
    8  # so many are not missing by design, as the first few of a recording cut out of a broadcast are
)


class Losses:
    """Follow which pictures went into a decoder and which came out."""

    def __init__(self) -> None:
        self._pending: list[int] = []  # times of pictures that went in, the earliest first
        self._owed = 0  # refusals of the decoder for which no missing picture was found yet
        self._lost = 0
        self._ends: tuple[float, float | None] | None = None

    @property
    def pictures(self) -> int:
        """How many pictures were left out."""
        return self._lost

    def entered(self, time: int | None) -> None:
        """Note that a picture of this time, in units of its stream, is about to be decoded."""
        if time is not None:
            heapq.heappush(self._pending, time)

    def refused(self) -> None:
        """Note that the decoder refused what it was given."""
        self._owed += 1

    def skipped(self, count: int) -> None:
        """Note that so many pictures are not even there, in the midst of others."""
        self._lost += count

    def shown(self, time: int | None) -> int:
        """Note that a picture came out, and return how many are missing before it.

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
        """Note that nothing more will come out; before that, whether the file was cut short."""
        if self._ends is None:
            self._settle(len(self._pending))
        else:  # what is the last is half a picture, and part of the end that is missing
            self._owed = max(0, self._owed - max(1, len(self._pending)))
        self._lost += self._owed  # those without a time
        self._pending, self._owed = [], 0

    def cut_short(self, *, after: float, of: float | None) -> None:
        """Note that the file ends after so many seconds, `of` those that it should have if that is known."""
        self._ends = after, of

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: at most one sentence."""
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
        # Codecs have packets that show nothing, so what did not come out is only missing where the decoder complained,
        # or where it is a lot: a decoder waits for the next whole picture without complaining.
        if passed and (self._owed or passed >= _MANY_AT_ONCE):
            self._lost += passed
            self._owed = max(0, self._owed - passed)
            return passed
        return 0
