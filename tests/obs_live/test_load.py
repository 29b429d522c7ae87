"""Too little processor: what gives way, what the panel says, and how that is measured (tools/soak/load.py).

Slow: it waits until a throttled OBS has shown what gives way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import eoam_obs.frame.matting
from eoam_obs.binding.python_lock import LOCK
from eoam_obs.frame.pace import Pace, Patience, Rate, Speed
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from tests.obs.test_parts import ByHand, Stage
from tools.obs_driver import numbered
from tools.obs_driver.numbered import Seen
from tools.soak import load, quota
from tools.soak.load import FPS, Measured, Span
from tools.soak.report import Plan


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Speedometer:
    """A pace that is looked at twice a second, as the watch does, with so many masks and pictures a second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pace = Pace(self.clock)
        self._masks = 0.0
        self._pictures = 0.0

    def run(self, seconds: float, *, masks: float, pictures: float = 30.0) -> bool:
        for _ in range(round(seconds * 2)):
            self.clock.now += 0.5
            self._masks += masks / 2
            before, self._pictures = int(self._pictures), self._pictures + pictures / 2
            for _ in range(int(self._pictures) - before):
                self.pace.picture()
            speed = self.pace.look(int(self._masks))
        return speed.is_behind


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", ByHand)
    ByHand.made.clear()
    made = Stage()
    yield made
    made.filter.destroy()


@pytest.mark.parametrize("scripts", [(), ("counter.py", "other.py")])
def test_the_log_names_the_scripts_that_keep_python_busy(
    scripts: tuple[str, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "eoam")
    monkeypatch.setattr(LOCK, "busy_scripts", scripts)
    assert Speedometer().run(10, masks=10)
    assert ("busy_scripts=counter.py,other.py" in caplog.text) is bool(scripts)
    assert ("busy_scripts" in caplog.text) is bool(scripts)


def test_one_thread_at_a_time_looks_at_the_pace() -> None:
    # The panel asks on OBS's UI thread, the watch on its own: between two halves of a look the figures do not fit.
    looking, asked_at_once = threading.Event(), []

    def clock() -> float:
        if threading.current_thread() is not threading.main_thread():
            asked_at_once.append(looking.is_set())
        elif looking.is_set():
            other = threading.Thread(target=pace.look, args=(1,), daemon=True)
            other.start()
            other.join(0.05)  # it ends if nothing holds it back, and must not
            assert other.is_alive()
        return 100.0

    pace = Pace(clock)
    looking.set()
    pace.look(1)
    looking.clear()
    assert not any(asked_at_once)


def test_a_rate_is_that_of_the_last_one_to_two_seconds() -> None:
    clock = Clock()
    rate = Rate(clock, 10)
    assert rate.per_second(10) == 0.0, "no time has passed"
    clock.now += 0.5
    assert rate.per_second(20) == 20.0
    clock.now += 0.5
    assert rate.per_second(30) == 20.0  # from here on a second of its own
    clock.now += 1.0
    assert rate.per_second(130) == 100.0  # the first second is forgotten
    clock.now += 0.5
    assert rate.per_second(130) == pytest.approx(100 / 1.5)
    assert rate.per_second(5) == 0.0, "counted anew"
    clock.now += 0.5
    assert rate.per_second(15) == 20.0


def test_a_speed_that_nobody_has_measured_is_none() -> None:
    assert Speed() == Speed(0.0, 0.0, False, False, False)


def test_masks_are_behind_from_two_seconds_on_and_below_seven_tenths() -> None:
    for share, seconds, behind in ((0.66, 2.0, False), (0.66, 6.0, True), (0.76, 60.0, False)):
        speedometer = Speedometer()
        assert not speedometer.run(10, masks=30)
        assert speedometer.run(seconds, masks=30 * share) is behind, (share, seconds)
    for share, behind in ((0.86, True), (0.94, False)):
        speedometer = Speedometer()
        assert speedometer.run(10, masks=10)
        assert speedometer.run(30, masks=30 * share) is behind, share


@pytest.mark.parametrize(("seconds", "is_drawn"), [(4.9, True), (5.0, False)])
def test_a_source_counts_as_drawn_for_five_seconds(seconds: float, is_drawn: bool) -> None:
    clock = Clock()
    pace = Pace(clock)
    assert not pace.look(0).is_drawn
    pace.tick(0.03, late=False)
    clock.now += seconds
    assert pace.look(0).is_drawn is is_drawn


@pytest.mark.parametrize(
    ("ticks", "is_starved"),
    [
        ([(0.6, True)], False),
        ([(0.6, True), (0.6, True)], True),
        ([(0.6, True), (0.6, True), (0.03, False)], False),
        ([(0.6, True), (5.0, True), (0.6, True)], False),  # it was hidden in between
        ([(0.6, True), (4.9, True)], True),
    ],
)
def test_two_late_ticks_in_a_row_are_starved(ticks: list[tuple[float, bool]], is_starved: bool) -> None:
    pace = Pace(Clock())
    for passed, late in ticks:
        pace.tick(passed, late=late)
    assert pace.look(0).is_starved is is_starved


def test_after_forgetting_the_figures_begin_anew() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(10):
        clock.now += 0.5
        for _ in range(15):
            pace.picture()
        pace.look(0)
    assert pace.look(0).is_behind
    pace.forget()
    speed = pace.look(0)
    assert not speed.is_behind
    assert (speed.masks, speed.pictures) == (0.0, 0.0)
    clock.now += 1.0
    for _ in range(30):
        pace.picture()
    speed = pace.look(29)
    assert (speed.masks, speed.pictures, speed.is_behind) == (29.0, 30.0, False)


def test_a_hiccup_is_counted_from_its_own_beginning() -> None:
    speedometer = Speedometer()
    assert not speedometer.run(10, masks=30)
    for _ in range(5):  # each shorter than what counts, and enough masks in between
        assert not speedometer.run(1, masks=3)
        assert not speedometer.run(4, masks=26)


def test_the_masks_are_behind_only_if_that_lasts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "eoam")
    speedometer = Speedometer()
    assert not speedometer.run(10, masks=30)
    assert not speedometer.run(2, masks=3)  # a hiccup
    assert not speedometer.run(10, masks=30)
    assert speedometer.run(6, masks=10)
    assert speedometer.run(10, masks=24)  # between the limits nothing changes
    assert not speedometer.run(4, masks=30)
    assert not speedometer.run(10, masks=24)
    assert speedometer.run(6, masks=10)
    assert caplog.text.count("masks_too_slow masks_per_s=") == 1  # once, not whenever it changes


def test_masks_that_were_missing_for_another_reason_do_not_make_the_processor_slow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "eoam")
    speedometer = Speedometer()
    assert not speedometer.run(10, masks=30)
    for _ in range(20):  # no network: its pictures are made ready all the same, and nobody asks for the speed
        speedometer.clock.now += 0.5
        speedometer.pace.forget()
        for _ in range(15):
            speedometer.pace.picture()
    for _ in range(10):
        assert not speedometer.run(0.5, masks=30)
    assert speedometer.run(6, masks=10)
    assert caplog.text.count("masks_too_slow") == 1


def test_a_source_that_is_not_shown_is_not_behind() -> None:
    speedometer = Speedometer()
    assert speedometer.run(6, masks=10)
    assert not speedometer.run(3, masks=0, pictures=0)


def test_a_mask_every_other_picture_is_no_mask_too_few() -> None:
    # The filter counts the pictures that were to get a mask, not all of them.
    assert not Speedometer().run(10, masks=15, pictures=15)


def test_patience_ends_after_three_in_vain_and_comes_back() -> None:
    patience = Patience(rest_ns=100)
    for _ in range(2):
        patience.note(0, came=False)
    patience.note(0, came=True)
    for _ in range(2):
        patience.note(0, came=False)
        assert patience.lasts(0)
    patience.note(0, came=False)
    assert not patience.lasts(99)
    assert patience.lasts(100)
    patience.note(100, came=False)  # one is enough now
    assert not patience.lasts(199)
    patience.note(200, came=True)
    patience.note(200, came=False)
    assert patience.lasts(201)


def test_same_frame_stops_waiting_for_a_worker_that_is_too_slow(stage: Stage) -> None:
    stage.choose({"timing": "same_frame"})
    stage.tick()
    stage.worker.is_quick = True
    stage.worker.finish()
    stage.tick(3)
    waits: list[int] = []
    process_now = stage.worker.process_now

    def counted(sequence: int, timeout_s: float) -> None:
        waits.append(sequence)
        process_now(sequence, timeout_s)

    stage.worker.process_now = counted  # type: ignore[method-assign]
    stage.worker.is_quick = False
    assert stage.tick(50, finish=True) == 50  # the pictures go on, a frame late, each with its own mask
    assert 3 <= len(waits) <= 6, waits
    assert stage.filter._matte is not None
    picture = stage.filter._pictures.find(stage.filter._matte.sequence)
    assert picture is not None
    assert stage.obs.shown[-1] == picture.texture


def test_the_panel_says_that_nothing_is_shown_since_no_mask_comes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("eoam_obs.frame.filter.Pace", lambda: Pace(clock))
    stage.filter.resume()

    def kind() -> str:
        clock.now += 1.0
        stage.filter.state()
        return stage.filter.state().kind

    stage.tick(30, finish=True)
    assert kind() == "running"
    assert stage.tick(30) == 30
    assert kind() == "running"  # the picture stands still, for two seconds at most
    stage.tick(40)
    assert stage.tick(20) == 0
    assert kind() == "late"
    assert "within 2 seconds" in stage.filter.state().sentence(Texts())
    stage.worker.finish()
    stage.tick(30, finish=True)
    assert kind() == "running"
    stage.obs.now += 10**10
    clock.now += 10
    assert kind() == "waiting"  # hidden: nobody is too busy


@pytest.mark.parametrize("no_mask", ["nothing", "blur"])
@pytest.mark.parametrize("seconds", [0.6, 1.0, 4.0])
def test_a_source_that_is_drawn_too_rarely_is_not_called_hidden(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float, no_mask: str
) -> None:
    clock = Clock()
    monkeypatch.setattr("eoam_obs.frame.filter.Pace", lambda: Pace(clock))
    stage.choose({"no_mask": no_mask})
    stage.filter.resume()

    def tick(passed: float, count: int) -> str:
        """Draw so often, and return the kinds of state that are seen meanwhile, looked at twice a second."""
        kinds = []
        for _ in range(count):
            for _ in range(max(1, int(passed * 2))):
                clock.now += passed / max(1, int(passed * 2))
                kinds.append(stage.filter.state().kind)
            stage.tick(finish=True, nanoseconds=int(passed * 1e9))
            kinds.append(stage.filter.state().kind)
        return " ".join(dict.fromkeys(kinds))

    assert tick(1 / 30, 60).split()[-1] == "running"
    tick(seconds, 2)
    assert tick(seconds, 8) == "starved"
    state = stage.filter.state()
    assert state.is_warning
    assert state.sentence(Texts()).startswith("Nothing" if no_mask == "nothing" else "Everything")
    assert tick(1 / 30, 60).split()[-1] == "running"
    clock.now += 1.5
    assert stage.filter.state().kind == "running"  # nobody knows yet
    clock.now += 4.0
    assert stage.filter.state().kind == "waiting"
    stage.obs.now += 5_500_000_000
    assert "starved" not in tick(1 / 30, 30)  # shown again
    for passed in (3.0, 1 / 30):  # hidden for a moment
        assert "starved" not in tick(passed, 1)


@pytest.mark.parametrize("language", ["en-US", "de-DE", "es-ES", "fr-FR", "ja-JP", "pt-BR", "zh-CN"])
def test_the_sentences_name_the_figures_and_the_preset_that_helps(language: str) -> None:
    texts = Texts(language)
    state = State(kind="running", masks_per_second=8.2, pictures_per_second=29.8, behind=True, model="m")
    sentence = state.sentence(texts)
    for part in (texts("preset.low_cpu"), "8", "30"):
        assert part in sentence
    assert state.is_warning
    assert texts("preset.low_cpu") not in State(kind="running", masks_per_second=30, model="m").sentence(texts)
    late = State(kind="late", limit_s=0.5)
    assert late.is_warning
    assert "0.5" in late.sentence(texts)
    assert texts("preset.low_cpu") in late.sentence(texts)


def test_the_numbers_in_a_clip_are_read_again() -> None:
    for number, frame in enumerate(numbered.frames(320, 180)):
        rgb = frame[..., ::-1]
        green = np.full_like(rgb, (0, 255, 0))
        cut = np.where(rgb > 120, rgb, green)
        assert numbered.read(np.hstack([rgb, cut])) == Seen(number, number, number, True)
        assert not numbered.read(np.hstack([rgb, green])).is_drawn


def test_what_breaks_the_promises_is_found() -> None:
    span = Span(0, 0, 0, "Removing the background")

    def judged(seen: list[Seen], said: str = span.said) -> list[str]:
        return load.judge(load.measure(seen, Span(0, 0, 0, said)))

    good = [Seen(number, number - 1, number - 1, True) for number in range(1, 120)]
    assert judged(good) == []
    assert "complains" in judged(good, "Your processor is too busy")[0]
    mixed = [*good[:50], good[50]._replace(mask=7), *good[51:]]
    assert "the mask of another one" in judged(mixed)[0]
    still = [Seen(number, 5, 5, True) for number in range(6, 90)]
    problems = " ".join(judged(still))
    assert "s old" in problems
    assert "stood still" in problems
    assert "and the panel says" in problems
    nothing = [each if each.raw < 60 else each._replace(is_drawn=False) for each in still]  # as it must be
    assert "stood still" not in " ".join(judged(nothing))


def test_a_slow_worker_makes_fewer_masks_each_with_its_own_picture(display: str, tmp_path: Path) -> None:
    if quota.missing():
        pytest.skip(quota.missing())
    with load.started(Plan(display=display, folder=tmp_path, seconds=0.0, seed=0)) as obs:
        recording = load.Recording(obs, tmp_path / "inside.jsonl")
        span = recording.span("worker", 0.05, 4.0)
        frames = recording.stop()
        assert (ended := obs.end()).is_clean or ended.fault_of_obs
    found: Measured = load.measure(frames[span.first : span.last], span)
    assert load.judge(found) == [], found.row()
    assert found.masks_per_s < 0.5 * FPS, found.row()  # or the limit does nothing
    assert "too busy" in found.said
