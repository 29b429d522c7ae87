"""Unpack a wheel safely: nothing outside the folder, nothing overwritten, no more data than announced.

The lock's SHA-256 identifies the wheel; these checks protect even if that should be wrong. A wheel's RECORD is not
used: `receipt` lists the files that are really there.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from eoam_machine.errors import InstallError

_MOST_ENTRIES = 20_000
_LONGEST_NAME = 400
# Names that Windows takes for a device or another file.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_ODD = re.compile(r'[\x00-\x1f<>:"|?*\\]|[. ]$')


def unpack(name: str, content: bytes, folder: Path, *, most_bytes: int) -> None:
    """Unpack the importable files and the metadata of the wheel `name`, whose bytes are `content`, into a folder.

    `most_bytes` limits the total size. InstallError if the wheel is damaged or larger, or has a file that would lie
    elsewhere, that some system would take for another one, or that exists already.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _unpack(name, archive, folder, most_bytes)
    # What zipfile raises for damaged archives, unknown compression methods and encryption.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        FileExistsError,
        NotADirectoryError,
        IsADirectoryError,
    ) as error:
        raise InstallError(f"{name} cannot be unpacked ({error}). Download it again.") from None


def _unpack(name: str, archive: zipfile.ZipFile, folder: Path, most_bytes: int) -> None:
    entries = archive.infolist()
    # An entry yields no more than it announces: zipfile reads no further.
    if len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > most_bytes:
        raise InstallError(f"{name} contains more than expected ({len(entries)} files). Download it again.")
    taken: set[str] = set()
    for entry in entries:
        target = _place(entry.filename)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InstallError(f"{name} contains a link, {entry.filename!r}.")
        if target is None or entry.is_dir():
            continue
        # "A.py" and "a.py" are one file to Windows and macOS; a wheel must mean the same everywhere.
        if str(target).casefold() in taken:
            raise InstallError(f"{name} holds {entry.filename!r} twice.")
        taken.add(str(target).casefold())
        whole = folder.joinpath(*target.parts)
        whole.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, whole.open("xb") as file:
            for block in iter(lambda: source.read(1 << 20), b""):
                file.write(block)


def _place(name: str) -> PurePosixPath | None:
    """Return an entry's place, or None if it is not for import (binary distribution format, PyPA)."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise InstallError(f"A wheel contains a file {name!r} that would be outside its folder.")
    if len(name) > _LONGEST_NAME or any(_DEVICE.fullmatch(part) or _ODD.search(part) for part in path.parts):
        raise InstallError(f"A wheel contains a file {name[:_LONGEST_NAME]!r}, which is not a valid file name.")
    if path.parts[0].endswith(".data"):
        if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib"):
            return None
        return PurePosixPath(*path.parts[2:])
    return path
