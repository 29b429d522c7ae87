from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.colour import encoded, linear_light
from eoam_core.compositing import blurred_background, cleaned, copy_size, outlined, side_by_side

Bytes = NDArray[np.uint8]
HEIGHT, WIDTH = 180, 320
GREY, MAGENTA = (90, 90, 90), (255, 0, 255)


def disc_alpha(radius: int = 50, softness: float = 2.0) -> Bytes:
    alpha = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), radius, 255, -1)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), softness), np.uint8)


def scene(alpha: Bytes, person: tuple[int, ...], room: tuple[int, ...]) -> Bytes:
    """Mix person and room in linear light: BGRA."""
    share = (alpha / np.float32(255))[..., None].astype(np.float32)
    one, other = (linear_light(np.array(colour, np.uint8)) for colour in (person, room))
    return np.dstack([encoded(one * share + other * (1 - share)), np.full(alpha.shape, 255, np.uint8)])


def test_every_byte_survives_linear_light() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(encoded(linear_light(levels)), levels)


@pytest.mark.parametrize(("percent", "rows", "deviation"), [(3.0, 100, 3.0), (10.0, 30, 3.0), (0.5, 180, 0.9)])
def test_the_small_copy_fits_the_blur(percent: float, rows: int, deviation: float) -> None:
    found = copy_size(percent, height=HEIGHT, width=WIDTH)
    assert found[0] == rows
    assert found[1] == round(rows * WIDTH / HEIGHT)
    assert found[2] == pytest.approx(deviation)


@pytest.mark.parametrize("percent", [0.5, 1.0, 3.0, 10.0])
def test_the_persons_colours_do_not_bleed_into_the_room(percent: float) -> None:
    alpha = disc_alpha()
    room = encoded(blurred_background(scene(alpha, MAGENTA, GREY), alpha, percent))
    assert np.abs(room[alpha < 128].astype(int) - 90).max() <= 3


def test_a_blur_is_as_wide_as_it_says() -> None:
    picture = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    picture[..., 3] = 255
    picture[:, : WIDTH // 2, :3] = 255
    light = blurred_background(picture, np.zeros((HEIGHT, WIDTH), np.uint8), 5.0)[HEIGHT // 2, :, 1]
    places = np.interp([0.8413, 0.1587], light[::-1], np.arange(WIDTH)[::-1])  # a standard deviation to each side
    assert (places[1] - places[0]) / 2 == pytest.approx(0.05 * HEIGHT, rel=0.1)
    assert np.abs(np.diff(light)).max() < 0.1


def test_without_any_room_the_picture_itself_is_blurred() -> None:
    picture = scene(disc_alpha(), MAGENTA, GREY)
    room = encoded(blurred_background(picture, np.full((HEIGHT, WIDTH), 255, np.uint8), 3.0))
    assert np.abs(room[HEIGHT // 2, WIDTH // 2].astype(int) - MAGENTA).max() <= 2
    assert np.abs(room[5, 5].astype(int) - 90).max() <= 3


def test_cleaning_takes_the_room_out_of_the_edge_and_leaves_the_rest() -> None:
    alpha = disc_alpha(softness=1.0)
    person, room = (40, 70, 120), (230, 240, 60)
    picture = scene(alpha, person, room)
    edge = (alpha > 20) & (alpha < 250)

    def error(found: Bytes) -> float:
        return float(np.abs(found[edge][:, :3].astype(int) - person).mean())

    before, half, full = error(picture), error(cleaned(picture, alpha, 0.5)), error(cleaned(picture, alpha, 1.0))
    assert full < 0.7 * before
    assert full < half < before
    np.testing.assert_array_equal(cleaned(picture, alpha, 0.0), picture)
    inside = cv2.erode(alpha, np.ones((25, 25), np.uint8)) == 255
    np.testing.assert_array_equal(cleaned(picture, alpha, 1.0)[inside], picture[inside])
    np.testing.assert_array_equal(cleaned(picture, alpha, 1.0)[..., 3], picture[..., 3])


@pytest.mark.parametrize("softness", [0.5, 2.0, 6.0])
def test_the_outline_has_the_same_width_whatever_the_softness(softness: float) -> None:
    alpha = disc_alpha(softness=softness)
    shown = outlined(scene(alpha, GREY, GREY), alpha)
    row = shown[HEIGHT // 2, : WIDTH // 2, :3].astype(int)
    bright = (row[:, 2] > 200) & (row[:, 0] < 120)
    black = row.max(axis=1) < 60
    assert 1 <= bright.sum() <= 4
    assert 1 <= black.sum() <= 5
    assert abs(int(np.flatnonzero(bright).mean()) - (WIDTH // 2 - 50)) <= 2
    assert (row[:90] == 90).all()


def test_both_sides_are_the_whole_picture_at_half_its_size() -> None:
    picture = np.zeros((100, 200, 4), np.uint8)
    picture[:50, :100] = (10, 20, 30, 255)
    picture[50:] = picture[:, 100:] = (200, 210, 220, 255)
    seen = side_by_side(picture, np.zeros_like(picture))
    np.testing.assert_array_equal(seen[30, 20], (10, 20, 30))
    np.testing.assert_array_equal(seen[70, 80], (200, 210, 220))
    assert not seen[10].any()
    assert not seen[90].any()
    right = seen[30:70, 105:195]
    assert len(np.unique(right)) == 2  # nothing but the checkerboard
    np.testing.assert_array_equal(side_by_side(picture, picture)[30, 120], (10, 20, 30))


@pytest.mark.parametrize("seed", range(30))
def test_any_size_and_any_alpha_give_a_picture(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(1, 40, 2))
    percent, strength = random.uniform(0.5, 10), random.uniform()
    alpha = random.integers(0, 256, (height, width), dtype=np.uint8)
    own = random.integers(0, 256, (height, width, 1), dtype=np.uint8)
    colours = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = np.dstack([(colours * (own / 255)).astype(np.uint8), own])
    room = blurred_background(picture, alpha, percent)
    assert room.shape == (height, width, 3)
    assert np.isfinite(room).all()
    for result in (cleaned(picture, alpha, strength), outlined(picture, alpha)):
        assert result.shape == picture.shape
        assert result.dtype == np.uint8
    assert side_by_side(picture, picture).shape == (height, width, 3)
