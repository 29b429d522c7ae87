"""Read and change OBS's own settings file, as `libobs/util/config-file.c` reads and writes it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_LONGEST = 8 << 20
_BOM = b"\xef\xbb\xbf"  # OBS writes one on Windows


def settings_file(config: Path) -> Path | None:
    """Return the file with a user's settings: user.ini from OBS 31 on, global.ini before; None if OBS never ran."""
    located = read_value(config / "global.ini", "Locations", "Configuration")
    folders = [Path(located) / "obs-studio"] if located else []
    for folder in (*folders, config):
        if (folder / "user.ini").is_file():
            return folder / "user.ini"
    return config / "global.ini" if (config / "global.ini").is_file() else None


def scenes_folder(config: Path) -> Path:
    """Return the folder with the scene collections."""
    located = read_value(config / "global.ini", "Locations", "SceneCollections")
    folder = Path(located) / "obs-studio" / "basic" / "scenes"
    return folder if located and folder.is_dir() else config / "basic" / "scenes"


def read_value(path: Path, section: str, name: str) -> str:
    """Return a value, or "" if it is missing or the file cannot be read."""
    if not os.path.isfile(path):  # reading a pipe without a writer would block
        return ""
    try:
        with path.open("rb") as file:
            lines = re.split(r"\r?\n|\r", file.read(_LONGEST).decode("utf-8-sig", "replace"))
    except OSError:
        return ""
    inside = False
    for line in lines:
        if line.startswith("["):
            inside = line.strip() == f"[{section}]"
        elif inside and line.startswith(f"{name}="):
            return re.sub(
                r"\\(\\|r|n)", lambda found: {"r": "\r", "n": "\n"}.get(found[1], "\\"), line.partition("=")[2]
            )
    return ""


def with_value(content: bytes, section: str, name: str, value: str) -> bytes:
    """Return a settings file's content with one value set; everything else stays unchanged, byte for byte.

    A new line ends like the line before it.
    """
    start = _BOM if content.startswith(_BOM) else b""
    # Not splitlines, which knows more line ends than OBS does.
    lines = re.findall(r"[^\n]*\n|[^\n]+$", content[len(start) :].decode("utf-8", "surrogateescape"))
    usual = next((_end(line) for line in reversed(lines) if line.endswith("\n")), "\n")
    escaped = value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    entry = f"{name}={escaped}"
    head = next((number for number, line in enumerate(lines) if line.strip() == f"[{section}]"), None)
    if head is None:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += usual
        lines += [usual if lines else "", f"[{section}]{usual}", f"{entry}{usual}"]
    else:
        end = next((n for n in range(head + 1, len(lines)) if lines[n].startswith("[")), len(lines))
        old = next((n for n in range(head + 1, end) if lines[n].startswith(f"{name}=")), None)
        if old is None:
            if not lines[head].endswith("\n"):
                lines[head] += usual
            lines.insert(head + 1, entry + _end(lines[head]))
        else:
            lines[old] = entry + (_end(lines[old]) or usual)
    return start + "".join(lines).encode("utf-8", "surrogateescape")


def _end(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") else "\n" if line.endswith("\n") else ""
