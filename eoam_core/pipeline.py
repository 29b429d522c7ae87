"""Process a frame: network, smoothing over time, contour clean-up, edge refinement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.buffers import Buffers
from eoam_core.cleanup import MaskCleaner
from eoam_core.errors import ModelError
from eoam_core.refine import Refiner, fine_levels, halved
from eoam_core.segmenter import Openable, Segmenter
from eoam_core.settings import Settings, View
from eoam_core.temporal import MaskSmoother

# At most so many equal frames are processed before their mask counts as converged; fewer if no level differs from the
# network's own by more than this.
_SETTLING: Final = 45
_SETTLED: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """Wall time of each stage in milliseconds; a stage that is switched off takes about 0.

    Opening a network (`Openable`) is not counted. A mask that is returned again keeps its original times.
    """

    inference_ms: float
    smoothing_ms: float
    cleanup_ms: float
    refinement_ms: float
    total_ms: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matte:
    """The mask of one frame, (h, w) uint8, 255 = person, with the number that came in with the frame.

    `levels` is the mask with 16 bits per level. `coefficients` is what the edge refinement needs (see refine.py), or
    None if that is off. `confidence` is the network's own output with 16 bits per level, or None if it is not shown.
    The arrays are not written to while anything refers to them or to this matte, so any thread may read them.
    """

    mask: NDArray[np.uint8]
    levels: NDArray[np.uint16]
    coefficients: NDArray[np.uint16] | None
    confidence: NDArray[np.uint16] | None
    sequence: int
    timings: Timings
    # Addresses of levels, coefficients and confidence, 0 for None; cached because `ndarray.ctypes.data` is slow.
    addresses: tuple[int, int, int]


class Pipeline:
    """Turn frames into mattes. One thread at a time, except that any thread may set `settings`.

    The pipeline owns the segmenter and closes it.

    Args:
        segmenter: finds the person; its size is the size of the frames.
        settings: see `Settings`; threshold, regions, region_share, people, holes, hole_share, smoothing, whether the
            edge is refined and whether the confidence is viewed matter here, the others where it is drawn.
        clock: seconds, for the timings.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        settings: Settings | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._segmenter = segmenter
        self._openable = segmenter if isinstance(segmenter, Openable) else None
        self._settings = settings if settings is not None else Settings()
        self._smoother = MaskSmoother(self._settings.smoothing)
        self._cleaner = MaskCleaner()
        self._refiner = Refiner()
        self._half: NDArray[np.uint8] | None = None  # the frame at half its size
        self._levels = Buffers()
        self._clock = clock
        self._closed = False
        self._repeats = 0  # of the last frame that were processed
        self._last: tuple[Matte, Settings] | None = None  # reused for an equal frame with equal settings

    @property
    def segmenter(self) -> Segmenter:
        """The segmenter that finds the person."""
        return self._segmenter

    @property
    def settings(self) -> Settings:
        """The settings the next frame is processed with; set a new object to change them."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings  # one reference is swapped; process() reads it once per frame

    def process(self, frame: NDArray[np.uint8], sequence: int = 0, *, repeated: bool = False) -> Matte:
        """Return the matte of one frame, (height, width, 4) uint8 BGRA of the segmenter's size.

        `repeated` says that the frame equals the last one byte by byte: once the smoothing has converged, its mask is
        returned again.

        Raises:
            ValueError: the frame's type or shape is another.
            ModelError: the network failed or did not return a mask. An older mask is never returned instead.
            RuntimeError: the pipeline is closed.
        """
        if self._closed:
            raise RuntimeError("this pipeline is closed")
        need = (self._segmenter.height, self._segmenter.width)
        if frame.dtype != np.uint8 or frame.shape != (*need, 4):
            raise ValueError(f"got a frame of {frame.dtype} {frame.shape}, need uint8 {(*need, 4)}")
        settings = self._settings
        last = self._last[0] if self._last is not None and self._last[1] is settings else None
        if repeated and last is not None and self._repeats >= _SETTLING:
            return replace(last, sequence=sequence)
        self._last = None
        if self._openable is not None:
            # Before the clock starts: a still picture reports the first mask's time for as long as it lasts.
            self._openable.open()
        started = self._clock()
        mask = found = self._segmenter.segment(frame)
        if mask.dtype != np.uint8 or mask.shape != need:
            raise ModelError(f"{self._segmenter.name} returned a mask of {mask.dtype} {mask.shape}, need uint8 {need}")
        segmented = self._clock()
        # Smoothing first: the clean-up then gets a steady mask, and what it removes disappears at once.
        self._smoother.strength = settings.smoothing
        half = self._half = halved(frame, out=self._half)
        if self._smoother.watch(half):
            self._cleaner.reset()
        smooth = self._smoother.blend(mask)
        smoothed = self._clock()
        confidence = fine_levels(mask) if settings.view is View.CONFIDENCE else None
        mask = self._cleaner.clean(smooth, half, settings)
        cleaned = self._clock()
        levels = fine_levels(mask, out=self._levels.take(mask.shape, np.uint16))
        coefficients, factors_at = None, 0
        if settings.refinement:
            coefficients = self._refiner.coefficients(mask, frame, half=half, noise=self._smoother.noise)
            factors_at = self._refiner.address
        ended = self._clock()
        timings = Timings(
            inference_ms=(segmented - started) * 1e3,
            smoothing_ms=(smoothed - segmented) * 1e3,
            cleanup_ms=(cleaned - smoothed) * 1e3,
            refinement_ms=(ended - cleaned) * 1e3,
            total_ms=(ended - started) * 1e3,
        )
        matte = Matte(
            mask=mask,
            levels=levels,
            coefficients=coefficients,
            confidence=confidence,
            sequence=sequence,
            timings=timings,
            addresses=(self._levels.address, factors_at, 0 if confidence is None else confidence.ctypes.data),
        )
        # When a picture stops moving, its mask still contains some of the previous one. It converges first.
        settled = repeated and last is not None and cv2.norm(smooth, found, cv2.NORM_INF) <= _SETTLED
        self._repeats = _SETTLING if settled else self._repeats + 1 if repeated else 0
        self._last = matte, settings
        return matte

    def reset(self) -> None:
        """Forget the previous frames: the source shows something else."""
        self._smoother.reset()
        self._cleaner.reset()
        self._last = None

    def close(self) -> None:
        """Close the segmenter; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._segmenter.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
