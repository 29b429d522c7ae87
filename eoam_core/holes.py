"""Decide which holes in a person are filled.

The EOAM paper fills them all, because objects in front of the body (a microphone, a cup, a hand) cut holes into the
network's mask. That also fills true gaps, as between a bent arm and the body, and shows the background there.
`Holes.SMART` weighs the evidence for each hole:

* size: the smallest holes are noise;
* the network's own levels: near 0 in a gap, higher over objects that it does not know;
* colour: a gap looks like the background beside the person at the same height, an object does not;
* depth: a hole deep inside the person is rarely a gap;
* time: the evidence is averaged for as long as the hole exists, and a decision changes only on strong evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.settings import Holes, Settings

Bytes = NDArray[np.uint8]
Contour = NDArray[Any]  # (n, 1, 2) x, y, on the region's pixels round the hole
Box = tuple[int, int, int, int]  # left, top, right, bottom

# Share of the frame up to which a hole is noise and filled without examination.
_NOISE: Final = 0.0004
_MOST: Final = 6  # the largest holes are examined; a mask with more is broken, and the rest are filled
# A hole that was filled by its size stays filled until it is larger than the limit by this factor.
_STAYS: Final = 1 / 0.6
_FORGOTTEN: Final = 8  # frames after which a hole that has disappeared is forgotten
_PACE: Final = 8  # a known hole is examined again after so many frames, sooner at first; examining is what costs time
_MEMORY: Final = 0.75  # largest share of the older evidence that is kept when a hole is examined again
_DOUBT: Final = 0.7  # score that the evidence must reach before the decision changes

# The score: a logistic regression on 2300 holes over the validation people, in the network's masks and in masks made
# from the truth with a hole for every gap and every object. Colour decides almost everything; the network's level adds
# little, and its weight was set by hand. The base is half a unit above the fitted one: in doubt a hole stays open.
_ROOM: Final = 3.4
_BODY: Final = 1.2
_LEVEL: Final = 1.0
_BASE: Final = 7.7
_GRAIN: Final = 3.0  # grey levels by which colours differ through noise alone
_TYPICAL: Final = 10.0  # distance from the body's colours where there are none
_DEEP: Final = 2.0
_ARM: Final = 0.2  # of the square root of the person's area: no arm is thicker

_SAMPLES: Final = 48  # pixels sampled of a hole; twice as many of the background
_ROOM_LEVEL: Final = 25  # mask levels up to this are certainly background
_BODY_LEVEL: Final = 230  # and from this on certainly a person
_FEW: Final = 8  # fewer colours than this cannot be compared
_ROWS: Final = 6  # half-size rows above and below a hole in which the background is sampled as well
_RING: Final = 5  # half-size pixels round a hole in which the person is sampled


class Evidence(NamedTuple):
    """Evidence about one hole.

    Its `share` of the frame; the network's `level` in it, 0 to 1; the distance of its colours from the nearest ones of
    the background beside the person and of the body round the hole, in grey levels (NaN without any to compare with);
    its `depth`, the distance to the outline in mask pixels; the number of pixels within the `outline`.
    """

    share: float
    level: float
    room: float
    body: float
    depth: float
    outline: float

    def score(self) -> float:
        """Return the log odds that an object in front of the person cut the hole: above 0, fill it."""
        if math.isnan(self.room):
            return _DEEP  # no background visible, so nothing a gap could show
        body = _TYPICAL if math.isnan(self.body) else self.body
        score = _ROOM * math.log(self.room + _GRAIN) - _BODY * math.log(body + _GRAIN) + _LEVEL * self.level - _BASE
        return score + (_DEEP if self.depth > _ARM * math.sqrt(self.outline) else 0.0)


@dataclass(slots=True)
class _Hole:
    """A hole that is tracked."""

    box: Box
    filled: bool
    score: float
    seen: int  # the last frame in which it existed
    looks: int  # how often it was examined
    next_look: int  # the frame from which it is examined again


class HoleJudge:
    """Decide which holes of a sequence of masks are filled; `reset()` starts a new sequence."""

    def __init__(self) -> None:
        self._known: list[_Hole] = []
        self._frame = 0

    def reset(self) -> None:
        """Forget all known holes."""
        self._known.clear()

    def to_fill(
        self, holes: Sequence[Contour], settings: Settings, mask: Bytes, regions: Sequence[Contour], half: Bytes
    ) -> list[int]:
        """Return the indices of those of `holes` that are filled.

        Args:
            holes: the contours of the holes in the regions that stay.
            settings: holes and hole_share matter.
            mask: (h, w) uint8, the network's.
            regions: the outermost contours of these regions.
            half: the picture at half the size, ((h + 1) // 2, (w + 1) // 2, 4) uint8 BGRA.
        """
        self._frame += 1
        if self._known:
            self._known = [hole for hole in self._known if self._frame - hole.seen <= _FORGOTTEN]
        if settings.holes is Holes.OPEN or not holes:
            return []
        if settings.holes is Holes.ALL:
            return list(range(len(holes)))
        shares = [_area(hole) / mask.size for hole in holes]
        if settings.holes is Holes.SIZE:
            limit = settings.hole_share / 100
            return [index for index, share in enumerate(shares) if self._is_small(holes[index], share, limit)]
        filled = []
        looked = False
        for rank, index in enumerate(sorted(range(len(holes)), key=shares.__getitem__, reverse=True)):
            hole, share = holes[index], shares[index]
            if rank >= _MOST or share <= _NOISE:
                filled.append(index)
                continue
            known = self._find(_box(hole))
            if known is None:
                score = evidence(hole, share, mask, regions, half).score()
                known = self._follow(hole, score > 0, score)
            elif not looked and self._frame >= known.next_look:
                looked = True  # one in a frame is enough
                score = evidence(hole, share, mask, regions, half).score()
                known.score += max(1 / (known.looks + 1), 1 - _MEMORY) * (score - known.score)
                known.filled = known.score > (-_DOUBT if known.filled else _DOUBT)
                known.looks += 1
                known.next_look = self._frame + min(2 * known.looks, _PACE)
            known.box, known.seen = _box(hole), self._frame
            if known.filled:
                filled.append(index)
        return filled

    def _is_small(self, hole: Contour, share: float, limit: float) -> bool:
        if not limit / _STAYS <= share <= limit * _STAYS:
            return share <= limit
        known = self._find(_box(hole)) or self._follow(hole, False)
        known.filled = share <= limit or known.filled
        known.box, known.seen = _box(hole), self._frame
        return known.filled

    def _follow(self, hole: Contour, filled: bool, score: float = 0.0) -> _Hole:
        known = _Hole(_box(hole), filled, score, seen=self._frame, looks=1, next_look=self._frame + 2)
        self._known.append(known)
        return known

    def _find(self, box: Box) -> _Hole | None:
        """Return the known hole whose box overlaps `box` most, by half of the smaller one at least."""
        best, found = 0.5, None
        for hole in self._known:
            if hole.seen == self._frame:
                continue  # it is taken already
            columns = min(box[2], hole.box[2]) - max(box[0], hole.box[0])
            rows = min(box[3], hole.box[3]) - max(box[1], hole.box[1])
            if columns > 0 and rows > 0:
                overlap = columns * rows / min(_box_area(box), _box_area(hole.box))
                if overlap >= best:
                    best, found = overlap, hole
        return found


def evidence(hole: Contour, share: float, mask: Bytes, regions: Sequence[Contour], half: Bytes) -> Evidence:
    """Examine one hole; `share` is its share of the frame, the others are as for `HoleJudge.to_fill`."""
    left, top, columns, rows = cv2.boundingRect(hole)
    piece = np.zeros((rows, columns), np.uint8)
    cv2.drawContours(piece, [hole], -1, 255, cv2.FILLED, offset=(-left, -top))
    cv2.drawContours(piece, [hole], -1, 0, 1, offset=(-left, -top))  # the contour's own pixels belong to the person
    levels = mask[top : top + rows, left : left + columns][piece > 0]
    level = float(np.partition(levels, levels.size // 4)[levels.size // 4]) / 255 if levels.size else 0.5
    # From here on at half the size.
    small = mask[::2, ::2]
    depth = np.zeros(small.shape, np.uint8)
    for region in regions:
        cv2.fillPoly(depth, [region], 255, shift=1)
    outline = 4.0 * cv2.countNonZero(depth)
    first, last = max(top // 2 - _ROWS, 0), (top + rows) // 2 + _ROWS  # the rows in which the background is sampled
    is_room = (depth[first:last] == 0) & (small[first:last] <= _ROOM_LEVEL)
    room = half[first:last][is_room]
    if len(room) < _FEW:  # the person fills the whole width there
        room = half[(depth == 0) & (small <= _ROOM_LEVEL)]
    around = (
        slice(max(top // 2 - _RING, 0), (top + rows) // 2 + _RING),
        slice(max(left // 2 - _RING, 0), (left + columns) // 2 + _RING),
    )
    body = half[around][small[around] >= _BODY_LEVEL]
    inside = piece[top % 2 :: 2, left % 2 :: 2] > 0
    y, x = (top + 1) // 2, (left + 1) // 2
    there = slice(y, y + inside.shape[0]), slice(x, x + inside.shape[1])
    colours = half[there][inside]
    ways = cv2.distanceTransform(depth, cv2.DIST_L1, 3, dstType=cv2.CV_8U)[there][inside]
    return Evidence(
        share=share,
        level=level,
        room=_distance(colours, room),
        body=_distance(colours, body),
        depth=2.0 * float(ways.min()) if ways.size else 0.0,
        outline=outline,
    )


def _area(hole: Contour) -> float:
    """Return roughly how many pixels a hole has: fewer than its contour encloses, which runs on the person."""
    return max(cv2.contourArea(hole) - cv2.arcLength(hole, closed=True) / 2 + 1, 1.0)


def _box(hole: Contour) -> Box:
    left, top, columns, rows = cv2.boundingRect(hole)
    return left, top, left + columns, top + rows


def _box_area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _distance(colours: Bytes, others: Bytes) -> float:
    """Return the median distance, in grey levels, from `colours` (n, 4) BGRA to the nearest of `others` (m, 4)."""
    if len(colours) < 4 or len(others) < _FEW:
        return float("nan")
    few = colours[:: len(colours) // _SAMPLES + 1, :3].astype(np.float32)
    many = others[:: len(others) // (2 * _SAMPLES) + 1, :3].astype(np.float32)
    ways = (many * many).sum(1) - 2 * (few @ many.T)
    nearest = ways.min(1) + (few * few).sum(1)
    middle = len(nearest) // 2
    return math.sqrt(max(float(np.partition(nearest, middle)[middle]), 0.0))
