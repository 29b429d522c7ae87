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
_DISC: Final = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BAND + 1, 2 * _BAND + 1))


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
    contours, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return result
    # contourArea is 0 for a region one pixel thin, so its number of outline pixels breaks ties.
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)))
    cv2.drawContours(result, [largest], -1, 255, cv2.FILLED)  # the region, holes filled: (h, w) 0 or 255
    # An edge that leaves the picture (the chest at the bottom) is no outline: cv2 treats the outside as neutral.
    near = cv2.dilate(result, _DISC)
    core = cv2.erode(result, _DISC)
    holes = cv2.bitwise_and(result, cv2.bitwise_not(person))
    cv2.bitwise_and(mask, near, dst=result)
    cv2.bitwise_or(result, core, dst=result)
    cv2.bitwise_or(result, holes, dst=result)
    return result
