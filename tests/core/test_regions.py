from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.cleanup import MaskCleaner
from eoam_core.settings import Holes, Regions, Settings

Bytes = NDArray[np.uint8]
H, W = 90, 160  # 1 % of the frame is 144 pixels
HALF = np.zeros((H // 2, W // 2, 4), np.uint8)


def _blocks(*blocks: tuple[int, int, int, int]) -> Bytes:
    """A mask with a block at each (left, top, columns, rows)."""
    mask = np.zeros((H, W), np.uint8)
    for left, top, columns, rows in blocks:
        mask[top : top + rows, left : left + columns] = 255
    return mask


def _clean(cleaner: MaskCleaner, mask: Bytes, settings: Settings) -> list[bool]:
    """Which of the regions that `mask` consists of, from left to right, are left."""
    result = cleaner.clean(mask, HALF, settings)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask)
    order = sorted(range(1, len(facts)), key=lambda label: int(facts[label, cv2.CC_STAT_LEFT]))
    return [bool((result[labels == label] == 255).all()) for label in order]


BIG, SMALL, SPECK = (10, 10, 40, 60), (100, 30, 20, 20), (140, 5, 5, 5)


def test_every_region_above_the_share_stays_and_specks_vanish() -> None:
    assert _clean(MaskCleaner(), _blocks(BIG, SMALL, SPECK), Settings()) == [True, True, False]
    assert _clean(MaskCleaner(), _blocks(BIG, SMALL, SPECK), Settings(region_share=3)) == [True, False, False]
    assert _clean(MaskCleaner(), _blocks(BIG, SMALL, SPECK), Settings(region_share=0)) == [True, True, True]


def test_only_the_largest_stays_as_in_the_paper_whatever_its_size() -> None:
    settings = Settings(regions=Regions.LARGEST, region_share=20)
    assert _clean(MaskCleaner(), _blocks(BIG, SMALL, SPECK), settings) == [True, False, False]
    assert _clean(MaskCleaner(), _blocks(SPECK), settings) == [True]


def test_up_to_a_number_of_people_stay_the_largest_first() -> None:
    blocks = _blocks((5, 10, 20, 30), (40, 10, 20, 40), (80, 10, 20, 20), SPECK)
    for people, left in ((1, [False, True, False, False]), (2, [True, True, False, False])):
        assert _clean(MaskCleaner(), blocks, Settings(regions=Regions.PEOPLE, people=people)) == left
    assert _clean(MaskCleaner(), blocks, Settings(regions=Regions.PEOPLE, people=6)) == [True, True, True, False]


def test_where_the_largest_is_too_small_there_is_nobody() -> None:
    cleaner = MaskCleaner()
    assert not cleaner.clean(_blocks(SPECK), HALF, Settings()).any()


def test_a_region_does_not_blink_at_the_limit() -> None:
    settings, cleaner = Settings(region_share=2), MaskCleaner()  # 288 pixels
    seen = [
        _clean(cleaner, _blocks(BIG, (100, 30, 17, rows)), settings)[1] for rows in (16, 17, 16, 17, 15, 11, 10, 16)
    ]  # 272 are too few, 289 enough, from then on down to 173
    assert seen == [False, True, True, True, True, True, False, False]


@pytest.mark.parametrize("shape", [(6, 30), (3, 60)])
def test_a_region_of_exactly_the_limit_stays(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask.ravel()[: mask.size // 5] = 255  # 20 %: 36 pixels, which 0.2 * 6 * 30 is a little more than
    half = np.zeros(((shape[0] + 1) // 2, shape[1] // 2, 4), np.uint8)
    assert MaskCleaner().clean(mask, half, Settings(region_share=20)).any()


@pytest.mark.parametrize(("level", "least"), [(255, 288), (191, 576)])
def test_a_region_counts_for_as_much_as_the_network_is_sure_of_it(level: int, least: int) -> None:
    for pixels, stays in ((least, True), (least - 12, False)):
        mask = _blocks((100, 30, 12, pixels // 12)) // 255 * np.uint8(level)
        assert MaskCleaner().clean(mask, HALF, Settings(region_share=2)).any() is np.bool_(stays)


def test_another_region_does_not_inherit_the_place_of_one_that_is_gone() -> None:
    settings, cleaner = Settings(region_share=2), MaskCleaner()
    assert _clean(cleaner, _blocks(BIG, (100, 30, 20, 20)), settings) == [True, True]
    assert _clean(cleaner, _blocks(BIG, (130, 60, 16, 16)), settings) == [True, False]


@pytest.mark.parametrize("settings", [Settings(regions=Regions.LARGEST), Settings(regions=Regions.PEOPLE, people=1)])
def test_two_of_a_size_do_not_swap(settings: Settings) -> None:
    cleaner = MaskCleaner()
    for step in range(6):
        change = step % 2 * 8
        blocks = _blocks((10, 10, 30, 36 - change), (100, 10, 30, 30 + change))
        assert _clean(cleaner, blocks, settings) == [True, False]
    assert _clean(cleaner, _blocks((10, 10, 30, 30), (100, 10, 30, 60)), settings) == [False, True]


def test_who_moves_keeps_the_place() -> None:
    cleaner = MaskCleaner()
    for step in range(8):
        blocks = _blocks((10 + 8 * step, 10, 30, 32), (120, 10, 30, 34 if step else 20))
        assert _clean(cleaner, blocks, Settings(regions=Regions.LARGEST)) == [True, False]


def test_an_empty_frame_ends_the_advantage() -> None:
    settings, cleaner = Settings(region_share=2), MaskCleaner()
    border = _blocks(BIG, (100, 30, 16, 16))
    _clean(cleaner, _blocks(BIG, (100, 30, 20, 20)), settings)
    assert _clean(cleaner, border, settings) == [True, True]
    cleaner.clean(np.zeros((H, W), np.uint8), HALF, settings)
    assert _clean(cleaner, border, settings) == [True, False]


def test_what_is_left_of_a_region_beside_a_person_is_nothing() -> None:
    result = MaskCleaner().clean(_blocks(BIG, (52, 30, 5, 5)), HALF, Settings())
    assert (result[30:35, 52:57] == 0).all()


def test_a_speck_seen_through_an_open_gap_vanishes_and_a_person_stays() -> None:
    mask = _blocks((5, 5, 150, 80))
    mask[20:70, 20:140] = 0
    mask[30:34, 30:34] = 255
    mask[30:60, 80:110] = 255
    result = MaskCleaner().clean(mask, HALF, Settings(holes=Holes.OPEN))
    assert not result[28:36, 28:36].any()
    assert (result[30:60, 80:110] == 255).all()
