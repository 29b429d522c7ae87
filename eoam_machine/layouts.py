"""Find each kind of OBS, its settings, and the folder for the filter.

The paths are those of OBS's own installers and of its frontend (`OBSApp.cpp`, `platform-*.cpp`). Nothing is derived
from the running system, so every system's layout is tested on every system. Inaccessible paths count as missing
(`os.path` returns False where `Path` raises).
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eoam_machine import binaries
from eoam_machine.machine import Machine

FOLDER = "eoam-obs"
FLATPAK_ID = "com.obsproject.Studio"
_PORTABLE_MARKS = ("portable_mode", "obs_portable_mode", "portable_mode.txt", "obs_portable_mode.txt")
_LINUX_PROGRAMS = ("/usr/bin/obs", "/usr/local/bin/obs", "/opt/obs-studio/bin/obs")
_UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\OBS Studio"


@dataclass(frozen=True)
class Obs:
    """One OBS Studio.

    `kind` is native, flatpak or portable; `version` is () if unknown; `linked_python` is the Python that OBS is built
    with (Linux), None where OBS loads one that the user chooses (Windows, macOS) or has none. `config` is the folder
    obs-studio of its settings, which may not exist yet, and `target` the folder that the filter goes to.
    """

    kind: str
    program: Path
    version: tuple[int, ...]
    architecture: str
    config: Path
    target: Path
    linked_python: tuple[int, int] | None = None

    def __str__(self) -> str:
        number = ".".join(map(str, self.version)) or "of an unknown version"
        return f"OBS {number} ({self.kind}, {self.program})"


def find_obs(machine: Machine, places: Sequence[Path] = ()) -> list[Obs]:
    """Return every OBS of this computer, or those in `places`; the one whose settings changed last comes first."""
    search = {"windows": _windows, "macos": _macos, "linux": _linux}[machine.system]
    found: dict[Path, Obs] = {}
    for obs in search(machine, places):
        found.setdefault(obs.config, obs)
    return sorted(found.values(), key=lambda obs: -_changed(obs.config))


def usual_targets(machine: Machine) -> list[Path]:
    """Return the usual folders of the filter, with or without an OBS; those of portable ones are unknown."""
    if machine.system == "windows":
        return [machine.folder("LOCALAPPDATA", "AppData", "Local") / FOLDER]
    if machine.system == "macos":
        return [machine.home / "Library" / "Application Support" / FOLDER]
    own = machine.home / ".var" / "app" / FLATPAK_ID / "data" / FOLDER
    return [machine.folder("XDG_DATA_HOME", ".local", "share") / FOLDER, own]


def config_folders(machine: Machine) -> list[Path]:
    """Return the folders obs-studio with settings that exist, whether their OBS was found or not."""
    usual = {
        "windows": [machine.folder("APPDATA", "AppData", "Roaming")],
        "macos": [machine.home / "Library" / "Application Support"],
        "linux": [machine.folder("XDG_CONFIG_HOME", ".config"), machine.home / ".var" / "app" / FLATPAK_ID / "config"],
    }[machine.system]
    folders = [folder / "obs-studio" for folder in usual] + [obs.config for obs in find_obs(machine)]
    existing = [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
    return sorted(existing, key=lambda folder: -_changed(folder))


def _changed(config: Path) -> float:
    times = [0.0]
    for name in ("user.ini", "global.ini"):
        try:
            times.append((config / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)


def _windows(machine: Machine, places: Sequence[Path]) -> Iterator[Obs]:
    roaming = machine.folder("APPDATA", "AppData", "Roaming") / "obs-studio"
    local = machine.folder("LOCALAPPDATA", "AppData", "Local") / FOLDER
    candidates = list(places)
    if not places:
        named = [machine.registry_value("HKLM", r"SOFTWARE\OBS Studio", "")]
        steam = machine.registry_value("HKLM", r"SOFTWARE\Valve\Steam", "InstallPath")
        named.append(f"{steam}\\steamapps\\common\\OBS Studio" if steam else None)
        files = machine.environ.get("ProgramW6432") or machine.environ.get("ProgramFiles")
        named.append(f"{files}\\obs-studio" if files else None)
        candidates = [machine.path(text) for text in named if text]
    for root in candidates:
        program = root / "bin" / "64bit" / "obs64.exe"
        if not os.path.isfile(program):
            continue
        number = binaries.windows_version(program)
        if not number and not places:
            number = binaries.version(machine.registry_value("HKLM", _UNINSTALL, "DisplayVersion") or "")
        portable = _is_portable(root)
        yield Obs(
            kind="portable" if portable else "native",
            program=program,
            version=number,
            architecture=binaries.architecture(program),
            config=root / "config" / "obs-studio" if portable else roaming,
            target=root / FOLDER if portable else local,
        )


def _macos(machine: Machine, places: Sequence[Path]) -> Iterator[Obs]:
    support = machine.home / "Library" / "Application Support"
    for bundle in places or [machine.path("/Applications/OBS.app"), machine.home / "Applications" / "OBS.app"]:
        program = bundle / "Contents" / "MacOS" / "OBS"
        if os.path.isfile(program):
            yield Obs(
                kind="native",
                program=bundle,
                version=binaries.bundle_version(bundle),
                architecture=binaries.architecture(program),
                config=support / "obs-studio",
                target=support / FOLDER,
            )


def _linux(machine: Machine, places: Sequence[Path]) -> Iterator[Obs]:
    config = machine.folder("XDG_CONFIG_HOME", ".config") / "obs-studio"
    target = machine.folder("XDG_DATA_HOME", ".local", "share") / FOLDER
    on_path = [f"{folder}/obs" for folder in machine.environ.get("PATH", "").split(":") if folder.startswith("/")]
    programs = [machine.path(text) for text in (*on_path, *_LINUX_PROGRAMS)]
    for place in places:
        programs = [place, *(place / "bin" / "64bit" / "obs", place / "bin" / "obs")]
    for program in programs:
        if binaries.architecture(program):  # a script of that name is a launcher of another OBS
            root = program.parent.parent.parent
            portable = program.parent.name == "64bit" and _is_portable(root)
            yield Obs(
                kind="portable" if portable else "native",
                program=program,
                version=_ask_version(program, machine),
                architecture=binaries.architecture(program),
                config=root / "config" / "obs-studio" if portable else config,
                target=root / FOLDER if portable else target,
                linked_python=_linux_python(program),
            )
            if not places:
                break  # the one that the user's shell runs
    if not places:
        yield from _flatpak(machine)


def _ask_version(program: Path, machine: Machine) -> tuple[int, ...]:
    with tempfile.TemporaryDirectory() as home:  # it makes a folder for its settings even for this
        command = ["env", f"HOME={home}", f"XDG_CONFIG_HOME={home}", str(program), "--version"]
        return binaries.version(machine.run(command) or "")


def _flatpak(machine: Machine) -> Iterator[Obs]:
    own = machine.home / ".var" / "app" / FLATPAK_ID  # visible in the sandbox under the same path
    data = machine.folder("XDG_DATA_HOME", ".local", "share")
    for installation in (data / "flatpak", machine.path("/var/lib/flatpak")):
        files = installation / "app" / FLATPAK_ID / "current" / "active" / "files"
        program = files / "bin" / "obs"
        if os.path.isfile(program):
            yield Obs(
                kind="flatpak",
                program=program,
                version=_flatpak_version(files),
                architecture=binaries.architecture(program),
                config=own / "config" / "obs-studio",
                target=own / "data" / FOLDER,
                linked_python=_linux_python(program),
            )
            return


def _flatpak_version(files: Path) -> tuple[int, ...]:
    for folder in ("metainfo", "appdata"):
        for path in sorted((files / "share" / folder).glob(f"{FLATPAK_ID}*.xml")):
            try:
                found = re.search(r"<release\b[^>]*\bversion=\"([^\"]+)\"", path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if found:
                return binaries.version(found[1])
    return ()


def _linux_python(program: Path) -> tuple[int, int] | None:
    """Return the Python that an OBS is linked with: through its program since 28, through a library before."""
    libraries: list[Path] = []
    for name in ("lib", "lib64"):
        folder = program.resolve().parent.parent / name
        with contextlib.suppress(OSError):
            for pattern in ("libobs-scripting.so*", "*/libobs-scripting.so*"):
                libraries += sorted(folder.glob(pattern))
    for path in (program, *libraries):
        python = binaries.linked_python(path)
        if python is not None:
            return python
    return None


def _is_portable(root: Path) -> bool:
    """Return whether an OBS keeps its settings beside itself: by a marker file, or started with `--portable`."""
    return any(os.path.exists(root / mark) for mark in _PORTABLE_MARKS) or os.path.isdir(root / "config" / "obs-studio")
