"""When frames are fetched and how often the worker has to be woken for them, by a clock that the tests set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest

from eoam_core.schedule import LATE, Schedule

PERIOD = 0.05


@dataclass
class Sleeper:
    """A worker without a thread: it sleeps and wakes as the schedule says, and fetching takes no time."""

    schedule: Schedule = field(default_factory=Schedule)
    pending: tuple[float, float] | None = None
    woken: int = 0
    fetched: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.go_on(0.0)

    def go_on(self, now: float) -> None:
        """Do what the thread does when it wakes, until it sleeps again."""
        if self.pending is not None and self.schedule.is_due(now, *self.pending):
            self.fetched.append(now)
            self.pending = None
        if self.pending is None:
            self.schedule.sleep(now)

    def run_until(self, now: float) -> None:
        """Let it wake by itself as often as it does before `now`."""
        while self.schedule.wakes_at <= now:
            self.go_on(self.schedule.wakes_at)

    def submit(self, now: float, due: float, period: float) -> None:
        """Do what `Worker.submit_later` does."""
        self.run_until(now)
        self.pending = (due, period)
        if self.schedule.wakes_at > due + LATE * period:
            self.woken += 1
            self.go_on(now)


def delays(sleeper: Sleeper, dues: Iterable[float]) -> list[float]:
    """Submit a frame in each period, due at these times after its start; return how late each was fetched."""
    result = []
    for number, due in enumerate(dues):
        start = number * PERIOD
        before = len(sleeper.fetched)
        sleeper.submit(start, start + due, PERIOD)
        sleeper.run_until(start + PERIOD * 0.999)
        assert len(sleeper.fetched) == before + 1, "it was not fetched before the next one"
        result.append(sleeper.fetched[-1] - start - due)
    return result


def test_what_comes_at_equal_intervals_is_fetched_in_time_without_waking_the_worker() -> None:
    # To wake a thread costs the caller, which draws. The worker sleeps until the next frame's time by itself.
    sleeper = Sleeper()
    found = delays(sleeper, [PERIOD / 3] * 24)
    assert sleeper.woken == 1  # for the first, which nobody expected
    assert max(map(abs, found)) < 1e-9


@pytest.mark.parametrize("jump", [0.002, 0.004])
def test_small_jumps_wake_nobody_and_stay_within_the_bounds(jump: float) -> None:
    sleeper = Sleeper()
    found = delays(sleeper, [PERIOD / 3 + jump * (number % 2) for number in range(24)])
    assert sleeper.woken == 1
    assert min(found) >= -0.1 * PERIOD - 1e-9  # never much before its time, or the GPU would be waited for
    assert max(found) <= LATE * PERIOD + 1e-9


def test_a_frame_that_moves_for_good_is_followed() -> None:
    sleeper = Sleeper()
    found = delays(sleeper, [PERIOD / 3] * 10 + [PERIOD / 3 + 0.004] * 20)
    assert np.abs(found[-5:]).max() < 0.1 * 0.004


def test_a_frame_that_is_due_much_earlier_wakes_the_worker() -> None:
    sleeper = Sleeper()
    found = delays(sleeper, [PERIOD * 0.8] * 5 + [PERIOD * 0.3])
    assert sleeper.woken == 2
    assert abs(found[-1]) < 1e-9


def test_a_frame_that_stays_away_leaves_the_worker_asleep_until_it_is_woken() -> None:
    sleeper = Sleeper()
    delays(sleeper, [PERIOD / 3] * 3)
    sleeper.run_until(1.0)
    assert sleeper.schedule.wakes_at == math.inf
    sleeper.submit(1.0, 1.0 + PERIOD / 3, PERIOD)
    sleeper.run_until(2.0)
    assert (len(sleeper.fetched), sleeper.woken) == (4, 2)


def test_after_a_single_frame_nothing_is_expected() -> None:
    sleeper = Sleeper()
    delays(sleeper, [PERIOD / 3] * 3)
    sleeper.submit(1.0, 1.0, 0.0)
    assert sleeper.fetched[-1] == 1.0
    assert sleeper.schedule.wakes_at == math.inf
