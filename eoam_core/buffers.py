"""Reuse arrays for results once nothing refers to them any more.

Any thread may keep a matte for any time, so a ring of fixed length could be overwritten while it is read. An array that
only this pool refers to cannot be read by anyone else, and no one else can get a reference to it.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_MOST: Final = 8  # arrays that are kept; the newest matte, the one on the GPU and the one in work take three


class Buffers:
    """Hand out arrays; one thread at a time may `take`, any thread may keep or drop what it got."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []
        self._addresses: list[int] = []
        # Address of the array that was handed out last; asking numpy for it takes longer than some of the stages.
        self.address = 0

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape and type that nothing else refers to; its content is undefined."""
        if self._arrays and (self._arrays[0].shape != shape or self._arrays[0].dtype != dtype):
            self._arrays.clear()
            self._addresses.clear()
        for place in range(len(self._arrays)):
            if _references(self._arrays, place) == _UNHELD:
                self.address = self._addresses[place]
                return self._arrays[place]
        array = np.empty(shape, dtype)
        self.address = array.ctypes.data
        if len(self._arrays) < _MOST:
            # As many addresses as arrays, even if there was no memory to append an array to the list.
            self._addresses[len(self._arrays) :] = [self.address]
            self._arrays.append(array)
        return array


def _references(arrays: list[NDArray[Any]], place: int) -> int:
    return sys.getrefcount(arrays[place])


# Measured, because the number of references that the check itself holds depends on the Python version.
_UNHELD: Final = _references([np.empty(0)], 0)
