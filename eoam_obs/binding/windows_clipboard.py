"""Put a text on Windows's clipboard through the system's own functions."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from ctypes import c_int, c_size_t, c_uint, c_void_p, c_wchar_p
from typing import Any, Final

_BOOL: Final = c_int
_CF_UNICODETEXT: Final = 13
_GMEM_MOVEABLE: Final = 2
_PATIENCE_S: Final = 0.3  # another program may hold the clipboard for some milliseconds; OBS's window freezes meanwhile
_RETRY_S: Final = 0.01

_USER32: Final = {
    "CreateWindowExW": (
        c_void_p,
        (c_uint, c_wchar_p, c_wchar_p, c_uint, c_int, c_int, c_int, c_int, c_void_p, c_void_p, c_void_p, c_void_p),
    ),
    "DestroyWindow": (_BOOL, (c_void_p,)),
    "OpenClipboard": (_BOOL, (c_void_p,)),
    "EmptyClipboard": (_BOOL, ()),
    "SetClipboardData": (c_void_p, (c_uint, c_void_p)),
    "CloseClipboard": (_BOOL, ()),
}
_KERNEL32: Final = {
    "GlobalAlloc": (c_void_p, (c_uint, c_size_t)),
    "GlobalLock": (c_void_p, (c_void_p,)),
    "GlobalUnlock": (_BOOL, (c_void_p,)),
    "GlobalFree": (c_void_p, (c_void_p,)),
}


def copy(
    text: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Put `text` on the clipboard; False if another program holds it or memory is exhausted.

    Call it on a thread with windows, such as OBS's UI thread. Line ends are converted to Windows's.
    """
    user, kernel = _library("user32", _USER32), _library("kernel32", _KERNEL32)
    lines = text.replace("\r\n", "\n").replace("\n", "\r\n")
    content = f"{lines}\0".encode("utf-16-le", "surrogatepass")
    # The clipboard needs an owner: with none, EmptyClipboard leaves it without, and Windows may then refuse the data.
    # OBS's own window would do, but would get the clipboard's messages from then on. One that is never made visible is
    # as good as a message-only one, which Wine cannot make.
    owner = user.CreateWindowExW(0, "STATIC", None, 0, 0, 0, 0, 0, None, None, None, None)
    if not owner:
        return False
    try:
        ends = clock() + _PATIENCE_S
        while not user.OpenClipboard(owner):
            if clock() >= ends:
                return False
            sleep(_RETRY_S)
        try:
            return bool(user.EmptyClipboard()) and _put(content, user, kernel)
        finally:
            user.CloseClipboard()
    finally:
        user.DestroyWindow(owner)


def _put(content: bytes, user: Any, kernel: Any) -> bool:
    memory = kernel.GlobalAlloc(_GMEM_MOVEABLE, len(content))
    if not memory:
        return False
    address = kernel.GlobalLock(memory)
    if address:
        ctypes.memmove(address, content, len(content))
        kernel.GlobalUnlock(memory)
        if user.SetClipboardData(_CF_UNICODETEXT, memory):
            return True  # from now on the system owns the memory
    kernel.GlobalFree(memory)
    return False


def _library(name: str, prototypes: dict[str, tuple[Any, tuple[Any, ...]]]) -> Any:
    # An object of our own, because ctypes.windll.user32 is shared with other scripts and their declarations.
    library = ctypes.CDLL(name)
    for symbol, (result, arguments) in prototypes.items():
        function = library[symbol]
        function.restype, function.argtypes = result, arguments
    return library
