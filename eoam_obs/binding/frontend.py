"""Call functions of OBS's frontend that obspython lacks or calls with Python's lock held; on OBS's UI thread.

`obspython` keeps Python's lock in every call. If OBS then waits for its graphics thread, which waits for Python's lock
in one of our filters, OBS hangs. So these are called through ctypes, which releases the lock.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from eoam_obs.binding import library

# name: (result, arguments), as in libobs.py; nothing else of the frontend is called.
PROTOTYPES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "obs_frontend_get_current_profile_path": (ctypes.c_void_p, ()),
    "obs_frontend_start_virtualcam": (None, ()),
    "obs_frontend_stop_virtualcam": (None, ()),
}


def start_virtual_camera() -> bool:
    """Have OBS start its virtual camera; False if this OBS has no function for it."""
    return _call("obs_frontend_start_virtualcam")


def stop_virtual_camera() -> bool:
    """Have OBS stop its virtual camera; False if this OBS has no function for it."""
    return _call("obs_frontend_stop_virtualcam")


def profile_path() -> str:
    """Return the folder of the current profile, or "" if it is unknown."""
    function = _find("obs_frontend_get_current_profile_path")
    libobs = library.loaded(library.LIBOBS)
    address = function() if function is not None and libobs is not None else None
    if not address or libobs is None:
        return ""
    try:
        return (ctypes.cast(address, ctypes.c_char_p).value or b"").decode(errors="replace")
    finally:
        free = libobs.bfree
        free.restype, free.argtypes = None, (ctypes.c_void_p,)
        free(address)


def _call(name: str) -> bool:
    function = _find(name)
    if function is None:
        return False
    function()
    return True


def _find(name: str) -> Any:
    frontend = library.loaded(library.FRONTEND)
    try:
        function = frontend[name] if frontend is not None else None
    except AttributeError:
        return None
    if function is not None:
        function.restype, function.argtypes = PROTOTYPES[name]
    return function
