"""Compare the pictures of two sessions, one renderer's against the other's.

    python -m tools.libobs_host.compare ONE OTHER

Prints the largest difference per picture as JSON: {"name": grey levels}, null where only one of them has the picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def differences(one: Path, other: Path) -> dict[str, int | None]:
    """Return the largest difference of each picture in grey levels, by its name, or None if one of them lacks it."""
    files = [_files(folder) for folder in (one, other)]
    found: dict[str, int | None] = {}
    for name in dict.fromkeys([*files[0], *files[1]]):
        if name not in files[0] or name not in files[1]:
            found[name] = None
            continue
        pictures = [np.load(file[name]).astype(np.int16) for file in files]
        same_shape = pictures[0].shape == pictures[1].shape
        found[name] = int(np.abs(pictures[0] - pictures[1]).max()) if same_shape else 255
    return found


def _files(folder: Path) -> dict[str, Path]:
    names = json.loads((folder / "results.json").read_text(encoding="utf-8"))["pictures"]
    return {name: folder / "pictures" / f"{number:03}.npy" for number, name in enumerate(names)}


if __name__ == "__main__":
    json.dump(differences(*map(Path, sys.argv[1:3])), sys.stdout)
