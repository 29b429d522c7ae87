"""How a filter does, and the sentence that says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from eoam_core.settings import Timing
from eoam_obs.locale import Texts

Kind = Literal["running", "waiting", "problem", "stopped", "hidden"]

_SHORTEST_S: Final = 1.0  # a rate over less time would jump


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a filter is doing: `kind` decides which of the others mean something.

    `milliseconds` is the time of one mask, `masks_per_second` the recent rate, `delay` the frames by which the picture
    is held back. `problem` says what is wrong ("problem": nothing is shown), `notice` what is not as it was
    set, `last_error` what was wrong before.
    """

    kind: Kind
    problem: str = ""
    notice: str = ""
    last_error: str = ""
    model: str = ""
    width: int = 0
    height: int = 0
    milliseconds: float = 0.0
    masks: int = 0
    masks_per_second: float = 0.0
    timing: Timing = Timing.ALIGNED
    delay: int = 0

    def sentence(self, texts: Texts) -> str:
        """Return it as one sentence for a panel."""
        if self.kind != "running":
            return texts(f"state.{self.kind}", problem=self.problem)
        said = texts(
            "state.running",
            milliseconds=f"{self.milliseconds:.1f}",
            rate=f"{self.masks_per_second:.0f}",
            model=self.model,
            timing=texts(f"timing.{self.timing.value}.short"),
            delay=texts(f"state.delay.{('none', 'one')[self.delay] if self.delay < 2 else 'more'}", frames=self.delay),
        )
        if self.notice:
            return f"{said} {self.notice}"
        if self.last_error:
            said += " " + texts("state.last_error", problem=self.last_error)
        return said


class Rate:
    """Count events per second over the last one to two seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before = self._last = (clock(), 0)

    def per_second(self, count: int) -> float:
        """Return the rate, given how many events there have been in all."""
        now = self._clock()
        if count < self._last[1]:  # counted anew
            self._before = self._last = (now, count)
        if now - self._last[0] >= _SHORTEST_S:
            self._before, self._last = self._last, (now, count)
        passed = now - self._before[0]
        return (count - self._before[1]) / passed if passed > 0 else 0.0
