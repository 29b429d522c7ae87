"""Lay out Windows' OBS as its installer does, from the packages that carry its libraries.

pylibobs is libobs, its renderers and modules as OBS 32.2.2 has them; npm's noobs is OBS 31.1.1 with obs-scripting.dll,
the part that embeds Python.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.windows.fetch import fetch_one
from tools.windows.folders import made

# Where a package's file belongs: patterns of its name, and the place below OBS's folder.
_PYLIBOBS: Final = (
    (r"pylibobs/_libs/windows/x86_64/([^/]+\.(?:dll|exe))", r"bin/64bit/\1"),
    (r"pylibobs/_libs/windows/x86_64/obs-plugins/([^/]+\.dll)", r"obs-plugins/64bit/\1"),
    (r"pylibobs/_libs/windows/x86_64/(data/.+)", r"\1"),
)
_NOOBS: Final = (
    (r"package/dist/bin/([^/]+)", r"bin/64bit/\1"),
    (r"package/dist/obs-plugins/([^/]+\.dll)", r"obs-plugins/64bit/\1"),
    (r"package/dist/data/effects/(.+)", r"data/libobs/\1"),
    (r"package/dist/data/(obs-plugins/.+)", r"data/\1"),
)


def windows_obs() -> Path:
    """Return the folder of OBS 32 for Windows, laid out if need be. Raises WindowsToolError."""
    return made("obs32", lambda folder: _lay_out(_wheel(fetch_one("pylibobs-windows")), _PYLIBOBS, folder), of=_SELF)


def windows_obs_with_scripting() -> Path:
    """Return the folder of OBS 31 for Windows with obs-scripting.dll, laid out if need be. Raises WindowsToolError."""
    return made("obs31", lambda folder: _lay_out(_package(fetch_one("noobs")), _NOOBS, folder), of=_SELF)


_SELF: Final = (Path(__file__),)


def _wheel(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if not name.endswith("/"):
                yield name, wheel.read(name)


def _package(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as package:
        for member in package:
            file = package.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()


def _lay_out(files: Iterator[tuple[str, bytes]], places: tuple[tuple[str, str], ...], folder: Path) -> None:
    for name, content in files:
        for pattern, place in places:
            found = re.fullmatch(pattern, name)
            if found is not None:
                target = folder / found.expand(place)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                break
