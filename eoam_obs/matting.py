"""The CPU side of one filter: small frames go in as memory of a staging surface, masks come out.

Needs numpy and OpenCV; the filter imports this module late, so that it can say so if they are missing.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Final

import numpy as np

from eoam_core.pipeline import Matte, Pipeline
from eoam_core.segmenter import Segmenter
from eoam_core.settings import Settings
from eoam_core.worker import Worker
from eoam_obs.deferred import DeferredSegmenter

_CLOSE_TIMEOUT_S: Final = 5.0  # longer than any inference; a session that is being opened may take a second


class Matting:
    """A worker for frames of one size, `height` x `width` BGRA, with at most one frame in flight.

    A frame's number is the time it was drawn at, in nanoseconds; numbers rise.
    """

    def __init__(
        self,
        height: int,
        width: int,
        settings: Settings,
        *,
        make_segmenter: Callable[[int, int], Segmenter] = DeferredSegmenter,
    ) -> None:
        self.height = height
        self.width = width
        self._segmenter = make_segmenter(height, width)
        self._worker = Worker(Pipeline(self._segmenter, settings))
        self._closer: threading.Thread | None = None

    def submit(self, address: int, linesize: int, sequence: int) -> None:
        """Hand over a private copy of the frame at `address`, whose rows are `linesize` bytes apart."""
        rows = (ctypes.c_uint8 * (linesize * self.height)).from_address(address)
        frame = np.frombuffer(memoryview(rows), np.uint8).reshape(self.height, linesize)[:, : self.width * 4]
        # The surface is unmapped as soon as this returns, and rows may be padded.
        self._worker.submit(frame.reshape(self.height, self.width, 4).copy(), sequence)

    def latest(self) -> Matte | None:
        """Return the newest matte without waiting, or None: then nothing may be shown."""
        return self._worker.latest() if self._worker.alive else None

    def is_done_with(self, sequence: int) -> bool:
        """Whether the frame with this number is no longer being worked on."""
        matte = self._worker.latest()
        return (matte is not None and matte.sequence >= sequence) or self._worker.error is not None

    def update_settings(self, settings: Settings) -> None:
        """Use these settings from the next frame on."""
        self._worker.update_settings(settings)

    def reset(self) -> None:
        """Forget every frame: the source shows something else now."""
        self._worker.reset()

    def close_soon(self) -> None:
        """Close without waiting; for the graphics thread."""
        if self._closer is None:
            self._closer = threading.Thread(target=self._worker.close, args=(_CLOSE_TIMEOUT_S,), daemon=True)
            self._closer.start()

    def close(self) -> None:
        """Stop the worker and wait until its thread has ended; may be called more than once."""
        if self._closer is not None:
            self._closer.join(_CLOSE_TIMEOUT_S)
        self._worker.close(_CLOSE_TIMEOUT_S)

    @property
    def name(self) -> str:
        """The network's name."""
        return self._segmenter.name

    @property
    def frames(self) -> int:
        """How many masks were made."""
        return self._worker.frames

    @property
    def error(self) -> str:
        """Why the last frame failed, or ""."""
        error = self._worker.error
        if error is None:
            return "" if self._worker.alive else "the worker has ended"
        return str(error) or type(error).__name__
