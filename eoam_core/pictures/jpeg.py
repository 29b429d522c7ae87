"""The structure of a JPEG file: from marker to marker and through its scans to this picture's own end (ITU-T T.81).

Phones put videos, depth maps and further pictures behind that end, and thumbnails with ends of their own before it.
"""

from __future__ import annotations

import struct
from typing import Final

from eoam_core.pictures.picture_file import DamagedPictureError, Icc, PictureFile
from eoam_core.pictures.tiff import exif_orientation

_MCU_BYTES: Final = 2160  # more than the largest one has, of ten blocks
_EXIF: Final = b"Exif\0\0"
_ICC: Final = b"ICC_PROFILE\0"


def examine_jpeg(content: bytes) -> PictureFile:
    """Read what a JPEG file says of itself.

    Raises:
        DamagedPictureError: there is no picture in it; struct.error, IndexError, ValueError: it ends early.
    """
    width = height = components = orientation = interval = 0
    frame = 0
    sampling = b""
    profile: dict[int, bytes] = {}
    end, is_whole, lacks_end_mark = len(content), False, False
    at = 2
    while (at := content.find(b"\xff", at)) >= 0:
        while at < len(content) and content[at] == 0xFF:
            at += 1
        if at == len(content):
            break
        marker = content[at]
        at += 1
        if marker == 0xD9:
            end, is_whole = at, True
            break
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # those stand alone
            continue
        length = max(2, int.from_bytes(content[at : at + 2], "big"))
        segment = content[at + 2 : at + length]
        if len(segment) < length - 2:
            break
        at += length
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, components = struct.unpack_from(">HHB", segment, 1)
            frame, sampling = marker, segment[7 : 6 + 3 * components : 3]
        elif marker == 0xE1 and segment.startswith(_EXIF) and not orientation:
            orientation = exif_orientation(segment[len(_EXIF) :])
        elif marker == 0xE2 and segment.startswith(_ICC) and len(segment) > len(_ICC) + 2:
            profile.setdefault(segment[len(_ICC)], segment[len(_ICC) + 2 :])
        elif marker == 0xDD:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == 0xDA:
            if not width:
                raise DamagedPictureError("a scan without a frame")
            at, restarts = _after_scan(content, at)
            if at < 0:
                end = _end_of_data(content)
                # Where the picture comes in several scans, nobody can tell whether there were to be more.
                is_only_scan = frame in (0xC0, 0xC1) and segment[0] == components
                if is_only_scan and width and height:
                    lacks_end_mark = restarts == ((_units(width, height, sampling) - 1) // interval if interval else 0)
                break
    return PictureFile(
        kind="JPEG",
        width=width,
        height=height,
        end=end,
        is_whole=is_whole,
        lacks_end_mark=lacks_end_mark,
        orientation=orientation or 1,
        colours=Icc(b"".join(part for _, part in sorted(profile.items()))) if profile else None,
        is_cmyk=components == 4,
    )


def endings(content: bytes, width: int) -> tuple[bytes, bytes]:
    """Return a JPEG that lacks its end mark with two ends: they decode to the same picture if nothing else is missing.

    Where something is, the decoder takes the bits of the end for it, so there are enough for a few rows of the picture.
    No mark follows, or libjpeg would write about it on stderr. Few ones follow each other, since codes of only ones are
    not used, and it would write about those as well.
    """
    count = 3 * _MCU_BYTES * (width // 8 + 1) // 3
    return content + b"\x92\x49\x24" * count, content + b"\x51\x14\x45" * count


def _after_scan(content: bytes, at: int) -> tuple[int, int]:
    """Return where the marker is that follows a scan's data, or -1, and how many restart markers are in the data."""
    restarts = 0
    # Not by a regular expression, which keeps Python's lock for as long as it searches: OBS's graphics thread needs it.
    while (at := content.find(b"\xff", at)) >= 0:
        after = content[at + 1] if at + 1 < len(content) else 0
        if 0xD0 <= after <= 0xD7:
            restarts += 1
        elif after not in (0x00, 0xFF):  # a stuffed byte, or one that fills up
            return at, restarts
        at += 1 if after == 0xFF else 2
    return -1, restarts


def _units(width: int, height: int, sampling: bytes) -> int:
    """Return how many units a scan of all components has between which restart markers may stand."""
    across, down = (
        max((value >> 4 for value in sampling), default=1),
        max((value & 15 for value in sampling), default=1),
    )
    if len(sampling) == 1:
        across = down = 1
    return -(-width // (8 * max(1, across))) * -(-height // (8 * max(1, down)))


def _end_of_data(content: bytes) -> int:
    # Interrupted copies and downloads are filled up with zeros. A scan's last byte is none: it is padded with ones.
    data = content.rstrip(b"\0")
    if len(data) < len(content) and data.endswith(b"\xff"):
        return len(data) + 1  # a stuffed byte
    return len(data.rstrip(b"\xff"))  # half of the end mark
