"""Orient a video: the display matrix that phones, cameras and editors store beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_DISPLAY_MATRIX: Final = "DISPLAYMATRIX"


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """One of the eight orientations of a picture: first rows and columns may be swapped, then both axes mirrored."""

    swapped: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @classmethod
    def of_matrix(cls, matrix: bytes) -> Orientation:
        """Return a display matrix's orientation: nine int32 (a b u, c d v, x y w), x' = a x + c y, y' = b x + d y.

        The nearest of the eight is used; an invalid matrix changes nothing (ISO/IEC 14496-12, 8.3.2).
        """
        if len(matrix) != 36:
            return cls()
        a, b, _, c, d = (int(value) for value in np.frombuffer(matrix, np.int32)[:5])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(swapped=True, mirrored_x=c < 0, mirrored_y=b < 0)
        return cls(mirrored_x=a < 0, mirrored_y=d < 0)

    @classmethod
    def of_frame(cls, frame: Any, default: Orientation | None = None) -> Orientation:
        """Return a decoded PyAV frame's orientation, or the default if it has none."""
        try:
            found = [bytes(data) for data in frame.side_data if data.type.name == _DISPLAY_MATRIX]
        except ValueError:  # side data of a type that this PyAV has no name for
            return _TURNS[round(int(frame.rotation) / 90) % 4]
        return cls.of_matrix(found[0]) if found else default or cls()

    def applied(self, picture: Bytes) -> Bytes:
        """Return `picture`, (h, w, channels) uint8, upright: (h, w, channels), or (w, h, channels) if it is turned."""
        if self.swapped:
            picture = picture.swapaxes(0, 1)
        rows = slice(None, None, -1 if self.mirrored_y else 1)
        columns = slice(None, None, -1 if self.mirrored_x else 1)
        return np.ascontiguousarray(picture[rows, columns])


# quarter turns, counter-clockwise
_TURNS: Final = (
    Orientation(),
    Orientation(swapped=True, mirrored_y=True),
    Orientation(mirrored_x=True, mirrored_y=True),
    Orientation(swapped=True, mirrored_x=True),
)
