"""Where the project finds OBS's libraries: in what the process has loaded, and nowhere else."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from eoam_core import loaded
from eoam_obs.binding import library
from eoam_obs.binding.library import FRONTEND, LIBOBS

# What dyld names inside OBS 28 and later on macOS, and the loader inside a Flatpak of OBS.
_MACOS = "/Applications/OBS.app/Contents"
MACOS_FILES = [
    f"{_MACOS}/MacOS/OBS",
    f"{_MACOS}/Frameworks/libobs.framework/Versions/A/libobs",
    f"{_MACOS}/Frameworks/obs-frontend-api.dylib",
    f"{_MACOS}/Frameworks/obs-scripting.dylib",
    f"{_MACOS}/Frameworks/libobs-opengl.dylib",
    f"{_MACOS}/PlugIns/obs-websocket.plugin/Contents/MacOS/obs-websocket",
    "/usr/lib/libSystem.B.dylib",
]
FLATPAK_FILES = [
    "/app/bin/obs",
    "/app/lib/libobs.so.30",
    "/app/lib/libobs-frontend-api.so.30",
    "/app/lib/libobs-opengl.so.30",
    "/app/lib/obs-scripting/_obspython.so",
]
_HAS_LIBOBS = ctypes.util.find_library("obs") is not None or os.environ.get("EOAM_REQUIRE_OBS") == "1"


class Loader:
    """A ctypes on a system that has `files` loaded, with symbols that the process itself does not know."""

    def __init__(self, *files: str) -> None:
        self.files = files
        self.asked: list[tuple[str | None, int]] = []

    def CDLL(self, name: str | None, mode: int = ctypes.DEFAULT_MODE) -> Any:
        self.asked.append((name, mode))
        if name is None:
            return SimpleNamespace()
        if name not in self.files:
            raise OSError(f"{name} is not loaded")
        return SimpleNamespace(name=name, **{LIBOBS.function: print, FRONTEND.function: print})


def on(monkeypatch: pytest.MonkeyPatch, system: str, files: list[str]) -> Loader:
    loader = Loader(*files)
    monkeypatch.setattr(library, "sys", SimpleNamespace(platform=system))
    monkeypatch.setattr(library, "ctypes", loader)
    monkeypatch.setattr(loaded, "_all_files", lambda: files)
    return loader


@pytest.mark.parametrize(
    ("system", "files", "libobs", "frontend"),
    [("darwin", MACOS_FILES, MACOS_FILES[1], MACOS_FILES[2]), ("linux", FLATPAK_FILES, *FLATPAK_FILES[1:3])],
)
def test_of_a_library_whose_symbols_are_its_own_the_loaded_file_is_taken(
    monkeypatch: pytest.MonkeyPatch, system: str, files: list[str], libobs: str, frontend: str
) -> None:
    on(monkeypatch, system, files)
    assert library.loaded(LIBOBS).name == libobs  # type: ignore[union-attr]
    assert library.loaded(FRONTEND).name == frontend  # type: ignore[union-attr]


@pytest.mark.parametrize(("system", "files"), [("darwin", MACOS_FILES), ("linux", FLATPAK_FILES), ("linux", [])])
def test_the_loader_is_never_asked_to_load_anything(
    monkeypatch: pytest.MonkeyPatch, system: str, files: list[str]
) -> None:
    loader = on(monkeypatch, system, files)
    for wanted in (LIBOBS, FRONTEND):
        library.loaded(wanted)
    assert len(loader.asked) > 2
    assert {mode for name, mode in loader.asked if name is not None} == {os.RTLD_NOLOAD}


def test_a_library_whose_file_was_replaced_is_found_by_the_name_it_was_loaded_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = on(monkeypatch, "linux", ["libobs.so.30"])
    monkeypatch.setattr(loaded, "_all_files", lambda: ["/usr/lib/libobs.so.30 (deleted)"])
    assert library.loaded(LIBOBS).name == "libobs.so.30"  # type: ignore[union-attr]
    assert "/usr/lib/libobs.so.30 (deleted)" not in [name for name, _mode in loader.asked]


@pytest.mark.parametrize("handle", [None, 0x7FFE12340000])
def test_on_windows_the_module_is_taken_by_its_handle(monkeypatch: pytest.MonkeyPatch, handle: int | None) -> None:
    asked = []

    class Function:
        def __call__(self, name: str) -> int | None:
            asked.append(name)
            return handle

    def library_of(name: str, *, handle: int | None = None) -> Any:
        assert name == "kernel32" or handle, f"{name} would be loaded from disk"
        return SimpleNamespace(handle=handle, GetModuleHandleW=Function())

    monkeypatch.setattr(library, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(
        library, "ctypes", SimpleNamespace(CDLL=library_of, c_void_p=ctypes.c_void_p, c_wchar_p=ctypes.c_wchar_p)
    )
    found: Any = library.loaded(LIBOBS)
    assert asked == ["obs.dll"]
    assert (found.handle if found is not None else None) == handle


def test_a_framework_is_a_program_library_and_a_plugins_program_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    more = ["/Python.framework/Versions/3.12/Xobs", "/x.framework/notes about obs.txt"]
    monkeypatch.setattr(loaded, "_all_files", lambda: [*MACOS_FILES, *more])
    names = [PurePosixPath(file).name for file in loaded.loaded_files("obs")]
    assert names == ["libobs", "obs-frontend-api.dylib", "obs-scripting.dylib", "libobs-opengl.dylib", "Xobs"]


def in_plain_python(code: str) -> subprocess.CompletedProcess[str]:
    project = Path(__file__).resolve().parents[2]
    return subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60)


def test_in_plain_python_one_sentence_says_to_run_it_in_obs() -> None:
    ended = in_plain_python("from eoam_obs.binding.libobs import LibObs; LibObs()")
    assert ended.returncode == 1, "Python has crashed"
    assert ended.stderr.splitlines()[-1].endswith(
        "InstallationError: libobs is not loaded in this process; run this inside OBS Studio"
    )


def test_without_obs_the_frontend_has_neither_a_profile_nor_a_virtual_camera() -> None:
    code = "from eoam_obs.binding import frontend as f; print([f.profile_path(), f.start_virtual_camera()])"
    assert in_plain_python(code).stdout == "['', False]\n"


@pytest.mark.skipif(sys.platform != "linux" or not _HAS_LIBOBS, reason="no libobs is installed on this system")
def test_a_libobs_that_is_loaded_for_itself_alone_is_found() -> None:
    name = ctypes.util.find_library("obs")
    code = (
        f"import ctypes; ctypes.CDLL({name!r}, mode=ctypes.RTLD_LOCAL); from eoam_obs.binding.libobs import LibObs; "
        "obs = LibObs(); print(hasattr(ctypes.CDLL(None), 'obs_register_source_s'), obs.number, obs.version, sep='|')"
    )
    ended = in_plain_python(code)
    process_knows, number, version = ended.stdout.strip().split("|")
    assert process_knows == "False"
    assert version.startswith(number.strip("()").replace(", ", "."))  # the releases call themselves what they are
