"""Make contact sheets, because figures alone do not show what is wrong with a mask."""

from __future__ import annotations

import heapq
import itertools
from pathlib import Path

import cv2
import numpy as np

from .data import DataError, Image

_GREEN = np.array([60, 160, 40], np.float32)


def tile(bgr: Image, matte: Image, truth: Image | None = None, *, height: int = 160, label: str = "") -> Image:
    """Return a picture beside its cut-out over green, `height` rows high; the truth's outline is drawn in red."""
    weight = matte.astype(np.float32)[..., None] / 255
    cut = (bgr * weight + _GREEN * (1 - weight)).astype(np.uint8)
    if truth is not None:
        outlines, _ = cv2.findContours((truth > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(cut, outlines, -1, (0, 0, 255), max(1, cut.shape[0] // 200))
    pair = np.hstack([bgr, cut])
    pair = cv2.resize(pair, (round(pair.shape[1] * height / pair.shape[0]), height), interpolation=cv2.INTER_AREA)
    if label:
        cv2.putText(pair, label, (5, height - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        cv2.putText(pair, label, (4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(pair, np.uint8)


def save_sheet(tiles: list[Image], path: Path, *, columns: int = 4) -> None:
    """Write tiles of equal height in rows. Raises DataError if the file cannot be written."""
    if not tiles:
        return
    width = max(t.shape[1] for t in tiles)
    padded = [cv2.copyMakeBorder(t, 0, 4, 0, width + 4 - t.shape[1], cv2.BORDER_CONSTANT) for t in tiles]
    padded += [np.zeros_like(padded[0])] * (-len(padded) % columns)
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise DataError(f"{path} cannot be written as a picture; name a .png in a folder that you may write to.")


class Worst:
    """Keep the `count` pictures with the lowest scores."""

    def __init__(self, count: int = 24):
        self._count = count
        self._heap: list[tuple[float, int, Image]] = []  # the least bad of the kept first
        self._order = itertools.count()

    def show(self, score: float, bgr: Image, matte: Image, truth: Image) -> None:
        """Add one picture; `score` in [0, 1], 1 is perfect."""
        if len(self._heap) == self._count and -score <= self._heap[0][0]:
            return
        entry = (-score, next(self._order), tile(bgr, matte, truth, label=f"{100 * score:.1f}"))
        (heapq.heappushpop if len(self._heap) == self._count else heapq.heappush)(self._heap, entry)

    def save(self, path: Path) -> None:
        """Write the sheet, worst first."""
        save_sheet([t for _, _, t in sorted(self._heap, key=lambda e: -e[0])], path)
