"""The error of the edge's colours is that of the colours alone, and cleaning lowers it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from eoam_core.compose import cut_out
from eoam_core.settings import Settings
from evaluation.colour import FIGURES, Scene, compose, edge_errors, main, table
from models.data import Person


def scene(room: tuple[int, int, int]) -> Scene:
    """A head and shoulders in skin and cloth colours over a room of one colour, 240 by 192."""
    alpha = np.zeros((120, 96), np.uint8)
    cv2.circle(alpha, (48, 40), 24, 255, -1)
    cv2.ellipse(alpha, (48, 120), (40, 45), 0, 0, 360, 255, -1)
    bgr = np.full((120, 96, 3), (90, 200, 90), np.uint8)  # the room it was photographed in
    bgr[alpha > 0] = (60, 60, 150)
    bgr[:66][alpha[:66] > 0] = (130, 150, 210)
    return compose(Person(bgr, alpha), np.full((240, 192, 3), room, np.uint8))


def shown(made: Scene, strength: float) -> np.ndarray:
    mask = np.rint(made.alpha * 255).astype(np.uint8)
    return cut_out(
        np.dstack([made.frame, np.full(mask.shape, 255, np.uint8)]), mask, Settings(decontamination=strength)
    )


@pytest.mark.parametrize("room", [(255, 255, 255), (200, 60, 20), (10, 10, 10)])
def test_cleaning_lowers_the_error(room: tuple[int, int, int]) -> None:
    made = scene(room)
    without, half, whole = (edge_errors(made, shown(made, strength)) for strength in (0.0, 0.5, 1.0))
    assert without is not None
    assert half is not None
    assert whole is not None
    assert len(without) == len(FIGURES)
    assert whole[0] < half[0] < without[0] > 10
    assert whole[0] < 0.75 * without[0]
    assert sum(whole[1:]) < sum(without[1:])


def test_the_persons_own_colours_are_no_error_whatever_the_mask() -> None:
    made = scene((255, 255, 255))
    for alpha in (made.alpha, cv2.GaussianBlur(made.alpha, (0, 0), 4.0)):
        levels = np.rint(alpha * 255).astype(np.uint8)
        assert edge_errors(made, np.dstack([made.colours[..., ::-1], levels])) == [0.0] * len(FIGURES)


def test_the_room_of_the_photograph_is_not_among_the_persons_colours() -> None:
    made = scene((0, 0, 0))
    edge = (made.alpha > 0.02) & (made.alpha < 0.97)
    blue, green, red = (made.colours[edge][:, channel].astype(int) for channel in range(3))
    assert (green < red).all()
    assert (green - blue <= 20 + 1).all()


def test_a_picture_without_an_edge_says_nothing() -> None:
    made = scene((0, 0, 0))
    assert edge_errors(made, np.zeros((240, 192, 4), np.uint8)) is None


def test_the_table_names_every_figure() -> None:
    text = table({0.0: [4.0, 3.0, 2.0, 1.0], 1.0: [2.0, 1.5, 1.0, 0.55]})
    assert text.splitlines()[0] == "| colour cleaning | edge colour | over green | over white | over black |"
    assert text.splitlines()[2:] == ["| none | 4.0 | 3.0 | 2.0 | 1.0 |", "| 1.0 | 2.0 | 1.5 | 1.0 | 0.6 |"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{model}", "--data", "{data}", "--every", "0"], "--every 0: need at least 1"),
        (["{model}", "--data", "{data}/nowhere"], "nowhere/eg1800_val.txt is missing"),
        (["{data}/none.onnx", "--data", "{data}"], "none.onnx"),
    ],
)
def test_bad_arguments_get_a_sentence(
    arguments: list[str], sentence: str, exported: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([text.format(model=exported, data=tiny_data) for text in arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("evaluation.colour: ")
    assert sentence in said


@pytest.mark.shared
def test_cleaning_helps_on_real_portraits(shared: Path, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(exported), "--data", str(shared / "data"), "--every", "30"]) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["none", "0.5", "1.0"]
    for figure in range(2, 2 + len(FIGURES)):
        without, half, whole = (float(row[figure]) for row in rows)
        assert without > half > whole
