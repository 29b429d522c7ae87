from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.refine import halved
from eoam_core.temporal import MaskSmoother

Bytes = NDArray[np.uint8]
H, W = 48, 64


def _scene(x: int = 10, *, noise: float = 0.0, seed: int = 0) -> Bytes:
    """A bright block of 20 pixels at column `x` in front of a dark room."""
    frame = np.full((H, W, 4), 50, np.float64)
    frame[10:40, x : x + 20] = 180
    frame += np.random.default_rng(seed).normal(0, noise, frame.shape)
    return np.clip(frame, 0, 255).astype(np.uint8)


def _mask(x: int = 10, level: int = 255) -> Bytes:
    mask = np.zeros((H, W), np.uint8)
    mask[10:40, x : x + 20] = level
    return mask


def test_the_first_mask_is_returned_as_it_is() -> None:
    np.testing.assert_array_equal(MaskSmoother(0.8).smooth(_mask(), _scene()), _mask())


def test_on_a_still_picture_a_share_of_the_old_mask_is_kept() -> None:
    smoother = MaskSmoother(0.8)
    smoother.smooth(_mask(level=200), _scene())
    result = smoother.smooth(_mask(level=100), _scene())
    assert result[20, 20] == _kept(200, 100, 0.8**0.2)


def _kept(old: int, new: int, share: float) -> int:
    return round(share * old + (1 - share) * new)


def test_a_level_that_the_network_is_sure_of_is_believed_sooner() -> None:
    results = {}
    for level in (128, 255):
        smoother = MaskSmoother(0.8)
        smoother.smooth(np.zeros((H, W), np.uint8), _scene())
        results[level] = int(smoother.smooth(np.full((H, W), level, np.uint8), _scene())[20, 20])
    assert results == {128: _kept(0, 128, 0.8**0.2), 255: _kept(0, 255, 0.8**0.8)}
    assert results[255] / 255 > 2 * results[128] / 128


def test_who_enters_is_there_within_150_ms_and_who_leaves_is_gone() -> None:
    smoother = MaskSmoother(0.95)
    nobody, somebody = np.zeros((H, W), np.uint8), _mask()
    room = np.full((H, W, 4), 50, np.uint8)
    for _ in range(10):
        smoother.smooth(nobody, room)
    for _ in range(4):  # frames, at 30 per second
        result = smoother.smooth(somebody, _scene())
    assert (result[12:38, 12:28] > 230).all()
    for _ in range(10):
        smoother.smooth(somebody, _scene())
    for _ in range(4):
        result = smoother.smooth(nobody, room)
    assert result.max() < 25


def test_flicker_on_a_noisy_still_picture_shrinks_by_more_than_half() -> None:
    smoother = MaskSmoother(0.8)
    levels = [220 if number % 2 else 120 for number in range(20)]
    results = [
        smoother.smooth(_mask(level=level), _scene(noise=2.0, seed=number))[20, 20]
        for number, level in enumerate(levels)
    ]
    swing = np.abs(np.diff(np.asarray(results[10:], np.int16)))
    assert swing.max() < 50


def test_a_moved_part_follows_at_once_and_leaves_no_ghost() -> None:
    smoother = MaskSmoother(0.95)
    smoother.smooth(_mask(5), _scene(5))
    result = smoother.smooth(_mask(35), _scene(35))
    np.testing.assert_array_equal(result, _mask(35))


def test_slow_movement_does_not_lag_behind() -> None:
    smoother = MaskSmoother(0.95)
    for x in range(5, 30):
        result = smoother.smooth(_mask(x), _scene(x, noise=1.0, seed=x))
    wrong = np.abs(result.astype(np.int16) - _mask(29))
    assert (wrong > 64).sum() <= 30  # one column at most


def test_a_fade_that_is_slower_than_the_noise_is_followed_in_the_end() -> None:
    smoother = MaskSmoother(0.95)
    for step in range(80):  # 1.5 grey levels a frame, each below the threshold for stillness
        frame = np.full((H, W, 4), 40 + 1.5 * step, np.float64).astype(np.uint8)
        result = smoother.smooth(np.full((H, W), 3 * step, np.uint8), frame)
    assert abs(int(result[20, 20]) - 3 * 79) < 30


def test_a_cut_keeps_nothing_even_where_the_scenes_look_alike() -> None:
    smoother = MaskSmoother(0.95)
    smoother.smooth(np.full((H, W), 255, np.uint8), np.full((H, W, 4), 100, np.uint8))
    after = np.full((H, W, 4), 200, np.uint8)
    after[:, :20] = 100
    assert not smoother.smooth(np.zeros((H, W), np.uint8), after).any()


def test_a_camera_that_jumps_before_a_plain_wall_is_a_cut_and_a_walk_is_none() -> None:
    smoother = MaskSmoother(0.9)
    for number in range(5):
        assert smoother.watch(halved(_scene(2, noise=1.0, seed=number))) is (number == 0)
    assert smoother.watch(halved(_scene(40, noise=1.0, seed=9)))
    for step in range(20):
        assert not smoother.watch(halved(_scene(40 - step, noise=1.0, seed=step)))


def test_a_camera_whose_exposure_hunts_makes_no_cuts() -> None:
    smoother = MaskSmoother(0.9)
    smoother.watch(halved(_scene()))
    for number in range(60):
        light = 1 + 0.12 * np.sin(number / 4)
        assert not smoother.watch(halved(np.clip(_scene() * light, 0, 255).astype(np.uint8)))


def test_a_mask_that_no_picture_belongs_to_is_refused() -> None:
    smoother = MaskSmoother(0.5)
    with pytest.raises(ValueError, match="twice the size"):
        smoother.blend(_mask())
    smoother.watch(halved(_scene()))
    with pytest.raises(ValueError, match="twice the size"):
        smoother.blend(np.zeros((H, W + 2), np.uint8))


def test_small_differences_fade_out_completely() -> None:
    smoother = MaskSmoother(0.95)
    smoother.smooth(np.full((H, W), 9, np.uint8), _scene())
    for _ in range(120):
        result = smoother.smooth(np.zeros((H, W), np.uint8), _scene())
    assert not result.any()


def test_reset_forgets() -> None:
    smoother = MaskSmoother(0.8)
    smoother.smooth(_mask(level=200), _scene())
    smoother.reset()
    assert smoother.smooth(_mask(level=100), _scene())[20, 20] == 100


def test_another_size_starts_anew() -> None:
    smoother = MaskSmoother(0.8)
    smoother.smooth(_mask(), _scene())
    result = smoother.smooth(np.full((W, H), 90, np.uint8), np.zeros((W, H, 4), np.uint8))
    assert (result == 90).all()


def test_strength_0_switches_it_off_and_forgets() -> None:
    smoother = MaskSmoother(0.8)
    smoother.smooth(_mask(level=200), _scene())
    smoother.strength = 0.0
    assert smoother.smooth(_mask(level=50), _scene())[20, 20] == 50
    smoother.strength = 0.8
    assert smoother.smooth(_mask(level=100), _scene())[20, 20] == 100


def test_results_are_not_written_to_afterwards() -> None:
    smoother = MaskSmoother(0.8)
    first = smoother.smooth(_mask(level=200), _scene())
    second = smoother.smooth(_mask(level=100), _scene())
    smoother.smooth(_mask(level=0), _scene())
    assert (first[20, 20], second[20, 20]) == (200, _kept(200, 100, 0.8**0.2))


@pytest.mark.parametrize("strength", [-0.1, 1.0, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength is"):
        MaskSmoother(strength)


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="need"):
        MaskSmoother(0.5).smooth(_mask(), np.zeros((H, W + 1, 4), np.uint8))


def test_the_halved_frame_may_be_given() -> None:
    one, other = MaskSmoother(0.8), MaskSmoother(0.8)
    for x in (10, 10, 12):
        frame = _scene(x, noise=2.0, seed=x)
        np.testing.assert_array_equal(one.smooth(_mask(x), frame), other.smooth(_mask(x), frame, half=halved(frame)))
    with pytest.raises(ValueError, match="half is"):
        one.smooth(_mask(), _scene(), half=_scene())


@pytest.mark.parametrize("size", [(47, 63), (1, 1), (48, 65)])
def test_sizes_that_have_no_half(size: tuple[int, int]) -> None:
    smoother = MaskSmoother(0.8)
    frame = np.full((*size, 4), 90, np.uint8)
    smoother.smooth(np.full(size, 200, np.uint8), frame)
    assert (smoother.smooth(np.full(size, 100, np.uint8), frame) == _kept(200, 100, 0.8**0.2)).all()


@pytest.mark.parametrize("level", [1, 255])
def test_the_strongest_smoothing_fades_out_both_ways(level: int) -> None:
    smoother = MaskSmoother(0.99)
    smoother.smooth(np.full((H, W), level, np.uint8), _scene())
    for _ in range(900):
        result = smoother.smooth(np.zeros((H, W), np.uint8), _scene())
    assert not result.any()
    for _ in range(900):
        result = smoother.smooth(np.full((H, W), 255, np.uint8), _scene())
    assert (result == 255).all()


@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.5])
def test_the_cameras_noise_is_told_from_what_moves(sigma: float) -> None:
    rng = np.random.default_rng(0)
    smoother = MaskSmoother(0.7)
    room = np.asarray(cv2.GaussianBlur(rng.uniform(0, 255, (72, 128)).astype(np.float32), (0, 0), 6), np.float32)
    for i in range(40):
        grey = room.copy()
        grey[:, 3 * i % 100 : 3 * i % 100 + 20] = 200  # somebody walks by
        grey += rng.normal(0, sigma, grey.shape)
        half = np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 4, 2)
        smoother.watch(half)
    assert smoother.noise == pytest.approx(sigma, rel=0.3, abs=0.35)
    smoother.reset()
    assert smoother.noise == 0


def test_noise_is_known_after_a_few_pictures() -> None:
    smoother = MaskSmoother(0.4)
    for number in range(4):
        smoother.watch(halved(_scene(noise=8.0, seed=number)))  # half of that is left in means of four pixels
    assert smoother.noise == pytest.approx(4.0, rel=0.3)


def test_light_that_changes_all_over_is_not_noise() -> None:
    smoother = MaskSmoother(0.4)
    for number in range(40):
        frame = np.clip(_scene().astype(np.int16) + 2 * (number % 2), 0, 255).astype(np.uint8)
        smoother.watch(halved(frame))
    assert smoother.noise < 0.5
