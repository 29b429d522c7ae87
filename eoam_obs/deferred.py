"""Open the network on the worker's thread, when the first frame comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoam_core.segmenter import OnnxSegmenter, Segmenter, default_model_path

RETRY_S: Final = 5.0


def open_default_model(height: int, width: int) -> Segmenter:
    """Open the installed network for frames of this size."""
    return OnnxSegmenter(default_model_path(), height=height, width=width)


class DeferredSegmenter:
    """Stand in for a segmenter until it is needed.

    Opening a session takes some 50 ms, which neither OBS's graphics thread nor its UI thread has to give. After a
    failure the same error answers every frame, and only every `RETRY_S` seconds is it tried again: a repaired model
    file is picked up without a restart, and a broken one costs nothing.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        open_segmenter: Callable[[int, int], Segmenter] = open_default_model,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.height = height
        self.width = width
        self._open = open_segmenter
        self._clock = clock
        self._segmenter: Segmenter | None = None
        self._failure: Exception | None = None
        self._retry_at = 0.0

    @property
    def name(self) -> str:
        """The network's name, once it is open."""
        return "no model" if self._segmenter is None else self._segmenter.name

    def segment(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mask (height, width) uint8 of a BGRA frame (height, width, 4) uint8.

        Raises:
            ModelError, InstallationError: as `OnnxSegmenter`.
        """
        if self._segmenter is None:
            self._segmenter = self._opened()
        return self._segmenter.segment(frame)

    def close(self) -> None:
        """Close the network if it is open."""
        if self._segmenter is not None:
            self._segmenter.close()

    def _opened(self) -> Segmenter:
        now = self._clock()
        if self._failure is not None and now < self._retry_at:
            raise self._failure.with_traceback(None)  # it would grow by some lines with every frame
        try:
            return self._open(self.height, self.width)
        except Exception as error:
            self._failure = error
            self._retry_at = now + RETRY_S
            raise
