"""Turn a picture upright as EXIF's orientation says."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.generic)


def oriented(picture: NDArray[_Kind], number: int) -> NDArray[_Kind]:
    """Return `picture` (h, w) or (h, w, c) turned and mirrored as EXIF's orientation `number`, 1 to 8, wants it shown.

    Raises:
        ValueError: there is no such orientation.
    """
    if not 1 <= number <= 8:
        raise ValueError(f"orientation is {number}, need 1 to 8")
    if number >= 5:
        picture = picture.swapaxes(0, 1)
    if number in (3, 4, 7, 8):
        picture = picture[::-1]
    if number in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
