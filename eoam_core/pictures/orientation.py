"""Turn a picture upright as EXIF's orientation says."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_BOTH_WAYS, _UPSIDE_DOWN, _LEFT_TO_RIGHT = -1, 0, 1


def oriented(picture: Bytes, number: int) -> Bytes:
    """Return `picture` (h, w) or (h, w, c) uint8 turned and mirrored as EXIF's `number`, 1 to 8, says.

    Raises:
        ValueError: there is no such orientation.
    """
    if not 1 <= number <= 8:
        raise ValueError(f"orientation is {number}, need 1 to 8")
    turned = cv2.transpose(picture) if number >= 5 else picture
    if number in (3, 7):
        turned = cv2.flip(turned, _BOTH_WAYS)
    elif number in (4, 8):
        turned = cv2.flip(turned, _UPSIDE_DOWN)
    elif number in (2, 6):
        turned = cv2.flip(turned, _LEFT_TO_RIGHT)
    return np.ascontiguousarray(turned, dtype=np.uint8)
