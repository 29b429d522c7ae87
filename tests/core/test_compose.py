from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.compose import alpha_from_mask, cut_out, draw_mask, place_over
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]
RAMP = np.arange(256, dtype=np.uint8).reshape(1, 256)


def _smoothstep(mask: Bytes, threshold: float, softness: float) -> NDArray[np.float64]:
    low, high = threshold - softness / 2, threshold + softness / 2
    if high - low < 1 / 255:
        low, high = threshold - 0.5 / 255, threshold + 0.5 / 255
    t = np.clip((mask / 255 - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t) * 255


@pytest.mark.parametrize(("threshold", "softness"), [(0.5, 0.3), (0.05, 1.0), (0.95, 1.0), (0.5, 0.0), (0.3, 0.01)])
def test_alpha_is_the_smoothstep_that_the_shader_computes(threshold: float, softness: float) -> None:
    alpha = alpha_from_mask(RAMP, Settings(threshold=threshold, softness=softness))
    assert np.abs(alpha - _smoothstep(RAMP, threshold, softness)).max() <= 1
    assert (np.diff(alpha.astype(np.int16)) >= 0).all()


def test_without_softness_the_edge_is_hard() -> None:
    alpha = alpha_from_mask(RAMP, Settings(threshold=0.5, softness=0.0))
    assert ((alpha > 0) & (alpha < 255)).sum() <= 1


def test_alpha_is_enlarged_without_steps_or_shift() -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    alpha = alpha_from_mask(mask, Settings(softness=1.0), height=160, width=1600)
    assert alpha.shape == (160, 1600)
    edge = alpha[80].astype(np.int16)
    assert np.diff(edge).max() <= 5
    assert abs(int(np.argmax(edge >= 128)) - 800) <= 1
    np.testing.assert_array_equal(edge + edge[::-1] >= 254, True)


def test_no_colour_is_left_where_alpha_is_0() -> None:
    frame = np.full((1, 256, 4), 255, np.uint8)
    for premultiplied in (False, True):
        rgba = cut_out(frame, RAMP, Settings(), premultiplied=premultiplied)
        clear = rgba[..., 3] == 0
        assert clear.any()
        assert not rgba[clear].any()


def test_the_cut_out_is_straight_rgba() -> None:
    frame = np.full((1, 256, 4), (10, 20, 200, 255), np.uint8)
    rgba = cut_out(frame, RAMP, Settings())
    half = int(np.argmin(np.abs(rgba[0, :, 3].astype(np.int16) - 128)))
    np.testing.assert_array_equal(rgba[0, half, :3], (200, 20, 10))
    np.testing.assert_array_equal(rgba[0, 255], (200, 20, 10, 255))


def test_premultiplied_means_colour_times_alpha() -> None:
    frame = np.full((1, 256, 4), (10, 20, 200, 255), np.uint8)
    rgba = cut_out(frame, RAMP, Settings(), premultiplied=True)
    expected = rgba[..., 3:] / 255 * np.array([200, 20, 10])
    assert np.abs(rgba[..., :3] - expected).max() <= 0.51


def test_what_was_transparent_stays_transparent() -> None:
    frame = np.full((4, 4, 4), 200, np.uint8)
    frame[:2, :, 3] = 0
    frame[2:, :, 3] = 100
    rgba = cut_out(frame, np.full((4, 4), 255, np.uint8), Settings())
    assert not rgba[:2].any()
    assert (rgba[2:, :, 3] == 100).all()


def test_the_person_is_placed_over_the_background() -> None:
    frame = np.full((1, 256, 4), (0, 0, 255, 255), np.uint8)
    background = np.full((1, 256, 3), (0, 255, 0), np.uint8)
    result = place_over(frame, RAMP, Settings(), background)
    alpha = alpha_from_mask(RAMP, Settings()).astype(np.int16)
    assert np.abs(result[..., 2] - alpha).max() <= 1
    assert np.abs(result[..., 1] - (255 - alpha)).max() <= 1
    np.testing.assert_array_equal(result[0, 0], (0, 255, 0))


def test_the_mask_is_drawn_in_grey() -> None:
    frame = np.full((1, 256, 4), (0, 0, 255, 255), np.uint8)
    result = draw_mask(frame, RAMP, Settings())
    np.testing.assert_array_equal(result[..., 0], alpha_from_mask(RAMP, Settings()))
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


@pytest.mark.parametrize(
    "call",
    [
        lambda: alpha_from_mask(np.zeros((4, 4), np.float32), Settings()),
        lambda: alpha_from_mask(np.zeros((4, 4, 1), np.uint8), Settings()),
        lambda: alpha_from_mask(np.zeros((4, 4), np.uint8), Settings(), height=0, width=3),
        lambda: cut_out(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), Settings()),
        lambda: place_over(
            np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), Settings(), np.zeros((4, 5, 3), np.uint8)
        ),
    ],
)
def test_wrong_shapes_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="need"):
        call()  # type: ignore[operator]
