"""Where the networks lie: those that come with EOAM, and the one that a user names. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

MODEL_ENVIRONMENT_VARIABLE: Final = "EOAM_MODEL"
_PACKAGE: Final = Path(__file__).resolve().parent


def default_model_path() -> Path:
    """Return the model file to use: $EOAM_MODEL if set, otherwise models/eoam.onnx beside the packages.

    The wheel has it inside this package, since `models` is no name to take in everybody's site-packages.
    """
    chosen = os.environ.get(MODEL_ENVIRONMENT_VARIABLE, "").strip()
    if chosen:
        return expanded(chosen)
    beside, inside = (folder / "eoam.onnx" for folder in model_folders())
    return inside if inside.is_file() and not beside.is_file() else beside


def model_folders() -> tuple[Path, Path]:
    """Return where the networks that come with EOAM may lie: beside the packages, and inside this one."""
    return _PACKAGE.parent / "models", _PACKAGE / "models"


def is_network_file(name: str) -> bool:
    """Whether a setting names a file of the user's own, and not a network that comes with EOAM."""
    path = expanded(name)
    return path.suffix.lower() == ".onnx" or len(path.parts) > 1


def expanded(name: str) -> Path:
    """Return the path that a user's text names: `~` is the home folder, and `~nobody` a file of that name."""
    path = Path(name)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user, or nobody knows where the home is
        return path
