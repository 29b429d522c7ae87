"""The structure of a TIFF file: its directories (TIFF 6.0; BigTIFF). EXIF is one as well."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from eoam_core.pictures.picture_file import DamagedPictureError, Icc, PictureFile

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8}  # bytes of a value, by the type's number
_WIDTH: Final = 256
_HEIGHT: Final = 257
_BITS: Final = 258
_PHOTOMETRIC: Final = 262
_ORIENTATION: Final = 274
_SAMPLES: Final = 277
_EXTRA_SAMPLES: Final = 338
_PROFILE: Final = 34675
_KIND: Final = 254
_DNG: Final = 50706
# Where the strips or tiles lie, and how long they are.
_PLACES: Final = ((273, 279), (324, 325))
_MAX_ENTRIES: Final = 4096
_MAX_VALUES: Final = 1 << 21  # more than there are tiles in the largest picture
_MAX_PAGES: Final = 10_000
_FEW: Final = 8  # entries are sorted, and a page's kind comes first


@dataclass(frozen=True, kw_only=True, slots=True)
class _Directory:
    content: bytes
    order: str
    entries: dict[int, tuple[int, int, int]]  # tag: type, count, where the values lie
    next: int

    def values(self, tag: int) -> list[int]:
        """Return the whole numbers of a tag, [] if it is not there."""
        kind, count, at = self.entries.get(tag, (1, 0, 0))
        size = _SIZES.get(kind)
        if size is None or count > _MAX_VALUES:
            raise DamagedPictureError("a value of an odd type or length")
        data = self.content[at : at + count * size]
        if len(data) < count * size:
            raise DamagedPictureError("a value beyond the end")
        found: list[int] = np.frombuffer(data, f"{self.order}u{size}").tolist()
        return found

    def value(self, tag: int, default: int = 0) -> int:
        return (self.values(tag) or [default])[0]

    def text(self, tag: int) -> bytes:
        _, count, at = self.entries.get(tag, (1, 0, 0))
        return self.content[at : at + count]


def examine_tiff(content: bytes) -> PictureFile:
    """Read what the first page of a TIFF file says of itself.

    Raises:
        DamagedPictureError: it makes no sense; struct.error, IndexError, ValueError: it ends early.
    """
    start, order, big = _header(content)
    first = _directory(content, start, order, big)
    is_whole, pages, seen, at = True, 1, {start}, first.next
    for tags in _PLACES:
        places, lengths = (first.values(tag) for tag in tags)
        is_whole = is_whole and all(a + b <= len(content) for a, b in zip(places, lengths, strict=False))
    while at and at not in seen and len(seen) < _MAX_PAGES:
        seen.add(at)
        try:
            page = _directory(content, at, order, big, most=_FEW)
        except (struct.error, DamagedPictureError):
            is_whole = False
            break
        pages += page.value(_KIND) & 5 == 0  # neither a smaller copy nor a mask of another page
        at = page.next
    extra = first.value(_EXTRA_SAMPLES)
    bits, samples = first.value(_BITS, 1), first.value(_SAMPLES, 1)
    note = ""
    if first.value(_PHOTOMETRIC) in (0, 1) and samples > 1:
        note = "is greyscale with transparency, which is not supported in a TIFF; save it as PNG to keep it."
    profile = first.text(_PROFILE)
    return PictureFile(
        kind="TIFF" if _DNG not in first.entries else "DNG",
        width=first.value(_WIDTH),
        height=first.value(_HEIGHT),
        end=len(content),  # it may lie anywhere in the file
        is_whole=is_whole,
        # OpenCV turns TIFFs upright itself. libtiff multiplies 8-bit colour by its alpha.
        is_premultiplied=extra == 1 or (extra == 2 and bits == 8),
        colours=Icc(profile) if profile else None,
        is_cmyk=first.value(_PHOTOMETRIC) == 5,
        pictures=pages,
        note=note,
    )


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF data gives, 1 to 8, or 0 if it gives none."""
    exif = exif.removeprefix(b"Exif\0\0")
    try:
        found = _directory(exif, *_header(exif)).value(_ORIENTATION)
    except (struct.error, DamagedPictureError):
        return 0
    return found if 1 <= found <= 8 else 0


def _header(content: bytes) -> tuple[int, str, bool]:
    """Return where the first directory is, the byte order, and whether its numbers have 64 bits."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise DamagedPictureError("no byte order")
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    return struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)[0], order, big


def _directory(content: bytes, start: int, order: str, big: bool, most: int = _MAX_ENTRIES) -> _Directory:
    if start > len(content):
        raise DamagedPictureError("a directory beyond the end")
    number, head, entry = (order + "Q", 8, 20) if big else (order + "I", 2, 12)
    count = struct.unpack_from(order + ("Q" if big else "H"), content, start)[0]
    if count > _MAX_ENTRIES:
        raise DamagedPictureError("too many entries")
    entries: dict[int, tuple[int, int, int]] = {}
    for at in range(start + head, start + head + min(count, most) * entry, entry):
        tag, kind = struct.unpack_from(order + "HH", content, at)
        amount = struct.unpack_from(number, content, at + 4)[0]
        place = at + entry - struct.calcsize(number)
        if amount * _SIZES.get(kind, 8) > struct.calcsize(number):
            place = struct.unpack_from(number, content, place)[0]
        entries.setdefault(tag, (kind, amount, place))
    following = content[start + head + count * entry :][: struct.calcsize(number)]
    later = struct.unpack(number, following)[0] if len(following) == struct.calcsize(number) else 0
    return _Directory(content=content, order=order, entries=entries, next=later)
