"""Record what was installed, so that it can be removed: `receipt.json` in the folder of the installation."""

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
    """One changed file of OBS: `backup`, in the folder of backups, is the old content; `sha256` hashes the new one.

    `script` is the entry that was added to a scene collection; "" for the settings file.
    """

    path: str
    sha256: str
    backup: str
    script: str = ""


@dataclass
class Receipt:
    """The files in the folder, and the changes outside it.

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
    """Raise ValueError for content that `install` never writes: a receipt decides what is overwritten and removed."""
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
        if os.path.normcase(os.path.realpath(parent)) not in above:  # however it was written, with links or without
            raise ValueError(f"{parent!r} is no folder above")


def undo_changes(receipt: Receipt, folder: Path) -> list[str]:
    """Undo the changes to OBS's files, and return what was done, a sentence each.

    A file that has not changed since is restored byte for byte. One that OBS has written since only loses the script's
    entry; the settings file is then kept, because OBS still finds its Python with it.
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
    """Replace a file's content atomically, keeping its permissions; InstallError if it is protected."""
    # A new name each time: a file at a predictable name could be a link elsewhere.
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
    except PermissionError:  # Windows does not replace a read-only file
        raise protected(path) from None
    finally:
        if part.exists():
            part.chmod(stat.S_IREAD | stat.S_IWRITE)  # nor does it delete one
            part.unlink()


def is_read_only(path: Path) -> bool:
    """Return whether a file has Windows' attribute "read-only"."""
    return not path.stat().st_mode & stat.S_IWRITE


def protected(path: Path) -> InstallError:
    """Return the error for one of OBS's files that may not be changed."""
    return InstallError(
        f"{path} is write-protected, so the script cannot be added to OBS. Make it writable (on Windows: Properties, "
        "Read-only) and run this again."
    )


def sha256(content: bytes) -> str:
    """Return the hash as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
