"""Turn a small mask into alpha at the picture's size and put the picture together.

    lo = threshold - softness / 2, hi = threshold + softness / 2, hi - lo at least 1/255
    alpha = smoothstep(lo, hi, level)

The level is the mask's, enlarged; where there is a picture, refined by it and moved (refine.py). The shader in eoam_obs
computes the same on the GPU. Where alpha is 0 the colour is 0 as well: transparency hides nothing from whoever removes
the alpha channel later.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.refine import Refiner, picture_alpha
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]

_FINE: Final = 257  # 255 * 257 = 65535: the mask is enlarged in 16 bit, or a soft edge shows steps


def alpha_from_mask(mask: Bytes, settings: Settings, *, height: int | None = None, width: int | None = None) -> Bytes:
    """Return alpha, (height, width) uint8 with 255 = opaque, of `mask` (h, w) uint8, enlarged bilinearly.

    That is the mask alone, by threshold and softness: refinement and edge shift need the picture. Without a height and
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
    alpha: Bytes = _alpha_table(settings.threshold, settings.softness).take(fine)
    return alpha


def cut_out(frame: Bytes, mask: Bytes, settings: Settings, *, premultiplied: bool = False) -> Bytes:
    """Return the person as RGBA, (h, w, 4) uint8, of `frame` (h, w, 4) uint8 BGRA and its mask of any size.

    The alpha is straight, as PNG wants it, or with `premultiplied` multiplied into the colour, as OBS wants it. Either
    way the colour is 0 where alpha is 0. Where the frame itself is transparent the result is as well.

    Raises:
        ValueError: frame is not (h, w, 4) uint8, or mask not (h, w) uint8.
    """
    _check_frame(frame)
    alpha = _alpha(frame, mask, settings)
    rgba: Bytes = cv2.cvtColor(frame, cv2.COLOR_BGRA2RGBA)  # type: ignore[assignment]
    if premultiplied:
        rgba[..., :3] = cv2.multiply(rgba[..., :3], cv2.merge([alpha, alpha, alpha]), scale=1 / 255)
    else:
        rgba = cv2.copyTo(rgba, alpha, np.zeros_like(rgba))  # type: ignore[assignment]  # copies where alpha is not 0
    rgba[..., 3] = alpha
    return rgba


def place_over(frame: Bytes, mask: Bytes, settings: Settings, background: Bytes) -> Bytes:
    """Return the person of `frame` in front of `background`: BGR, (h, w, 3) uint8.

    Args:
        frame: (h, w, 4) uint8 BGRA.
        mask: (any, any) uint8, 255 = person.
        background: (h, w, 3) uint8 BGR.

    Raises:
        ValueError: a shape or type is another.
    """
    _check_frame(frame)
    if background.dtype != np.uint8 or background.shape != (*frame.shape[:2], 3):
        need = (*frame.shape[:2], 3)
        raise ValueError(f"background is {background.dtype} {background.shape}, need uint8 {need}")
    alpha = _alpha(frame, mask, settings)
    share = alpha.astype(np.float32) / np.float32(255)
    person = np.ascontiguousarray(frame[..., :3])
    return cv2.blendLinear(person, background, share, 1 - share)  # type: ignore[return-value]


def draw_mask(frame: Bytes, mask: Bytes, settings: Settings) -> Bytes:
    """Return the alpha that `frame` gets as an opaque grey picture, BGR, (h, w, 3) uint8: white is kept, black is cut.

    Raises:
        ValueError: as `cut_out`.
    """
    _check_frame(frame)
    alpha = _alpha(frame, mask, settings)
    return cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]


@lru_cache(maxsize=8)
def _alpha_table(threshold: float, softness: float) -> Bytes:
    """Return alpha for every 16-bit mask level: (65536,) uint8."""
    half = max(softness, 1 / 255) / 2
    level = np.arange(65536, dtype=np.float32) / np.float32(65535)
    t = np.clip((level - (threshold - half)) / (2 * half), 0.0, 1.0)
    table: Bytes = np.rint(t * t * (3 - 2 * t) * 255).astype(np.uint8)
    return table


def _alpha(frame: Bytes, mask: Bytes, settings: Settings) -> Bytes:
    height, width = frame.shape[:2]
    if not settings.refinement and not settings.edge_shift:
        return _own_alpha(frame, alpha_from_mask(mask, settings, height=height, width=width))
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w)")
    picture, coefficients = _premultiplied(frame), None
    if settings.refinement:
        small = cv2.resize(picture, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_AREA)
        coefficients = Refiner().coefficients(mask, np.asarray(small, np.uint8))
    return _own_alpha(frame, picture_alpha(picture, mask, settings, coefficients))


def _premultiplied(frame: Bytes) -> Bytes:
    own = frame[..., 3]
    if own.min() == 255:
        return frame
    result: Bytes = cv2.multiply(frame, cv2.merge([own, own, own, own]), scale=1 / 255)  # type: ignore[assignment]
    result[..., 3] = own
    return result


def _own_alpha(frame: Bytes, alpha: Bytes) -> Bytes:
    own = frame[..., 3]
    if own.min() == 255:
        return alpha
    return cv2.multiply(alpha, own, scale=1 / 255)  # type: ignore[return-value]


def _check_frame(frame: Bytes) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 4:
        raise ValueError(f"frame is {frame.dtype} {frame.shape}, need uint8 (h, w, 4)")
