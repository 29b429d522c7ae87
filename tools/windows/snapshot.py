"""Record everything on a Windows' drive C: and in its registry, so that two moments can be compared."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows.fetch import sha256_of
from tools.windows.wine import Wine

# Of Windows' own files only size and time are looked at; those of the user and of programs are read.
_WINDOWS: Final = "windows"
_NAMED: Final = 6
# What Wine itself writes when a program opens a window or a connection of TLS.
_WINES_OWN: Final = re.compile(r"system\.reg \[System\\|[a-z.]+ \[Software\\\\Microsoft\\\\SystemCertificates")


@dataclass(frozen=True)
class Snapshot:
    """What was there: files and folders by path below C:, and the registry's values by key."""

    files: dict[str, str]
    registry: dict[str, str]

    def differences(self, later: Snapshot) -> list[str]:
        """Return what has come, gone or changed since, sorted; empty if nothing."""
        found = []
        for before, after in ((self.files, later.files), (self.registry, later.registry)):
            for name in sorted(before.keys() | after.keys()):
                if name not in after:
                    found.append(f"{name} is gone")
                elif name not in before:
                    found.append(f"{name} is new")
                elif before[name] != after[name]:
                    found.append(f"{name} is another")
        return found


def take_snapshot(wine: Wine, *, but_caches_in: Sequence[Path] = ()) -> Snapshot:
    """Return a snapshot; all programs of the prefix are ended, for only then Wine writes the registry.

    `__pycache__` below the folders `but_caches_in` is left out: Python makes it wherever its programs are run.
    """
    wine.end()
    registry: dict[str, str] = {}
    for name in ("system.reg", "user.reg"):
        registry.update(_registry(name, (wine.prefix / name).read_text(encoding="utf-8")))
    return Snapshot(_files(wine.prefix / "drive_c", but_caches_in), registry)


def named(differences: list[str]) -> str:
    """Return the first of them in one line."""
    more = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    return "; ".join(differences[:_NAMED]) + more


def _files(drive: Path, but_caches_in: Sequence[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for parent, folders, names in os.walk(drive):
        place = Path(parent).relative_to(drive)
        is_windows = bool(place.parts) and place.parts[0] == _WINDOWS
        if any(Path(parent).is_relative_to(folder) for folder in but_caches_in):
            folders[:] = [name for name in folders if name != "__pycache__"]
        for name in folders:
            found[str(place / name)] = "a folder"
        for name in names:
            path = Path(parent, name)
            state = path.lstat()
            content = str(state.st_mtime_ns) if is_windows or path.is_symlink() else sha256_of(path)
            found[str(place / name)] = f"{state.st_mode:o} {state.st_size} {content}"
    return found


def _registry(file: str, text: str) -> dict[str, str]:
    """Return the values of each key of one of Wine's files: a line with the key, its time, then lines of values."""
    found: dict[str, str] = {}
    for part in re.split(r"\n(?=\[)", text)[1:]:
        head, _, rest = part.partition("\n")
        lines = [line for line in rest.splitlines() if line and not line.startswith("#time=")]
        found[f"{file} {head.rpartition(' ')[0]}"] = "\n".join(lines)
    return {name: values for name, values in found.items() if not _WINES_OWN.match(name)}
