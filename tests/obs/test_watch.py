"""The thread that looks at the filters: nothing that goes wrong with one of them ends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from eoam_obs.binding import callbacks
from eoam_obs.binding.functions import Event
from eoam_obs.binding.python_lock import LOCK
from eoam_obs.source import missing_files
from eoam_obs.source import watch as watch_module
from eoam_obs.source.instances import INSTANCES, Instance
from eoam_obs.source.state import State
from eoam_obs.source.watch import Watch, look_at
from tests.obs.instances import instance
from tests.obs.test_panel_parts import Watched

SOON_S = 0.001
LONG_S = 60.0  # the limit of a wait, which is not reached


class Troubled:
    """A filter whose state cannot be told for as long as `error` is set; counts how often it was asked."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.asked = 0
        self.often = threading.Event()

    def state(self) -> State:
        self.asked += 1
        if self.asked >= 5:
            self.often.set()
        if self.error is not None:
            raise self.error
        return State(kind="waiting")


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Event, Instance]]:
    monkeypatch.setattr(callbacks, "_reported", set())
    assert not INSTANCES
    yield INSTANCES
    INSTANCES.clear()


def _add(instances: dict[Event, Instance], handle: int, video_filter: Any) -> Instance:
    added = instance(handle, handle, weak=handle, video_filter=video_filter)
    instances[added.handle] = added
    return added


def _watch(update_soon: Any = lambda obs, instance: None) -> Watch:
    obs: Any = Watched()
    return Watch(obs, update_soon, period_s=SOON_S)


def test_every_filter_is_looked_at_again_and_again(instances: dict[Event, Instance]) -> None:
    filters = [Troubled(), Troubled()]
    updated: dict[int, threading.Event] = {1: threading.Event(), 2: threading.Event()}
    for handle, video_filter in enumerate(filters, 1):
        _add(instances, handle, video_filter)
    watch = _watch(lambda obs, instance: updated[instance.handle].set())
    try:
        assert all(video_filter.often.wait(LONG_S) for video_filter in filters)
        assert all(event.wait(LONG_S) for event in updated.values())
        assert all(instance.seen == "waiting" for instance in instances.values())
    finally:
        watch.close()


@pytest.mark.parametrize("error", [MemoryError("no memory"), RuntimeError("odd"), OSError("gone")])
def test_one_filters_trouble_is_said_once_and_is_not_the_others(
    instances: dict[Event, Instance], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Troubled(error), Troubled()
    read = threading.Event()
    _add(instances, 1, bad)
    _add(instances, 2, good)
    with caplog.at_level(logging.ERROR, "eoam"):
        watch = _watch(lambda obs, instance: read.set() if instance.handle == 1 else None)
        try:
            assert bad.often.wait(LONG_S), "it is asked again, and may have recovered"
            assert good.often.wait(LONG_S)
            assert read.wait(LONG_S), "the settings of the troubled filter are read all the same"
            bad.error = None
            bad.asked = 0
            bad.often.clear()
            assert bad.often.wait(LONG_S)
        finally:
            watch.close()
    assert len(caplog.records) == 1
    assert instances[Event(1)].seen == "waiting"


def test_settings_that_cannot_be_read_do_not_end_it_either(instances: dict[Event, Instance]) -> None:
    good = Troubled()
    _add(instances, 1, good)

    def fails(obs: Any, instance: Instance) -> None:
        raise MemoryError("no memory")

    watch = _watch(fails)
    try:
        assert good.often.wait(LONG_S)
    finally:
        watch.close()


def test_trouble_with_the_lock_is_said_once_and_holds_up_nothing(
    instances: dict[Event, Instance], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = Troubled()
    _add(instances, 1, good)

    def look() -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(LOCK, "look", look)
    with caplog.at_level(logging.ERROR, "eoam"):
        watch = _watch()
        try:
            assert good.often.wait(LONG_S)
        finally:
            watch.close()
    assert [record.getMessage().split()[1] for record in caplog.records] == ["callback=watch"]


def test_a_drive_that_does_not_answer_holds_up_nothing_but_the_missing_files(
    instances: dict[Event, Instance], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Troubled()
    _add(instances, 1, good)
    asked, answers = threading.Event(), threading.Event()

    def look_soon(obs: Any, instance: Instance) -> None:
        asked.set()
        answers.wait(LONG_S)

    monkeypatch.setattr(missing_files, "look_soon", look_soon)
    watch = _watch()
    try:
        assert asked.wait(LONG_S)
        good.asked = 0
        good.often.clear()
        assert good.often.wait(LONG_S)
    finally:
        answers.set()
        watch.close()


def test_it_looks_at_pythons_lock_too(instances: dict[Event, Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    monkeypatch.setattr(LOCK, "look", looked.set)
    _add(instances, 1, Troubled())
    watch = _watch()
    try:
        assert looked.wait(LONG_S)
    finally:
        watch.close()


def test_the_lock_is_looked_at_once_for_all_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    now = [100.0]
    monkeypatch.setattr(LOCK, "look", lambda: looks.append(now[0]))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    obs: Any = Watched()
    watch = Watch(obs, lambda obs, instance: None)
    watch.close()
    looks.clear()
    watch._lock_looked_at = -1.0
    for moment in (100.0, 100.1, 100.2, 100.25, 100.4, 100.5):
        now[0] = moment
        watch._look_at_lock(obs, instance(1, 7))
    assert looks == [100.0, 100.25, 100.5]


def test_it_looks_twice_a_second_and_keeps_no_process_alive(instances: dict[Event, Instance]) -> None:
    obs: Any = Watched()
    watch = Watch(obs, lambda obs, instance: None)
    try:
        assert watch._period_s == 0.5
        assert watch._thread.daemon
    finally:
        watch.close()


@pytest.mark.parametrize(("now", "renewed"), [(100.0 + 29.9, False), (100.0 + 30.0, True)])
def test_a_pace_that_changes_renews_a_panel_twice_a_minute(now: float, renewed: bool) -> None:
    obs: Any = Watched()
    video_filter: Any = Pacing()
    watched = instance(1, 7, weak=8, video_filter=video_filter)
    look_at(obs, watched, 100.0)
    video_filter.behind = True
    look_at(obs, watched, now)
    assert (obs.renewed == 2) is renewed


@pytest.mark.parametrize(("now", "renewed"), [(4.9, False), (5.0, True)])
def test_a_change_has_settled_at_its_time(now: float, renewed: bool) -> None:
    obs: Any = Watched()
    watched = instance(1, 7, weak=8, seen="stopped", refresh_at=5.0)
    look_at(obs, watched, now)
    assert bool(obs.renewed) is renewed
    assert watched.refresh_at == (0.0 if renewed else 5.0)


def test_a_panel_is_renewed_some_time_after_the_last_change() -> None:
    assert watch_module.QUIET_S == 0.7  # longer than a hand rests on a slider, shorter than anybody waits


class Pacing:
    """A filter that runs, and may fall behind."""

    behind = False

    def state(self) -> State:
        return State(kind="running", behind=self.behind)


def test_closed_it_looks_at_nothing_any_more(instances: dict[Event, Instance]) -> None:
    video_filter = Troubled()
    _add(instances, 1, video_filter)
    watch = _watch()
    assert video_filter.often.wait(LONG_S)
    watch.close()
    watch.close()
    asked = video_filter.asked
    assert not watch._thread.is_alive()
    assert video_filter.asked == asked
