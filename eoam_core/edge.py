"""Compute the alpha of the full-size picture from a mask on the CPU, as effects/eoam.effect does on the GPU.

The command line draws with it, and a test compares the shader with it.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.colour import LINEAR
from eoam_core.refine import LUMA, STEPS, ZERO, Coefficients
from eoam_core.sampling import sampled
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Differences of mask levels, 0 to 1, across the reach. Below the first there is no outline to move; from the second on
# it is moved by the full distance; in between partly, or neighbours would take their levels from places far apart.
_FLAT: Final = 0.02
_STEEP: Final = 0.10
_STRIP: Final = 32  # rows processed at a time, so that they stay in the cache
_NEARBY: Final = 1.5  # mask pixels over which the outline's direction is measured
_ROOTS: Final = np.sqrt(LINEAR)


def reach_pixels(edge_shift: float, *, picture: tuple[int, int], mask: tuple[int, int]) -> int:
    """Return the distance, in picture pixels, over which the outline's direction is measured.

    Large enough to reach the outline from its new place, and to cover more than one pixel of the mask. `picture` and
    `mask` are (height, width). The shader gets this number too.
    """
    scale = max(picture[0] / mask[0], picture[1] / mask[1])
    return math.ceil(max(abs(edge_shift), _NEARBY * scale, 1.0))


def picture_alpha(picture: Bytes, mask: Bytes, settings: Settings, coefficients: Coefficients | None = None) -> Bytes:
    """Return alpha, (H, W) uint8 with 255 = opaque: `mask` enlarged to the picture, refined, moved, and ramped.

    Args:
        picture: (H, W, 4) uint8 BGRA, premultiplied.
        mask: (h, w) uint8, 255 = person.
        settings: refinement, edge_shift, threshold and softness matter.
        coefficients: from `Refiner.coefficients` for this mask; without them nothing is refined.

    Raises:
        ValueError: a type or a shape is another, or something has not a single pixel.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4 or not picture.size:
        raise ValueError(f"picture is {picture.dtype} {picture.shape}, need uint8 (h, w, 4) with at least one pixel")
    if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w) with at least one pixel")
    if coefficients is not None and (
        coefficients.dtype != np.uint16 or coefficients.ndim != 3 or coefficients.shape[2] != 4 or not coefficients.size
    ):
        raise ValueError(f"coefficients are {coefficients.dtype} {coefficients.shape}, need uint16 (h, w, 4)")
    height, width = picture.shape[:2]
    planes = None if coefficients is None or not settings.refinement else _decoded(coefficients, settings.refinement)
    levels = mask.astype(np.float32) * np.float32(1 / 255)
    alpha: Bytes = np.empty((height, width), np.uint8)
    strip = _Strip(min(_STRIP, height), width)
    for top in range(0, height, _STRIP):
        rows = np.arange(top, min(top + _STRIP, height))
        count = len(rows)
        level = _enlarged_rows(levels, rows, height, width, out=strip.level[:count])
        if planes is not None:
            _refine_rows(level, picture, planes, rows, strip)
        edge_alpha(level, settings.alpha_ramp, out=alpha[top : top + count], scratch=strip.scratch[:, :count])
    if settings.edge_shift:
        level = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        reach = reach_pixels(settings.edge_shift, picture=(height, width), mask=(mask.shape[0], mask.shape[1]))
        down, across, y, x = _places_across(level, settings.edge_shift, reach)
        alpha[down, across] = edge_alpha(_levels_at(picture, levels, planes, y, x), settings.alpha_ramp)
    return alpha


def edge_alpha(
    level: Floats, ramp: tuple[float, float], *, out: Bytes | None = None, scratch: Floats | None = None
) -> Bytes:
    """Return alpha, uint8 of the shape of `level`: it rises smoothly from 0 to 255 over the levels of the ramp.

    `out` receives the result, and `scratch` is two planes of that shape; without them new arrays are used.
    """
    low, high = ramp
    t, rising = np.empty((2, *level.shape), np.float32) if scratch is None else scratch
    np.subtract(level, np.float32(low), out=t)
    t *= np.float32(1 / (high - low))
    np.clip(t, 0, 1, out=t)
    np.multiply(t, -2, out=rising)
    rising += 3
    t *= t
    t *= rising
    t *= 255
    np.rint(t, out=t)
    alpha: Bytes = np.empty(level.shape, np.uint8) if out is None else out
    np.copyto(alpha, t, casting="unsafe")
    return alpha


class _Strip:
    """Scratch arrays for some rows of a picture, made once per picture.

    Where the heap returns freed memory to the system at once, as on Windows for large arrays, a new array for every
    step would cost more than the arithmetic, because each of its pages is mapped again.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.level: Floats = np.empty((rows, width), np.float32)
        self.factors: Floats = np.empty((rows, width, 4), np.float32)
        self.scratch: Floats = np.empty((2, rows, width), np.float32)
        self._roots: Floats = np.empty(rows * width * 4, np.float32)

    def roots(self, part: Bytes) -> Floats:
        """Return the roots of linear light of part of the picture, (h, w, 4); the next call overwrites them."""
        return cv2.LUT(part, _ROOTS, dst=self._roots[: part.size].reshape(part.shape))  # type: ignore[return-value]


def _decoded(coefficients: Coefficients, strength: float) -> Floats:
    planes = coefficients.astype(np.float32)
    planes -= ZERO
    planes *= np.float32(strength / STEPS)
    return planes


def _enlarged_rows(
    plane: Floats, rows: NDArray[np.intp], height: int, width: int, *, out: Floats | None = None
) -> Floats:
    """Return some rows of `plane`, (h, w) or (h, w, c), enlarged bilinearly to `height` x `width`."""
    last = plane.shape[0] - 1
    y = np.clip((rows + 0.5) * (plane.shape[0] / height) - 0.5, 0, last).astype(np.float32)
    top = y.astype(np.intp)
    share = (y - top.astype(np.float32)).reshape(-1, *[1] * (plane.ndim - 1))  # float32, or the result would be float64
    mixed = plane[top] * (1 - share) + plane[np.minimum(top + 1, last)] * share
    return cv2.resize(  # type: ignore[return-value]
        mixed, (width, len(rows)), dst=out, interpolation=cv2.INTER_LINEAR
    )


def _refine_rows(level: Floats, picture: Bytes, planes: Floats, rows: NDArray[np.intp], strip: _Strip) -> None:
    """Refine the levels of some rows of the picture in place."""
    height, width = picture.shape[:2]
    factors = _enlarged_rows(planes, rows, height, width, out=strip.factors[: len(rows)])
    used = np.flatnonzero(factors[..., 3].any(axis=0))
    if not used.size:
        return
    columns = slice(int(used[0]), int(used[-1]) + 1)
    roots = strip.roots(picture[rows[0] : rows[-1] + 1, columns])
    part = level[:, columns]
    _add_explained(part, roots, factors[:, columns], out=part, scratch=strip.scratch[:, : len(rows), columns])


def _add_explained(level: Floats, roots: Floats, factors: Floats, *, out: Floats, scratch: Floats) -> None:
    """Put level + a * luma + c * chroma + b - w * level into `out`, which may be `level`.

    `roots`, (..., 3) or (..., 4), are BGR and `factors` (..., 4) a, c, b, w; both belong to `level`, (...), and so do
    the two planes of `scratch`.
    """
    blue, green, red = roots[..., 0], roots[..., 1], roots[..., 2]
    luma, other = scratch
    np.multiply(blue, np.float32(LUMA[0]), out=luma)
    np.multiply(green, np.float32(LUMA[1]), out=other)
    luma += other
    np.multiply(red, np.float32(LUMA[2]), out=other)
    luma += other
    luma *= factors[..., 0]
    np.multiply(level, factors[..., 3], out=other)
    np.subtract(level, other, out=out)
    out += factors[..., 2]
    out += luma
    np.subtract(red, blue, out=other)
    other *= factors[..., 1]
    out += other


def _places_across(
    level: Floats, edge_shift: float, reach: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]:
    """Return row and column of each pixel near the outline, and row and column of the place it takes its level from."""
    padded = np.pad(level, reach, mode="edge")
    inner = slice(reach, -reach)
    right = padded[inner, 2 * reach :] - padded[inner, : -2 * reach]
    down = padded[2 * reach :, inner] - padded[: -2 * reach, inner]
    length: Floats = cv2.magnitude(right, down)  # type: ignore[assignment]
    rows, columns = np.nonzero(length > _FLAT)
    steepness = length[rows, columns]
    share = np.float32(edge_shift) * np.clip((steepness - _FLAT) / (_STEEP - _FLAT), 0, 1) / steepness
    y, x = rows + down[rows, columns] * share, columns + right[rows, columns] * share
    return rows, columns, y.astype(np.float32), x.astype(np.float32)


def _levels_at(picture: Bytes, levels: Floats, planes: Floats | None, rows: Floats, columns: Floats) -> Floats:
    """Return the refined levels at places between the picture's pixels, as a GPU samples them."""
    height, width = picture.shape[:2]
    v, u = (rows + np.float32(0.5)) / height, (columns + np.float32(0.5)) / width
    level = sampled(levels[..., None], v, u)[..., 0]
    if planes is None:
        return level
    # The GPU decodes sRGB first, then samples.
    linear = sampled(picture[..., :3], v, u, LINEAR)
    scratch: Floats = np.empty((2, *level.shape), np.float32)
    _add_explained(level, np.sqrt(linear), sampled(planes, v, u), out=level, scratch=scratch)
    return level
