"""Measure whether the masks keep up with the pictures, and when waiting for one is pointless.

There is no queue: the worker takes the newest picture, and those in between get no mask. On a slow processor masks
become rarer by themselves. This module detects that, reports it, and stops waits for masks that will not come in time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eoam_obs.binding.python_lock import LOCK

_LOG: Final = logging.getLogger("eoam")
_SHORTEST_S: Final = 1.0  # a rate over less time would jump
# Masks are too few up to the first share of the pictures, if that lasts, and enough again from the second. The gap and
# the time prevent frequent changes, since OBS rebuilds the panel at each.
_BEHIND: Final = 0.7
_ENOUGH: Final = 0.9
_LASTS_S: Final = 2.0
_WAITS_IN_VAIN: Final = 3
_HIDDEN_S: Final = 5.0  # not drawn for so long: no scene shows the source; sooner OBS may just be slow
_STARVED_TICKS: Final = 2  # a single late tick ends a pause; two in a row mean that OBS draws this slowly


class Rate:
    """Count events per second over the last one to two seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, count: int = 0) -> None:
        self._clock = clock
        self._before = self._last = (clock(), count)

    def per_second(self, count: int) -> float:
        """Return the rate, given the total number of events."""
        now = self._clock()
        if count < self._last[1]:  # the count was restarted
            self._before = self._last = (now, count)
        if now - self._last[0] >= _SHORTEST_S:
            self._before, self._last = self._last, (now, count)
        passed = now - self._before[0]
        return (count - self._before[1]) / passed if passed > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Masks a second, pictures a second that should have got one, and whether masks have been too few for a while.

    `is_drawn` says that OBS has drawn the source in the last seconds, `is_starved` that it does so too rarely.
    """

    masks: float = 0.0
    pictures: float = 0.0
    is_behind: bool = False
    is_drawn: bool = False
    is_starved: bool = False


class Pace:
    """Compare the rate of masks with that of pictures.

    `tick` and `picture` are for the graphics thread and take no lock: only they write their fields. `look` and `forget`
    are for all other threads, one at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._masks, self._pictures = Rate(clock), Rate(clock)
        self._handed_over = 0
        self._begins = False
        self._is_behind = self._was_said = False
        self._since = 0.0  # since when they have been too few, or 0
        self._drawn_at = -_HIDDEN_S
        self._late_ticks = 0  # in a row

    def tick(self, passed_s: float, *, late: bool) -> None:
        """Record that OBS draws the source, `passed_s` after the last time; `late`: older state is outdated."""
        self._drawn_at = self._clock()
        self._late_ticks = self._late_ticks + 1 if late and passed_s < _HIDDEN_S else 0

    def picture(self) -> None:
        """Record that a picture was made ready for the worker."""
        self._handed_over += 1

    def forget(self) -> None:
        """Start anew at the next `look`: masks are missing for another reason than the processor."""
        self._begins = True

    def look(self, masks: int) -> Speed:
        """Return the speed, given the total number of masks; to be called about twice a second."""
        with self._lock:
            return self._look(masks)

    def _look(self, masks: int) -> Speed:
        if self._begins:
            self._masks, self._pictures = Rate(self._clock, masks), Rate(self._clock, self._handed_over)
            self._begins, self._is_behind, self._since = False, False, 0.0
        made, wanted = self._masks.per_second(masks), self._pictures.per_second(self._handed_over)
        now = self._clock()
        if not wanted or made >= wanted * _ENOUGH:
            self._is_behind, self._since = False, 0.0
        elif made >= wanted * _BEHIND:
            self._since = 0.0
        elif not self._since:
            self._since = now
        elif now - self._since >= _LASTS_S:
            self._is_behind = True
            if not self._was_said:
                self._was_said = True
                busy = f" busy_scripts={','.join(LOCK.busy_scripts)}" if LOCK.busy_scripts else ""
                _LOG.warning("masks_too_slow masks_per_s=%.1f pictures_per_s=%.1f%s", made, wanted, busy)
        is_drawn = now - self._drawn_at < _HIDDEN_S
        return Speed(made, wanted, self._is_behind, is_drawn, is_drawn and self._late_ticks >= _STARVED_TICKS)


class Patience:
    """Decide whether to wait for a mask: not for a while after several waits in a row were in vain."""

    def __init__(self, rest_ns: int) -> None:
        self._rest_ns = rest_ns
        self._in_vain = 0
        self._rests_until = 0

    def lasts(self, now: int) -> bool:
        """Return whether to wait at `now`, in nanoseconds."""
        return now >= self._rests_until

    def note(self, now: int, *, came: bool) -> None:
        """Record how the last wait ended. After a rest, a single wait in vain starts the next one."""
        if came:
            self._in_vain = 0
            return
        self._in_vain += 1
        if self._in_vain >= _WAITS_IN_VAIN:
            self._in_vain = _WAITS_IN_VAIN - 1
            self._rests_until = now + self._rest_ns
