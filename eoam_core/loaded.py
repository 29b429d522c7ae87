"""List the libraries this process has loaded; two copies of one library in a process cause errors."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path
from typing import Final

# By the end of the name; macOS's frameworks have a library without one, such as x.framework/Versions/A/x.
_LIBRARY: Final = re.compile(r"\.(so|dylib|dll|pyd)\b[^/\\]*$|\.framework/([^/]+/)*[^/.]+$", re.IGNORECASE)


def loaded_files(part: str) -> tuple[Path, ...]:
    """Return the shared libraries of this process whose file name contains `part`, each once; () if unknown."""
    try:
        files = _all_files()
    except (OSError, AttributeError, ValueError):  # a system that does not answer as it is documented
        return ()
    names = (Path(file) for file in files)
    return tuple(dict.fromkeys(file for file in names if part in file.name and _LIBRARY.search(str(file))))


def _all_files() -> list[str]:
    if sys.platform == "win32":
        return _windows_modules()
    if sys.platform == "darwin":
        libc = ctypes.CDLL(None)
        libc._dyld_get_image_name.restype = ctypes.c_char_p
        names = (libc._dyld_get_image_name(number) for number in range(libc._dyld_image_count()))
        return [name.decode(errors="replace") for name in names if name]
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return [fields[5] for fields in (line.split(maxsplit=5) for line in lines) if len(fields) == 6]


def _windows_modules() -> list[str]:
    kernel = ctypes.CDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    handles = (ctypes.c_void_p * 4096)()
    needed = ctypes.c_uint32()
    # EnumProcessModules and GetModuleFileNameExW under the names that kernel32 has had since Windows 7.
    if not kernel.K32EnumProcessModules(process, handles, ctypes.sizeof(handles), ctypes.byref(needed)):
        return []
    files = []
    for handle in handles[: needed.value // ctypes.sizeof(ctypes.c_void_p)]:
        name = ctypes.create_unicode_buffer(32768)
        if kernel.K32GetModuleFileNameExW(process, ctypes.c_void_p(handle), name, len(name)):
            files.append(name.value)
    return files
