"""Keep masks steady where the picture stands still and let them go where it moves.

Plain exponential smoothing trades flicker for ghosts. Here the share of the old mask that is kept is decided per pixel,
by how much the picture has changed there. The picture it is compared with is smoothed with the very same shares, so it
is the picture that the kept mask belongs to; slow movement adds up in it instead of staying below the threshold.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.refine import halved

Fixed = NDArray[np.int16]

# Mean change of the grey values in a neighbourhood, of 255; the picture has been shrunk to the network's size and to
# half of that. Webcam noise stays below the first; a hand's edge that has moved by one pixel is above the second.
_STILL: Final = 3.0
_MOVING: Final = 9.0
_NEIGHBOURHOOD: Final = (3, 3)
# Share of moving pixels above which the scene has changed as a whole. Those that happen to look alike are then of the
# old scene as well, and nothing of its mask may stay.
_CUT_SHARE: Final = 0.6
# Kept levels have a fraction, or small differences would never fade: 255 levels in 16 bits with a sign. A difference
# stops to fade at half a step over the share of the new mask: below half a level up to a strength of 0.99. Floats are
# twice the memory, and memory is most of what this costs.
_STEPS: Final = np.int16(128)  # per level
_WHOLE: Final = 32767  # a share of 1


class MaskSmoother:
    """Smooth a sequence of masks of one picture size; another size, or `reset()`, starts a new sequence.

    Args:
        strength: 0 to below 1, the share of the previous mask that is kept where nothing moves; 0 switches it off.

    Raises:
        ValueError: strength is out of range.
    """

    def __init__(self, strength: float) -> None:
        self._strength = 0.0
        self._follow: Fixed = np.full(256, _WHOLE, np.int16)  # local change -> share of the new mask
        self._mask: Fixed | None = None  # (h, w)
        self._grey: Fixed | None = None  # the picture that _mask belongs to, at half its size
        # Room to work in: memory that is new in every frame would cost as much as the work.
        self._target: Fixed = np.empty((0, 0), np.int16)
        self._shares: Fixed = np.empty((0, 0), np.int16)
        self._small_target: Fixed = np.empty((0, 0), np.int16)
        self._change: Fixed = np.empty((0, 0), np.int16)
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
        change = np.arange(256, dtype=np.float32)
        moving = np.clip((change - _STILL) / (_MOVING - _STILL), 0.0, 1.0)
        self._follow = np.rint(_WHOLE * (1.0 - strength * (1.0 - moving))).astype(np.int16)

    def reset(self) -> None:
        """Forget the past: the next mask is returned as it is."""
        self._mask = None
        self._grey = None

    def smooth(
        self, mask: NDArray[np.uint8], frame: NDArray[np.uint8], *, half: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Return the smoothed mask, (h, w) uint8, of `mask` (h, w) uint8 and its picture `frame` (h, w, 4) uint8 BGRA.

        `half` is `refine.halved(frame)`, for callers that have it already. The result is a new array, or `mask` itself
        where there is nothing to smooth it with.

        Raises:
            ValueError: mask and frame are not of the same size, or `half` is not of half of it.
        """
        if mask.ndim != 2 or frame.shape != (*mask.shape, 4):
            raise ValueError(f"mask is {mask.shape} and frame {frame.shape}, need (h, w) and (h, w, 4)")
        if self._strength == 0.0:
            self.reset()
            return mask
        height, width = mask.shape
        if half is None:
            half = halved(frame)
        elif half.shape != (need := ((height + 1) // 2, (width + 1) // 2, 4)):
            raise ValueError(f"half is {half.shape}, need {need}")
        grey = np.asarray(cv2.cvtColor(half, cv2.COLOR_BGRA2GRAY), np.uint8)
        if self._mask is None or self._grey is None or self._mask.shape != mask.shape:
            return self._start(mask, grey)
        np.multiply(grey, _STEPS, out=self._small_target, dtype=np.int16)
        cv2.absdiff(self._small_target, self._grey, dst=self._change)
        cv2.blur(self._change, _NEIGHBOURHOOD, dst=self._change)
        change = cv2.convertScaleAbs(self._change, alpha=1 / _STEPS)  # uint8
        _, moving = cv2.threshold(change, _MOVING, 1, cv2.THRESH_BINARY)
        if cv2.countNonZero(moving) > _CUT_SHARE * change.size:
            return self._start(mask, grey)
        shares: Fixed = cv2.LUT(change, self._follow)  # type: ignore[assignment]
        cv2.resize(shares, (width, height), dst=self._shares, interpolation=cv2.INTER_LINEAR)
        np.multiply(mask, _STEPS, out=self._target, dtype=np.int16)
        _move_towards(self._grey, self._small_target, shares)
        _move_towards(self._mask, self._target, self._shares)
        return cv2.convertScaleAbs(self._mask, alpha=1 / _STEPS)  # type: ignore[return-value]

    def _start(self, mask: NDArray[np.uint8], grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._mask = np.multiply(mask, _STEPS, dtype=np.int16)
        self._grey = np.multiply(grey, _STEPS, dtype=np.int16)
        self._target, self._shares = np.empty_like(self._mask), np.empty_like(self._mask)
        self._small_target, self._change = np.empty_like(self._grey), np.empty_like(self._grey)
        return mask


def _move_towards(state: Fixed, target: Fixed, share: Fixed) -> None:
    """Add share * (target - state) to `state` in place; all (h, w). What was in `target` is lost."""
    cv2.subtract(target, state, dst=target)
    cv2.multiply(target, share, dst=target, scale=1 / _WHOLE)
    cv2.add(state, target, dst=state)
