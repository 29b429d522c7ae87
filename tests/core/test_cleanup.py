from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.cleanup import fill_largest_region

Bytes = NDArray[np.uint8]


def _soft_disc(radius: int = 30, centre: tuple[int, int] = (64, 48)) -> Bytes:
    mask = np.zeros((96, 128), np.uint8)
    cv2.circle(mask, centre, radius, 255, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1.5)  # type: ignore[return-value]


def test_a_single_soft_region_keeps_its_edge_untouched() -> None:
    mask = _soft_disc()
    edge = (mask > 20) & (mask < 235)
    assert edge.sum() > 200
    result = fill_largest_region(mask, level=0.5)
    np.testing.assert_array_equal(result[edge], mask[edge])


def test_a_hole_is_filled_with_its_own_soft_rim() -> None:
    mask = _soft_disc()
    cv2.circle(mask, (64, 48), 8, 0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)  # type: ignore[assignment]
    result = fill_largest_region(mask, level=0.5)
    assert (result[34:63, 50:79] == 255).all()


def test_a_hole_near_the_outline_is_filled() -> None:
    mask = _soft_disc()
    mask[48, 37] = 0  # three pixels inside the outline
    assert fill_largest_region(mask, level=0.5)[48, 37] == 255


def test_smaller_regions_and_faint_ones_far_away_are_removed() -> None:
    mask = _soft_disc()
    mask[5:15, 5:15] = 255
    mask[80:90, 110:120] = 100  # below the level, but it would show with a soft edge
    result = fill_largest_region(mask, level=0.5)
    assert not result[:20, :20].any()
    assert not result[78:, 108:].any()
    assert result[48, 64] == 255


def test_a_region_that_leaves_the_picture_is_opaque_up_to_its_border() -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[40:, 30:100] = 200
    result = fill_largest_region(mask, level=0.5)
    assert (result[60:, 40:90] == 255).all()


def test_a_gap_that_is_open_to_the_border_is_no_hole() -> None:
    mask = np.zeros((96, 128), np.uint8)
    mask[40:, 20:110] = 255
    mask[60:, 60:70] = 0
    result = fill_largest_region(mask, level=0.5)
    assert not result[70:, 62:68].any()


def test_nothing_above_the_level_gives_nothing() -> None:
    mask = np.full((32, 48), 127, np.uint8)
    assert not fill_largest_region(mask, level=0.5).any()


def test_the_level_itself_counts_as_person() -> None:
    mask = np.full((32, 48), 128, np.uint8)
    assert (fill_largest_region(mask, level=128 / 255) == 255).all()
    assert not fill_largest_region(mask, level=129 / 255).any()


def test_a_full_mask_stays_full() -> None:
    mask = np.full((32, 48), 255, np.uint8)
    assert (fill_largest_region(mask, level=0.95) == 255).all()


def test_regions_of_a_single_pixel_are_no_problem() -> None:
    mask = np.zeros((32, 48), np.uint8)
    mask[3, 3] = mask[20, 20] = mask[20, 21] = 255
    result = fill_largest_region(mask, level=0.5)
    assert result[20, 20] == result[20, 21] == 255
    assert result[3, 3] == 0


def test_the_input_is_not_written_to() -> None:
    mask = _soft_disc()
    kept = mask.copy()
    fill_largest_region(mask, level=0.5)
    np.testing.assert_array_equal(mask, kept)


@pytest.mark.parametrize("mask", [np.zeros((4, 4), np.float32), np.zeros((1, 4, 4), np.uint8)])
def test_another_kind_of_mask_is_refused(mask: Bytes) -> None:
    with pytest.raises(ValueError, match="need uint8"):
        fill_largest_region(mask, level=0.5)


@pytest.mark.parametrize("level", [-0.1, 1.1, float("nan")])
def test_a_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level is"):
        fill_largest_region(np.zeros((4, 4), np.uint8), level=level)


def _whole_picture(mask: Bytes, level: float) -> Bytes:
    """What the module describes, done without cropping."""
    person = (mask >= level * 255).astype(np.uint8)
    _, labels = cv2.connectedComponents(person, connectivity=8)
    best, region = 0.0, np.zeros_like(mask)
    for label in range(1, labels.max() + 1):
        outlines, _ = cv2.findContours((labels == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if cv2.contourArea(outlines[0]) > best:
            best = cv2.contourArea(outlines[0])
            region = np.zeros_like(mask)
            cv2.drawContours(region, outlines, -1, 255, cv2.FILLED)
    square = np.ones((9, 9), np.uint8)
    result = np.where(cv2.dilate(region, square) > 0, mask, 0)
    result[(cv2.erode(region, square) > 0) | ((region > 0) & (person == 0))] = 255
    result[(region == 0) & (person > 0)] = 0
    return np.asarray(result, np.uint8)


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_working_on_the_region_only_changes_nothing(seed: int, level: float) -> None:
    noise = np.random.default_rng(seed).random((96, 128)).astype(np.float32)
    clouds = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    mask = clouds.astype(np.uint8)
    np.testing.assert_array_equal(fill_largest_region(mask, level=level), _whole_picture(mask, level))


def test_of_two_thin_regions_the_longer_one_is_kept() -> None:
    mask = np.zeros((32, 48), np.uint8)
    mask[5, 3:9] = mask[20, 3:30] = 255  # neither has an area
    result = fill_largest_region(mask, level=0.5)
    assert (result[20, 3:30] == 255).all()
    assert not result[5].any()
