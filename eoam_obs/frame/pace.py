"""Whether the masks keep up with the pictures, and what gives way if they do not.

Nothing ever queues up: the worker takes the newest picture, and those in between get no mask. So a processor that is
too slow makes masks rarer by itself. What is left to do is to notice it, to say so, and not to wait for what will not
come.
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
# Up to which share of the pictures masks are too few, if that lasts; and from which share on they are enough again. The
# gap and the time keep the panel, which OBS builds anew when this changes, from changing all the time.
_BEHIND: Final = 0.7
_ENOUGH: Final = 0.9
_LASTS_S: Final = 2.0
_WAITS_IN_VAIN: Final = 3
_HIDDEN_S: Final = 5.0  # not drawn for so long: no scene shows the source; sooner OBS may just be slow
_STARVED_TICKS: Final = 2  # one that comes late ends a pause; two in a row are how OBS draws at present


class Rate:
    """Count events per second over the last one to two seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, count: int = 0) -> None:
        self._clock = clock
        self._before = self._last = (clock(), count)

    def per_second(self, count: int) -> float:
        """Return the rate, given how many events there have been in all."""
        now = self._clock()
        if count < self._last[1]:  # counted anew
            self._before = self._last = (now, count)
        if now - self._last[0] >= _SHORTEST_S:
            self._before, self._last = self._last, (now, count)
        passed = now - self._before[0]
        return (count - self._before[1]) / passed if passed > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Masks a second, pictures a second that were to get one, and whether the masks have been too few for a while.

    `is_drawn` says that OBS has drawn the source in the last seconds, `is_starved` that it does so too rarely.
    """

    masks: float = 0.0
    pictures: float = 0.0
    is_behind: bool = False
    is_drawn: bool = False
    is_starved: bool = False


class Pace:
    """Compares the masks with the pictures.

    `tick` and `picture` are for the thread that draws, and take no lock: each of their fields is written by nobody
    else. `look` and `forget` are for all others, one at a time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._masks, self._pictures = Rate(clock), Rate(clock)
        self._handed_over = 0
        self._begins = False
        self._is_behind = self._was_said = False
        self._since = 0.0  # since when they have been too few, or NULL
        self._drawn_at = -_HIDDEN_S
        self._late_ticks = 0  # in a row

    def tick(self, passed_s: float, *, late: bool) -> None:
        """Note that OBS draws the source, `passed_s` after the last time; `late`: nothing known before holds now."""
        self._drawn_at = self._clock()
        self._late_ticks = self._late_ticks + 1 if late and passed_s < _HIDDEN_S else 0

    def picture(self) -> None:
        """Note that a picture was made ready for the worker."""
        self._handed_over += 1

    def forget(self) -> None:
        """Begin anew at the next look: there are no masks for another reason than the processor."""
        self._begins = True

    def look(self, masks: int) -> Speed:
        """Return the speed, given how many masks there have been in all; to be asked about twice a second."""
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
    """Whether waiting for a mask is worth it: not for a while, once several in a row were waited for in vain."""

    def __init__(self, rest_ns: int) -> None:
        self._rest_ns = rest_ns
        self._in_vain = 0
        self._rests_until = 0

    def lasts(self, now: int) -> bool:
        """Whether to wait at `now`, in nanoseconds."""
        return now >= self._rests_until

    def note(self, now: int, *, came: bool) -> None:
        """Take note of how the last waiting ended. After a rest a single one in vain is enough for the next."""
        if came:
            self._in_vain = 0
            return
        self._in_vain += 1
        if self._in_vain >= _WAITS_IN_VAIN:
            self._in_vain = _WAITS_IN_VAIN - 1
            self._rests_until = now + self._rest_ns
