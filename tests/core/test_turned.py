"""A camera on its side: the network sees people upright, and everything behind it the picture as it comes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_cli.main import main
from eoam_core import Cutter, Settings
from eoam_core.errors import ModelError
from eoam_core.pipeline import Pipeline
from eoam_core.segmenter import NullSegmenter
from eoam_core.settings import Holes, Regions, Turn
from eoam_core.turned import TurnedSegmenter, turned

from .doubles import FailingSegmenter, RedSegmenter

ROOT = Path(__file__).resolve().parents[2]
TURNS = [Turn.CLOCKWISE, Turn.HALF, Turn.COUNTERCLOCKWISE]
# By how much the camera's picture lies there: the other way round than it is turned in OBS.
LIES = {
    Turn.CLOCKWISE: cv2.ROTATE_90_COUNTERCLOCKWISE,
    Turn.HALF: cv2.ROTATE_180,
    Turn.COUNTERCLOCKWISE: cv2.ROTATE_90_CLOCKWISE,
}
HEIGHT, WIDTH = 48, 80


class Upright(RedSegmenter):
    """Remembers the frames that it saw, and whether it was opened."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.seen: list[np.ndarray] = []
        self.opened = 0

    def segment(self, frame: np.ndarray) -> np.ndarray:
        assert frame.shape == (self.height, self.width, 4)
        self.seen.append(frame.copy())
        return super().segment(frame)

    def open(self) -> None:
        self.opened += 1


def picture() -> np.ndarray:
    """Return an upright picture without any symmetry, (h, w, 4) uint8 BGRA."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)


def rotated(picture: np.ndarray, how: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.rotate(picture, how), np.uint8)


@pytest.mark.parametrize("turn", TURNS)
def test_the_network_sees_the_picture_upright_and_the_mask_fits_the_cameras(turn: Turn) -> None:
    upright = picture()
    lying = rotated(upright, LIES[turn])
    inner: list[Upright] = []

    def open_segmenter(height: int, width: int) -> Upright:
        inner.append(Upright(height, width))
        return inner[-1]

    segmenter = turned(open_segmenter, turn)(*lying.shape[:2])
    assert (segmenter.height, segmenter.width) == lying.shape[:2]
    for _ in range(2):
        mask = segmenter.segment(lying)
        np.testing.assert_array_equal(mask, lying[..., 2])
    np.testing.assert_array_equal(inner[0].seen[-1], upright)


def test_not_turned_nothing_stands_in_between() -> None:
    assert turned(Upright, Turn.NONE) is Upright


def test_it_opens_and_closes_what_it_turns_for_and_has_its_name() -> None:
    inner = Upright(WIDTH, HEIGHT)
    segmenter = TurnedSegmenter(inner, Turn.CLOCKWISE)
    segmenter.open()
    segmenter.close()
    segmenter.close()
    assert (inner.opened, inner.closed, segmenter.name) == (1, 2, "red")
    plain = TurnedSegmenter(NullSegmenter(WIDTH, HEIGHT), Turn.HALF)
    plain.open()  # it is always ready


def test_what_fails_inside_fails_outside() -> None:
    inner = FailingSegmenter(ModelError("no"))
    frame = np.ones((inner.width, inner.height, 4), np.uint8)
    with pytest.raises(ModelError, match="no"):
        TurnedSegmenter(inner, Turn.CLOCKWISE).segment(frame)


@pytest.mark.parametrize("turn", TURNS)
def test_a_pipeline_works_in_the_cameras_orientation(turn: Turn) -> None:
    lying = rotated(picture(), LIES[turn])
    settings = Settings(turn=turn, smoothing=0.0, holes=Holes.OPEN, regions=Regions.SHARE, region_share=0.0)
    with Pipeline(turned(RedSegmenter, turn)(*lying.shape[:2]), settings) as pipeline:
        matte = pipeline.process(lying)
    assert matte.mask.shape == lying.shape[:2]
    np.testing.assert_array_equal(matte.mask, lying[..., 2])
    assert matte.coefficients is not None
    assert matte.levels.shape == lying.shape[:2]


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    ones, others = one > 127, other > 127
    return float((ones & others).sum() / (ones | others).sum())


@pytest.mark.parametrize("turn", TURNS)
def test_the_network_that_ships_finds_a_lying_person_as_well_as_an_upright_one(turn: Turn) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    upright = np.ascontiguousarray(skimage_data.astronaut()[..., ::-1])[:, 64:448]  # upright, not square
    lying = np.ascontiguousarray(rotated(upright, LIES[turn]))
    with Cutter(Settings()) as cutter:
        expected = cutter.matte(upright).mask
        cutter.reset()
        unturned = cutter.matte(lying).mask
    with Cutter(Settings(turn=turn)) as cutter:
        found = cutter.matte(lying).mask
        picture = cutter.cut(lying)
    back = cv2.rotate(found, {cv2.ROTATE_90_CLOCKWISE: 2, cv2.ROTATE_180: 1, 2: 0}[LIES[turn]])
    assert back.shape == expected.shape
    assert _overlap(back, expected) > 0.99
    assert _overlap(back, expected) > _overlap(cv2.resize(unturned, found.shape[::-1]), found) + 0.02
    assert picture.shape[:2] == lying.shape[:2]


def test_the_command_line_turns_too(tmp_path: Path) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    upright = np.ascontiguousarray(skimage_data.astronaut()[..., ::-1])[:, 64:448]
    lying = tmp_path / "lying.png"
    assert cv2.imwrite(str(lying), cv2.rotate(upright, LIES[Turn.CLOCKWISE]))
    shown = {}
    for turn in ("none", "90"):
        file = tmp_path / f"{turn}.png"
        assert main(["image", str(lying), str(file), "--turn", turn]) == 0
        picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (384, 512, 4)
        shown[turn] = picture[..., 3]
    with Cutter(Settings()) as cutter:
        expected = cutter.cut(upright)[..., 3]
    back = cv2.rotate(shown["90"], cv2.ROTATE_90_CLOCKWISE)
    assert _overlap(back, expected) > 0.98
    assert _overlap(shown["none"], shown["90"]) < 0.95
