"""What makes a shown mask of a network's: nothing, the paper's fill, this project's filter, obs-backgroundremoval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from eoam_core import Pipeline, Settings
from eoam_core.edge import picture_alpha
from models.data import Image

# One frame: (frame as the network saw it, such as (176, 304, 4) uint8 BGRA; the network's mask, (h, w) uint8; the full
# picture, (360, 640, 3) uint8 BGR) -> mask of any size, uint8, 255 = person.
Step = Callable[[Image, Image, Image], Image]


@dataclass(frozen=True)
class Method:
    """A way from masks to what is shown; `start()` begins a new sequence. `network` names whose masks it gets."""

    name: str
    network: str
    start: Callable[[], Step]


def plain(make: Callable[[], Callable[[Image, Image], Image]]) -> Callable[[], Step]:
    """Adapt what makes functions `(frame, raw mask) -> mask` to what `Method.start` is."""

    def start() -> Step:
        step = make()
        return lambda frame, raw, _: step(frame, raw)

    return start


def raw_mask() -> Step:
    """Show the network's mask."""
    return lambda _frame, raw, _picture: raw


def paper_fill() -> Step:
    """Keep the largest outermost contour and fill it, as the paper does; the mask's own levels make the edge."""

    def step(_frame: Image, raw: Image, _picture: Image) -> Image:
        person = (raw > 127).astype(np.uint8)
        outlines, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not outlines:
            return np.zeros_like(raw)
        region = np.zeros_like(raw)
        cv2.drawContours(region, [max(outlines, key=cv2.contourArea)], -1, 255, cv2.FILLED)
        near = cv2.dilate(region, np.ones((3, 3), np.uint8))  # where the enlarged edge runs
        kept = np.where(near > 0, raw, np.uint8(0))
        return np.where((region > 0) & (raw <= 127), np.uint8(255), kept)

    return step


def our_filter(settings: Settings | None = None, *, drawn: bool = True, size: tuple[int, int]) -> Callable[[], Step]:
    """Return what this project's filter does: its pipeline, and with `drawn` the alpha that the shader makes of it.

    `size` is the network's input (h, w).
    """

    def start() -> Step:
        given = _Given(*size)
        pipeline = Pipeline(given, settings)

        def step(frame: Image, raw: Image, picture: Image) -> Image:
            given.mask = raw
            matte = pipeline.process(frame)
            if not drawn:
                return matte.mask
            full = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), np.uint8)
            return picture_alpha(full, matte.mask, pipeline.settings, matte.coefficients)

        return step

    return start


class _Given:
    """A segmenter that returns the mask it was given."""

    name = "given"

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.mask: Image = np.zeros((height, width), np.uint8)

    def segment(self, _frame: Image) -> Image:
        """Return the mask."""
        return self.mask

    def close(self) -> None:
        """Hold nothing."""


THRESHOLD, CONTOUR_FILTER, SMOOTH_CONTOUR, TEMPORAL = 0.5, 0.05, 0.5, 0.85  # obs-backgroundremoval's own defaults


def obs_backgroundremoval() -> Step:
    """Do what obs-backgroundremoval does after its network, with its default settings (feather and expansion 0).

    Written from the order of steps in its src/background-filter.cpp. It works on the mask of the *background*:
    threshold 0.5; 0.85 of the new mask and 0.15 of what came out of this step before; everything that is not 0 counts,
    and of its outermost contours those above 5 % of the mask's area are kept, filled; a stack blur (kernel 9 at
    smoothness 0.5); enlarged bilinearly to the picture, and cut at 128. The plugin shows a mask that is at least one
    frame older than its picture; that delay is not in here.
    """
    kernel = int(3 + 11 * SMOOTH_CONTOUR) | 1
    past: Image | None = None

    def step(_frame: Image, raw: Image, picture: Image) -> Image:
        nonlocal past
        background: Any = np.where(raw < int(THRESHOLD * 255), np.uint8(255), np.uint8(0))
        if past is not None:
            background = cv2.addWeighted(background, TEMPORAL, past, 1 - TEMPORAL, 0)
        past = background
        outlines, _ = cv2.findContours(background, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        kept = [o for o in outlines if cv2.contourArea(o) > CONTOUR_FILTER * background.size]
        shape = np.zeros_like(background)
        cv2.drawContours(shape, kept, -1, 255, cv2.FILLED)
        blurred = cv2.stackBlur(shape, (kernel, kernel))
        large = cv2.resize(blurred, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.where(large > 128, np.uint8(0), np.uint8(255))

    return step


RAW, FILL, OURS, OURS_SMALL = "raw masks", "paper's fill", "EOAM", "EOAM, before the shader"


def methods(network: str, peers: list[str], size: tuple[int, int], settings: Settings | None = None) -> list[Method]:
    """Return the methods of the table: four on `network`'s masks, obs-backgroundremoval's on it and on the peers'.

    `size` is the network's input (h, w), `settings` are our filter's, the defaults if None.
    """
    listed = [
        Method(RAW, network, raw_mask),
        Method(FILL, network, paper_fill),
        Method(OURS, network, our_filter(settings, size=size)),
        Method(OURS_SMALL, network, our_filter(settings, drawn=False, size=size)),
        Method(f"{network} + obs-backgroundremoval", network, obs_backgroundremoval),
    ]
    return listed + [Method(f"{name} + obs-backgroundremoval", name, obs_backgroundremoval) for name in peers]
