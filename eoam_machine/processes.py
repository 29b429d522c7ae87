"""List the running programs on Windows, through its API.

Not with tasklist.exe: if that cannot run (a policy, a PATH without it), OBS would seem to be closed.
"""

from __future__ import annotations

import sys

_ALL_PROCESSES = 0x2  # TH32CS_SNAPPROCESS of the Windows API
_NO_MORE_FILES = 18


def running_programs() -> list[str]:
    """Return the file name of each running program, of all users; OSError if Windows refuses."""
    names: list[str] = []
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        class Entry(ctypes.Structure):
            """PROCESSENTRY32W."""

            _fields_ = (
                ("size", wintypes.DWORD),
                ("usage", wintypes.DWORD),
                ("process", wintypes.DWORD),
                ("heap", ctypes.c_size_t),
                ("module", wintypes.DWORD),
                ("threads", wintypes.DWORD),
                ("parent", wintypes.DWORD),
                ("priority", wintypes.LONG),
                ("flags", wintypes.DWORD),
                ("name", wintypes.WCHAR * wintypes.MAX_PATH),
            )

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
        kernel.CreateToolhelp32Snapshot.argtypes = (wintypes.DWORD, wintypes.DWORD)
        for function in (kernel.Process32FirstW, kernel.Process32NextW):
            function.argtypes = (wintypes.HANDLE, ctypes.POINTER(Entry))
        kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
        snapshot = kernel.CreateToolhelp32Snapshot(_ALL_PROCESSES, 0)
        if snapshot in (None, wintypes.HANDLE(-1).value):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            entry = Entry(size=ctypes.sizeof(Entry))
            there = kernel.Process32FirstW(snapshot, ctypes.byref(entry))
            while there:
                names.append(entry.name)
                there = kernel.Process32NextW(snapshot, ctypes.byref(entry))
            if ctypes.get_last_error() != _NO_MORE_FILES:
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            kernel.CloseHandle(snapshot)
    return names
