"""Keep the regions of a mask that are people, and fill the holes that objects in front of them cut.

The optimisation step of the EOAM paper is `fill_largest_region`: split the mask into regions by their outermost
contours, keep the largest, fill it. `MaskCleaner` is the same step with a choice of the regions (regions.py) and of the
holes (holes.py), and with a memory. The step is binary; the mask's soft edge, which hair and motion blur need, is
carried over untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.buffers import Buffers
from eoam_core.holes import HoleJudge
from eoam_core.regions import Contour, RegionKeeper, region_size
from eoam_core.settings import Holes, Regions, Settings

Bytes = NDArray[np.uint8]

# Half the width, in mask pixels, of the band round the outline in which the mask stays soft. The network decodes from
# 1/4 of the input, so its own transitions are up to about 4 pixels wide on either side.
_BAND: Final = 4
# A square takes a third of a disc's time; a disc would be equally wide along slanted outlines.
_SQUARE: Final = np.ones((2 * _BAND + 1, 2 * _BAND + 1), np.uint8)


class MaskCleaner:
    """Clean a sequence of masks; `reset()` starts a new one. One thread at a time; buffers are reused."""

    def __init__(self) -> None:
        self._results = Buffers()
        self._regions = RegionKeeper()
        self._holes = HoleJudge()
        # Scratch buffers. The last result is remembered, so its buffer alternates with another.
        self._shown: Bytes = np.empty((0, 0), np.uint8)
        self._spare = self._band = self._shown

    def reset(self) -> None:
        """Forget all previous regions and holes."""
        self._regions.reset()
        self._holes.reset()

    def clean(self, mask: Bytes, half: Bytes, settings: Settings) -> Bytes:
        """Return `mask` with the regions that `settings` choose, their holes filled as `settings` say.

        A region is a connected set of pixels at or above the threshold, with what its outermost contour encloses.
        Beyond a narrow band along its outline everything inside becomes 255 and everything outside becomes 0; holes
        that stay open are outside. Within the band the values stay as they are, except in filled holes and in regions
        that go. At the threshold, the result has exactly the regions and holes that were chosen; where no region is
        left it is all 0. If every region and every hole is to stay, the mask stays as it is.

        Args:
            mask: (h, w) uint8, 255 = person.
            half: the picture at half the size, ((h + 1) // 2, (w + 1) // 2, 4) uint8 BGRA.
            settings: threshold, regions, region_share, people, holes and hole_share matter.

        Returns:
            (h, w) uint8: an array that nobody else holds, or `mask` itself where nothing is to be done.

        Raises:
            ValueError: mask is not (h, w) uint8, or half is not of half its size.
        """
        if mask.dtype != np.uint8 or mask.ndim != 2:
            raise ValueError(f"mask is {mask.dtype} {mask.shape}, need uint8 (h, w)")
        need = (mask.shape[0] + 1) // 2, (mask.shape[1] + 1) // 2, 4
        if half.dtype != np.uint8 or half.shape != need:
            raise ValueError(f"half is {half.dtype} {half.shape}, need uint8 {need}")
        if settings.holes is Holes.OPEN and settings.regions is Regions.SHARE and settings.region_share == 0:
            self.reset()
            return mask
        if self._spare.shape != mask.shape:
            self.reset()
            self._shown, self._spare, self._band = (np.empty(mask.shape, np.uint8) for _ in range(3))
        self._shown, self._spare = self._spare, self._shown
        shown = _thresholded(mask, settings.threshold, self._shown)
        contours, hierarchy = cv2.findContours(shown, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
        links: list[list[int]] = hierarchy[0].tolist() if contours else []  # next, previous, first child, parent
        outermost = [index for index, link in enumerate(links) if link[3] < 0]
        chosen = self._regions.choose([contours[index] for index in outermost], settings, mask)
        kept = [outermost[index] for index in chosen]
        if not kept:
            shown.fill(0)
            self._regions.remember(shown)
            nobody: Bytes = self._results.take(mask.shape, np.uint8)
            nobody.fill(0)
            return nobody
        remove = [contours[index] for index in outermost if index not in kept]
        regions = [contours[index] for index in kept]
        holes = [index for region in kept for index in _children(links, region)]
        fill = self._holes.to_fill([contours[index] for index in holes], settings, mask, regions, half)
        for place, index in enumerate(holes):
            if place not in fill:
                # A region inside a gap is a region like any other, except that it is never the largest.
                islands = [contours[island] for island in _children(links, index)]
                if settings.regions is not Regions.LARGEST:
                    islands = [island for island in islands if not self._regions.is_large(island, settings, mask)]
                remove += islands
        filled = [contours[holes[place]] for place in fill]
        _draw(shown, remove, 0)
        _draw(shown, filled, 255)
        self._regions.remember(shown)
        result: Bytes = self._results.take(mask.shape, np.uint8)
        _carry_edge(mask, shown, self._band, result)
        _draw(result, remove, 0)
        _draw(result, filled, 255)
        return result


def fill_largest_region(mask: Bytes, *, level: float) -> Bytes:
    """Return `mask` with its largest region kept and filled and every other region removed: the paper's step.

    A region is a connected set of pixels at or above `level`. Inside the largest one, beyond a narrow band along its
    outline, everything becomes 255, holes included; outside, beyond the same band, everything becomes 0. Within the
    band the values stay as they are, except in holes and in other regions. Where no pixel reaches `level` the
    result is all 0.

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
    person = _thresholded(mask, level, np.empty(mask.shape, np.uint8))
    contours, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return np.zeros_like(mask)
    largest = max(contours, key=region_size)
    shown = np.zeros_like(person)
    cv2.drawContours(shown, [largest], -1, 255, cv2.FILLED)
    result = np.empty_like(shown)
    _carry_edge(mask, shown, np.empty_like(shown), result)
    cv2.bitwise_or(result, cv2.subtract(shown, person), dst=result)  # the holes
    cv2.subtract(result, cv2.subtract(person, shown), dst=result)  # other regions, as far as they reach into the band
    return result


def _thresholded(mask: Bytes, level: float, out: Bytes) -> Bytes:
    # cv2 keeps what is *above* the value, hence the half step.
    cv2.threshold(mask, level * 255.0 - 0.5, 255, cv2.THRESH_BINARY, dst=out)
    return out


def _children(links: list[list[int]], index: int) -> Iterator[int]:
    """Yield the contours that lie directly within one: the holes of a region, the islands in a hole."""
    child = links[index][2]
    while child >= 0:
        yield child
        child = links[child][0]


def _draw(picture: Bytes, contours: Sequence[Contour], value: int) -> None:
    # One by one: drawn together, a contour inside another would be left out.
    for contour in contours:
        cv2.drawContours(picture, [contour], -1, value, cv2.FILLED)


def _carry_edge(mask: Bytes, shown: Bytes, band: Bytes, out: Bytes) -> None:
    """Fill `out` with `shown`, 0 or 255, and the levels of `mask` in the band along its outline.

    `band` is a scratch buffer.
    """
    # An edge that leaves the picture (the chest at the bottom) is no outline: cv2 treats the outside as neutral.
    cv2.morphologyEx(shown, cv2.MORPH_GRADIENT, _SQUARE, dst=band)
    np.copyto(out, shown)
    cv2.copyTo(mask, band, out)
