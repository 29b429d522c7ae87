"""The structure of an AVIF file: boxes (ISO/IEC 14496-12, 23008-12, AV1 Image File Format). HEIC has the same."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from eoam_core.pictures.orientation import oriented
from eoam_core.pictures.picture_file import Cicp, Colours, Icc, PictureFile
from eoam_core.pictures.tiff import exif_orientation

_AVIF: Final = (b"avif", b"avis")
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_CONTAINERS: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_UNSPECIFIED: Final = 2


class _Box(NamedTuple):
    kind: bytes
    start: int  # of what is in it
    end: int  # beyond the file's end if it is cut short


def brand(content: bytes) -> str:
    """Return "AVIF" or "HEIC" if the file says that it is one, or ""."""
    if content[4:8] != b"ftyp":
        return ""
    length = min(int.from_bytes(content[:4], "big"), 4096)
    brands = [content[8:12], *(content[at : at + 4] for at in range(16, length, 4))]
    if any(one in _AVIF for one in brands):
        return "AVIF"
    return "HEIC" if any(one in _HEIC for one in brands) else ""


def examine_avif(content: bytes) -> PictureFile:
    """Read what an AVIF file says of itself; struct.error or IndexError if it ends early."""
    end, needed, is_whole = 0, 0, True
    orientation, colours, pictures = 1, None, 1
    for box in _boxes(content, 0, len(content)):
        if not (box.kind.isascii() and box.kind.decode("ascii", "replace").isprintable()):
            break  # something else begins here
        if end and box.kind == b"ftyp":
            break  # another file
        if box.end > len(content):
            is_whole = is_whole and box.kind not in (b"meta", b"mdat", b"moov")
            break
        end = box.end
        if box.kind == b"meta":
            item = _Primary(content, box)
            orientation, colours, needed = item.orientation(), item.colours(), item.needed_end()
        elif box.kind == b"moov":
            pictures = max([1, *_samples(content, box)])
    width, height = _size(content)
    return PictureFile(
        kind="AVIF",
        width=width,
        height=height,
        end=end or len(content),
        is_whole=is_whole and needed <= len(content),
        orientation=orientation,
        colours=colours,
        pictures=pictures,
        bits=_bits(content),
    )


def _boxes(content: bytes, start: int, end: int) -> Iterator[_Box]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        head = 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack_from(">Q", content, start + 8)[0], 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield _Box(kind, start + head, start + size)
        start += size


class _Primary:
    """The item that is shown, and its properties."""

    def __init__(self, content: bytes, meta: _Box) -> None:
        self._content = content
        self._boxes = {box.kind: box for box in _boxes(content, meta.start + 4, min(meta.end, len(content)))}
        self._properties = self._own_properties()

    def orientation(self) -> int:
        """Return EXIF's number for its turns and mirrors, in their order; what EXIF says counts if there are none."""
        turned = np.arange(6, dtype=np.uint8).reshape(2, 3)
        found = False
        for box in self._properties:
            value = self._content[box.start] if box.start < box.end else 0
            if box.kind == b"irot":
                found, turned = True, np.rot90(turned, value & 3)
            elif box.kind == b"imir":
                found, turned = True, np.flip(turned, value & 1)
        if not found:
            return self._exif_orientation()
        plain = np.arange(6, dtype=np.uint8).reshape(2, 3)
        return next(number for number in range(1, 9) if np.array_equal(oriented(plain, number), turned))

    def colours(self) -> Colours | None:
        """Return its profile, or else its numbers."""
        found: Colours | None = None
        for box in self._properties:
            kind, body = self._content[box.start : box.start + 4], self._content[box.start + 4 : box.end]
            if box.kind == b"colr" and kind in (b"prof", b"rICC"):
                return Icc(body)
            if box.kind == b"colr" and kind == b"nclx" and len(body) >= 4:
                found = Cicp(*struct.unpack_from(">HH", body))
        return found

    def needed_end(self) -> int:
        """Return where the last of the file's bytes lies that an item needs."""
        return max((end for _, _, end in self._places()), default=0)

    def _own_properties(self) -> list[_Box]:
        content = self._content
        holder = self._boxes.get(b"iprp")
        if holder is None or b"pitm" not in self._boxes:
            return []
        inside = {box.kind: box for box in _boxes(content, holder.start, holder.end)}
        if b"ipco" not in inside or b"ipma" not in inside:
            return []
        everything = list(_boxes(content, inside[b"ipco"].start, inside[b"ipco"].end))
        primary = self._number(self._boxes[b"pitm"].start + 4, wide=content[self._boxes[b"pitm"].start] > 0)
        at = inside[b"ipma"].start
        wide_item, wide_index = content[at] > 0, content[at + 3] & 1
        count = struct.unpack_from(">I", content, at + 4)[0]
        at += 8
        for _ in range(count):
            item = self._number(at, wide=wide_item)
            at += 4 if wide_item else 2
            links, at = content[at], at + 1
            size = 2 if wide_index else 1
            if item == primary:
                mask = 0x7FFF if wide_index else 0x7F
                numbers = [int.from_bytes(content[at + n * size :][:size], "big") & mask for n in range(links)]
                return [everything[number - 1] for number in numbers if 0 < number <= len(everything)]
            at += links * size
        return []

    def _number(self, at: int, *, wide: bool) -> int:
        found: int = struct.unpack_from(">I" if wide else ">H", self._content, at)[0]
        return found

    def _places(self) -> Iterator[tuple[int, int, int]]:
        """Yield the item, start and end of each stretch of the file that `iloc` names."""
        box = self._boxes.get(b"iloc")
        if box is None:
            return
        content, at = self._content, box.start
        version, sizes = content[at], content[at + 4 : at + 6]
        offset_size, length_size = sizes[0] >> 4, sizes[0] & 15
        base_size, index_size = sizes[1] >> 4, sizes[1] & 15 if version else 0
        count = self._number(at + 6, wide=version > 1)
        at += 10 if version > 1 else 8
        for _ in range(count):
            if at >= box.end:
                return
            item = self._number(at, wide=version > 1)
            at += 4 if version > 1 else 2
            method = 0
            if version:
                method, at = content[at + 1] & 15, at + 2
            at += 2  # which file
            base, at = int.from_bytes(content[at : at + base_size], "big"), at + base_size
            extents = self._number(at, wide=False)
            if not offset_size + length_size + index_size:
                extents = min(extents, 1)  # they would all be the same
            at += 2
            for _ in range(extents):
                at += index_size
                offset, at = int.from_bytes(content[at : at + offset_size], "big"), at + offset_size
                length, at = int.from_bytes(content[at : at + length_size], "big"), at + length_size
                if method == 0:
                    yield item, base + offset, base + offset + length
                if at >= box.end:
                    break

    def _exif_orientation(self) -> int:
        box = self._boxes.get(b"iinf")
        if box is None:
            return 1
        names = box.start + (8 if self._content[box.start] else 6)
        for entry in _boxes(self._content, names, box.end):
            wide = self._content[entry.start] > 2
            kind_at = entry.start + 4 + (4 if wide else 2) + 2
            if self._content[kind_at : kind_at + 4] != b"Exif":
                continue
            number = self._number(entry.start + 4, wide=wide)
            for item, start, end in self._places():
                if item == number and end - start > 4:
                    skipped = struct.unpack_from(">I", self._content, start)[0]
                    return exif_orientation(self._content[start + 4 + skipped : end]) or 1
            break
        return 1


def _samples(content: bytes, box: _Box, depth: int = 5) -> Iterator[int]:
    """Yield the number of pictures of each track."""
    for inner in _boxes(content, box.start, box.end):
        if inner.kind in _CONTAINERS and depth:
            yield from _samples(content, inner, depth - 1)
        elif inner.kind == b"stsz":
            yield struct.unpack_from(">I", content, inner.start + 8)[0]


def _size(content: bytes) -> tuple[int, int]:
    """Take the largest of the `ispe` boxes: the whole's, that of its alpha, of its tiles."""
    width, height, at = 0, 0, content.find(b"ispe")
    while at >= 0:
        across, down = struct.unpack_from(">II", content, at + 8)
        width, height = max(width, across), max(height, down)
        at = content.find(b"ispe", at + 4)
    return width, height


def _bits(content: bytes) -> int:
    at = content.find(b"av1C")
    flags = content[at + 6] if 0 <= at < len(content) - 6 else 0
    return 12 if flags & 0x20 else 10 if flags & 0x40 else 8
