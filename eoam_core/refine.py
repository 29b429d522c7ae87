"""Edge refinement: let the edge of a small mask follow the edges of the full-size picture.

A guided filter in its fast form (He and Sun, "Fast Guided Filter", 2015), with colour as the guide. On the worker, at
half the mask's size, the mask is explained by the colours round each place,

    mask = a * luma + c * chroma + b        least squares over 5x5 cells, the answers averaged over 3x3

and the shader applies the explanation to the picture's own pixels. Where colour does not explain the mask (a plain
wall behind a plain shirt, a pattern that has nothing to do with the outline) the explanation gets no weight, and the
mask is enlarged as it is; so it is wherever the mask is the same all round: nothing inside a person or out in the room
changes by a bit.

    level = m + refinement * (a * luma + c * chroma + b - w * m)      a, c, b are stored times their weight w

The luma and chroma are those of the square roots of linear light: what the shader can have cheaply, since it sees the
picture through an sRGB view. They stay close to what the eye and the bytes call luma and chroma.

`Refiner` is the worker's part. `refined_alpha` is the shader's, on the CPU: the command line draws with it, and a test
holds effects/eoam.effect against it.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

# A wider window finds edges that the mask missed by more, and puts more holes where colours mislead it. Half the
# mask's size costs a quarter and reaches twice as far: measured on composites it is better as well as cheaper.
_CELL: Final = 2  # mask pixels per cell of the grid
_WINDOW: Final = (5, 5)  # cells that one explanation is made from
_AVERAGE: Final = (3, 3)  # cells whose explanations are averaged
_NOISE: Final = 1e-3  # variance of the guide that explains nothing: 3 % of full scale, a webcam's noise at night
_NO_EDGE: Final = 1e-4  # variance of the mask below which there is no edge to explain
_SURE: Final = 1.5  # an explained share of 1 / 1.5 of the mask's variance gets the full weight
_LUMA: Final = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green, red
_NEARBY: Final = 1.5  # mask pixels at which the outline's direction is looked for

_LINEAR: Final = np.array(
    [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in np.arange(256) / 255],
    np.float32,
)
_ROOT: Final = np.rint(255 * np.sqrt(_LINEAR)).astype(np.uint8)

# Planes of the statistics: the means of luma, chroma and mask, then the means of their products.
_Y, _C, _P = range(3)
_PRODUCTS: Final = ((_Y, _Y), (_Y, _C), (_C, _C), (_Y, _P), (_C, _P), (_P, _P))
_YY, _YC, _CC, _YP, _CP, _PP = range(3, 9)


class Refiner:
    """Makes the coefficients of masks; one thread at a time. Its buffers are kept for masks of the same size."""

    def __init__(self) -> None:
        self._set_size((0, 0))

    def coefficients(self, mask: Bytes, frame: Bytes) -> Halves:
        """Return what explains `mask`, (h, w) uint8, by the colours of `frame`, (h, w, 4) uint8 BGRA, premultiplied.

        The result is a new array, ((h + 1) // 2, (w + 1) // 2, 4) float16: luma's factor a, chroma's factor c, the
        offset b and the weight w, 0 to 1; the first three are multiplied by the last already.

        Raises:
            ValueError: a type or a shape is another, or there is not a single pixel.
        """
        if mask.dtype != np.uint8 or mask.ndim != 2 or not mask.size:
            raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w) with at least one pixel")
        if frame.dtype != np.uint8 or frame.shape != (*mask.shape, 4):
            raise ValueError(f"frame is {frame.dtype} {frame.shape}, need uint8 {(*mask.shape, 4)}")
        size = ((mask.shape[0] + _CELL - 1) // _CELL, (mask.shape[1] + _CELL - 1) // _CELL)
        if size != self._size:
            self._set_size(size)
        self._gather(mask, frame)
        self._explain()
        for plane in self._answers:
            cv2.blur(plane, _AVERAGE, dst=plane, borderType=cv2.BORDER_REPLICATE)
        result: Halves = np.empty((*size, 4), np.float16)
        result[...] = cv2.merge(list(self._answers), dst=self._merged)
        return result

    def _set_size(self, size: tuple[int, int]) -> None:
        self._size = size
        self._frame: Bytes = np.empty((*size, 4), np.uint8)
        self._mask: Bytes = np.empty(size, np.uint8)
        self._values: Floats = np.empty((9, *size), np.float32)
        self._means: Floats = np.empty((9, *size), np.float32)
        self._answers: Floats = np.empty((4, *size), np.float32)
        self._scratch: Floats = np.empty((3, *size), np.float32)
        self._merged: Floats = np.empty((*size, 4), np.float32)

    def _gather(self, mask: Bytes, frame: Bytes) -> None:
        """Fill `_means`: three means, then six variances and covariances."""
        values, means, scratch = self._values, self._means, self._scratch[0]
        height, width = self._size
        cv2.resize(frame, (width, height), dst=self._frame, interpolation=cv2.INTER_AREA)
        cv2.resize(mask, (width, height), dst=self._mask, interpolation=cv2.INTER_AREA)
        roots = cv2.LUT(self._frame, _ROOT, dst=self._frame)
        blue, _, red, _ = cv2.split(roots)
        share = np.float32(1 / 255)
        np.multiply(cv2.cvtColor(roots, cv2.COLOR_BGRA2GRAY), share, out=values[_Y], dtype=np.float32)
        cv2.subtract(red, blue, dst=values[_C], dtype=cv2.CV_32F)
        values[_C] *= share
        np.multiply(self._mask, share, out=values[_P], dtype=np.float32)
        for number, (first, second) in enumerate(_PRODUCTS, 3):
            np.multiply(values[first], values[second], out=values[number])
        for value, mean in zip(values, means, strict=True):
            cv2.blur(value, _WINDOW, dst=mean, borderType=cv2.BORDER_REPLICATE)
        for number, (first, second) in enumerate(_PRODUCTS, 3):
            np.multiply(means[first], means[second], out=scratch)
            means[number] -= scratch

    def _explain(self) -> None:
        """Fill `_answers`: two factors, the offset and the weight, of least squares with two unknowns in closed form."""
        means, (luma, chroma, offset, weight), (one, two, three) = self._means, self._answers, self._scratch
        means[_YY] += _NOISE
        means[_CC] += _NOISE
        np.multiply(means[_YY], means[_CC], out=three)
        np.multiply(means[_YC], means[_YC], out=one)
        three -= one  # the determinant, at least _NOISE squared
        for factor, own, other, mine, others in (
            (luma, means[_CC], means[_YC], means[_YP], means[_CP]),
            (chroma, means[_YY], means[_YC], means[_CP], means[_YP]),
        ):
            np.multiply(own, mine, out=factor)
            np.multiply(other, others, out=one)
            factor -= one
            factor /= three
        np.multiply(luma, means[_YP], out=one)
        np.multiply(chroma, means[_CP], out=two)
        one += two  # the explained variance
        means[_PP] += _NO_EDGE
        np.divide(one, means[_PP], out=weight)
        weight *= np.float32(_SURE)
        np.clip(weight, 0, 1, out=weight)
        np.multiply(luma, means[_Y], out=one)
        np.multiply(chroma, means[_C], out=two)
        np.subtract(means[_P], one, out=offset)
        offset -= two
        self._answers[:3] *= weight


def reach_pixels(edge_shift: float, *, picture: tuple[int, int], mask: tuple[int, int]) -> int:
    """Return how far from a pixel the outline's direction is looked for, in picture pixels.

    Far enough to see the outline from where it is to go, and at least so far that one sees more than one pixel of the
    mask. `picture` and `mask` are (height, width). The shader gets this number too.
    """
    scale = max(picture[0] / mask[0], picture[1] / mask[1])
    return math.ceil(max(abs(edge_shift), _NEARBY * scale, 1.0))


def alpha_levels(level: Floats, settings: Settings) -> Bytes:
    """Return alpha, uint8 of `level`'s shape: rises from 0 to 255 round the threshold, as wide as the softness."""
    half = max(settings.softness, 1 / 255) / 2
    t = np.clip((level - np.float32(settings.threshold - half)) * np.float32(0.5 / half), 0, 1)
    alpha: Bytes = np.rint(t * t * (3 - 2 * t) * 255).astype(np.uint8)
    return alpha
