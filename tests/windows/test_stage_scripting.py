"""The checks of what the script host found fail when they should; Wine is not needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tools.windows import stage_scripting
from tools.windows.script_host import Report
from tools.windows.stage import Outcome

Bytes = NDArray[np.uint8]


def drawn(alpha: Bytes, colour: int = 200) -> Bytes:
    """Return a premultiplied picture as the host saves it."""
    picture = np.dstack([np.where(alpha > 0, colour, 0)] * 3 + [alpha])
    return picture.astype(np.uint8).ravel()


@pytest.fixture
def alpha() -> Bytes:
    half = np.zeros((20, 30), np.uint8)
    half[:, 15:] = 255
    return half


def failures_of(pixels: Bytes, wanted: Sequence[Bytes]) -> list[str]:
    outcome = Outcome()
    stage_scripting._check_picture("still", pixels, wanted, outcome)
    return outcome.failed


def test_the_right_picture_passes(alpha: Bytes) -> None:
    assert failures_of(drawn(alpha), [alpha]) == []


def test_the_nearest_frame_of_a_clip_counts(alpha: Bytes) -> None:
    assert failures_of(drawn(alpha), [255 - alpha, alpha]) == []


def test_another_alpha_fails(alpha: Bytes) -> None:
    assert len(failures_of(drawn(255 - alpha), [alpha])) == 1


def test_an_opaque_picture_fails(alpha: Bytes) -> None:
    failed = " ".join(failures_of(drawn(np.full_like(alpha, 255)), [alpha]))
    assert "50.0% of the pixels should be opaque, and 100.0% are" in failed
    assert "50.0% of the pixels should be transparent, and 0.0% are" in failed


def test_colour_under_transparency_fails(alpha: Bytes) -> None:
    picture = drawn(alpha)
    picture[0] = 1
    assert failures_of(picture, [alpha]) == ["still: a transparent pixel should be black, and one has a colour"]


def test_a_picture_of_another_size_fails(alpha: Bytes) -> None:
    assert failures_of(drawn(alpha[:10]), [alpha]) == ["still: 30x20 pixels should be drawn, and 300 are"]


def report_of(*lines: tuple[str, str]) -> Report:
    return Report(lines=list(lines), exit_code=0)


@pytest.mark.parametrize(
    ("without", "filtered", "passes"),
    [("9 9", "100 0", True), ("9 9", "100 1", False), ("9 9", "0 0", False), ("9 8", "100 0", False)],
)
def test_no_frame_may_show_the_room_where_it_would_be_seen(without: str, filtered: str, passes: bool) -> None:
    outcome = Outcome()
    trivial, report = report_of(("watched", f"still {without}")), report_of(("watched", f"still {filtered}"))
    stage_scripting._check_room("libobs-opengl", trivial, report, outcome)
    assert (outcome.failed == []) is passes


@pytest.mark.parametrize(("allocations", "errors", "passes"), [("2", 0, True), ("3", 0, False), ("2", 1, False)])
def test_nothing_may_be_left_and_no_error_logged(allocations: str, errors: int, passes: bool) -> None:
    outcome = Outcome()
    report = report_of(("allocations", allocations), *[("error", "device_draw: not all parameters were set")] * errors)
    stage_scripting._check_end("libobs-opengl", report, report_of(("allocations", "2")), outcome)
    assert (outcome.failed == []) is passes


def script_report(**changed: str) -> Report:
    found = {"python": "3.11", "type": "EOAM Background Removal", "settings": '{"softness":0.45,"preset":"custom"}'}
    found.update(changed)
    panel = [("panel", name) for name in stage_scripting._PANEL - {changed.get("lacks")}]
    return report_of(("settings", "{}"), *found.items(), *panel, ("panel", changed.get("more", "more")))


@pytest.mark.parametrize(
    "changed",
    [
        {"python": "3.12"},
        {"type": "Background Removal"},
        {"settings": '{"softness":0.45}'},
        {"lacks": "logs"},
        {"more": "missing_numpy"},
        {"more": "problem"},
    ],
)
def test_each_fault_of_the_script_is_one_failure(changed: dict[str, str]) -> None:
    outcome = Outcome()
    stage_scripting._check_script("libobs-opengl", script_report(**changed), outcome)
    assert len(outcome.failed) == 1


def test_a_script_without_faults_passes() -> None:
    outcome = Outcome()
    stage_scripting._check_script("libobs-opengl", script_report(), outcome)
    assert outcome.failed == []
