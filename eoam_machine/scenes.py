"""Edit the script's entry in OBS's scene collections: OBS loads the scripts that a collection lists.

A collection is a JSON file; `modules / scripts-tool` holds `{"path": ..., "settings": {...}}` for every script (see
`plugins/frontend-tools/scripts.cpp`). OBS reads it when it starts and writes it when it ends, so it must not be changed
while OBS runs.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eoam_machine.errors import InstallError

SCRIPT = "obs_eoam.py"
_LONGEST = 64 << 20


@dataclass(frozen=True)
class Collection:
    """One scene collection: its file, the name that OBS shows, and the scripts that it lists."""

    path: Path
    name: str
    scripts: tuple[str, ...]


def find_collections(folder: Path) -> list[Collection]:
    """Return the scene collections in a folder, by name; damaged files are left out."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = _parse(read_file(path), path)
        except (OSError, InstallError):
            continue
        scripts = tuple(str(entry.get("path", "")) for entry in _scripts(content))
        found.append(Collection(path, str(content.get("name") or path.stem), scripts))
    return sorted(found, key=lambda collection: collection.name)


def read_file(path: Path) -> bytes:
    """Return a collection's content; InstallError if it is not a file or too large; OSError if it is unreadable."""
    if not os.path.isfile(path):  # reading a pipe without a writer would block
        raise InstallError(f"{path} is not a file.")
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise InstallError(f"{path} is not a scene collection: it is larger than {_LONGEST >> 20} MiB.")
    return content


def choose(collections: Iterable[Collection], wanted: Iterable[str], current: str) -> list[Collection]:
    """Return the requested collections: "all", "none", "current", or names; `current` is the file's stem."""
    collections = list(collections)
    chosen: list[Collection] = []
    for name in wanted:
        if name == "all":
            chosen += collections
        elif name == "current":
            chosen += [collection for collection in collections if collection.path.stem == current]
        elif name != "none":
            named = [collection for collection in collections if name in (collection.name, collection.path.stem)]
            if not named:
                known = ", ".join(repr(collection.name) for collection in collections) or "none"
                raise InstallError(f"There is not a scene collection {name!r}; OBS has: {known}.")
            chosen += named
    return list(dict.fromkeys(chosen))


def is_ours(entry: str) -> bool:
    """Return whether a script's path, as OBS writes it, is a copy of ours, by its name."""
    return _file_name(entry) == SCRIPT


def with_script(content: bytes, script: str, path: Path) -> bytes | None:
    """Return a collection's content with the script added, or None if it has it already.

    An entry for another copy of the script is redirected to this one and keeps its settings: OBS can load only one of
    them.
    """
    parsed = _parse(content, path)
    entries = _scripts(parsed)
    ours = [entry for entry in entries if is_ours(str(entry.get("path", "")))]
    if [entry["path"] for entry in ours] == [script]:
        return None
    kept = [entry for entry in entries if entry not in ours]
    settings = ours[0].get("settings", {}) if ours else {}
    return _written(content, parsed, [*kept, {"path": script, "settings": settings}], path)


def without_script(content: bytes, script: str, path: Path) -> bytes | None:
    """Return a collection's content without this script, or None if it is not in it."""
    parsed = _parse(content, path)
    entries = _scripts(parsed)
    kept = [entry for entry in entries if entry.get("path") != script]
    return None if len(kept) == len(entries) else _written(content, parsed, kept, path)


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InstallError(f"The scene collection {path} is damaged ({error}). OBS's own copy is {path}.bak.") from None
    if not isinstance(parsed, dict):
        raise InstallError(f"{path} is not a scene collection.")
    return parsed


def _scripts(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    modules = parsed.get("modules")
    entries = modules.get("scripts-tool") if isinstance(modules, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _written(before: bytes, parsed: dict[str, Any], entries: list[dict[str, Any]], path: Path) -> bytes:
    """Return the collection with these scripts, written like `before`, with its BOM and line ends."""
    modules = parsed.get("modules")
    parsed["modules"] = {**(modules if isinstance(modules, dict) else {}), "scripts-tool": entries}
    try:
        # OBS could not read back what JSON cannot express (an infinite number, half a character).
        content = (json.dumps(parsed, indent=4, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (ValueError, RecursionError) as error:
        raise InstallError(f"The scene collection {path} cannot be rewritten ({error}). Nothing was changed.") from None
    if before.partition(b"\n")[0].endswith(b"\r"):
        content = content.replace(b"\n", b"\r\n")  # within a string JSON has none
    return codecs.BOM_UTF8 + content if before.startswith(codecs.BOM_UTF8) else content


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
