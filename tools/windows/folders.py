"""Make folders in the cache, completely or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.windows.fetch import cache, downloads

_UNUSED_S: Final = 7 * 24 * 3600


def made(name: str, make: Callable[[Path], None], *, of: tuple[Path, ...] = (), groups: tuple[str, ...] = ()) -> Path:
    """Return the cache's folder `name`, made by `make` if it is not there; what nobody has used for a week goes.

    The folder's full name has a hash over the files in `of` and what the lock says of `groups`, so a change of these
    makes it anew. `make` fills an empty folder that gets its name when it returns: after an error or a kill nothing is
    left.
    """
    digest = hashlib.sha256()
    for path in of:
        digest.update(path.read_bytes())
    for group in groups:
        digest.update(repr(downloads(group)).encode())
    folder = cache() / f"{name}-{digest.hexdigest()[:10]}"
    if folder.is_dir():
        os.utime(folder)
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    for old in cache().glob(f"{name}-*"):
        if old.stat().st_mtime < time.time() - _UNUSED_S:
            shutil.rmtree(old, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=".making-", dir=cache()))
    try:
        make(place)
        place.chmod(0o755)
        place.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return folder
