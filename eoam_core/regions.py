"""Choose which regions of a mask are people, the same ones from frame to frame.

A region is, as in the EOAM paper, an outermost contour and everything in it. The paper keeps the largest. That drops a
second person and swaps two of the same size. Here other regions may stay too, if they are large enough given the
network's certainty. A region that is shown has an advantage over one that is not, so nothing blinks at the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.settings import Regions, Settings

Bytes = NDArray[np.uint8]
Contour = NDArray[Any]  # (n, 1, 2) x, y; cv2 types them loosely

# A region that was shown stays until it is smaller than this share of the limit, and of two that compete for a place
# the one that was shown counts as larger by the same factor.
STAYS: Final = 0.6
# A region of so many times the limit is large enough without weighing its levels, which takes time; the main person
# nearly always is.
_PLENTY: Final = 8.0
# Share of a region that has to lie where something was shown before. It is low: what moves fast still overlaps itself
# by a quarter from frame to frame, and a region that is new overlaps nothing.
_SAME: Final = 0.25


class RegionKeeper:
    """Choose regions in a sequence of masks; `remember` what was shown, or `reset()` to start anew."""

    def __init__(self) -> None:
        self._shown: Bytes | None = None  # (h, w), 0 or 255

    def reset(self) -> None:
        """Forget what was shown."""
        self._shown = None

    def remember(self, shown: Bytes) -> None:
        """Remember what is shown, (h, w) uint8, 0 or 255; the array must not change before the next call."""
        self._shown = shown

    def choose(self, contours: Sequence[Contour], settings: Settings, mask: Bytes) -> list[int]:
        """Return the indices of those outermost `contours` of a `mask`, (h, w) uint8, that stay.

        A region below the limit is dropped even if it is the largest: an empty room shows nothing, not the largest
        speck. With `Regions.LARGEST`, as in the paper, there is no limit.
        """
        if self._shown is not None and self._shown.shape != mask.shape:
            self._shown = None
        if settings.regions is Regions.LARGEST:
            return self._largest(contours, list(range(len(contours))), 1)
        large = [index for index, contour in enumerate(contours) if self.is_large(contour, settings, mask)]
        return self._largest(contours, large, settings.people) if settings.regions is Regions.PEOPLE else large

    def is_large(self, contour: Contour, settings: Settings, mask: Bytes) -> bool:
        """Return whether a region of `mask` is large enough to stay; a region that was shown may be smaller.

        Each pixel counts by the network's certainty, 0 at the threshold and 1 at 255: false regions can be as large as
        a person at the back, but the network is only half certain of them.
        """
        limit = settings.region_share / 100 * mask.size  # as everywhere: a share times a whole number
        area = cv2.contourArea(contour)
        if area >= _PLENTY * limit:
            return True
        if area + cv2.arcLength(contour, closed=True) / 2 + 1 < STAYS * limit:  # never less than the pixels
            return False
        box, region = _drawn(contour)
        unsure = math.floor(settings.threshold * 255.0 - 0.5)  # the highest level that is no person's
        levels = cv2.bitwise_and(np.maximum(mask[box], np.uint8(unsure)), region)
        counted = (cv2.sumElems(levels)[0] - unsure * cv2.countNonZero(region)) / (255 - unsure)
        return counted >= limit or (counted >= STAYS * limit and self._was_shown(box, region))

    def _largest(self, contours: Sequence[Contour], candidates: list[int], count: int) -> list[int]:
        if len(candidates) <= count:
            return candidates
        sizes = {index: region_size(contours[index]) for index in candidates}
        order = sorted(candidates, key=sizes.__getitem__, reverse=True)
        if self._shown is not None:
            least = STAYS * sizes[order[count - 1]]  # a smaller region cannot take the place of another
            order = [index for index in order if sizes[index] >= least]
            ranks = {i: sizes[i] / (STAYS if self._was_shown(*_drawn(contours[i])) else 1.0) for i in order}
            order.sort(key=ranks.__getitem__, reverse=True)
        return sorted(order[:count])

    def _was_shown(self, box: tuple[slice, slice], region: Bytes) -> bool:
        if self._shown is None:
            return False
        pixels = cv2.countNonZero(region)
        return cv2.countNonZero(cv2.bitwise_and(region, self._shown[box])) >= _SAME * pixels


def _drawn(contour: Contour) -> tuple[tuple[slice, slice], Bytes]:
    """Return where a region is, and its pixels there, 0 or 255, holes included."""
    x, y, columns, rows = cv2.boundingRect(contour)
    region = np.zeros((rows, columns), np.uint8)
    cv2.drawContours(region, [contour], -1, 255, cv2.FILLED, offset=(-x, -y))
    return (slice(y, y + rows), slice(x, x + columns)), region


def region_size(contour: Contour) -> float:
    """Return what regions are ordered by: about the number of pixels, holes included."""
    # contourArea is 0 for a region one pixel thin; the length of its outline tells such regions apart.
    return cv2.contourArea(contour) + cv2.arcLength(contour, closed=True) / 2
