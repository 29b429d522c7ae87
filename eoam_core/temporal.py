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

# Mean change of the grey values in a 7x7 neighbourhood, of 255. Webcam noise, shrunk to the network's size, stays below
# the first; a hand's edge that has moved by one pixel is above the second.
_STILL: Final = 3.0
_MOVING: Final = 9.0
_NEIGHBOURHOOD: Final = (7, 7)
# Share of moving pixels above which the scene has changed as a whole. Those that happen to look alike are then of the
# old scene as well, and nothing of its mask may stay.
_CUT_SHARE: Final = 0.6


class MaskSmoother:
    """Smooth a sequence of masks of one picture size; another size, or `reset()`, starts a new sequence.

    Args:
        strength: 0 to below 1, the share of the previous mask that is kept where nothing moves; 0 switches it off.

    Raises:
        ValueError: strength is out of range.
    """

    def __init__(self, strength: float) -> None:
        self._strength = 0.0
        self._follow: NDArray[np.float32] = np.ones(256, np.float32)
        self._mask: NDArray[np.float32] | None = None  # (h, w), 0..255: float, or small differences never fade
        self._grey: NDArray[np.float32] | None = None  # (h, w), 0..255: the picture that _mask belongs to
        self._scratch: NDArray[np.float32] = np.empty((0, 0), np.float32)
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
        self._follow = (1.0 - strength * (1.0 - moving)).astype(np.float32)  # local change -> share of the new mask

    def reset(self) -> None:
        """Forget the past: the next mask is returned as it is."""
        self._mask = None
        self._grey = None

    def smooth(self, mask: NDArray[np.uint8], frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the smoothed mask, (h, w) uint8, of `mask` (h, w) uint8 and its picture `frame` (h, w, 4) uint8 BGRA.

        The result is a new array, or `mask` itself where there is nothing to smooth it with.

        Raises:
            ValueError: the two are not of the same size.
        """
        if mask.ndim != 2 or frame.shape != (*mask.shape, 4):
            raise ValueError(f"mask is {mask.shape} and frame {frame.shape}, need (h, w) and (h, w, 4)")
        if self._strength == 0.0:
            self.reset()
            return mask
        grey = cv2.cvtColor(frame, cv2.COLOR_BGRA2GRAY).astype(np.float32)
        if self._mask is None or self._grey is None or self._mask.shape != mask.shape:
            return self._start(mask, grey)
        scratch = self._scratch
        cv2.absdiff(grey, self._grey, dst=scratch)
        cv2.blur(scratch, _NEIGHBOURHOOD, dst=scratch)
        change = cv2.convertScaleAbs(scratch)  # (h, w) uint8, rounded and limited to 255
        _, moving = cv2.threshold(change, _MOVING, 1, cv2.THRESH_BINARY)
        if cv2.countNonZero(moving) > _CUT_SHARE * change.size:
            return self._start(mask, grey)
        follow: NDArray[np.float32] = cv2.LUT(change, self._follow)  # type: ignore[assignment]  # (h, w)
        _move_towards(self._grey, grey, follow, scratch)
        _move_towards(self._mask, mask.astype(np.float32), follow, scratch)
        return cv2.convertScaleAbs(self._mask)  # type: ignore[return-value]

    def _start(self, mask: NDArray[np.uint8], grey: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._mask = mask.astype(np.float32)
        self._grey = grey
        self._scratch = np.empty_like(grey)
        return mask


def _move_towards(
    state: NDArray[np.float32], target: NDArray[np.float32], share: NDArray[np.float32], scratch: NDArray[np.float32]
) -> None:
    """Add share * (target - state) to `state` in place; all (h, w)."""
    cv2.subtract(target, state, dst=scratch)
    cv2.multiply(scratch, share, dst=scratch)
    cv2.add(state, scratch, dst=state)
