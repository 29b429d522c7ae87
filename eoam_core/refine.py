"""Edge refinement: let the edge of a small mask follow the edges of the full-size picture.

A guided filter in its fast form (He and Sun, "Fast Guided Filter", 2015), with colour as the guide. On the worker, at a
quarter of the mask's size, the mask is explained by the colours around each place,

    mask = a * luma + c * chroma + b        least squares over 3x3 cells

and the shader blends the explanations of neighbouring cells and applies them to the picture's own pixels. Where colour
does not explain the mask (a plain wall behind a plain shirt, a pattern unrelated to the outline) the explanation gets
no weight and the mask is only enlarged. The same holds wherever the mask is uniform: inside the person and in the
background not a bit changes.

    level = m + refinement * (a * luma + c * chroma + b - w * m)      a, c, b have been multiplied by their weight w

Luma and chroma are those of the square roots of linear light, which are cheap for the shader because it reads the
picture through an sRGB view. They are close to perceived luma and chroma.

The edge can also be moved by `edge_shift` pixels of the picture: a pixel then takes the level at that distance across
the outline, inwards to grow and outwards to shrink.

This is the worker's part; the shader's is effects/eoam.effect and, on the CPU, `eoam_core.edge`.
"""

from __future__ import annotations

import math
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.buffers import Buffers
from eoam_core.colour import LINEAR

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Numbers = TypeVar("Numbers", Integers, Floats)
Coefficients = NDArray[np.uint16]

# A wider window corrects edges that are further off, but makes more holes where colours are misleading. Cells of half
# the mask's size, 5x5 of them in a window and their answers averaged, are four times the work and no better.
_WINDOW: Final = (3, 3)  # cells of 4x4 mask pixels that one explanation is made from
# Variance of the guide below which it explains little, (5 % of full scale) squared. Four fifths of it fits edges
# marginally better and lets 8 % more of the camera's noise into them.
_NOISE: Final = 2.5e-3
# The camera's noise is added to that: times the ratio of its variance in a full-size pixel to that in a small, halved
# one (25 for 640x360), and times ten. In the dark this removes a third of the flicker at almost no cost to the edge.
_NOISE_GAIN: Final = 250.0
_MOST_NOISE: Final = 2e-2
_NO_EDGE: Final = 1e-4  # variance of the mask below which there is no edge to explain
_SURE: Final = 1.5  # an explained share of 1 / 1.5 of the mask's variance gets the full weight
LUMA: Final = (0.114, 0.587, 0.299)  # of blue, green, red
# Least squares with such a term keep the factors below 0.5 / (2 * sqrt(_NOISE)) = 5, so the offset stays below
# 1 + 2 * 5: -16 to 16 is enough for all.
ZERO: Final = 32768
STEPS: Final = 2048  # per 1
_ROOT_BYTES: Final = np.rint(255 * np.sqrt(LINEAR)).astype(np.uint8)

# The statistics are whole numbers: of bytes, and sums over the window instead of means, so a variance is in units of
# (cells * 255) squared. Where the mask is the same all round its variances are exactly 0, and so is the answer; all
# stay below 2 ** 24, so that the step to float32 keeps them.
_CELLS: Final = _WINDOW[0] * _WINDOW[1]
_UNIT: Final = 255 * _CELLS
_ADDED: Final = np.array([[[_NOISE]], [[_NOISE]], [[_NO_EDGE]]], np.float32) * np.float32(_UNIT**2)
_REACH: Final = _WINDOW[0] // 2


def fine_levels(mask: Bytes, *, out: NDArray[np.uint16] | None = None) -> NDArray[np.uint16]:
    """Return `mask`, uint8, with 16 bits per level: a software renderer samples 8-bit textures in steps of 1/255.

    `out` receives the result; without it the result is a new array.
    """
    return np.multiply(mask, np.uint16(257), out=out, dtype=np.uint16)


def halved(picture: Bytes, *, out: Bytes | None = None) -> Bytes:
    """Return `picture`, (h, w) or (h, w, c) uint8, at half its size, rounded up: means of 2x2 pixels.

    The result is written to `out` if that has the right size; otherwise it is a new array.
    """
    size = (picture.shape[1] + 1) // 2, (picture.shape[0] + 1) // 2
    return cv2.resize(picture, size, dst=out, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


class Refiner:
    """Compute the coefficients of masks; one thread at a time. Buffers are reused for masks of the same size."""

    def __init__(self) -> None:
        self._results = Buffers()
        self._half_mask: Bytes | None = None
        self._small: Bytes | None = None
        self._colours: Bytes | None = None
        self._set_size((0, 0))

    @property
    def address(self) -> int:
        """Address of the last result of `coefficients`."""
        return self._results.address

    def coefficients(self, mask: Bytes, frame: Bytes, *, half: Bytes | None = None, noise: float = 0.0) -> Coefficients:
        """Return what explains `mask`, (h, w) uint8, by the colours of `frame`, (h, w, 4) uint8 BGRA, premultiplied.

        The result is an array that nothing else refers to, ((h + 3) // 4, (w + 3) // 4, 4) uint16: luma's factor a,
        chroma's factor c, the offset b and the weight w, 0 to 1; the first three are already multiplied by the last.
        Each is stored as 32768 + 2048 times its value, which every GPU can hold and filter in a texture of 16-bit
        channels.

        `half` is `halved(frame)`, for callers that have it already. `noise` is the standard deviation of the camera's
        noise in it, in grey levels: the more noise, the less a difference in colour counts, or the edge would flicker
        with the noise of single pixels.

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
        # Halved twice: much faster in OpenCV than a quarter in one step.
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
        """Fill `_answers` with the values to store, before clipping: least squares with two unknowns."""
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
        weight *= _SURE * STEPS
        np.minimum(weight, STEPS, out=weight)
        np.multiply(factors, statistics[1::-1], out=scratch)
        one += two
        np.subtract(statistics[2], one, out=one)
        np.multiply(one, 1 / _UNIT, out=answers[2])  # the offset
        answers[:3] *= weight
        answers += ZERO + 0.5


def _multiply_pairs(planes: Numbers, out: Numbers) -> None:
    """Fill `out`, (6, h, w): three planes squared, the first two times the third, the first times the second."""
    np.multiply(planes, planes, out=out[:3])
    np.multiply(planes[:2], planes[2], out=out[3:5])
    np.multiply(planes[0], planes[1], out=out[5])
