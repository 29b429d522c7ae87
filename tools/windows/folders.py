"""Folders that are made whole or not at all, in the cache."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.windows.fetch import LOCK, cache


def made(name: str, make: Callable[[Path], None], *, of: tuple[Path, ...] = ()) -> Path:
    """Return the cache's folder `name`, made by `make` if it is not there; what was made of older files goes.

    The folder's full name has a hash over downloads.json and the files in `of`, so a change of these makes it anew.
    `make` fills an empty folder that gets its name when it returns: after an error or a kill nothing is left.
    """
    digest = hashlib.sha256(LOCK.read_bytes())
    for path in of:
        digest.update(path.read_bytes())
    folder = cache() / f"{name}-{digest.hexdigest()[:10]}"
    if folder.is_dir():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    for old in cache().glob(f"{name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=".making-", dir=cache()))
    try:
        make(place)
        place.chmod(0o755)
        place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return folder
