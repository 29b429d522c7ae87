from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.colour import encoded, linear_light
from eoam_core.compose import alpha_from_mask, compose_frame, cut_out, has_alpha
from eoam_core.settings import BackgroundKind, Settings, View

Bytes = NDArray[np.uint8]
RAMP = np.arange(256, dtype=np.uint8).reshape(1, 256)


def _smoothstep(mask: Bytes, threshold: float, softness: float) -> NDArray[np.float64]:
    low, high = threshold - softness / 2, threshold + softness / 2
    if high - low < 1 / 255:
        low, high = threshold - 0.5 / 255, threshold + 0.5 / 255
    low = max(low, 0.0)
    t = np.clip((mask / 255 - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t) * 255


@pytest.mark.parametrize(("threshold", "softness"), [(0.5, 0.3), (0.05, 1.0), (0.95, 1.0), (0.5, 0.0), (0.3, 0.01)])
def test_alpha_is_the_smoothstep_that_the_shader_computes(threshold: float, softness: float) -> None:
    alpha = alpha_from_mask(RAMP, Settings(threshold=threshold, softness=softness))
    assert np.abs(alpha - _smoothstep(RAMP, threshold, softness)).max() <= 1
    assert (np.diff(alpha.astype(np.int16)) >= 0).all()


@pytest.mark.parametrize("threshold", [0.05, 0.3])
def test_where_nobody_is_nothing_shows_however_soft_the_edge(threshold: float) -> None:
    settings = Settings(threshold=threshold, softness=1.0)
    empty = np.zeros((9, 16), np.uint8)
    assert not alpha_from_mask(empty, settings).any()
    room = np.random.default_rng(0).integers(0, 256, (36, 64, 4), np.uint8)
    room[..., 3] = 255
    assert not cut_out(room, empty, settings).any()


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
    for settings in (Settings(), Settings(decontamination=1.0)):
        rgba = cut_out(frame, RAMP, settings)
        clear = rgba[..., 3] == 0
        assert clear.any()
        assert not rgba[clear].any()


def test_the_cut_out_is_straight_rgba() -> None:
    frame = np.full((1, 256, 4), (10, 20, 200, 255), np.uint8)
    rgba = cut_out(frame, RAMP, Settings())
    half = int(np.argmin(np.abs(rgba[0, :, 3].astype(np.int16) - 128)))
    np.testing.assert_array_equal(rgba[0, half, :3], (200, 20, 10))
    np.testing.assert_array_equal(rgba[0, 255], (200, 20, 10, 255))


@pytest.mark.parametrize("background", BackgroundKind)
def test_what_was_transparent_stays_transparent(background: BackgroundKind) -> None:
    frame = np.full((4, 4, 4), 200, np.uint8)
    frame[:2, :, 3] = 0
    frame[2:, :, 3] = 100
    settings = Settings(background=background, decontamination=0.5)
    picture = np.full((4, 4, 3), 90, np.uint8)
    rgba = compose_frame(frame, np.full((4, 4), 255, np.uint8), settings, picture=picture)
    assert not rgba[:2].any()
    assert (rgba[2:, :, 3] == 100).all()


def mixed(front: tuple[int, ...], back: tuple[int, ...], alpha: Bytes) -> Bytes:
    """Mix two RGB colours in linear light: (n, 3)."""
    share = (alpha / np.float32(255))[:, None].astype(np.float32)
    one, other = (linear_light(np.array(colour, np.uint8)) for colour in (front, back))
    return encoded(one * share + other * (1 - share))


def test_the_person_is_put_over_the_colour_and_the_picture_in_linear_light() -> None:
    frame = np.full((1, 256, 4), (0, 30, 250, 255), np.uint8)
    alpha = alpha_from_mask(RAMP, Settings())[0]
    plain = {"refinement": 0.0}
    over = compose_frame(frame, RAMP, Settings.validated(background="color", background_color="#0a40ff", **plain))
    assert np.abs(over[0, :, :3].astype(int) - mixed((250, 30, 0), (10, 64, 255), alpha)).max() <= 1
    assert (over[..., 3] == 255).all()
    np.testing.assert_array_equal(over[0, 0, :3], (10, 64, 255))
    np.testing.assert_array_equal(over[0, 255, :3], (250, 30, 0))
    picture = np.full((1, 256, 3), (255, 64, 10), np.uint8)
    settings = Settings.validated(background="picture", background_picture="a.png", **plain)
    np.testing.assert_array_equal(compose_frame(frame, RAMP, settings, picture=picture), over)
    without = compose_frame(frame, RAMP, settings)
    np.testing.assert_array_equal(without[..., 3][0], alpha)


def test_only_the_cut_out_has_alpha() -> None:
    assert has_alpha(Settings())
    assert not has_alpha(Settings(background=BackgroundKind.BLUR))
    assert not has_alpha(Settings(view=View.OUTLINE))


def test_the_mask_is_drawn_in_grey() -> None:
    frame = np.full((1, 256, 4), (0, 0, 255, 255), np.uint8)
    result = compose_frame(frame, RAMP, Settings(view=View.MASK, refinement=0.0))
    np.testing.assert_array_equal(result[..., 0], alpha_from_mask(RAMP, Settings()))
    np.testing.assert_array_equal(result[..., 0], result[..., 2])
    assert (result[..., 3] == 255).all()


def test_the_confidence_is_the_networks_own_or_else_the_mask() -> None:
    frame = np.zeros((1, 256, 4), np.uint8)
    settings = Settings(view=View.CONFIDENCE)
    own = compose_frame(frame, RAMP, settings, confidence=RAMP[:, ::-1].astype(np.uint16) * np.uint16(257))
    np.testing.assert_array_equal(own[:, ::-1], compose_frame(frame, RAMP, settings))
    np.testing.assert_array_equal(own[0, [0, -1], :3], [[255] * 3, [0] * 3])
    red, green, blue = (int(level) for level in own[0, 128, :3])
    assert red > 250
    assert abs(green - 128) <= 3
    assert blue < 5


@pytest.mark.parametrize(
    "call",
    [
        lambda: alpha_from_mask(np.zeros((4, 4), np.float32), Settings()),
        lambda: alpha_from_mask(np.zeros((4, 4, 1), np.uint8), Settings()),
        lambda: alpha_from_mask(np.zeros((4, 4), np.uint8), Settings(), height=0, width=3),
        lambda: cut_out(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), Settings()),
        lambda: compose_frame(
            np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8), Settings(), picture=np.zeros((4, 5, 3), np.uint8)
        ),
    ],
)
def test_wrong_shapes_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="need"):
        call()  # type: ignore[operator]
