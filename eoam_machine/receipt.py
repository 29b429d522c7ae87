"""What was installed, so that it can be taken away: `receipt.json` in the folder of the installation."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eoam_machine import scenes
from eoam_machine.errors import InstallError

NAME = "receipt.json"
MODEL = "models/eoam.onnx"  # in the folder of the installation
BACKUPS = "backups"
_LONGEST = 16 << 20  # characters; a receipt has a line for each file


@dataclass
class Change:
    """One file of OBS that was changed: `backup`, in the folder of backups, is how it was before; `sha256`, after.

    `script` is the entry that was added to a scene collection; "" for the settings file.
    """

    path: str
    sha256: str
    backup: str
    script: str = ""


@dataclass
class Receipt:
    """What lies in the folder and what was changed outside.

    `files` are relative to the folder, with `/`; `parents` are the folders above that were made for it, innermost
    first.
    """

    version: str
    obs: str
    environment: str
    files: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write it into the folder."""
        (folder / NAME).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_receipt(folder: Path) -> Receipt | None:
    """Return the receipt of a folder, None if there is none; InstallError if it is damaged."""
    try:
        with (folder / NAME).open(encoding="utf-8") as file:
            content = json.loads(file.read(_LONGEST))
        found = Receipt(**{**content, "changes": [Change(**change) for change in content["changes"]]})
        _check(found, folder)
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InstallError(f"{folder / NAME} is damaged ({error}). Remove the folder {folder} by hand.") from None


def _check(receipt: Receipt, folder: Path) -> None:
    """Raise ValueError if a receipt says what `install` never writes: it decides what is overwritten and removed."""
    texts = [receipt.version, receipt.obs, receipt.environment, *receipt.files, *receipt.parents]
    for change in receipt.changes:
        texts += [change.path, change.sha256, change.backup, change.script]
    if not all(isinstance(text, str) for text in texts) or not isinstance(receipt.files, list):
        raise ValueError("a text is missing")
    for change in receipt.changes:
        if change.backup in ("", ".", "..") or re.search(r"[/\\:\0]", change.backup):
            raise ValueError(f"the backup {change.backup!r} lies elsewhere")
        if Path(change.path).suffix not in (".json", ".ini") or not Path(change.path).is_absolute():
            raise ValueError(f"{change.path!r} is no file of OBS's")
    for name in receipt.files:
        if ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name:
            raise ValueError(f"the file {name!r} lies elsewhere")
    above = {os.path.normcase(parent) for parent in Path(os.path.realpath(folder)).parents}
    for parent in receipt.parents:
        if os.path.normcase(os.path.realpath(parent)) not in above:  # whichever way it was written, links or none
            raise ValueError(f"{parent!r} is no folder above")


def undo_changes(receipt: Receipt, folder: Path) -> list[str]:
    """Take back what was changed in OBS's files, and say what was done, a sentence each.

    A file that nobody has changed since becomes again what it was, byte by byte. One that OBS has written since loses
    the script's entry only; the settings file then stays as it is, for OBS still finds its Python with it.
    """
    done = []
    for change in receipt.changes:
        path, backup = Path(change.path), folder / BACKUPS / change.backup
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        if sha256(content) == change.sha256 and backup.is_file():
            replace(path, backup.read_bytes())
            done.append(f"Restored {path}.")
        elif change.script:
            try:
                without = scenes.without_script(content, change.script, path)
            except InstallError as error:
                done.append(str(error))
                continue
            if without is not None:
                replace(path, without)
                done.append(f"Removed the script from {path}.")
    return done


def replace(path: Path, content: bytes) -> None:
    """Write a file's content all at once, with the rights that the file has; InstallError if it is protected."""
    # A new name each time: what lies at a known one could be a link to somewhere else.
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".eoam-part", dir=path.parent)
    except PermissionError:
        raise protected(path) from None
    part = Path(name)
    try:
        with open(number, "wb") as file:
            file.write(content)
        part.chmod(path.stat().st_mode)
        part.replace(path)
    except PermissionError:  # Windows puts nothing in the place of a read-only file
        raise protected(path) from None
    finally:
        if part.exists():
            part.chmod(stat.S_IREAD | stat.S_IWRITE)  # nor does it delete one
            part.unlink()


def is_read_only(path: Path) -> bool:
    """Whether a file has Windows' mark "read-only"."""
    return not path.stat().st_mode & stat.S_IWRITE


def protected(path: Path) -> InstallError:
    """Say that one of OBS's files may not be changed."""
    return InstallError(
        f"{path} is write-protected, so the script cannot be added to OBS. Make it writable (on Windows: Properties, "
        "Read-only) and run this again."
    )


def sha256(content: bytes) -> str:
    """Return the hash as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
