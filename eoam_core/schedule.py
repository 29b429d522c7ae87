"""When the worker fetches its next frame, and when it wakes by itself to do so. Pure: time is what the caller says."""

from __future__ import annotations

import math
from typing import Final

# How much earlier or later than asked for a frame may be fetched, as a share of the time between two.
EARLY: Final = 0.1
LATE: Final = 0.15
_LEARNING: Final = 0.25  # how far the expected time follows the requested one, which jumps with what else is drawn


class Schedule:
    """The times of one worker, in seconds of one clock. The worker's lock guards it.

    A frame that comes at equal intervals is expected: the worker then sleeps until the next one is due, and whoever
    submits it need not wake it.
    """

    def __init__(self) -> None:
        # When the worker wakes by itself: -inf while it is awake, inf if only when woken. Read by whoever submits.
        self.wakes_at = -math.inf
        self._expected = -math.inf  # when to fetch the next frame

    def is_due(self, now: float, due: float, period: float) -> bool:
        """Whether the frame that was submitted for `due` is fetched now; otherwise the worker sleeps until then.

        `period` is the time to the frame after it, 0 if none was announced.
        """
        if due > now + EARLY * period:
            self.wakes_at = due
            return False
        self.wakes_at = -math.inf
        if period:
            before = self._expected if abs(self._expected - due) < period / 2 else due
            self._expected = before + _LEARNING * (due - before) + period
        else:
            self._expected = -math.inf
        return True

    def sleep(self, now: float) -> float:
        """Return when the worker wakes although no frame is there yet: when one is expected, or never (inf)."""
        self.wakes_at = self._expected if self._expected > now else math.inf
        return self.wakes_at
