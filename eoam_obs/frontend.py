"""Functions of OBS's frontend that scripts do not get, or that Python's lock must not be held in; on OBS's UI thread.

`obspython` keeps Python's lock in every call. Where OBS waits for its graphics thread meanwhile, and that for Python's
lock in a filter of ours, it would hang: so these are called through ctypes, which lets the lock go.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Any, Final

# Where the functions are: None is the process itself and what it is linked with.
_LIBRARIES: Final[tuple[str | None, ...]] = (
    ("obs-frontend-api.dll",) if sys.platform == "win32" else (None, "libobs-frontend-api.so.0")
)
_LIBOBS: Final = "obs.dll" if sys.platform == "win32" else None


def call(name: str) -> bool:
    """Call a function that takes and returns nothing; False if there is none of that name."""
    function = _find(name)
    if function is None:
        return False
    function.restype, function.argtypes = None, ()
    function()
    return True


def profile_path() -> str:
    """Return the folder of the current profile, or "" if OBS does not say."""
    function = _find("obs_frontend_get_current_profile_path")
    if function is None:
        return ""
    function.restype, function.argtypes = ctypes.c_void_p, ()
    address = function()
    if not address:
        return ""
    try:
        return (ctypes.cast(address, ctypes.c_char_p).value or b"").decode(errors="replace")
    finally:
        free = ctypes.CDLL(_LIBOBS).bfree
        free.restype, free.argtypes = None, (ctypes.c_void_p,)
        free(address)


def _find(name: str) -> Any:
    for library in _LIBRARIES:
        with contextlib.suppress(OSError, AttributeError):
            return ctypes.CDLL(library)[name]
    return None
