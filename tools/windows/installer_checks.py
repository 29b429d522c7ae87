"""Check OBS's files after an installation: everything that is not ours must be unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from tools.windows.computer import COLLECTIONS, Computer, collection

_BOM = b"\xef\xbb\xbf"

Check = Callable[[bool, str], None]  # whether it holds, and the sentence that says what should


def users_files(computer: Computer) -> list[Path]:
    """Return the files of OBS that an installation changes: user.ini and the scene collections."""
    return [computer.settings / "user.ini", *(computer.scenes / f"{name}.json" for name in COLLECTIONS)]


def check_installed(computer: Computer, originals: dict[Path, bytes], check: Check) -> None:
    """Check OBS's files after the first installation; `originals` is how they were."""
    settings = computer.settings / "user.ini"
    _check_settings(computer, originals[settings], settings.read_bytes(), check)
    for name in COLLECTIONS:
        _check_collection(computer, name, check)
    _check_backups(computer, originals, check)


def _check_settings(computer: Computer, before: bytes, after: bytes, check: Check) -> None:
    newline = computer.person.newline.encode()
    check(after.startswith(_BOM) and after.count(_BOM) == 1, "user.ini keeps its byte order mark")
    ends = set(re.findall(rb"\r?\n", after))
    check(ends == {newline}, f"all lines of user.ini end with {newline!r}, but there are {sorted(ends)}")
    check(after.startswith(before), "what was in user.ini before is the same, byte by byte")
    folder = computer.windows(computer.wine.python).replace("\\", "/")
    added = [line.decode() for line in after[len(before) :].split() if line]
    check(
        b"".join(after[len(before) :].split(newline)) == f"[Python]Path64bit={folder}".encode(),
        f"user.ini is told of the Python in {folder} and of nothing else, but has {added}",
    )


def _check_collection(computer: Computer, name: str, check: Check) -> None:
    path = computer.scenes / f"{name}.json"
    found, wanted = json.loads(path.read_bytes()), collection(name)
    script = computer.windows(computer.target / "obs_eoam.py").replace("\\", "/")
    wanted["modules"]["scripts-tool"].append({"path": script, "settings": {}})
    entries = found["modules"]["scripts-tool"]
    check(
        entries == wanted["modules"]["scripts-tool"],
        f"{name} lists its other scripts and {script}, but has {entries}",
    )
    check(found == wanted and list(found) == list(wanted), f"all else in {name} is the same, in the same order")


def _check_backups(computer: Computer, originals: dict[Path, bytes], check: Check) -> None:
    receipt = json.loads((computer.target / "receipt.json").read_text(encoding="utf-8"))
    kept = {
        change["path"]: (computer.target / "backups" / change["backup"]).read_bytes() for change in receipt["changes"]
    }
    wanted = {computer.windows(path): content for path, content in originals.items()}
    check(kept == wanted, f"there is a true backup of each changed file, but there are those of {sorted(kept)}")
