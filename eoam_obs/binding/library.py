"""Find OBS's own libraries among those that this process has loaded; never load one.

A libobs loaded anew, in a plain Python or beside the one that OBS runs with, has none of OBS's state, and the first
call crashes. So only a library that is already loaded is used:

* Windows: the module of that name (`GetModuleHandle`).
* Linux, macOS: the process itself if it has the function, which is the case if OBS is linked with the library. If the
  library's symbols are private (a plugin host that loaded OBS with RTLD_LOCAL), the loader is asked for its file with
  RTLD_NOLOAD, which finds a loaded library and loads nothing.

OBS's bundle on macOS has `Contents/Frameworks/libobs.framework/Versions/A/libobs`, which the program asks for as
`@rpath/libobs.framework/Versions/A/libobs`, and `obs-frontend-api.dylib` beside the framework.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoam_core.loaded import loaded_files


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """One of OBS's libraries, and how to find it.

    `function` is a function that every version of it has. `module` is its name on Windows. Elsewhere `file` fits the
    whole name of its file, and `known_as` are the names that the loader knows it by, for where the file is no longer
    the one that was loaded: a package that was updated while OBS runs.
    """

    function: str
    module: str
    file: re.Pattern[str]
    known_as: tuple[str, ...]


LIBOBS: Final = Library(
    function="obs_register_source_s",
    module="obs.dll",
    file=re.compile(r"libobs(\.\d+)*(\.dylib)?|libobs\.so(\.\d+)*"),
    known_as=("@rpath/libobs.framework/Versions/A/libobs", "libobs.so.30", "libobs.so.0"),
)
FRONTEND: Final = Library(
    function="obs_frontend_get_main_window",
    module="obs-frontend-api.dll",
    file=re.compile(r"(lib)?obs-frontend-api(\.\d+)*(\.dylib|\.so(\.\d+)*)"),
    known_as=("@rpath/obs-frontend-api.dylib", "libobs-frontend-api.so.30", "libobs-frontend-api.so.0"),
)


def loaded(library: Library) -> ctypes.CDLL | None:
    """Return a library that this process has loaded, or None."""
    if sys.platform == "win32":
        return _module(library.module)
    process = ctypes.CDLL(None)
    if hasattr(process, library.function):
        return process
    for name in _names(library, loaded_files("obs")):
        with suppress(OSError):  # it is not loaded
            found = ctypes.CDLL(name, mode=os.RTLD_NOLOAD)
            if hasattr(found, library.function):
                return found
    return None


def _names(library: Library, files: Sequence[Path]) -> list[str]:
    """Return the names to ask the loader for: this process's files that fit, then `known_as`."""
    return [*(str(file) for file in files if library.file.fullmatch(file.name)), *library.known_as]


def _module(name: str) -> ctypes.CDLL | None:
    find = ctypes.CDLL("kernel32").GetModuleHandleW
    find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_wchar_p,)
    handle = find(name)
    return ctypes.CDLL(name, handle=handle) if handle else None
