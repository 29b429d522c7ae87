"""The structures of the smaller formats: WebP (RFC 9649), GIF (89a) and BMP."""

from __future__ import annotations

import struct
from typing import Final

from eoam_core.pictures.picture_file import Icc, PictureFile
from eoam_core.pictures.tiff import exif_orientation

_GIF_PROFILE: Final = b"ICCRGBG1012"


def examine_webp(content: bytes) -> PictureFile:
    """Read the chunks of a WebP file; struct.error or IndexError if it ends early."""
    size = struct.unpack_from("<I", content, 4)[0]
    end = 8 + size + size % 2
    profile, orientation, pictures = b"", 0, 0
    at = 12
    while at + 8 <= min(end, len(content)):
        kind, length = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + length] if kind in (b"ICCP", b"EXIF") else b""
        if kind == b"ICCP":
            profile = profile or body
        elif kind == b"EXIF":
            orientation = orientation or exif_orientation(body)
        pictures += kind == b"ANMF"
        at += 8 + length + length % 2
    width, height = _webp_size(content)
    return PictureFile(
        kind="WebP",
        width=width,
        height=height,
        end=min(end, len(content)),
        is_whole=8 + size <= len(content),
        orientation=orientation or 1,
        colours=Icc(profile) if profile else None,
        pictures=max(1, pictures),
    )


def _webp_size(content: bytes) -> tuple[int, int]:
    """Read the first chunk: extended, lossless or lossy."""
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def examine_gif(content: bytes) -> PictureFile:
    """Go from block to block of a GIF file to its trailer; struct.error if it ends before its first picture."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + _gif_colours(flags)
    pictures, profile, is_whole = 0, b"", True
    while at < len(content) and content[at] in b"!,":
        if content[at] == 0x21:
            at, extension = _gif_data(content, at + 2, keep=content[at + 1] == 0xFF)
            if extension.startswith(_GIF_PROFILE):
                profile = profile or extension[len(_GIF_PROFILE) :]
        else:
            flags = struct.unpack_from("<B", content, at + 9)[0] if at + 10 <= len(content) else 0
            at, _ = _gif_data(content, at + 11 + _gif_colours(flags))
            pictures += 1
        is_whole = at <= len(content)
    return PictureFile(
        kind="GIF",
        width=width,
        height=height,
        end=min(at + 1, len(content)),
        is_whole=is_whole and pictures > 0,
        missing=b"" if content[at : at + 1] == b";" else b";",  # the trailer
        colours=Icc(profile) if profile else None,
        pictures=max(1, pictures),
    )


def _gif_colours(flags: int) -> int:
    """Return the bytes of the colour table that `flags` announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_data(content: bytes, at: int, *, keep: bool = False) -> tuple[int, bytes]:
    """Return where a series of sub-blocks ends (beyond the content: it is cut short), and what it holds if `keep`."""
    parts = []
    while at < len(content) and content[at]:
        if keep:
            parts.append(content[at + 1 : at + 1 + content[at]])
        at += 1 + content[at]
    return at + 1, b"".join(parts)


def examine_bmp(content: bytes) -> PictureFile:
    """Read the headers of a BMP file; struct.error if it ends early."""
    offset, header = struct.unpack_from("<II", content, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
        packed = stated = 0
    else:
        width, height, _, bits, packed, stated = struct.unpack_from("<iiHHII", content, 18)
    height = abs(height)  # negative: from the top
    stride = (width * bits + 31) // 32 * 4
    padding = stride - (width * bits + 7) // 8
    end = offset + (stride * height - padding if packed in (0, 3, 6) else stated)  # the others are compressed
    profile = b""
    if header >= 124 and content[70:74] == b"DEBM":  # a profile inside the file
        place, length = struct.unpack_from("<II", content, 126)
        profile = content[14 + place : 14 + place + length]
        end = max(end, 14 + place + length)
    return PictureFile(
        kind="BMP",
        width=width,
        height=height,
        end=len(content),  # what follows does not disturb its decoder
        is_whole=end <= len(content),
        missing=bytes(padding),  # of the last row
        colours=Icc(profile) if profile else None,
    )
