"""Find the networks: those that ship with EOAM, and the one that a user names. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

MODEL_ENVIRONMENT_VARIABLE: Final = "EOAM_MODEL"
_PACKAGE: Final = Path(__file__).resolve().parent


def default_model_path() -> Path:
    """Return the model file to use: $EOAM_MODEL if set, otherwise models/eoam.onnx beside the packages.

    The wheel has it inside this package, because `models` would be too general a name in site-packages.
    """
    chosen = os.environ.get(MODEL_ENVIRONMENT_VARIABLE, "").strip()
    if chosen:
        return expanded(chosen)
    beside, inside = (folder / "eoam.onnx" for folder in model_folders())
    return inside if inside.is_file() and not beside.is_file() else beside


def model_folders() -> tuple[Path, Path]:
    """Return the folders that may hold the networks that ship with EOAM: beside the packages, and inside this one."""
    return _PACKAGE.parent / "models", _PACKAGE / "models"


def is_network_file(name: str) -> bool:
    """Return whether a setting names a user's own file, and not a network that ships with EOAM."""
    path = expanded(name)
    return path.suffix.lower() == ".onnx" or len(path.parts) > 1


def expanded(name: str) -> Path:
    """Return the path that a user's text names: `~` is the home folder; `~name` of an unknown user stays as it is."""
    path = Path(name)
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user, or nobody knows where the home is
        return path
