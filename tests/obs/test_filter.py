"""The filter's decisions tick by tick: limits at their edges, what is said, what is freed, what begins anew."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import eoam_obs.frame.filter
import eoam_obs.frame.matting
from eoam_obs.binding import libobs
from eoam_obs.frame.gpu import Readback
from eoam_obs.frame.pace import Pace
from eoam_obs.source.state import State
from tests.obs.test_parts import TICK, ByHand, Stage
from tests.obs_live.test_load import Clock

SECOND = 1_000_000_000


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", ByHand)
    ByHand.made.clear()


@pytest.fixture
def stage(by_hand: None) -> Iterator[Stage]:
    made = Stage()
    yield made
    made.filter.destroy()
    assert not made.obs.alive
    assert not made.obs.faults
    assert not made.obs.gs_get_context(), "the graphics context is given back"


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(eoam_obs.frame.filter, "Pace", lambda: Pace(clock))
    stage.filter.resume()
    return clock


def running(stage: Stage) -> None:
    """Bring a filter to where every tick shows a picture with its own mask."""
    stage.tick(6, finish=True)
    assert stage.tick(finish=True) == 1


# -- what is said ---------------------------------------------------------------------------------------------------


def test_what_it_has_done_is_logged_when_it_stops(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    uploads: list[bool] = []
    upload = stage.filter._drawing.upload

    def noted(matte: Any) -> bool:
        uploads.append(upload(matte))
        return uploads[-1]

    stage.filter._drawing.upload = noted  # type: ignore[method-assign]
    stage.tick(11, finish=True)
    stage.tick(nanoseconds=3 * SECOND)  # a pause is no time in which masks were wanted
    masks, seconds = sum(uploads), 10 * TICK / SECOND
    with caplog.at_level(logging.INFO, "eoam"):
        stage.filter.suspend()
        stage.filter.suspend()
    assert masks > 5
    assert [record.getMessage() for record in caplog.records] == [
        f"filter_stopped ticks=12 masks={masks} masks_per_s={masks / seconds:.1f} ms_per_mask=1.00"
    ]


def test_a_filter_that_was_never_drawn_logs_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "eoam"):
        stage.filter.suspend()
    assert caplog.records == []


def test_figures_without_any_mask_or_time_are_zero(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.tick()
    with caplog.at_level(logging.INFO, "eoam"):
        stage.filter.suspend()
    assert caplog.records[0].getMessage() == "filter_stopped ticks=1 masks=0 masks_per_s=0.0 ms_per_mask=0.00"


@pytest.mark.parametrize(("timing", "delay"), [("aligned", 1), ("low_latency", 0), ("same_frame", 0)])
def test_the_state_says_how_it_runs(stage: Stage, clock: Clock, timing: str, delay: int) -> None:
    stage.choose({"timing": timing})
    for _ in range(90):
        clock.now += TICK / SECOND
        stage.tick(finish=True)
        stage.filter.state()
    state = stage.filter.state()
    assert (state.kind, state.model, state.delay, state.timing.value) == ("running", "by hand", delay, timing)
    assert (state.width, state.height, state.milliseconds) == (stage.worker.width, stage.worker.height, 1.0)
    assert state.masks == stage.worker.frames > 0
    assert state.masks_per_second == pytest.approx(SECOND / TICK, rel=0.1)
    assert state.pictures_per_second == pytest.approx(SECOND / TICK, rel=0.1)
    assert (state.behind, state.busy_scripts, state.notice, state.last_error) == (False, (), "", "")


def test_other_scripts_are_named_only_where_masks_lack(
    stage: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eoam_obs.frame.filter, "LOCK", SimpleNamespace(busy_scripts=("counter.py",)))
    for number in range(600):
        clock.now += TICK / SECOND
        stage.tick(finish=number < 90 or number % 6 == 0)
        state = stage.filter.state()
        if number == 60:
            assert (state.behind, state.busy_scripts) == (False, ())
    assert (state.behind, state.busy_scripts) == (True, ("counter.py",))
    for _ in range(75):
        clock.now += TICK / SECOND
        stage.tick()
    assert (stage.filter.state().kind, stage.filter.state().busy_scripts) == ("late", ("counter.py",))
    for _ in range(3):
        clock.now += 0.6
        stage.tick(nanoseconds=SECOND * 6 // 10)
    assert (stage.filter.state().kind, stage.filter.state().busy_scripts) == ("starved", ("counter.py",))


def test_without_a_mask_the_state_says_what_is_shown_instead(stage: Stage, clock: Clock) -> None:
    assert stage.filter.state() == State(kind="waiting")
    stage.choose({"no_mask": "blur"})
    assert stage.filter.state() == State(kind="waiting", covered=True)
    stage.tick()
    assert stage.filter.state() == State(kind="waiting", covered=True)
    stage.worker.error = "no mask"
    assert stage.filter.state() == State(kind="problem", problem="no mask", covered=True)
    stage.filter.hidden = True
    stage.worker.error = ""
    assert stage.filter.state() == State(kind="hidden")
    stage.filter.suspend()
    assert stage.filter.state() == State(kind="stopped")


def test_a_problem_makes_no_slow_processor(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tick()
    forgotten: list[bool] = []
    monkeypatch.setattr(stage.filter._pace, "forget", lambda: forgotten.append(True))
    stage.filter.state()
    assert forgotten == []
    stage.worker.error = "no mask"
    stage.filter.state()
    assert forgotten == [True]


def test_the_first_settings_are_those_that_it_was_made_with(by_hand: None) -> None:
    stage = Stage(threshold=0.7)
    stage.tick()
    assert stage.worker.settings.threshold == 0.7
    stage.filter.destroy()


def test_missing_libraries_are_all_named_with_their_remedies(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def part(name: str, *, ok: bool) -> Any:
        fault = "does not load" if name == "opencv" else ""
        return SimpleNamespace(name=name, ok=ok, fault=fault, remedy=f"install {name}")

    parts = [part("numpy", ok=True), part("onnxruntime", ok=False), part("opencv", ok=False), part("model", ok=False)]
    monkeypatch.setattr(eoam_obs.frame.filter, "check_installation", lambda: parts)
    monkeypatch.setitem(sys.modules, "eoam_obs.frame.matting", None)
    stage.tick()
    problem = "onnxruntime is missing: install onnxruntime opencv does not load: install opencv"
    assert stage.filter.state().problem == problem
    assert ByHand.made == []
    parts[1:] = []
    stage.filter.resume()
    stage.tick()
    assert stage.filter.state().problem.startswith("A library failed to load: ")


# -- limits at their edges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nanoseconds", "shown"), [(SECOND // 2, 1), (SECOND // 2 + 1, 0)])
def test_half_a_second_is_no_pause_and_more_is(stage: Stage, nanoseconds: int, shown: int) -> None:
    running(stage)
    assert stage.tick(nanoseconds=nanoseconds) == shown


@pytest.mark.parametrize(("timing", "steps", "last"), [("aligned", 4, SECOND // 2), ("low_latency", 1, SECOND // 2)])
def test_a_mask_is_used_up_to_its_limit_and_not_beyond(stage: Stage, timing: str, steps: int, last: int) -> None:
    stage.choose({"timing": timing})
    running(stage)
    assert stage.worker.matte.sequence == stage.obs.now
    for _ in range(steps):
        assert stage.tick(nanoseconds=last) == 1
    assert not stage.filter._is_late
    assert stage.tick(nanoseconds=1) == 0
    assert stage.filter._is_late


@pytest.mark.parametrize(("every", "limit_ns"), [(2, SECOND * 6 // 10), (10, SECOND), (5, SECOND * 3 // 4)])
def test_with_a_mask_every_so_many_frames_the_limit_grows_with_them(stage: Stage, every: int, limit_ns: int) -> None:
    stage.choose({"every": every, "timing": "low_latency"})
    stage.tick(3 * every, finish=True)
    step = SECOND // 20  # the longest that a tick counts for
    while stage.filter._matte is not None and stage.obs.now - stage.filter._matte.sequence <= limit_ns - step:
        assert stage.tick(nanoseconds=step) == 1
    assert stage.filter._limit_ns == limit_ns
    assert stage.tick(2, nanoseconds=step) < 2


def test_every_other_frame_keeps_the_limit_of_aligned_at_most(stage: Stage) -> None:
    stage.choose({"every": 10})
    stage.tick(40, finish=True, nanoseconds=SECOND // 2)
    assert stage.filter._limit_ns == SECOND
    assert eoam_obs.frame.filter._STALE_NS[stage.filter._settings.timing] == 2 * SECOND


def test_the_worker_is_told_when_to_read_and_when_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    running(stage)
    for nanoseconds, tick_s in ((TICK, 0.033), (SECOND // 1000, 0.004), (SECOND // 10, 0.05), (SECOND * 4 // 10, 0.05)):
        stage.tick(nanoseconds=nanoseconds, finish=True)
        due, period = stage.worker.asked[-1]
        assert due == pytest.approx(1000.0 + Readback.EARLY * tick_s)
        assert period == pytest.approx(tick_s)
    assert stage.filter._downscaler is not None
    stage.filter._downscaler.readback.after = Readback.LATE
    stage.tick(finish=True)
    assert stage.worker.asked[-1][0] == pytest.approx(1000.0 + Readback.LATE * 0.033)
    stage.choose({"every": 3})
    asked = len(stage.worker.asked)
    stage.tick(9, finish=True)
    assert len(stage.worker.asked) == asked + 3
    assert stage.worker.asked[-1][1] == pytest.approx(3 * 0.033)


def test_what_stands_still_is_expected_every_other_tick(stage: Stage) -> None:
    running(stage)
    stage.worker.stands_still = True
    stage.tick(6, finish=True)
    assert stage.worker.asked[-1][1] == pytest.approx(2 * TICK / SECOND)


@pytest.mark.parametrize(("nanoseconds", "tried"), [(2 * SECOND - 1, False), (2 * SECOND, True)])
def test_after_a_failure_it_is_tried_again_in_two_seconds(stage: Stage, nanoseconds: int, tried: bool) -> None:
    running(stage)
    stage.obs.refuse = {"gs_texrender_begin_with_color_space"}
    stage.obs.size = (360, 640)  # new textures
    stage.tick()
    assert not [kind for kind in stage.obs.alive.values() if "texture" in kind or "texrender" in kind], "all are freed"
    stage.obs.refuse = set()
    made = len(ByHand.made)
    stage.tick(nanoseconds=nanoseconds)
    assert (len(ByHand.made) > made) is tried


def test_while_it_waits_after_a_failure_nothing_is_drawn(stage: Stage) -> None:
    running(stage)
    stage.filter._retry_at = stage.obs.now + SECOND
    assert stage.tick(5, finish=True) == 0


def test_two_failures_are_both_said_and_one_without_a_text_by_its_name(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    running(stage)
    errors = iter([MemoryError(), MemoryError(), RuntimeError("no picture")])

    def fails(*_: object, **__: object) -> bool:
        raise next(errors)

    monkeypatch.setattr(stage.filter._camera, "look", fails)
    said = []
    with caplog.at_level(logging.ERROR, "eoam"):
        for _ in range(3):
            stage.tick(nanoseconds=2 * SECOND)
            said.append(stage.filter._last_error)
    assert said == ["MemoryError", "MemoryError", "no picture"]
    assert len(caplog.records) == 2


# -- beginning anew -------------------------------------------------------------------------------------------------


def test_when_the_source_is_gone_for_a_tick_everything_is_forgotten(stage: Stage) -> None:
    running(stage)
    stage.tick()
    stage.obs.has_target = False
    assert stage.tick() == 0
    assert stage.filter._downscaler is not None
    assert stage.filter._downscaler.staged is None
    assert stage.worker.matte is None
    assert (stage.filter._matte, stage.filter._previous, stage.filter._is_late) == (None, None, False)
    assert stage.filter._since == stage.obs.now
    stage.obs.has_target = True
    stage.worker.in_flight = None
    assert stage.tick(2) == 0
    stage.worker.finish()
    assert stage.tick() == 1


def test_after_another_size_no_old_picture_is_left(stage: Stage) -> None:
    running(stage)
    numbers = list(stage.filter._pictures._targets)
    stage.obs.size = (1280, 720)
    stage.tick()
    assert len(numbers) >= 2
    assert [stage.filter._pictures.find(number) for number in numbers] == [None] * len(numbers)


def test_the_colour_space_is_the_cameras(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.filter.space == libobs.GS_CS_SRGB
    monkeypatch.setattr(stage.obs, "obs_source_get_color_space", lambda *_: libobs.GS_CS_SRGB_16F)
    running(stage)
    assert stage.filter.space == libobs.GS_CS_SRGB_16F


@pytest.mark.parametrize("space", [libobs.GS_CS_SRGB, libobs.GS_CS_SRGB_16F])
@pytest.mark.parametrize("before", [False, True])
def test_linear_light_is_encoded_for_the_network_and_bytes_are_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, space: int, before: bool
) -> None:
    seen: list[bool] = []
    draw = stage.obs.gs_draw_sprite

    def noted(texture: int, *rest: Any) -> None:
        if stage.obs.inside and stage.filter._downscaler is not None:
            seen.append(stage.obs.framebuffer_srgb)
        draw(texture, *rest)

    monkeypatch.setattr(stage.obs, "gs_draw_sprite", noted)
    monkeypatch.setattr(stage.obs, "obs_source_get_color_space", lambda *_: space)
    stage.obs.framebuffer_srgb = before
    stage.tick(5, finish=True)
    assert len(seen) == 5
    assert set(seen) == {space != libobs.GS_CS_SRGB}
    assert stage.obs.framebuffer_srgb is before


def test_workers_of_before_are_closed_and_forgotten_when_they_have_ended(stage: Stage) -> None:
    for width in (640, 320, 960, 400):
        stage.obs.size = (width, 640)
        stage.tick()
    assert len(stage.filter._retired) <= 1
    assert [worker.is_closed for worker in ByHand.made] == [True] * (len(ByHand.made) - 1) + [False]


def test_a_worker_that_ends_slowly_is_waited_for_at_the_end(by_hand: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ByHand):
        def close_soon(self) -> None:
            self.asked_to_close = True

    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", Slow)
    stage = Stage()
    for size in ((640, 360), (360, 640), (640, 640)):
        stage.obs.size = size
        stage.tick()
    assert [worker.is_closed for worker in ByHand.made] == [False] * 3
    assert len(stage.filter._retired) == 2, "both still run"
    stage.filter.destroy()
    assert [worker.is_closed for worker in ByHand.made] == [True] * 3
    assert not stage.obs.gs_get_context()


def test_suspended_nothing_is_shown_nor_kept_and_resumed_a_problem_is_over(stage: Stage) -> None:
    running(stage)
    assert stage.filter._drawing.is_shown
    stage.filter.suspend()
    assert not stage.filter._drawing.is_shown
    assert stage.filter._matting is None
    stage.filter._problem, stage.filter._retry_at, stage.filter._placeholder_at = "no library", 10**18, 10**18
    stage.filter.resume()
    assert stage.filter.state().kind == "waiting"
    assert (stage.filter._retry_at, stage.filter._placeholder_at) == (0, 0)
    assert stage.tick(6, finish=True) > 0


def test_a_worker_that_is_made_while_the_script_goes_is_closed_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaving(ByHand):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            stage.filter.suspend()

    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", Leaving)
    assert stage.tick() == 0
    assert stage.worker.is_closed
    assert stage.filter._matting is None
    assert stage.filter._downscaler is None


def test_with_a_problem_the_worker_of_before_goes(stage: Stage) -> None:
    running(stage)
    stage.filter._problem, stage.filter._begun_for = "no library", ()
    assert stage.tick(3) == 0
    assert stage.worker.is_closed
    assert len(ByHand.made) == 1


def test_at_the_end_what_still_reads_a_file_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(stage.filter._drawing, "close", lambda: closed.append(bool(stage.obs.gs_get_context())))
    stage.filter.destroy()
    assert closed == [False], "without the graphics context"


# -- waiting and covering -------------------------------------------------------------------------------------------


class Noted:
    """Patience without end that notes what it is told."""

    def __init__(self) -> None:
        self.notes: list[bool] = []

    def lasts(self, now: int) -> bool:
        return True

    def note(self, now: int, *, came: bool) -> None:
        self.notes.append(came)


def test_waiting_counts_only_for_a_mask_that_could_have_come(stage: Stage) -> None:
    patience: Any = Noted()
    stage.filter._patience = patience
    stage.choose({"timing": "same_frame"})
    stage.tick(3)  # the network is being opened
    assert patience.notes == []
    stage.worker.finish()
    stage.tick()  # the first mask is there; this one is waited for in vain
    assert patience.notes == [False]
    stage.tick(4)  # the worker has an older one
    assert patience.notes == [False]
    stage.worker.finish()
    stage.worker.is_quick = True
    stage.tick()
    assert patience.notes == [False, True]


def test_each_picture_without_delay_has_its_own_mask_at_once(stage: Stage) -> None:
    stage.choose({"timing": "same_frame"})
    stage.tick()
    stage.worker.finish()
    stage.worker.is_quick = True
    for _ in range(4):
        assert stage.tick() == 1
        assert stage.filter._matte is not None
        assert stage.filter._matte.sequence == stage.obs.now


def test_a_cover_that_fails_is_said_freed_and_tried_again_in_two_seconds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.choose({"no_mask": "blur"})
    stage.tick()
    cover = stage.filter._placeholder
    assert cover is not None
    take, fails = cover.take, [True]
    taken: list[int] = []

    def sometimes(*arguments: Any) -> None:
        taken.append(stage.obs.now)
        if fails[0]:
            raise RuntimeError("no cells")
        take(*arguments)

    destroyed: list[bool] = []
    destroy = cover.destroy
    monkeypatch.setattr(cover, "take", sometimes)
    monkeypatch.setattr(cover, "destroy", lambda: (destroyed.append(True), destroy()))
    assert stage.tick() == 0
    failed_at = stage.obs.now
    assert stage.filter._last_error == "no cells"
    assert destroyed == [True]
    assert not stage.filter.state().covered
    assert stage.tick(nanoseconds=SECOND) == 0
    assert taken == [failed_at]
    fails[0] = False
    assert stage.tick(nanoseconds=SECOND - 1) == 0
    assert stage.tick(nanoseconds=1) == 1
    assert stage.filter.state().covered
    stage.choose({"no_mask": "nothing"})
    assert stage.tick() == 0


def test_the_cover_has_the_cameras_colour_space(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.choose({"no_mask": "blur"})
    stage.filter._retry_at = 10**18
    monkeypatch.setattr(stage.obs, "obs_source_get_color_space", lambda *_: libobs.GS_CS_SRGB_16F)
    assert stage.tick() == 1
    assert stage.filter.space == libobs.GS_CS_SRGB_16F
    assert stage.tick() == 1, "the source is drawn anew where nobody else did"
