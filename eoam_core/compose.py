"""Turn a small mask into alpha at the picture's size and compose the result.

    lo = threshold - softness / 2, at least 0, hi = threshold + softness / 2, hi - lo at least 1/255
    alpha = smoothstep(lo, hi, level)

The level is the mask's, enlarged; where there is a picture, refined by it and moved (refine.py). The shader in eoam_obs
computes the same on the GPU. Where alpha is 0 the colour is 0 as well, so removing the alpha channel reveals nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.colour import encoded, linear_light
from eoam_core.compositing import (
    blurred_background,
    cleaned,
    confidence_picture,
    outlined,
    side_by_side,
)
from eoam_core.edge import edge_alpha, picture_alpha
from eoam_core.refine import Refiner, fine_levels
from eoam_core.settings import BackgroundKind, Settings, View

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_FINE: Final = 257  # 255 * 257 = 65535: the mask is enlarged in 16 bit, or a soft edge shows steps


def alpha_from_mask(mask: Bytes, settings: Settings, *, height: int | None = None, width: int | None = None) -> Bytes:
    """Return alpha, (height, width) uint8 with 255 = opaque, of `mask` (h, w) uint8, enlarged bilinearly.

    It uses the mask, threshold and softness only: refinement and edge shift need the picture. Without a height and
    width alpha has the mask's size.

    Raises:
        ValueError: mask is not (h, w) uint8, or a size is below 1.
    """
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w)")
    height = mask.shape[0] if height is None else height
    width = mask.shape[1] if width is None else width
    if height < 1 or width < 1:
        raise ValueError(f"size is {width}x{height}, need at least 1x1")
    fine = mask.astype(np.uint16) * np.uint16(_FINE)
    if fine.shape != (height, width):
        fine = cv2.resize(fine, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint16, copy=False)
    alpha: Bytes = _alpha_table(*settings.alpha_ramp).take(fine)
    return alpha


def compose_frame(
    frame: Bytes,
    mask: Bytes,
    settings: Settings,
    *,
    picture: Bytes | None = None,
    confidence: NDArray[np.uint16] | None = None,
    coefficients: NDArray[np.uint16] | None = None,
) -> Bytes:
    """Return what the filter would show of `frame` (h, w, 4) uint8 BGRA: RGBA, (h, w, 4) uint8, straight alpha.

    Where alpha is 0 the colour is 0 as well, and where the frame itself is transparent the result is, too.

    Args:
        frame: (h, w, 4) uint8 BGRA, straight alpha.
        mask: (any, any) uint8, 255 = person.
        settings: how it is shown.
        picture: the background picture, (h, w, 3) uint8 BGR, for that background; without it the background is
            transparent.
        confidence: (any, any) uint16, the network's own output, for that view; without it the mask is shown.
        coefficients: those of the edge refinement (`Refiner.coefficients`), if known already; otherwise they are
            computed from the frame and the mask.

    Raises:
        ValueError: a shape or type is another.
    """
    _check_frame(frame)
    height, width = frame.shape[:2]
    if picture is not None and (picture.dtype != np.uint8 or picture.shape != (height, width, 3)):
        raise ValueError(f"picture is {picture.dtype} {picture.shape}, need uint8 {(height, width, 3)}")
    view = settings.view
    if view is View.CONFIDENCE:
        levels = fine_levels(mask) if confidence is None else confidence
        return _opaque(confidence_picture(levels, height=height, width=width))
    alpha = _alpha(_premultiplied(frame), mask, settings, coefficients)
    if view is View.MASK:
        return _opaque(cv2.cvtColor(_times(alpha, frame[..., 3]), cv2.COLOR_GRAY2BGR))  # type: ignore[arg-type]
    if view is View.OUTLINE:
        return _rgba(outlined(frame, alpha))
    person = cleaned(frame, alpha, settings.decontamination) if settings.decontamination else frame
    ground = _ground(frame, alpha, settings, picture)
    if view is View.SIDE_BY_SIDE:
        shown = _cut(person.copy(), alpha) if ground is None else _over(person, alpha, ground)
        return _opaque(side_by_side(frame, shown))
    return _cut(_rgba(person), alpha) if ground is None else _rgba(_over(person, alpha, ground))


def cut_out(frame: Bytes, mask: Bytes, settings: Settings) -> Bytes:
    """Return the person as `compose_frame` does, without anything behind it and whatever the view.

    Raises:
        ValueError: as `compose_frame`.
    """
    return compose_frame(frame, mask, settings.replace(background=BackgroundKind.TRANSPARENT, view=View.RESULT))


def has_alpha(settings: Settings) -> bool:
    """Return whether `compose_frame` makes anything transparent that is opaque in the frame."""
    return settings.background is BackgroundKind.TRANSPARENT and settings.view is View.RESULT


def flattened(rgba: Bytes, settings: Settings, *, picture: Bytes | None = None) -> Bytes:
    """Return what `compose_frame` gave, RGBA (h, w, 4) uint8, without alpha: BGR (h, w, 3) uint8.

    Pixels that are transparent in the frame show the background colour or picture, or black if there is neither; their
    own colour is never shown.

    Args:
        rgba: straight alpha.
        settings: those it was composed with.
        picture: the background picture, (h, w, 3) uint8 BGR, for that background.
    """
    bgr: Bytes = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR)  # type: ignore[assignment]
    own = rgba[..., 3]
    if own.min() == 255:
        return bgr
    ground: Floats | None = None
    if settings.view is View.RESULT and settings.background is not BackgroundKind.BLUR:
        ground = _ground(rgba, own, settings, picture)
    share = (own.astype(np.float32) / np.float32(255))[..., None]
    light = linear_light(bgr) * share
    if ground is not None:
        light += ground * (1 - share)
    return encoded(light)


def _ground(frame: Bytes, alpha: Bytes, settings: Settings, picture: Bytes | None) -> Floats | None:
    """Return the background, linear BGR (h, w, 3) or broadcastable to it, or None if it is transparent."""
    if settings.background is BackgroundKind.COLOR:
        channels = [settings.background_color >> shift & 255 for shift in (16, 8, 0)]
        return linear_light(np.array(channels, np.uint8)).reshape(1, 1, 3)
    if settings.background is BackgroundKind.BLUR:
        return blurred_background(frame, alpha, settings.blur_strength)
    if settings.background is BackgroundKind.PICTURE and picture is not None:
        return linear_light(picture)
    return None


def _over(person: Bytes, alpha: Bytes, ground: Floats) -> Bytes:
    """Put the person, BGRA, over the ground in linear light; the opacity stays."""
    result = np.empty_like(person)
    result[..., :3] = encoded(ground)
    result[..., 3] = person[..., 3]
    # Only the edge is a mixture; linear light for every pixel takes three times as long.
    rows, columns = np.nonzero((alpha > 0) & (alpha < 255))
    share = (alpha[rows, columns].astype(np.float32) / np.float32(255))[:, None]
    behind = np.broadcast_to(ground, (*alpha.shape, 3))[rows, columns]
    result[rows, columns, :3] = encoded(linear_light(person[rows, columns, :3]) * share + behind * (1 - share))
    cv2.copyTo(person, (alpha == 255).astype(np.uint8), result)  # a person's bytes are those of the frame
    result[result[..., 3] == 0] = 0
    return result


def _cut(person: Bytes, alpha: Bytes) -> Bytes:
    """Set the alpha of `person`, BGRA or RGBA, in place and return it; where that is 0 the colour becomes 0 as well."""
    person[..., 3] = _times(alpha, person[..., 3])
    pixels = person.view(np.uint32)[..., 0]
    np.multiply(pixels, person[..., 3] > 0, out=pixels)
    return person


def _opaque(bgr: Bytes) -> Bytes:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGBA)  # type: ignore[return-value]


def _rgba(bgra: Bytes) -> Bytes:
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)  # type: ignore[return-value]


@lru_cache(maxsize=8)
def _alpha_table(low: float, high: float) -> Bytes:
    """Return alpha for every 16-bit mask level: (65536,) uint8."""
    return edge_alpha(np.arange(65536, dtype=np.float32) / np.float32(65535), (low, high))


def _alpha(own: Bytes, mask: Bytes, settings: Settings, coefficients: NDArray[np.uint16] | None) -> Bytes:
    """Return the alpha from the mask, (h, w) uint8, without the frame's own; `own` is the premultiplied frame."""
    height, width = own.shape[:2]
    if not settings.refinement and not settings.edge_shift:
        return alpha_from_mask(mask, settings, height=height, width=width)
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w)")
    if not settings.refinement:
        coefficients = None
    elif coefficients is None:
        small = cv2.resize(own, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_AREA)
        coefficients = Refiner().coefficients(mask, np.asarray(small, np.uint8))
    return picture_alpha(own, mask, settings, coefficients)


def _premultiplied(frame: Bytes) -> Bytes:
    own = frame[..., 3]
    if own.min() == 255:
        return frame
    result: Bytes = cv2.multiply(frame, cv2.merge([own, own, own, own]), scale=1 / 255)  # type: ignore[assignment]
    result[..., 3] = own
    return result


def _times(alpha: Bytes, own: Bytes) -> Bytes:
    if own.min() == 255:
        return alpha
    return cv2.multiply(alpha, own, scale=1 / 255)  # type: ignore[return-value]


def _check_frame(frame: Bytes) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 4:
        raise ValueError(f"frame is {frame.dtype} {frame.shape}, need uint8 (h, w, 4)")
