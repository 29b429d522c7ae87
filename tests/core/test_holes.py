from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.cleanup import MaskCleaner
from eoam_core.holes import HoleJudge
from eoam_core.refine import halved
from eoam_core.settings import Holes, Settings

Bytes = NDArray[np.uint8]
H, W = 144, 256
ROOM, SHIRT, SKIN, DARK = (150, 170, 160), (90, 40, 40), (120, 150, 210), (30, 32, 34)
HOLE = (slice(85, 105), slice(118, 138))


def _person() -> tuple[Bytes, Bytes]:
    """A picture (h, w, 4) of a person before a wall, and the mask."""
    mask = np.zeros((H, W), np.uint8)
    cv2.ellipse(mask, (128, 150), (80, 100), 0, 0, 360, 255, cv2.FILLED)
    frame = np.full((H, W, 4), (*ROOM, 255), np.uint8)
    frame[mask > 0, :3] = SHIRT
    noise = np.random.default_rng(0).normal(0, 2, (H, W, 3))
    frame[..., :3] = np.clip(frame[..., :3] + noise, 0, 255)
    return frame, mask


def _hole(colour: tuple[int, int, int], *, level: int = 0) -> tuple[Bytes, Bytes]:
    """The same with something of a colour before the chest, or behind a gap, where the mask has a level."""
    frame, mask = _person()
    frame[(*HOLE, slice(3))] = colour
    mask[HOLE] = level
    return halved(frame), mask


def _is_filled(cleaner: MaskCleaner, colour: tuple[int, int, int], settings: Settings, *, level: int = 0) -> bool:
    half, mask = _hole(colour, level=level)
    result = cleaner.clean(mask, half, settings)[HOLE]
    inner = result[6:-6, 6:-6]
    assert (inner == 255).all() or (inner == 0).all()
    return bool(inner[0, 0] == 255)


def test_all_are_filled_as_in_the_paper_or_none() -> None:
    for colour in (ROOM, DARK):
        assert _is_filled(MaskCleaner(), colour, Settings(holes=Holes.ALL))
        assert not _is_filled(MaskCleaner(), colour, Settings(holes=Holes.OPEN))


@pytest.mark.parametrize("colour", [ROOM, DARK])
def test_by_size_a_hole_is_filled_up_to_the_limit_whatever_it_shows(colour: tuple[int, int, int]) -> None:
    assert _is_filled(MaskCleaner(), colour, Settings(holes=Holes.SIZE, hole_share=1.2))  # 400 pixels are 1.09 %
    assert not _is_filled(MaskCleaner(), colour, Settings(holes=Holes.SIZE, hole_share=1.0))


def test_by_size_0_fills_nothing_and_every_hole_has_its_own_size() -> None:
    frame, mask = _person()
    for top in (75, 95, 115):
        for left in (84, 100, 146, 164):
            mask[top : top + 4, left : left + 4] = 0
    mask[HOLE] = 0
    kept = MaskCleaner().clean(mask, halved(frame), Settings(holes=Holes.SIZE, hole_share=0))
    np.testing.assert_array_equal(kept[mask == 0], 0)
    filled = MaskCleaner().clean(mask, halved(frame), Settings(holes=Holes.SIZE, hole_share=0.5))
    np.testing.assert_array_equal(filled == 0, MaskCleaner().clean(_hole(ROOM)[1], halved(frame), _OPEN) == 0)


_OPEN = Settings(holes=Holes.OPEN)


def test_by_size_a_filled_hole_stays_filled_at_the_limit() -> None:
    cleaner = MaskCleaner()
    assert _is_filled(cleaner, DARK, Settings(holes=Holes.SIZE, hole_share=1.2))
    assert _is_filled(cleaner, DARK, Settings(holes=Holes.SIZE, hole_share=1.0))
    assert not _is_filled(cleaner, DARK, Settings(holes=Holes.SIZE, hole_share=0.5))


@pytest.mark.parametrize("colour", [DARK, SKIN, (60, 60, 190)])
def test_smart_fills_what_is_held_before_the_chest(colour: tuple[int, int, int]) -> None:
    assert _is_filled(MaskCleaner(), colour, Settings())


def test_smart_leaves_a_gap_open_that_shows_the_room() -> None:
    assert not _is_filled(MaskCleaner(), ROOM, Settings())


def test_smart_fills_a_hole_in_which_the_person_is_seen() -> None:
    assert _is_filled(MaskCleaner(), SHIRT, Settings(), level=110)


def test_smart_fills_noise_whatever_it_shows() -> None:
    frame, mask = _person()
    mask[90:93, 120:123] = 0
    frame[90:93, 120:123, :3] = ROOM
    assert (MaskCleaner().clean(mask, halved(frame), Settings())[85:98, 115:128] == 255).all()


def test_smart_fills_where_no_room_is_in_sight() -> None:
    frame, _ = _person()
    mask = np.full((H, W), 255, np.uint8)
    mask[HOLE] = 0
    assert (MaskCleaner().clean(mask, halved(frame), Settings())[HOLE] == 255).all()


@pytest.mark.parametrize(("first", "other"), [(DARK, ROOM), (ROOM, DARK)])
def test_an_answer_holds_against_a_short_doubt_and_gives_way_to_a_long_one(
    first: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    cleaner = MaskCleaner()
    answers = [_is_filled(cleaner, first, Settings()) for _ in range(30)]
    answers += [_is_filled(cleaner, other, Settings()) for _ in range(12)]
    assert len(set(answers)) == 1
    for _ in range(120):
        last = _is_filled(cleaner, other, Settings())
    assert last is not answers[0]


def test_a_hole_that_is_open_to_the_outside_for_a_moment_is_not_judged_anew() -> None:
    cleaner = MaskCleaner()
    for _ in range(30):
        assert _is_filled(cleaner, DARK, Settings())
    frame, mask = _person()
    for _ in range(3):
        cleaner.clean(mask, halved(frame), Settings())  # no hole
    assert _is_filled(cleaner, ROOM, Settings())  # judged anew it would be open
    for _ in range(10):
        cleaner.clean(mask, halved(frame), Settings())
    assert not _is_filled(cleaner, ROOM, Settings())


def test_reset_forgets_the_answers() -> None:
    cleaner = MaskCleaner()
    assert _is_filled(cleaner, DARK, Settings())
    cleaner.reset()
    assert not _is_filled(cleaner, ROOM, Settings())


def test_holes_in_two_places_are_told_apart() -> None:
    frame, mask = _person()
    for columns, colour in ((slice(90, 105), DARK), (slice(150, 165), ROOM)):
        mask[90:105, columns] = 0
        frame[90:105, columns, :3] = colour
    cleaner = MaskCleaner()
    for _ in range(20):
        result = cleaner.clean(mask, halved(frame), Settings())
        assert (result[97, 97], result[97, 157]) == (255, 0)


def test_in_a_torn_mask_only_the_largest_holes_are_looked_at() -> None:
    frame, _ = _person()
    mask = np.zeros((H, W), np.uint8)
    mask[4:140, 4:252] = 255
    for index in range(40):
        top, left = 10 + index // 10 * 32, 10 + index % 10 * 24
        mask[top : top + 8, left : left + 8] = 0
    frame[..., :3] = ROOM
    mask[20:24, 20:24] = 255
    contours, _ = cv2.findContours(255 - mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outer, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = HoleJudge().to_fill(contours, Settings(), mask, outer, halved(frame))
    assert len(filled) >= len(contours) - 6
