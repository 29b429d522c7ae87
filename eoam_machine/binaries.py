"""Read a program's file: its processor, its version, the Python it is linked with. Nothing is run."""

from __future__ import annotations

import mmap
import plistlib
import re
import struct
from pathlib import Path

_PE = {0x8664: "x86_64", 0xAA64: "arm64", 0x014C: "x86"}
_MACH = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_ELF = {62: "x86_64", 183: "aarch64"}
# VS_FIXEDFILEINFO of the Windows API: the signature, its own version, then the file's version.
_FIXED_FILE_INFO = struct.pack("<I", 0xFEEF04BD)


def architecture(path: Path) -> str:
    """Return the processor that a program is made for ("x86_64", "arm64", "aarch64"), or "" if unknown."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError:
        return ""
    if start[:2] == b"MZ" and len(start) >= 64:
        offset = struct.unpack_from("<I", start, 60)[0]
        if len(start) >= offset + 6 and start[offset : offset + 4] == b"PE\0\0":
            return _PE.get(struct.unpack_from("<H", start, offset + 4)[0], "")
    if start[:4] == b"\xcf\xfa\xed\xfe" and len(start) >= 8:  # Mach-O, 64 bits, little-endian
        return _MACH.get(struct.unpack_from("<I", start, 4)[0], "")
    if start[:4] == b"\x7fELF" and len(start) >= 20:
        return _ELF.get(struct.unpack_from("<H", start, 18)[0], "")
    return ""


def linked_python(path: Path) -> tuple[int, int] | None:
    """Return the version of the libpython that an ELF file is linked with, or None."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = re.search(rb"libpython(3)\.(\d{1,3})\.so", content)
            return (int(found[1]), int(found[2])) if found else None
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None


def windows_version(path: Path) -> tuple[int, ...]:
    """Return the version in a Windows program's resources, or () if there is none."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = content.find(_FIXED_FILE_INFO)
            if at < 0:
                return ()
            high, low = struct.unpack("<II", content[at + 8 : at + 16])
    except (OSError, ValueError, struct.error):
        return ()
    return (high >> 16, high & 0xFFFF, low >> 16)


def bundle_version(bundle: Path) -> tuple[int, ...]:
    """Return the version of a macOS application, or ()."""
    try:
        with (bundle / "Contents" / "Info.plist").open("rb") as file:
            return version(str(plistlib.load(file).get("CFBundleShortVersionString", "")))
    except Exception:  # the property-list reader passes on anything its parsers raise
        return ()


def version(text: str) -> tuple[int, ...]:
    """Return the first version number in a text: "OBS Studio - 29.0.2.1-1 (linux)" is (29, 0, 2).

    () if there is none, and for a build between releases ("27.2.0-4566-g63206664e", as Git describes it): it is later
    than the tag it names, which may be years old.
    """
    found = re.search(r"\d{1,9}(?:\.\d{1,9})+(-\d+-g[0-9a-f]{7,40})?", text)
    return tuple(int(part) for part in found[0].split(".")[:3]) if found and not found[1] else ()
