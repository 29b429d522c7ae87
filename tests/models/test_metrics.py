"""The figures mean what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from models.metrics import boundary_iou, flicker, foreground_iou, lag_frames, mean_absolute_difference, two_class_iou


def square(x: int, size: int = 20, shape: tuple[int, int] = (60, 100)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[20 : 20 + size, x : x + size] = True
    return mask


def test_foreground_iou_of_half_overlapping_squares_is_a_third() -> None:
    assert foreground_iou(square(10), square(20)) == pytest.approx(1 / 3)
    assert foreground_iou(square(10), square(50)) == 0
    assert foreground_iou(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1


def test_two_class_iou_averages_foreground_and_background() -> None:
    assert two_class_iou(square(10), square(20)) == pytest.approx((1 / 3 + 5400 / 5800) / 2)


def test_boundary_iou_is_harder_than_iou_and_ignores_the_pictures_border() -> None:
    assert boundary_iou(square(10), square(10)) == 1
    assert boundary_iou(square(10), square(12)) < foreground_iou(square(10), square(12))
    full = np.ones((60, 100), bool)
    assert boundary_iou(full, full) == 1  # no outline at all


def test_mean_absolute_difference_is_in_thousandths_of_full_alpha() -> None:
    a = np.zeros((10, 10), np.uint8)
    assert mean_absolute_difference(a, a + 255) == 1000
    assert mean_absolute_difference(a, a + 51) == pytest.approx(200)


def test_flicker_counts_still_pixels_only() -> None:
    a, b = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    b[0] = 255
    still = np.ones((4, 4), bool)
    assert flicker(a, b, still) == 250
    still[0] = False
    assert flicker(a, b, still) == 0
    assert np.isnan(flicker(a, b, ~still & still))


def test_lag_is_the_delay_at_which_the_masks_fit_best() -> None:
    truth = [square(4 * i) for i in range(20)]
    assert lag_frames(truth, truth) == 0
    assert lag_frames([truth[0], truth[0], *truth[:-2]], truth) == 2
