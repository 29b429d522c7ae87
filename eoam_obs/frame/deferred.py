"""Open the network on the worker's thread, when the first frame comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import ModelError
from eoam_core.model_path import default_model_path, expanded, is_network_file
from eoam_core.model_sums import SUMS
from eoam_core.segmenter import OnnxSegmenter, Segmenter

RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 320.0
DEFAULT_MODEL: Final = "eoam"


def model_file(name: str) -> Path:
    """Return the file of the network `name`: one that ships with EOAM, or a user's own file."""
    if name == DEFAULT_MODEL:
        return default_model_path()
    return expanded(name) if is_network_file(name) else default_model_path().with_name(f"{name}.onnx")


def opener(name: str, threads: int = 1) -> Callable[[int, int], Segmenter]:
    """Return a function that opens the network `name`, with so many threads, for frames of a height and width."""

    def open_segmenter(height: int, width: int) -> Segmenter:
        file = model_file(name)
        if name != DEFAULT_MODEL and not file.is_file():
            raise ModelError(f"There is no network {name!r} (no file {file}); choose another one.")
        return OnnxSegmenter(file, height=height, width=width, threads=threads)

    return open_segmenter


def file_state(name: str) -> tuple[object, ...]:
    """Return a state that changes when the network `name` is repaired or replaced: file times and sizes."""
    file = model_file(name)
    return (file, *(_stat(path) for path in (file, file.with_name(SUMS))))


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


class DeferredSegmenter:
    """Stand in for a segmenter until it is needed.

    Opening a session takes some 50 ms, too long for OBS's graphics thread or UI thread. After a failure every frame
    gets the same error. Every `RETRY_S` seconds `state` is compared, so a repaired file is used without a restart. A
    refused network that has not changed may take a second to read and check, so the interval between attempts doubles,
    up to five minutes. After other errors, such as a missing library, it is tried every `RETRY_S` seconds.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        open_segmenter: Callable[[int, int], Segmenter] | None = None,
        state: Callable[[], object] = object,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.height = height
        self.width = width
        self._open = open_segmenter if open_segmenter is not None else opener(DEFAULT_MODEL)
        self._state = state
        self._clock = clock
        self._segmenter: Segmenter | None = None
        self._failure: Exception | None = None
        self._failed_with: object = None  # the file's state then
        self._look_at = 0.0  # when to compare the state again
        self._retry_at = 0.0  # when to try again whatever the state is
        self._pause_s = 0.0

    @property
    def name(self) -> str:
        """The network's name, once it is open."""
        return "no model" if self._segmenter is None else self._segmenter.name

    def segment(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the mask (height, width) uint8 of a BGRA frame (height, width, 4) uint8.

        Raises:
            ModelError, InstallationError: as `OnnxSegmenter`.
        """
        return self._opened().segment(frame)

    def open(self) -> None:
        """Open the network unless it is open; separate from `segment`, so that opening does not count as a mask's time.

        Raises:
            ModelError, InstallationError: as `OnnxSegmenter`.
        """
        self._opened()

    def close(self) -> None:
        """Close the network if it is open."""
        if self._segmenter is not None:
            self._segmenter.close()

    def _opened(self) -> Segmenter:
        if self._segmenter is not None:
            return self._segmenter
        now = self._clock()
        failure = self._failure
        if failure is not None and now < self._look_at:
            raise failure.with_traceback(None)  # its traceback would grow with every frame
        state = self._state()
        if failure is not None and state == self._failed_with:
            self._look_at = now + RETRY_S
            if now < self._retry_at:
                raise failure.with_traceback(None)
        else:
            self._pause_s = 0.0
        try:
            self._segmenter = self._open(self.height, self.width)
        except Exception as error:
            self._failure, self._failed_with = error, state
            # A missing library may be installed at any moment, and checking costs nothing.
            longest = _LONGEST_RETRY_S if isinstance(error, ModelError) else RETRY_S
            self._pause_s = min(max(RETRY_S, 2 * self._pause_s), longest)
            now = self._clock()  # the failure may have taken long
            self._look_at, self._retry_at = now + RETRY_S, now + self._pause_s
            raise
        return self._segmenter
