"""Keep masks steady where the picture stands still, and let them follow at once where it moves.

Plain exponential smoothing trades flicker for ghosts. Here the share of the old mask that is kept is decided per pixel,
by two criteria. The first is how much the picture has changed there: where it moves, nothing is kept. The picture it is
compared with is smoothed in the same way, fast where it moves and slowly where it stands still, so that slow movement
accumulates instead of staying below the threshold. The second is the network's certainty: uncertain levels (near the
middle) flicker, so they are smoothed more; levels near 0 or 255 adapt quickly.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.buffers import Buffers
from eoam_core.refine import halved

Bytes = NDArray[np.uint8]
Fixed = NDArray[np.int16]

# Mean change of the grey values in a neighbourhood, of 255; the picture has been shrunk to the network's size and to
# half of that. Webcam noise stays below the first; a hand's edge that has moved by one pixel is above the second.
_STILL: Final = 3.0
_MOVING: Final = 9.0
_NEIGHBOURHOOD: Final = (3, 3)
# Share of the older picture that is kept where it stands still: that of the mask, within bounds. A smaller one would
# miss slow fades; a larger one takes noise for change, and ends more than two grey levels off.
_HELD: Final = (0.5, 0.8)
# Shares of moving pixels that mean a new scene: the first in any case; the second as an increase over the frame before,
# as when a camera jumps in front of a plain wall. Somebody who walks past the camera stays below the first, and starts
# to move at less than the second.
_CUT_SHARE: Final = 0.6
_JUMP_SHARE: Final = 0.25
_JUMP_FACTOR: Final = 4.0
# The share of the old mask that is kept is `strength` to the power of the first where the network is uncertain, of the
# second where it is certain; then the distances from the middle level up to which the first applies and from which on
# the second does. Twice these distances: a fifth more flicker, and no better rims.
_UNSURE: Final = 0.2
_SURE: Final = 0.8
_DISTANCES: Final = (64.0, 127.5)
# Kept levels have a fraction, or small differences would never fade: 255 levels in 16 bits with a sign. A difference
# stops fading at half a step over the share of the new mask: below half a level up to shares kept of 0.99. Floats need
# twice the memory, and memory traffic is most of the cost.
_STEP_BITS: Final = 7
_FIXED: Final = np.arange(256, dtype=np.int16) << _STEP_BITS  # level -> level with a fraction
_HALF_STEP: Final = 1 << (_STEP_BITS - 1)
_WHOLE: Final = 32767  # a share of 1
_LONGEST: Final = 0.99  # the largest share that is ever kept
# Mean change of the calmest still part per standard deviation of the noise; measured on synthetic noise.
_CHANGE_PER_NOISE: Final = 0.65
_CHANGE_STEPS: Final = 8  # per grey level, so that less noise than one level is seen
# In pictures: a camera's noise changes slowly, and measuring it takes time. First measured at the second change,
# because the first is between two pictures that both have the full noise.
_NOISE_EVERY: Final = 8
_NOISE_FIRST: Final = 2
_NOISE_KEPT: Final = 0.5  # share of the older estimate that is kept at the next measurement
_CALM: Final = 0.3  # calmest share of the picture, used to measure the noise: the rest may be moving


class MaskSmoother:
    """Smooth a sequence of masks of one picture size; another size, or `reset()`, starts a new sequence.

    `smooth` does both steps: `watch` compares the pictures and detects cuts, `blend` makes the mask.

    Args:
        strength: 0 to below 1: the share of the previous mask that is kept where nothing moves and the network is
            certain; more where it is not. 0 switches smoothing off.

    Raises:
        ValueError: strength is out of range.
    """

    def __init__(self, strength: float) -> None:
        self._strength = 0.0
        self._patience: Fixed = np.zeros(256, np.int16)  # the network's level -> share of the old mask
        change = np.arange(256, dtype=np.float32)
        moving = np.clip((change - _STILL) / (_MOVING - _STILL), 0.0, 1.0)
        self._hold: Fixed = np.rint(_WHOLE * (1.0 - moving)).astype(np.int16)  # change -> share of the old
        # At half the size: the network decodes from a quarter of it, so nothing finer flickers.
        self._mask: Fixed | None = None
        self._grey: Bytes | None = None  # the picture that _mask belongs to
        self._moved = 0.0  # share of the picture that moved in the frame before
        self._noise = 0.0
        self._watched = 0  # pictures
        # Scratch buffers: new memory in every frame would cost as much as the computation.
        self._change: Bytes = np.empty((0, 0), np.uint8)
        self._target: Fixed = np.empty((0, 0), np.int16)
        self._held: Fixed = self._target
        self._new: Bytes | None = None  # the mask at half the size
        self._kept: Fixed | None = None  # what is added to the mask
        self._spare: Bytes | None = None  # for the next _grey
        self._results = Buffers()
        self.strength = strength

    @property
    def strength(self) -> float:
        """Share of the previous mask that is kept on still parts; may be set at any time."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        if not 0.0 <= strength < 1.0:
            raise ValueError(f"strength is {strength!r}, need a number from 0 to below 1")
        if strength == self._strength:
            return
        self._strength = strength
        distance = np.abs(np.arange(256) - 127.5)
        exponent = np.interp(distance, _DISTANCES, (_UNSURE, _SURE))
        self._patience = np.rint(_WHOLE * np.minimum(strength**exponent, _LONGEST)).astype(np.int16)

    @property
    def noise(self) -> float:
        """Standard deviation of the camera's noise, in grey levels of the pictures that were watched; 0 at first."""
        return self._noise

    def reset(self) -> None:
        """Forget the history: the next mask is returned unchanged."""
        self._noise = 0.0
        self._mask = None
        self._grey = None

    def smooth(self, mask: Bytes, frame: Bytes, *, half: Bytes | None = None) -> Bytes:
        """Return the smoothed mask, (h, w) uint8, of `mask` (h, w) uint8 and its picture `frame` (h, w, 4) uint8 BGRA.

        `half` is `refine.halved(frame)`, for callers that have it already. The result is an array that nothing else
        refers to, or `mask` itself if there is nothing to smooth it with.

        Raises:
            ValueError: mask and frame are not of the same size, or `half` is not of half of it.
        """
        if mask.ndim != 2 or frame.shape != (*mask.shape, 4):
            raise ValueError(f"mask is {mask.shape} and frame {frame.shape}, need (h, w) and (h, w, 4)")
        half = halved(frame) if half is None else half
        _check_half(mask, half)
        self.watch(half)
        return self.blend(mask)

    def watch(self, half: Bytes) -> bool:
        """Compare the next picture, (h, w, 4) uint8 BGRA at half the size; return whether it starts a new scene.

        After a cut nothing is kept, not even where the two scenes are similar. The first picture is a cut.
        """
        grey: Bytes = cv2.cvtColor(half, cv2.COLOR_BGRA2GRAY, dst=self._spare)  # type: ignore[assignment]
        self._spare = grey
        if self._grey is None or self._grey.shape != grey.shape:
            self._begin(grey)
            return True
        cv2.absdiff(grey, self._grey, dst=self._change)
        cv2.blur(self._change, _NEIGHBOURHOOD, dst=self._change)
        cv2.LUT(self._change, self._hold, dst=self._held)
        before, self._moved = self._moved, 1.0 - cv2.countNonZero(self._held) / grey.size
        if self._moved > _CUT_SHARE or self._moved > max(_JUMP_SHARE, _JUMP_FACTOR * before):
            self._begin(grey)
            return True
        self._watched += 1
        if self._watched % _NOISE_EVERY == _NOISE_FIRST:
            calm = _calm_change(grey, self._grey)
            if calm < _STILL:  # otherwise the camera itself moves, and nothing can be measured
                noise = calm / _CHANGE_PER_NOISE
                self._noise = noise if self._noise == 0.0 else self._noise + (1.0 - _NOISE_KEPT) * (noise - self._noise)
        held = min(max(self._strength, _HELD[0]), _HELD[1])
        cv2.addWeighted(self._grey, held, grey, 1.0 - held, 0.0, dst=self._grey)
        cv2.threshold(self._change, _MOVING - 0.5, 255, cv2.THRESH_BINARY, dst=self._change)
        cv2.copyTo(grey, self._change, self._grey)
        return False

    def blend(self, mask: Bytes) -> Bytes:
        """Return the smoothed mask, (h, w) uint8, of the last picture given to `watch`.

        It is an array that nothing else refers to, or `mask` itself if there is nothing to smooth it with.

        Raises:
            ValueError: the picture was not half the size of `mask`, (h, w) uint8, or there was none.
        """
        if self._strength == 0.0:
            self._mask = None
            return mask
        if self._grey is None or self._grey.shape != ((mask.shape[0] + 1) // 2, (mask.shape[1] + 1) // 2):
            raise ValueError(f"mask is {mask.shape}, need twice the size of the picture that was watched")
        new = self._new = halved(mask, out=self._new)
        if self._mask is None:
            self._mask = cv2.LUT(new, _FIXED)  # type: ignore[assignment]
            return mask
        cv2.LUT(new, self._patience, dst=self._target)
        cv2.multiply(self._held, self._target, dst=self._held, scale=1 / _WHOLE)
        cv2.LUT(new, _FIXED, dst=self._target)
        cv2.subtract(self._mask, self._target, dst=self._mask)
        cv2.multiply(self._mask, self._held, dst=self._mask, scale=1 / _WHOLE)  # what is kept of the difference
        cv2.add(self._mask, self._target, dst=self._target)
        self._mask, self._target = self._target, self._mask
        # It is added to the new mask, whose finer detail stays as it is.
        np.add(self._target, _HALF_STEP, out=self._target)
        np.right_shift(self._target, _STEP_BITS, out=self._target)
        size = mask.shape[1], mask.shape[0]
        kept: Any = cv2.resize(self._target, size, dst=self._kept, interpolation=cv2.INTER_LINEAR)
        self._kept = kept
        result: Bytes = self._results.take(mask.shape, np.uint8)
        return cv2.add(mask, kept, dst=result, dtype=cv2.CV_8U)  # type: ignore[return-value]

    def _begin(self, grey: Bytes) -> None:
        self._mask = None
        self._moved = 1.0  # motion right after a cut is not another cut
        if self._grey is None or self._grey.shape != grey.shape:
            self._change = np.empty(grey.shape, np.uint8)
            self._target, self._held = np.empty(grey.shape, np.int16), np.empty(grey.shape, np.int16)
        self._spare = self._grey
        self._grey = grey


def _calm_change(grey: Bytes, before: Bytes) -> float:
    """Return the change, in grey levels, of the calmest part of a picture (its share is `_CALM`).

    A change of the whole neighbourhood, such as the camera's exposure, is not noise: a pixel's neighbours are
    subtracted.
    """
    change: Any = cv2.subtract(grey, before, dtype=cv2.CV_16S) * np.int16(_CHANGE_STEPS)
    size: Any = cv2.convertScaleAbs(change - cv2.blur(change, (5, 5)))
    counts = cv2.calcHist([cv2.blur(size, _NEIGHBOURHOOD)], [0], None, [256], [0, 256]).ravel()
    upto = np.minimum(np.cumsum(counts), _CALM * size.size)
    taken = np.diff(upto, prepend=0.0)
    return float(taken @ np.arange(256) / (_CALM * size.size * _CHANGE_STEPS))


def _check_half(mask: Bytes, half: Bytes) -> None:
    if half.shape != (need := ((mask.shape[0] + 1) // 2, (mask.shape[1] + 1) // 2, 4)):
        raise ValueError(f"half is {half.shape}, need {need}")
