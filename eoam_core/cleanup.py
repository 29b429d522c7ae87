"""Keep the right region of a mask and fill what something held in front of the person cut out of it.

The optimisation step of the EOAM paper: split the mask into regions by their outermost contours, keep the largest, fill
it. The step is binary; the mask's soft edge, which hair and motion blur need, is carried over untouched.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

# Half the width, in mask pixels, of the band round the outline in which the mask stays soft. The network decodes from
# 1/4 of the input, so its own transitions are up to about 4 pixels wide on either side.
_BAND: Final = 4
# A square, though a disc would be as wide along a slanted outline as along others: it takes a third of the time.
_SQUARE: Final = np.ones((2 * _BAND + 1, 2 * _BAND + 1), np.uint8)


def fill_largest_region(mask: NDArray[np.uint8], *, level: float) -> NDArray[np.uint8]:
    """Return `mask` with its largest region kept and filled and every other region removed.

    A region is a connected set of pixels at or above `level`. Inside the largest one, beyond a narrow band along its
    outline, everything becomes 255, holes included; outside, beyond the same band, everything becomes 0. Within the
    band the values stay as they are, except holes. Where no pixel reaches `level` the result is all 0.

    Args:
        mask: (h, w) uint8, 255 = person.
        level: 0 to 1, the mask level at which a pixel counts as person.

    Returns:
        (h, w) uint8, a new array.

    Raises:
        ValueError: mask is not (h, w) uint8, or level is outside 0 to 1.
    """
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w)")
    if not 0.0 <= level <= 1.0:
        raise ValueError(f"level is {level!r}, need a number from 0 to 1")
    result = np.zeros_like(mask)
    # cv2 keeps what is *above* the value, hence the half step.
    _, person = cv2.threshold(mask, level * 255.0 - 0.5, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return result
    # contourArea is 0 for a region one pixel thin, so the length of its outline breaks ties.
    largest = (
        contours[0]
        if len(contours) == 1
        else max(contours, key=lambda contour: (cv2.contourArea(contour), cv2.arcLength(contour, closed=True)))
    )
    # Beyond the region and its band the result is 0: work on no more than these.
    x, y, columns, rows = cv2.boundingRect(largest)
    left, top = max(x - _BAND, 0), max(y - _BAND, 0)
    piece = slice(top, y + rows + _BAND), slice(left, x + columns + _BAND)
    inside, cleaned = person[piece], result[piece]
    region = np.zeros_like(inside, order="C")  # the region, holes filled: 0 or 255
    cv2.drawContours(region, [largest], -1, 255, cv2.FILLED, offset=(-left, -top))
    # An edge that leaves the picture (the chest at the bottom) is no outline: cv2 treats the outside as neutral.
    near = cv2.dilate(region, _SQUARE)
    core = cv2.erode(region, _SQUARE)
    holes = cv2.subtract(region, inside)
    cv2.bitwise_and(mask[piece], near, dst=cleaned)
    cv2.bitwise_or(cleaned, core, dst=cleaned)
    cv2.bitwise_or(cleaned, holes, dst=cleaned)
    return result
