"""Edge refinement: let the edge of a small mask follow the edges of the full-size picture.

A guided filter in its fast form (He and Sun, "Fast Guided Filter", 2015), with colour as the guide. On the worker, at
a quarter of the mask's size, the mask is explained by the colours round each place,

    mask = a * luma + c * chroma + b        least squares over 3x3 cells

and the shader blends the explanations of neighbouring cells and applies them to the picture's own pixels. Where colour
does not explain the mask (a plain wall behind a plain shirt, a pattern that has nothing to do with the outline) the
explanation gets no weight, and the mask is enlarged as it is; so it is wherever the mask is the same all round: nothing
inside a person or out in the room changes by a bit.

    level = m + refinement * (a * luma + c * chroma + b - w * m)      a, c, b have been multiplied by their weight w

The luma and chroma are those of the square roots of linear light: what the shader can have cheaply, since it sees the
picture through an sRGB view. They stay close to what the eye and the bytes call luma and chroma.

The edge can be moved as well, by `edge_shift` pixels of the picture: a pixel then takes the level that lies so far from
it across the outline, inwards to grow and outwards to shrink.

`Refiner` is the worker's part. `picture_alpha` is the shader's, on the CPU: the command line draws with it, and a test
holds effects/eoam.effect against it.
"""

from __future__ import annotations

import math
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.buffers import Buffers
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Numbers = TypeVar("Numbers", Integers, Floats)
Coefficients = NDArray[np.uint16]

# A wider window finds edges that the mask missed by more, and puts more holes where colours mislead it. Cells of half
# the mask's size, 5x5 of them in a window and their answers averaged, are four times the work and no better.
_WINDOW: Final = (3, 3)  # cells of 4x4 mask pixels that one explanation is made from
# Variance of the guide below which it explains little, (5 % of full scale) squared. Four fifths of it fits edges
# better by a hair and lets 8 % more of the camera's noise into them.
_NOISE: Final = 2.5e-3
# The camera's noise adds to that: times what a pixel of the full-size picture has more of it than one of the small,
# halved one (25 for 640x360), and times ten. In a dark room that takes a third of the trembling away and costs the edge
# next to nothing.
_NOISE_GAIN: Final = 250.0
_MOST_NOISE: Final = 2e-2
_NO_EDGE: Final = 1e-4  # variance of the mask below which there is no edge to explain
_SURE: Final = 1.5  # an explained share of 1 / 1.5 of the mask's variance gets the full weight
_LUMA: Final = (0.114, 0.587, 0.299)  # of blue, green, red
# Least squares with such a term keep the factors below 0.5 / (2 * sqrt(_NOISE)) = 5, so the offset stays below
# 1 + 2 * 5: -16 to 16 is enough for all.
_ZERO: Final = 32768
_STEPS: Final = 2048  # per 1
# Differences of mask levels, 0 to 1, across the reach: below the first there is no outline to move, from the second on
# it is moved all the way; in between by a part, or two neighbours would take their levels from far apart.
_FLAT: Final = 0.02
_STEEP: Final = 0.10
_STRIP: Final = 32  # rows that are worked on at a time, so that they stay in the cache
_NEARBY: Final = 1.5  # mask pixels at which the outline's direction is looked for

_LINEAR: Final = np.array(
    [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in np.arange(256) / 255],
    np.float32,
)
_ROOTS: Final = np.sqrt(_LINEAR)
_ROOT_BYTES: Final = np.rint(255 * _ROOTS).astype(np.uint8)

# The statistics are whole numbers: of bytes, and sums over the window instead of means, so a variance is in units of
# (cells * 255) squared. Where the mask is the same all round its variances are exactly 0, and so is the answer; all
# stay below 2 ** 24, so that the step to float32 keeps them.
_CELLS: Final = _WINDOW[0] * _WINDOW[1]
_UNIT: Final = 255 * _CELLS
_ADDED: Final = np.array([[[_NOISE]], [[_NOISE]], [[_NO_EDGE]]], np.float32) * np.float32(_UNIT**2)
_REACH: Final = _WINDOW[0] // 2


def fine_levels(mask: Bytes, *, out: NDArray[np.uint16] | None = None) -> NDArray[np.uint16]:
    """Return `mask`, uint8, with 16 bits per level: a software renderer samples 8-bit textures in steps of 1/255.

    `out` is where to; without it the result is a new array.
    """
    return np.multiply(mask, np.uint16(257), out=out, dtype=np.uint16)


def halved(picture: Bytes, *, out: Bytes | None = None) -> Bytes:
    """Return `picture`, (h, w) or (h, w, c) uint8, at half its size, rounded up: means of 2x2 pixels.

    It is put into `out` if that is of the right size; otherwise, and without it, the result is a new array.
    """
    size = (picture.shape[1] + 1) // 2, (picture.shape[0] + 1) // 2
    return cv2.resize(picture, size, dst=out, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


class Refiner:
    """Makes the coefficients of masks; one thread at a time. Its buffers are kept for masks of the same size."""

    def __init__(self) -> None:
        self._results = Buffers()
        self._half_mask: Bytes | None = None
        self._small: Bytes | None = None
        self._colours: Bytes | None = None
        self._set_size((0, 0))

    @property
    def address(self) -> int:
        """Where the result of `coefficients` that was made last begins in memory."""
        return self._results.address

    def coefficients(self, mask: Bytes, frame: Bytes, *, half: Bytes | None = None, noise: float = 0.0) -> Coefficients:
        """Return what explains `mask`, (h, w) uint8, by the colours of `frame`, (h, w, 4) uint8 BGRA, premultiplied.

        The result is an array that nobody else holds, ((h + 3) // 4, (w + 3) // 4, 4) uint16: luma's factor a, chroma's
        factor c, the offset b and the weight w, 0 to 1; the first three are multiplied by the last already. What is
        stored is 32768 + 2048 times each, which a texture of 16-bit channels holds and filters on every GPU.

        `half` is `halved(frame)`, for callers that have it already. `noise` is the standard deviation of the camera's
        noise in it, in grey levels: the more there is, the less may follow from a difference in colour, or the edge
        would tremble with the noise of every single pixel.

        Raises:
            ValueError: a type or a shape is another, or there is not a single pixel.
        """
        if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
            raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w) with at least one pixel")
        if frame.dtype != np.uint8 or frame.shape != (*mask.shape, 4):
            raise ValueError(f"frame is {frame.dtype} {frame.shape}, need uint8 {(*mask.shape, 4)}")
        if half is None:
            half = halved(frame)
        elif half.dtype != np.uint8 or half.shape != (need := ((mask.shape[0] + 1) // 2, (mask.shape[1] + 1) // 2, 4)):
            raise ValueError(f"half is {half.dtype} {half.shape}, need uint8 {need}")
        # Twice by half: OpenCV does that in a fraction of the time that a quarter in one step takes it.
        self._half_mask = halved(mask, out=self._half_mask)
        self._small = halved(self._half_mask, out=self._small)
        self._colours = halved(half, out=self._colours)
        if self._small.shape != self._size:
            self._set_size(self._small.shape)
        self._gather(self._small, self._colours, noise)
        self._explain()
        cv2.transpose(self._answers.reshape(4, -1), dst=self._turned)
        result: Coefficients = self._results.take((*self._size, 4), np.uint16)
        np.copyto(result.reshape(-1, 4), self._turned, casting="unsafe")  # cut off, so half a step was added
        return result

    def _set_size(self, size: tuple[int, ...]) -> None:
        self._size = size
        padded = (size[0] + 2 * _REACH, size[1])
        # Planes below each other, so that one call sums them all; the rows added to each keep them apart.
        self._value_rows: Integers = np.empty((9 * padded[0], padded[1]), np.int32)
        self._sum_rows: Integers = np.empty_like(self._value_rows)
        self._values: Integers = self._value_rows.reshape(9, *padded)
        self._sums: Integers = self._sum_rows.reshape(9, *padded)[:, _REACH:-_REACH]
        # Chroma, luma, mask, and what _multiply_pairs makes of them.
        self._statistics: Floats = np.empty((9, *size), np.float32)
        self._squares: Floats = np.empty((6, *size), np.float32)
        self._scratch: Floats = np.empty((2, *size), np.float32)
        self._answers: Floats = np.empty((4, *size), np.float32)
        self._turned: Floats = np.empty((math.prod(size), 4), np.float32)

    def _gather(self, small: Bytes, colours: Bytes, noise: float) -> None:
        """Fill `_statistics` with three sums, three variances and three covariances of a mask and a frame in cells."""
        levels, statistics, squares = self._values[:3], self._statistics, self._squares
        roots = cv2.LUT(colours, _ROOT_BYTES, dst=colours)
        inner = levels[:, _REACH:-_REACH]
        np.subtract(roots[..., 2], roots[..., 0], out=inner[0], dtype=np.int32)
        inner[1] = cv2.cvtColor(roots, cv2.COLOR_BGRA2GRAY)
        inner[2] = small
        levels[:, :_REACH] = inner[:, :1]
        levels[:, -_REACH:] = inner[:, -1:]
        _multiply_pairs(levels, self._values[3:])
        cv2.boxFilter(
            self._value_rows, cv2.CV_32S, _WINDOW, dst=self._sum_rows, normalize=False, borderType=cv2.BORDER_REPLICATE
        )
        statistics[...] = self._sums
        _multiply_pairs(statistics[:3], squares)
        products = statistics[3:]
        products *= _CELLS
        products -= squares
        products[:3] += _ADDED
        if noise:
            products[:2] += np.float32(min(_NOISE_GAIN * (noise / 255) ** 2, _MOST_NOISE) * _UNIT**2)

    def _explain(self) -> None:
        """Fill `_answers` with what is stored, before it is cut off: least squares with two unknowns, solved."""
        statistics, answers, scratch = self._statistics, self._answers, self._scratch
        chroma, luma, levels = statistics[3:6]
        with_mask, mixed = statistics[6:8], statistics[8]
        swapped = with_mask[::-1]  # luma's first, as in what is stored
        factors, weight = answers[:2], answers[3]
        one, two = scratch
        np.multiply(statistics[3:5], swapped, out=factors)
        np.multiply(with_mask, mixed, out=scratch)
        factors -= scratch
        np.multiply(chroma, luma, out=one)
        np.multiply(mixed, mixed, out=two)
        one -= two  # the determinant, at least the square of what was added
        factors /= one
        np.multiply(factors, swapped, out=scratch)
        one += two  # the explained variance, 0 or above
        np.divide(one, levels, out=weight)
        weight *= _SURE * _STEPS
        np.minimum(weight, _STEPS, out=weight)
        np.multiply(factors, statistics[1::-1], out=scratch)
        one += two
        np.subtract(statistics[2], one, out=one)
        np.multiply(one, 1 / _UNIT, out=answers[2])  # the offset
        answers[:3] *= weight
        answers += _ZERO + 0.5


def _multiply_pairs(planes: Numbers, out: Numbers) -> None:
    """Fill `out`, (6, h, w): three planes squared, the first two times the third, the first times the second."""
    np.multiply(planes, planes, out=out[:3])
    np.multiply(planes[:2], planes[2], out=out[3:5])
    np.multiply(planes[0], planes[1], out=out[5])


def reach_pixels(edge_shift: float, *, picture: tuple[int, int], mask: tuple[int, int]) -> int:
    """Return how far from a pixel the outline's direction is looked for, in picture pixels.

    Far enough to see the outline from where it is to go, and far enough to see more than one pixel of the mask.
    `picture` and `mask` are (height, width). The shader gets this number too.
    """
    scale = max(picture[0] / mask[0], picture[1] / mask[1])
    return math.ceil(max(abs(edge_shift), _NEARBY * scale, 1.0))


def picture_alpha(picture: Bytes, mask: Bytes, settings: Settings, coefficients: Coefficients | None = None) -> Bytes:
    """Return alpha, (H, W) uint8 with 255 = opaque: `mask` at the picture's size, refined, moved, and made an edge.

    Args:
        picture: (H, W, 4) uint8 BGRA, premultiplied.
        mask: (h, w) uint8, 255 = person.
        settings: refinement, edge_shift, threshold and softness matter.
        coefficients: what `Refiner` made of this mask; without them nothing is refined.

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
        edge_alpha(level, settings, out=alpha[top : top + count], scratch=strip.scratch[:, :count])
    if settings.edge_shift:
        level = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        reach = reach_pixels(settings.edge_shift, picture=(height, width), mask=(mask.shape[0], mask.shape[1]))
        down, across, y, x = _places_across(level, settings.edge_shift, reach)
        alpha[down, across] = edge_alpha(_levels_at(picture, levels, planes, y, x), settings)
    return alpha


def edge_alpha(level: Floats, settings: Settings, *, out: Bytes | None = None, scratch: Floats | None = None) -> Bytes:
    """Return alpha, uint8 of the shape of `level`: it rises from 0 to 255 round the threshold, over the softness.

    `out` is where to, and `scratch` two planes of that shape to compute in; without them they are new arrays.
    """
    low, high = settings.passage
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
    """What some rows of a picture are worked on in, made once per picture.

    A new array for every step of every strip costs more than the arithmetic where the system's heap gives memory back
    at once, as Windows's does with large arrays: each page of them is then made anew.
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
    planes -= _ZERO
    planes *= np.float32(strength / _STEPS)
    return planes


def _enlarged_rows(
    plane: Floats, rows: NDArray[np.intp], height: int, width: int, *, out: Floats | None = None
) -> Floats:
    """Return some rows of what `plane`, (h, w) or (h, w, c), is when enlarged to `height` x `width` bilinearly."""
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
    np.multiply(blue, np.float32(_LUMA[0]), out=luma)
    np.multiply(green, np.float32(_LUMA[1]), out=other)
    luma += other
    np.multiply(red, np.float32(_LUMA[2]), out=other)
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
    """Return the rows and columns of the pixels near the outline, and the row and column each takes its level from."""
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
    level = _sampled(levels[..., None], v, u)[..., 0]
    if planes is None:
        return level
    # The GPU decodes sRGB first, then samples.
    linear = _sampled(picture[..., :3], v, u, _LINEAR)
    scratch: Floats = np.empty((2, *level.shape), np.float32)
    _add_explained(level, np.sqrt(linear), _sampled(planes, v, u), out=level, scratch=scratch)
    return level


def _sampled(texture: NDArray[np.generic], v: Floats, u: Floats, table: Floats | None = None) -> Floats:
    """Sample `texture`, (h, w, channels), bilinearly at (n,) coordinates from 0 to 1; (n, channels) float32."""
    # Not cv2.remap: it knows 32 places between two pixels only.
    height, width = texture.shape[:2]
    y = np.clip(v * height - np.float32(0.5), 0, height - 1)
    x = np.clip(u * width - np.float32(0.5), 0, width - 1)
    top, left = y.astype(np.intp), x.astype(np.intp)
    down, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    share_y, share_x = (y - top)[:, None], (x - left)[:, None]

    def texel(row: NDArray[np.intp], column: NDArray[np.intp]) -> Floats:
        values = texture[row, column]
        return values.astype(np.float32) if table is None else table[values]

    above = texel(top, left) * (1 - share_x) + texel(top, right) * share_x
    below = texel(down, left) * (1 - share_x) + texel(down, right) * share_x
    result: Floats = (above * (1 - share_y) + below * share_y).astype(np.float32)
    return result
