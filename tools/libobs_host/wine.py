"""Make Wine run Direct3D 11 in libobs, by adding two missing functions to the renderer's import table.

libobs-d3d11 asks Windows' kernel for the GPU's scheduling. Wine 8 does not have these functions and ends a program that
calls them. They are replaced by one that returns an error; libobs logs that and goes on.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p as Pointer
from pathlib import Path
from typing import Final

_LACKING: Final = (
    b"D3DKMTQueryAdapterInfo",
    b"D3DKMTSetProcessSchedulingPriorityClass",
    b"D3DKMTOpenAdapterFromLuid",
    b"D3DKMTCloseAdapter",
)
_STATUS_UNSUCCESSFUL: Final = -1073741823
_PAGE_READWRITE: Final = 4
_refuse = ctypes.CFUNCTYPE(c_int, Pointer, Pointer)(lambda first, second: _STATUS_UNSUCCESSFUL)


def is_wine() -> bool:
    """Whether this Windows is Wine."""
    return sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def mend_d3d11(path: Path) -> None:
    """Load libobs-d3d11.dll and replace the functions that Wine lacks; RuntimeError if it imports none of them."""
    if sys.platform != "win32":
        raise RuntimeError("Wine's Direct3D can be mended in a Windows program only")
    compiler = path.with_name("d3dcompiler_47.dll")
    if compiler.is_file():
        ctypes.WinDLL(str(compiler))  # Microsoft's, which libobs then finds loaded; Wine's own cannot do its shaders
    kernel = ctypes.WinDLL("kernel32")
    kernel.VirtualProtect.argtypes = (Pointer, c_size_t, c_uint32, ctypes.POINTER(c_uint32))
    module = ctypes.WinDLL(str(path))._handle
    found = 0
    for name, slot in _imports(module):
        if name in _LACKING:
            kernel.VirtualProtect(slot, 8, _PAGE_READWRITE, ctypes.byref(c_uint32()))
            c_uint64.from_address(slot).value = ctypes.cast(_refuse, Pointer).value or 0
            found += 1
    if not found:
        raise RuntimeError(f"{path} imports none of {', '.join(name.decode() for name in _LACKING)}")


def _imports(module: int) -> Iterator[tuple[bytes, int]]:
    """Yield (name, address of the pointer) of every function that a loaded 64-bit DLL imports by name."""

    def number(address: int) -> int:
        return c_uint32.from_address(address).value

    header = module + number(module + 0x3C)
    table = module + number(header + 24 + 112 + 8)  # the second data directory of an optional header for 64 bit
    while number(table + 12):
        names = module + (number(table) or number(table + 16))
        slots = module + number(table + 16)
        while entry := c_uint64.from_address(names).value:
            if not entry >> 63:  # by name, not by number
                yield c_char_p(module + entry + 2).value or b"", slots
            names, slots = names + 8, slots + 8
        table += 20
