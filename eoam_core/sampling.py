"""Sample textures on the CPU as a GPU's bilinear sampler does: coordinates from 0 to 1, texel centres at halves.

Not with cv2.remap, which interpolates at only 32 positions between two pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Coordinates = NDArray[np.float32]  # from 0 to 1


class Texture:
    """(h, w, channels), sampled at every pair of rows and columns.

    The rows are cached for the next call with the same `y`.
    """

    def __init__(self, values: Floats) -> None:
        self._values = values
        self._y: Coordinates | None = None
        self._lines = values

    def at(self, y: Coordinates, x: Coordinates) -> Floats:
        """Return (len(y), len(x), channels): the values at every pair of coordinates."""
        if y is not self._y:
            first, second, shares = _neighbours(y, self._values.shape[0])
            self._lines = _mixed(self._values[first], self._values[second], shares[:, None, None])
            self._y = y
        first, second, shares = _neighbours(x, self._values.shape[1])
        return _mixed(self._lines[:, first], self._lines[:, second], shares[:, None])


def sampled(texture: NDArray[np.generic], v: Coordinates, u: Coordinates, table: Floats | None = None) -> Floats:
    """Return (n, channels) float32: `texture`, (h, w, channels), at n places (v, u).

    With a `table`, the values are looked up there first, as a GPU decodes sRGB before it interpolates.
    """
    top, down, share_y = _neighbours(v, texture.shape[0])
    left, right, share_x = _neighbours(u, texture.shape[1])

    def texel(row: NDArray[np.intp], column: NDArray[np.intp]) -> Floats:
        values = texture[row, column]
        return values.astype(np.float32) if table is None else table[values]

    above = _mixed(texel(top, left), texel(top, right), share_x[:, None])
    below = _mixed(texel(down, left), texel(down, right), share_x[:, None])
    return _mixed(above, below, share_y[:, None])


def _neighbours(coordinates: Coordinates, length: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return the texels before and after each coordinate, and the weight of the second."""
    places = np.clip(coordinates * np.float32(length) - np.float32(0.5), 0, length - 1).astype(np.float32)
    first = places.astype(np.intp)
    return first, np.minimum(first + 1, length - 1), (places - first).astype(np.float32)


def _mixed(first: Floats, second: Floats, share: Floats) -> Floats:
    result: Floats = first + (second - first) * share
    return result
