"""Arrays for results that are handed out, used again once nobody holds them any more.

A matte may be held by any thread for as long as it likes, so a ring of a fixed length would one day be written to while
it is read. An array that is referenced by nothing but this pool is read by nobody, and nobody can get hold of it.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_MOST: Final = 8  # arrays that are kept; the newest matte, the one on the GPU and the one in work take three


class Buffers:
    """Hands out arrays; one thread at a time may `take`, any may hold or drop what it was given."""

    def __init__(self) -> None:
        self._arrays: list[NDArray[Any]] = []
        self._addresses: list[int] = []
        # Where the array that was handed out last begins in memory: numpy takes longer to say so than many a stage.
        self.address = 0

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape and type that nobody else holds, with whatever was in it before."""
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
            # As many as arrays, even if there was no memory for an array's place in the list.
            self._addresses[len(self._arrays) :] = [self.address]
            self._arrays.append(array)
        return array


def _references(arrays: list[NDArray[Any]], place: int) -> int:
    return sys.getrefcount(arrays[place])


# Counted, not known: how many references the asking itself takes depends on the version of Python.
_UNHELD: Final = _references([np.empty(0)], 0)
