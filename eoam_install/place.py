"""Check the folder of an installation: whether it can be used, and which files in it are not ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from eoam_install import wheels
from eoam_machine import receipt
from eoam_machine.errors import InstallError
from eoam_machine.machine import Machine

# Replaced as a whole by an update; other files in the folder are kept.
_OWN_FOLDERS = (
    "eoam_core",
    "eoam_obs",
    "eoam_cli",
    "eoam_machine",
    "eoam_install",
    "locale",
    wheels.LIBRARIES,
    receipt.BACKUPS,
)
LONGEST_PATH = 259  # characters of a path on Windows; longer ones must be switched on, and OBS would not see them
LONGEST_NAME = 140  # characters: the libraries' longest path in the folder, and what its name has more at first


def check_target(target: Path, machine: Machine) -> None:
    """Refuse a target that is not a folder, has other content, or has too long a path for Windows."""
    length = len(str(target)) - len(machine.root)
    if machine.system == "windows" and length + LONGEST_NAME > LONGEST_PATH:
        raise InstallError(
            f"The path {target} is too long: it has {length} characters, and Windows and OBS allow "
            f"{LONGEST_PATH - LONGEST_NAME} here. Choose a shorter one with --target."
        )
    if target.is_symlink():
        raise InstallError(
            f"{target} is a symbolic link to {os.readlink(target)}. Give the folder itself with --target."
        )
    if target.exists() and not target.is_dir():
        raise InstallError(f"{target} is a file. Choose a folder with --target.")
    if target.is_dir() and any(target.iterdir()) and receipt.read_receipt(target) is None:
        raise InstallError(f"{target} contains other files. Choose an empty or a new folder with --target.")


def check_space(target: Path, folder: Path, needed: int) -> None:
    """Refuse a disk without space for `needed` bytes; `folder` is where they will be written."""
    free = shutil.disk_usage(folder).free
    if free < needed * 1.05:
        raise InstallError(
            f"Not enough disk space in {target.parent}: {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free."
        )


def foreign_files(target: Path, previous: receipt.Receipt | None) -> dict[str, Path]:
    """Return foreign files in an installation, such as a background picture: names with `/`, and paths."""
    if previous is None:
        return {}
    known = {*previous.files, receipt.NAME}
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    return {
        name: path
        for name, path in found.items()
        if name not in known and name.partition("/")[0] not in _OWN_FOLDERS and "__pycache__" not in name.split("/")
    }
