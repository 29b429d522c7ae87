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

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of this shape and type that nobody else holds, with whatever was in it before."""
        if self._arrays and (self._arrays[0].shape != shape or self._arrays[0].dtype != dtype):
            self._arrays.clear()
        for place in range(len(self._arrays)):
            if _references(self._arrays, place) == _UNHELD:
                return self._arrays[place]
        array = np.empty(shape, dtype)
        if len(self._arrays) < _MOST:
            self._arrays.append(array)
        return array


def _references(arrays: list[NDArray[Any]], place: int) -> int:
    return sys.getrefcount(arrays[place])


# Counted, not known: how many references the asking itself takes depends on the version of Python.
_UNHELD: Final = _references([np.empty(0)], 0)
