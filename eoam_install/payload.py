"""Find the project's own files to install: in a clone, the unpacked download or an installed wheel."""

from __future__ import annotations

import hashlib
from pathlib import Path

from eoam_core.model_sums import SUMS, is_whole, known_sha256
from eoam_machine.errors import InstallError
from eoam_machine.receipt import MODEL

_FILES = ("obs_eoam.py", "install.py", "README.txt", "LICENSE")
_FOLDERS = ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install", "locale")
_NEEDED = (
    "obs_eoam.py",
    "eoam_core/__init__.py",
    "eoam_obs/__init__.py",
    "eoam_machine/__init__.py",
    "eoam_install/wheels.lock.json",
)


def payload(source: Path) -> dict[str, Path]:
    """Return paths below the target, with `/`, and their files in `source`.

    InstallError if something is missing or the network is damaged.
    """
    found: dict[str, Path] = {}
    for root in (source, source / "eoam_install" / "files"):  # the second is the wheel's, see setup.py
        for name in _FILES:
            if (root / name).is_file():
                found.setdefault(name, root / name)
        for name in _FOLDERS:
            for path in sorted((root / name).rglob("*")):
                if path.is_file() and not _skipped(path.relative_to(root).as_posix()):
                    found.setdefault(path.relative_to(root).as_posix(), path)
    for folder in (source / "models", source / "eoam_core" / "models"):
        for pattern in ("*.onnx", "MODEL_CARD.md", SUMS):
            for path in sorted(folder.glob(pattern)):
                found.setdefault(f"models/{path.name}", path)
    missing = [name for name in (*_NEEDED, MODEL) if name not in found]
    if missing:
        raise InstallError(f"{source} lacks {', '.join(missing)}. Unpack the whole download and run this again.")
    for name, path in found.items():
        if name.endswith(".onnx"):
            check_model(path)
    return found


def _skipped(name: str) -> bool:
    return (
        "__pycache__" in name or name.endswith(".pyc") or name.startswith(("eoam_core/models/", "eoam_install/files/"))
    )


def check_model(path: Path) -> None:
    """Refuse a network's file that is truncated, of another kind, or not the one in SHA256SUMS."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InstallError(f"The network {path} cannot be read ({error.strerror or error}).") from None
    if not is_whole(content):
        raise InstallError(f"The network {path} is damaged or was cut short. Download it again.")
    wanted = known_sha256(path)
    if wanted and hashlib.sha256(content).hexdigest() != wanted:
        raise InstallError(f"The network {path} does not match this version (SHA-256). Download it again.")
