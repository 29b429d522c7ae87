"""Every function of OBS that the project calls is one that OBS's own libraries have, on every system.

The names come from the bindings themselves. OBS's libraries for Windows and macOS are other people's binaries: fetched
pinned and checked (tools/windows/downloads.json), read here, never run and never kept in the repository.
"""

from __future__ import annotations

import ast
import ctypes.util
import os
import sys
import tarfile
import zipfile
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Final

import lief
import pytest

from eoam_obs.binding import frontend, libobs, library
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import fetch_one

_PROJECT: Final = Path(__file__).resolve().parents[2]
LIBOBS: Final = {*libobs._BLOCKING, *libobs._LEAF, library.LIBOBS.function}
FRONTEND: Final = {*frontend.PROTOTYPES, library.FRONTEND.function}
_MACOS: Final = "pylibobs/_libs/macos/arm64/Frameworks"
LIBRARIES: Final = {
    "libobs 32.2 for macOS": ("pylibobs-macos", f"{_MACOS}/libobs.framework/Versions/A/libobs", LIBOBS),
    "the frontend 32.2 for macOS": ("pylibobs-macos", f"{_MACOS}/obs-frontend-api.dylib", FRONTEND),
    "libobs 32.2 for Windows": ("pylibobs-windows", "pylibobs/_libs/windows/x86_64/obs.dll", LIBOBS),
    "libobs 31.1 for Windows": ("noobs", "package/dist/bin/obs.dll", LIBOBS),
    "the frontend 31.1 for Windows": ("noobs", "package/dist/bin/obs-frontend-api.dll", FRONTEND),
}


def exports(content: bytes) -> set[str]:
    """Return the names of the functions that a library of Windows, macOS or Linux gives to others."""
    binary = lief.parse(content)
    if isinstance(binary, lief.PE.Binary):
        table = binary.get_export()
        return {str(entry.name) for entry in table.entries if entry.name} if table is not None else set()
    if isinstance(binary, lief.MachO.Binary):
        # What is both in the table of symbols and in the tree that dlsym looks into; C's names begin with a mark there.
        found = (symbol for symbol in binary.exported_symbols if symbol.has_export_info)
        return {str(symbol.name).removeprefix("_") for symbol in found}
    assert isinstance(binary, lief.ELF.Binary), f"this is no library: {content[:16]!r}"
    return {str(symbol.name) for symbol in binary.exported_symbols}


def missing(wanted: Iterable[str], content: bytes) -> list[str]:
    """Return the names that a library lacks."""
    return sorted(set(wanted) - exports(content))


@cache
def member(group: str, name: str) -> bytes:
    """Return a file of a package that is fetched; without it the test is skipped, or fails where it must not be."""
    try:
        package = fetch_one(group)
    except WindowsToolError as error:
        if os.environ.get("EOAM_REQUIRE_WINDOWS") == "1":
            pytest.fail(f"EOAM_REQUIRE_WINDOWS=1, but: {error}")
        pytest.skip(str(error))
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            return archive.read(name)
    with tarfile.open(package) as archive:
        file = archive.extractfile(name)
        assert file is not None, f"{package.name} has no {name}"
        return file.read()


@pytest.mark.parametrize(("group", "name", "wanted"), LIBRARIES.values(), ids=LIBRARIES)
def test_obs_has_every_function_that_is_called(group: str, name: str, wanted: Collection[str]) -> None:
    assert missing(wanted, member(group, name)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of a Linux system")
@pytest.mark.parametrize(("name", "wanted"), [("obs", LIBOBS), ("obs-frontend-api", FRONTEND)])
def test_this_systems_obs_has_every_function_that_is_called(name: str, wanted: Collection[str]) -> None:
    file = ctypes.util.find_library(name)
    found = [path for path in Path("/usr/lib").rglob(file) if path.is_file()] if file is not None else []
    if not found and os.environ.get("EOAM_REQUIRE_OBS") != "1":
        pytest.skip(f"there is no lib{name} on this system")
    assert missing(wanted, found[0].read_bytes()) == []


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_library_without_one_of_the_functions_is_found_out(name: str) -> None:
    group, place, wanted = LIBRARIES[name]
    content = member(group, place)
    for lost in (min(wanted), max(wanted)):
        changed = content.replace(lost.encode() + b"\0", lost[:-1].encode() + b"?\0")
        assert missing(wanted, changed) == [lost]


def test_a_function_is_called_in_one_way_only() -> None:
    assert not set(libobs._BLOCKING) & set(libobs._LEAF)
    assert all(name.startswith("obs_frontend_") for name in FRONTEND)


def openers(path: Path) -> set[str]:
    """Return what a module of Python opens libraries with: ctypes.CDLL and its like."""
    names = {"CDLL", "PyDLL", "WinDLL", "OleDLL", "LibraryLoader", "cdll", "pydll", "windll", "oledll"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return names & (attributes | imported)


def test_no_other_module_calls_functions_of_a_library_by_name() -> None:
    modules = [*sorted((_PROJECT / "eoam_obs").rglob("*.py")), _PROJECT / "obs_eoam.py"]
    found = {path.name: openers(path) for path in modules if openers(path)}
    # libobs.py gives the handle of a CDLL to PyDLL; windows_clipboard.py calls Windows's own functions.
    assert found == {"library.py": {"CDLL"}, "libobs.py": {"CDLL", "PyDLL"}, "windows_clipboard.py": {"CDLL"}}
