"""Check whether a network's file is complete, and read the SHA-256 list beside it.

The installer uses this too, so it needs the standard library only, and no newer Python than 3.9.
"""

from __future__ import annotations

from pathlib import Path

from eoam_core.protobuf import fields

SUMS = "SHA256SUMS"  # beside the networks
_LONGEST_SUMS = 1 << 20


def known_sha256(path: Path) -> str:
    """Return the SHA-256 that the list beside a file has for it, or ""."""
    return read_sums(path.parent).get(path.name, "")


def read_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder's list; empty if there is no readable list."""
    try:
        with (folder / SUMS).open(encoding="ascii") as file:
            lines = file.read(_LONGEST_SUMS).splitlines()
    except (OSError, ValueError):
        return {}
    pairs = [line.split() for line in lines]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def is_whole(content: bytes) -> bool:
    """Return whether this is a complete ONNX model: protobuf's fields must end where the file does."""
    if not content.startswith(b"\x08"):  # ir_version, the first field
        return False
    try:
        return max(field.number for field in fields(content)) >= 7  # graph
    except ValueError:
        return False
