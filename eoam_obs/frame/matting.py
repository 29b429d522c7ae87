"""Run the CPU side of one filter: read input frames from the GPU on the worker's thread, and make masks.

Needs numpy and OpenCV; the filter imports this module late, so that it can report if they are missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from eoam_core.pipeline import Matte, Pipeline
from eoam_core.segmenter import Segmenter
from eoam_core.settings import Settings
from eoam_core.turned import turned
from eoam_core.worker import Fetched, Worker
from eoam_obs.frame.deferred import DeferredSegmenter, file_state, opener
from eoam_obs.frame.gpu import Pixels

_STANDING: Final = 30  # equal pictures in a row; twice as many as a mask needs to converge
_MIDDLE_ROWS: Final = 8
_EVERYTHING: Final = slice(None)
_MOST_VIEWS: Final = 2  # of the two buffers that a source fills in turn
_CLOSE_TIMEOUT_S: Final = 5.0  # longer than any inference; opening a session may take a second


class FrameSource(Protocol):
    """A source of input frames: `gpu.Downscaler`."""

    def read(self) -> Pixels | None:
        """Return the newest frame, in memory that stays valid until the next read but one; None if it is not new."""


class Matting:
    """A worker for frames of one size, `height` x `width` BGRA, with at most one frame in flight.

    A frame's number is the time at which it was drawn, in nanoseconds; numbers rise.
    """

    def __init__(
        self,
        height: int,
        width: int,
        settings: Settings,
        source: FrameSource,
        *,
        make_segmenter: Callable[[int, int], Segmenter] | None = None,
    ) -> None:
        self.height = height
        self.width = width
        self._source = source
        self._segmenter: Segmenter
        if make_segmenter is not None:
            self._segmenter = make_segmenter(height, width)
        else:
            opened = turned(opener(settings.model, settings.threads), settings.turn)
            state = partial(file_state, settings.model)
            self._segmenter = DeferredSegmenter(height, width, open_segmenter=opened, state=state)
        self._worker = Worker(Pipeline(self._segmenter, settings))
        # Returns the newest matte without waiting, or None: then nothing may be shown.
        self.latest: Callable[[], Matte | None] = self._worker.latest
        # `read_later(due_s, period_s)`: have the worker read and process the newest frame at about `due_s` of
        # `time.monotonic()`; the next one is expected `period_s` later, see `Worker.submit_later`. Both are the
        # worker's own functions, not methods here: each call of Python costs the graphics thread microseconds.
        self.read_later: Callable[[float, float], None] = partial(self._worker.submit_later, self._fetch)
        self._closer: threading.Thread | None = None
        self._views: dict[tuple[int, int], NDArray[np.uint64]] = {}  # of the source's buffers
        self._last: NDArray[np.uint64] | None = None  # the last frame, (h, w / 2): its bytes, eight at a time
        self._differs = np.empty((height, width // 2), np.bool_)
        self._middle = slice(height // 2 - _MIDDLE_ROWS // 2, height // 2 + _MIDDLE_ROWS // 2)
        self._repeats = 0  # in a row
        self._taken = -1

    def process_now(self, sequence: int, timeout_s: float) -> None:
        """Read the frame with this number now, waiting for the GPU, and wait up to `timeout_s` for its mask.

        Does nothing while an older frame is being processed.
        """
        if self.in_flight is not None:
            return
        fetched = self._fetch()
        if fetched is not None:
            self._worker.submit_later(lambda: fetched, 0.0)
            self._worker.wait(sequence, timeout_s)

    @property
    def in_flight(self) -> int | None:
        """The number of the frame being processed, or None. Read it before `latest`, or one may be missed between."""
        taken = self._taken
        return taken if taken > self._worker.finished else None

    @property
    def stands_still(self) -> bool:
        """Return whether the picture has stood still for so long that its mask no longer changes."""
        return self._repeats >= _STANDING

    def update_settings(self, settings: Settings) -> None:
        """Use these settings from the next frame on."""
        self._worker.update_settings(settings)

    def reset(self) -> None:
        """Forget every frame: the source shows something else."""
        self._worker.reset()

    def close_soon(self) -> None:
        """Close without waiting; for the graphics thread."""
        if self._closer is None:
            closer = threading.Thread(target=self._worker.close, args=(_CLOSE_TIMEOUT_S,), daemon=True)
            closer.start()
            self._closer = closer

    def close(self) -> None:
        """Stop the worker and wait until its thread has ended; may be called more than once.

        Not with the graphics context held: the worker may be waiting for it.
        """
        if self._closer is not None:
            self._closer.join(_CLOSE_TIMEOUT_S)
        self._worker.close(_CLOSE_TIMEOUT_S)

    @property
    def is_closed(self) -> bool:
        """Whether the worker's thread has ended."""
        return self._worker.ended

    @property
    def name(self) -> str:
        """The network's name."""
        return self._segmenter.name

    @property
    def frames(self) -> int:
        """Number of masks made."""
        return self._worker.frames

    @property
    def error(self) -> str:
        """Why the last frame failed, or ""."""
        error = self._worker.error
        if error is None:
            return "" if self._worker.alive else "the worker has ended"
        return str(error) or type(error).__name__

    def _fetch(self) -> Fetched | None:
        """Return the newest frame, and whether it equals the one before.

        The comparison reads some 150 KB twice and saves the inference whenever a camera is slower than the canvas or
        the picture stands still. It is exact: the same texture shrunk twice gives the same bytes. A few rows across the
        middle are compared first: they differ whenever a person moves, and then nothing else needs to be compared.
        """
        pixels = self._source.read()
        if pixels is None:
            return None
        self._taken = pixels.sequence
        words, before = self._view(pixels), self._last
        self._last = words
        repeated = (
            before is not None and self._equal(words, before, self._middle) and self._equal(words, before, _EVERYTHING)
        )
        self._repeats = self._repeats + 1 if repeated else 0
        frame = words.view(np.uint8).reshape(self.height, self.width, 4)
        return Fetched(frame, pixels.sequence, repeated)

    def _view(self, pixels: Pixels) -> NDArray[np.uint64]:
        """Return the rows without their padding: (h, w / 2) uint64."""
        key = (id(pixels.copy), pixels.linesize)  # the view keeps the copy alive, so that its id is not reused
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            padded = np.frombuffer(memoryview(pixels.copy), np.uint8).reshape(self.height, pixels.linesize)
            view = self._views[key] = padded[:, : self.width * 4].view(np.uint64)
        # Without padding, as with most drivers, nothing is copied.
        return np.ascontiguousarray(view)

    def _equal(self, one: NDArray[np.uint64], other: NDArray[np.uint64], rows: slice) -> bool:
        """Whether these rows of two frames are the same."""
        differs = self._differs[rows]
        np.not_equal(one[rows], other[rows], out=differs)
        return not differs.any()
