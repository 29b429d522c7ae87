"""How the systems differ that these tests run on, so that a test says what it wants and not how it is had there."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import io
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

WINDOWS = sys.platform == "win32"


@functools.cache
def wine_version() -> str:
    """Return Wine's version, or "" on Windows itself and elsewhere."""
    if sys.platform != "win32":
        return ""
    function = getattr(ctypes.WinDLL("ntdll"), "wine_get_version", None)  # Microsoft's has none of that name
    if function is None:
        return ""
    function.restype = ctypes.c_char_p
    return str(function().decode())


@functools.cache
def why_no_links() -> str:
    """Say why symbolic links cannot be made here, or return "" where they can."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "link")
        try:
            path.symlink_to(name, target_is_directory=True)
        except OSError as error:  # Windows lets administrators and developers alone
            return f"this user may not make symbolic links ({error.strerror})"
        if path.is_symlink():
            return ""
    return f"Wine {wine_version()} makes no symbolic links: it says that it did, and there is none"


@functools.cache
def why_no_locks() -> str:
    """Say why no folder can be closed to this user by its mode, or return "" where it can."""
    if sys.platform == "win32":
        return "on Windows a folder's mode takes no rights away"
    return "root may look everywhere" if os.geteuid() == 0 else ""


needs_links = pytest.mark.skipif(bool(why_no_links()), reason=why_no_links())
needs_locks = pytest.mark.skipif(bool(why_no_locks()), reason=why_no_locks())


def link_folder(path: Path, target: str) -> None:
    """Make `path` a symbolic link to a folder, or a copy of it, which reads the same, where none can be made."""
    if why_no_links():
        shutil.copytree(path.parent / target, path)
    else:
        path.symlink_to(Path(target), target_is_directory=True)


def home_variables(home: Path) -> dict[str, str]:
    """Return the environment variables that make `home` the user's folder, on any system."""
    names = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    return dict.fromkeys(names, str(home))


def add_program(path: Path, code: str) -> None:
    """Write a program that runs Python code, whatever its name is and whatever arguments it is given.

    It is made as pip makes a package's commands: a few bytes that start Python, then a zip file with the code. On
    Windows these bytes are pip's own launcher, since nothing but a real program can be started there.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", code)
    if WINDOWS:
        start = _launcher().read_bytes() + f'#!"{sys.executable}" -I -S\r\n'.encode()
    else:
        start = f'#!/bin/sh\nexec "{sys.executable}" -I -S "$0" "$@"\n'.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start + archive.getvalue())
    path.chmod(0o755)


def _launcher() -> Path:
    found = importlib.util.find_spec("pip")
    assert found is not None, "a program is made with pip's launcher: install pip"
    assert found.origin is not None
    name = "t64-arm.exe" if platform.machine().lower() == "arm64" else "t64.exe"
    return Path(found.origin).parent / "_vendor" / "distlib" / name
