"""What a picture's first bytes say of its kind and size, before a decoder makes memory for it.

A PNG of a few hundred kilobytes may claim 60000x60000 pixels, which are 14 GB once they are decoded. Only the kinds
below are handed to OpenCV at all; the rarer ones of its decoders are not worth their risk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

KINDS: Final = "PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF"


class Size(NamedTuple):
    """Width and height in pixels, as the file claims."""

    width: int
    height: int


def claimed_size(content: bytes) -> Size | None:
    """Return the size that a picture's file claims, or None if it is damaged or of no known kind."""
    for is_kind, read in _READERS:
        if is_kind(content):
            try:
                size = read(content)
            except (struct.error, IndexError, ValueError):
                return None
            return size if size.width > 0 and size.height > 0 else None
    return None


def _png(content: bytes) -> Size:
    return Size(*struct.unpack_from(">II", content, 16))


def _jpeg(content: bytes) -> Size:
    """Go from marker to marker to the frame header (ITU T.81, B.2.2)."""
    at = 2
    while True:
        at = content.index(b"\xff", at)
        while content[at] == 0xFF:
            at += 1
        marker = content[at]
        at += 1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 3)
            return Size(width, height)
        if marker == 0xDA:
            raise ValueError("a scan without a frame")
        if marker not in (0x00, 0x01) and not 0xD0 <= marker <= 0xD8:  # those stand alone
            at += max(2, struct.unpack_from(">H", content, at)[0])


def _webp(content: bytes) -> Size:
    """Read the first chunk (RFC 9649): lossy, lossless or extended."""
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return Size(width, height)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", content, 26)
    return Size(width & 0x3FFF, height & 0x3FFF)


def _bmp(content: bytes) -> Size:
    if struct.unpack_from("<I", content, 14)[0] == 12:
        return Size(*struct.unpack_from("<HH", content, 18))
    width, height = struct.unpack_from("<ii", content, 18)
    return Size(width, abs(height))  # negative: from the top


def _gif(content: bytes) -> Size:
    return Size(*struct.unpack_from("<HH", content, 6))


def _tiff(content: bytes) -> Size:
    """Read the first directory (TIFF 6.0; 64-bit offsets as in BigTIFF)."""
    order = "<" if content.startswith(b"II") else ">"
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    start = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), content, start)[0]
    entry, value = (20, 12) if big else (12, 8)
    found: dict[int, int] = {}
    for number in range(min(count, 4096)):
        at = start + (8 if big else 2) + number * entry
        tag, kind = struct.unpack_from(order + "HH", content, at)
        if tag in (256, 257):
            code = {3: "H", 4: "I", 16: "Q"}.get(kind)
            if code is None:
                raise ValueError("a size of an odd type")
            found[tag] = struct.unpack_from(order + code, content, at + value)[0]
    return Size(found.get(256, 0), found.get(257, 0))


def _avif(content: bytes) -> Size:
    """Take the largest of the `ispe` boxes (ISO/IEC 23008-12): the whole's, that of its alpha, of its tiles."""
    found, at = Size(0, 0), content.find(b"ispe")
    while at >= 0:
        size = Size(*struct.unpack_from(">II", content, at + 8))
        found = Size(max(found.width, size.width), max(found.height, size.height))
        at = content.find(b"ispe", at + 4)
    return found


_READERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Size]], ...]] = (
    (lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda content: content.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", _webp),
    (lambda content: content.startswith(b"BM"), _bmp),
    (lambda content: content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
    (lambda content: content[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda content: content[4:12] in (b"ftypavif", b"ftypavis", b"ftypmif1"), _avif),
)
