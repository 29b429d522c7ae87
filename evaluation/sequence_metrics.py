"""What is counted in a sequence: edges, flicker, lag, holes, regions, coming and going, ghosts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.metrics import Mask, Matte, flicker, foreground_iou, inner_rim

from .sequence_scenes import GAP, OCCLUDED, SECOND, STILL, Frame
from .sequences import Sequence

# (name, unit, True if more is better, difference that counts as equal): the columns of the tables
FIGURES: tuple[tuple[str, str, bool, float], ...] = (
    ("fg", "%", True, 0.1),
    ("boundary", "%", True, 0.3),
    ("flicker", "x 1000", False, 0.02),
    ("lag", "frames", False, 0.05),
    ("filled gaps", "% of their area", False, 1.0),
    ("open occlusions", "% of their area", False, 0.5),
    ("lost", "% of the frames", False, 1.0),
    ("blinks", "per 100 frames", False, 0.5),
    ("invented", "% of the frames", False, 1.0),
    ("appears", "frames", False, 0.34),
    ("disappears", "frames", False, 0.34),
    ("ghost", "% of the old mask", False, 0.5),
)

_NOBODY = 0.002  # share of the frame below which nobody is there
_ARRIVED = 0.01  # share of the frame from which on who comes should be seen
_REGION = 0.002  # share of the frame from which on a region that is not there disturbs
_SEEN = 0.5  # share of somebody's area that must be in the mask


@dataclass(frozen=True, eq=False)
class Truth:
    """A frame's truth as the figures need it; `(h, w)` bool each. Made once per frame for all methods."""

    mask: Mask
    rim: Mask
    gap: Mask
    occluded: Mask
    second: Mask
    still: Mask

    @classmethod
    def of(cls, frame: Frame) -> Truth:
        """Take a frame apart."""
        mask = frame.alpha > 127
        return cls(mask, inner_rim(mask), frame.has(GAP), frame.has(OCCLUDED), frame.has(SECOND), frame.has(STILL))


class Tally:
    """Counts for one method in one sequence: `add` every frame in order, then read `figures()`."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._fg: list[float] = []
        self._boundary: list[float] = []
        self._flicker: list[float] = []
        self._gap = self._gap_filled = 0
        self._occluded = self._occluded_open = 0
        self._second_seen: list[bool] = []
        self._invented: list[bool] = []
        self._ghost: list[float] = []
        self._masks: list[Mask] = []
        self._truths: list[Mask] = []
        self._before: Matte | None = None
        self._arrival: list[tuple[float, float, float]] = []  # shares of the frame: truth, found, and what remained
        self._last_seen: Mask | None = None

    def add(self, truth: Truth, matte: Matte) -> None:
        """Count one frame: `matte` is `(h, w)` uint8 of the frame's size, 255 = person."""
        mask = np.asarray(matte > 127)
        number = len(self._masks)
        if truth.mask.mean() > _NOBODY:
            self._fg.append(foreground_iou(mask, truth.mask))
            self._boundary.append(foreground_iou(inner_rim(mask), truth.rim))
        if number in self._sequence.cuts:
            old = self._truths[-1] & ~_grown(truth.mask, 8)
            self._ghost.append(float(mask[old].mean()) if old.any() else float("nan"))
        elif self._before is not None:
            self._flicker.append(flicker(self._before, matte, truth.still))
        self._gap += int(truth.gap.sum())
        self._gap_filled += int(mask[truth.gap].sum())
        self._occluded += int(truth.occluded.sum())
        self._occluded_open += int((~mask[truth.occluded]).sum())
        if self._sequence.group == "second" and truth.second.mean() > _NOBODY:
            self._second_seen.append(float(mask[truth.second].mean()) >= _SEEN)
        self._invented.append(_has_invented_region(mask, truth.mask))
        if self._sequence.arrival:
            self._watch(truth.mask if self._sequence.arrival == "person" else truth.second, truth.mask, mask)
        self._masks.append(mask)
        self._truths.append(truth.mask)
        self._before = matte

    def _watch(self, subject: Mask, everybody: Mask, mask: Mask) -> None:
        if subject.mean() > _NOBODY:
            self._last_seen = subject
        left = 0.0
        if self._last_seen is not None and subject.mean() <= _NOBODY:
            left = float((mask & _grown(self._last_seen, 8) & ~_grown(everybody, 8)).mean())
        found = float((mask & subject).sum() / max(int(subject.sum()), 1))
        self._arrival.append((float(subject.mean()), found, left))

    def figures(self) -> dict[str, float]:
        """Return every figure of `FIGURES`, NaN where the sequence says nothing about it."""
        appears, disappears = _delays(self._arrival)
        seen = np.array(self._second_seen)
        nan = float("nan")
        return {
            "fg": 100 * _mean(self._fg),
            "boundary": 100 * _mean(self._boundary),
            "flicker": _mean(self._flicker),
            "lag": lag(self._masks, self._truths) if self._sequence.moves else nan,
            "filled gaps": 100 * self._gap_filled / self._gap if self._gap else nan,
            "open occlusions": 100 * self._occluded_open / self._occluded if self._occluded else nan,
            "lost": 100 * float((~seen).mean()) if len(seen) else nan,
            "blinks": 100 * float((seen[1:] != seen[:-1]).mean()) if len(seen) > 1 else nan,
            "invented": 100 * _mean([float(v) for v in self._invented]),
            "appears": appears,
            "disappears": disappears,
            "ghost": 100 * _mean(self._ghost),
        }


def lag(predicted: list[Mask], truth: list[Mask], longest: int = 5) -> float:
    """Return by how many frames the truth must be delayed to fit the masks best, with fractions.

    The fit over delays is a tent round the best one where movement is steady; its peak is read off three delays.
    """
    scores = []
    for delay in range(-1, longest + 1):
        pairs = [(predicted[i], truth[i - delay]) for i in range(longest, len(predicted) - 1)]
        scores.append(float(np.mean([foreground_iou(p, t) for p, t in pairs if t.any()])))
    best = int(np.argmax(scores))
    if best in (0, len(scores) - 1):
        return float(best - 1)
    before, at, after = scores[best - 1 : best + 2]
    slope = at - min(before, after)
    return best - 1 + ((after - before) / (2 * slope) if slope > 0 else 0.0)


def _mean(values: list[float]) -> float:
    kept = [v for v in values if not np.isnan(v)]
    return float(np.mean(kept)) if kept else float("nan")


def _grown(mask: Mask, pixels: int) -> Mask:
    side = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))) > 0


def _has_invented_region(mask: Mask, truth: Mask) -> bool:
    """Tell whether a region of the mask, large enough to be seen, lies nearly whole where nobody is."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    least = _REGION * mask.size
    large = [i for i in range(1, count) if facts[i, cv2.CC_STAT_AREA] >= least]
    return any(truth[labels == i].mean() < 0.1 for i in large)


def _delays(watched: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Return after how many frames who came was in the mask and who went was out of it; the rest if never."""
    if not watched:
        return float("nan"), float("nan")
    there, found, left = np.array(watched).T
    here = np.nonzero(there >= _ARRIVED)[0]
    if not len(here):
        return float("nan"), float("nan")
    begin = int(here[0])
    seen = np.nonzero(found[begin:] >= _SEEN)[0]
    gone = np.nonzero((there <= _NOBODY) & (np.arange(len(there)) > here[-1]))[0]
    appears = float(seen[0]) if len(seen) else float(len(there) - begin)
    if not len(gone):
        return appears, float("nan")
    clear = np.nonzero(left[gone[0] :] < _REGION)[0]
    return appears, float(clear[0]) if len(clear) else float(len(there) - gone[0])


def average(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each figure over sequences, leaving out where it says nothing."""
    return {name: _mean([row[name] for row in rows]) for name, *_ in FIGURES}


def is_best(name: str, value: float, others: NDArray[np.floating]) -> bool:
    """Tell whether a figure is the best, or equal to the best, of itself and `others`; True if there is nothing."""
    _, _, more, margin = next(figure for figure in FIGURES if figure[0] == name)
    others = others[~np.isnan(others)]
    if np.isnan(value) or not len(others):
        return True
    return bool(value >= others.max() - margin) if more else bool(value <= others.min() + margin)
