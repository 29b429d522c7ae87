"""Give the network an upright input frame if the camera is mounted on its side.

The network was trained with people who stand or sit. A camera mounted on its side sends a picture in which they lie,
and the network finds only parts of them, however the picture is turned afterwards. So the input frame is turned before
inference, and its mask is turned back; smoothing, clean-up, refinement and drawing are unaffected. This costs two
copies of small pictures on the worker thread, and nothing on the graphics thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.segmenter import Openable, Segmenter
from eoam_core.settings import Turn

Bytes = NDArray[np.uint8]

# The rotation that makes the picture upright, and the one that turns its mask back.
_CODES: Final = {
    Turn.CLOCKWISE: (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE),
    Turn.HALF: (cv2.ROTATE_180, cv2.ROTATE_180),
    Turn.COUNTERCLOCKWISE: (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_90_CLOCKWISE),
}


def turned(open_segmenter: Callable[[int, int], Segmenter], turn: Turn) -> Callable[[int, int], Segmenter]:
    """Return a function that opens a segmenter for frames, of a height and width, that must be turned to be upright."""
    if turn is Turn.NONE:
        return open_segmenter

    def open_turned(height: int, width: int) -> Segmenter:
        lies = turn is not Turn.HALF
        return TurnedSegmenter(open_segmenter(*((width, height) if lies else (height, width))), turn)

    return open_turned


class TurnedSegmenter:
    """Turn each frame, have `inner` find the person in it, and turn the mask back.

    `height` and `width` are those of the incoming frames; `inner` is made for turned frames.
    """

    def __init__(self, inner: Segmenter, turn: Turn) -> None:
        self._inner = inner
        self._there, self._back = _CODES[turn]
        lies = turn is not Turn.HALF
        self.height, self.width = (inner.width, inner.height) if lies else (inner.height, inner.width)
        self._upright = np.empty((inner.height, inner.width, 4), np.uint8)

    @property
    def name(self) -> str:
        """The network's name."""
        return self._inner.name

    def segment(self, frame: Bytes) -> Bytes:
        """Return the mask (height, width) uint8, 255 = person, of a BGRA `frame` (height, width, 4) uint8.

        Raises:
            ModelError: as `inner`.
        """
        cv2.rotate(frame, self._there, dst=self._upright)
        mask: Bytes = cv2.rotate(self._inner.segment(self._upright), self._back)  # type: ignore[assignment]
        return mask

    def open(self) -> None:
        """Open the network unless it is open; see `segmenter.Openable`."""
        if isinstance(self._inner, Openable):
            self._inner.open()

    def close(self) -> None:
        """Close `inner`; may be called more than once."""
        self._inner.close()
