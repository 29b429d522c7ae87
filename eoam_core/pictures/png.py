"""The structure of a PNG file: its chunks, to the one that ends it (PNG, third edition)."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from eoam_core.pictures.picture_file import Cicp, Colours, Gamma, Icc, PictureFile
from eoam_core.pictures.tiff import exif_orientation

_KEPT: Final = (b"IHDR", b"acTL", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"tRNS")
_MAX_PROFILE: Final = 1 << 24
# What the decoder needs; the last three are an animation's.
_PIXELS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")


def examine_png(content: bytes) -> PictureFile:
    """Read what a PNG file says of itself; IndexError, struct.error or ValueError if it ends early."""
    chunks: dict[bytes, bytes] = {}
    at, is_whole = 8, False
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        start, at = at + 8, at + 12 + length
        if at > len(content):
            break
        if kind in _KEPT:
            chunks.setdefault(kind, content[start : start + length])
        elif kind == b"IEND":
            is_whole = True
            break
    width, height, depth, colour = struct.unpack_from(">IIBB", content, 16)
    transparent = chunks.get(b"tRNS", b"")
    grey = None
    if colour == 0 and len(transparent) == 2:
        grey = int.from_bytes(transparent, "big") * (255 // ((1 << depth) - 1) if depth in (1, 2, 4) else 1)
    return PictureFile(
        kind="PNG",
        width=width,
        height=height,
        end=min(at, len(content)),
        is_whole=is_whole,
        orientation=exif_orientation(chunks.get(b"eXIf", b"")) or 1,
        colours=_colours(chunks),
        pictures=max(1, int.from_bytes(chunks.get(b"acTL", b"")[:4], "big")),
        transparent_grey=grey,
    )


def pixels_only(content: bytes) -> bytes:
    """Return a PNG file without what is read above: libpng would write about some of it on stderr."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind in _PIXELS:
            parts.append(content[at : at + 12 + length])
        at += 12 + length
    return b"".join(parts)


def _colours(chunks: dict[bytes, bytes]) -> Colours | None:
    """Return what says most of the colours; a file may have all of these for readers that know only some."""
    if len(chunks.get(b"cICP", b"")) == 4 and chunks[b"cICP"][2] == 0:
        return Cicp(*chunks[b"cICP"][:2])
    if b"iCCP" in chunks:
        _, _, packed = chunks[b"iCCP"].partition(b"\0")
        try:
            return Icc(zlib.decompressobj().decompress(packed[1:], _MAX_PROFILE))
        except zlib.error:
            return Icc(b"")  # said to be a profile that cannot be used
    if b"sRGB" in chunks:
        return None
    exponent, chromaticities = None, None
    if len(chunks.get(b"gAMA", b"")) == 4:
        exponent = int.from_bytes(chunks[b"gAMA"], "big") / 100_000
    if len(chunks.get(b"cHRM", b"")) == 32:
        chromaticities = tuple(value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
    return Gamma(exponent, chromaticities) if exponent or chromaticities else None
