"""Detect a truncated video file by the sizes that its own parts state, not by a duration.

A recording cut off by a crash has no duration yet, and it decodes without an error up to the cut.
"""

from __future__ import annotations

import io
from typing import BinaryIO, Final

_MOST_PARTS: Final = 200_000  # a fragmented MP4 has two for each second or so
_BOXES: Final = frozenset(
    b"ftyp moov mdat moof free skip wide uuid sidx ssix styp mfra meta emsg prft pdin pnot udta".split()
)
_TS_PACKETS: Final = (188, 192)
_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_EBML: Final = 0x1A45DFA3
_EBML_IDS: Final = {_CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, 0xEC}


class FileEnd:
    """What the structure of a video file says.

    Attributes:
        is_truncated: whether its last part reaches beyond the file's end.
        media_bytes: how much a fragmented MP4 holds for its tracks, or 0.
        first_cluster: where a Matroska file's first pictures begin, in bytes, or None.

    Args:
        file: at its beginning; it is rewound afterwards.
        form: FFmpeg's name of the format.
    """

    def __init__(self, file: BinaryIO, form: str) -> None:
        self.is_truncated = False
        self.media_bytes = 0
        self.first_cluster: int | None = None
        self._file = file
        try:
            self._size = file.seek(0, io.SEEK_END)
            if form.startswith(("mov", "avif")):
                self._walk_boxes()
            elif form.startswith("matroska"):
                self._walk_elements()
            elif form == "avi":
                self._walk_riffs()
            elif form.startswith("mpegts"):
                self._count_packets()
            elif form.startswith("webp"):
                self.is_truncated = self._size < int.from_bytes(self._at(4, 4), "little") + 8
        except OSError:
            pass  # reading the pictures will fail again
        finally:
            file.seek(0)

    def _at(self, place: int, count: int) -> bytes:
        self._file.seek(place)
        return self._file.read(count)

    def _walk_boxes(self) -> None:
        """Walk an MP4 file's boxes: 4 bytes of size, 4 letters (ISO/IEC 14496-12, 4.2)."""
        place = media = 0
        is_fragmented = False
        for _ in range(_MOST_PARTS):
            if place >= self._size:
                self.is_truncated = place > self._size
                break
            head = self._at(place, 16)
            length = int.from_bytes(head[:4], "big")
            if length == 1 and len(head) == 16:
                length = int.from_bytes(head[8:], "big")
            if len(head) < 8 or head[4:8] not in _BOXES or 1 < length < 8:
                # Other data was appended, which does not matter, or the fragments after it cannot be found.
                self.is_truncated = is_fragmented and self._holds(b"moof", place)
                break
            if not length:  # up to the end, wherever that is
                break
            is_fragmented |= head[4:8] == b"moof"
            media += length - 8 if head[4:8] == b"mdat" else 0
            place += length
        self.media_bytes = media if is_fragmented else 0

    def _holds(self, name: bytes, place: int) -> bool:
        """Return whether a box of this name follows anywhere after a position."""
        self._file.seek(place)
        before = b""
        while block := self._file.read(1 << 20):
            if name in before + block:
                return True
            before = block[-len(name) :]
        return False

    def _walk_elements(self) -> None:
        """Walk a Matroska file's elements at the level of its clusters (RFC 8794, RFC 9559)."""
        place = 0
        for _ in range(_MOST_PARTS):
            if place >= self._size:
                self.is_truncated |= place > self._size
                return
            head = self._at(place, 12)
            kind, after = _number(head, 0, keep_marker=True)
            length, after = _number(head, after)
            if kind == _CLUSTER and self.first_cluster is None:
                self.first_cluster = place
            if kind == _SEGMENT:
                self.is_truncated = length is not None and place + after + length > self._size
                place += after
                continue
            if length is None or (kind != _EBML and kind not in _EBML_IDS):
                return  # of unknown length, as in live recordings, or damaged
            place += after + length

    def _walk_riffs(self) -> None:
        """Walk an AVI file's parts (a large file has several): 4 letters, 4 bytes of size."""
        place = 0
        while place < self._size:
            head = self._at(place, 8)
            length = int.from_bytes(head[4:], "little")
            if len(head) < 8 or head[:4] != b"RIFF" or not length:
                return  # a part whose size was never written, or other appended data
            place += 8 + length + length % 2
        self.is_truncated = place > self._size + 1

    def _count_packets(self) -> None:
        """Check whether an MPEG transport stream ends with a complete packet."""
        for length in _TS_PACKETS:
            start = length - 188
            if all(self._at(start + number * length, 1) == b"G" for number in range(4)):
                self.is_truncated = bool(self._size % length)


def _number(head: bytes, place: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """Return an EBML number of variable length, or None if it means "unknown", and where it ends."""
    first = head[place] if place < len(head) else 0
    length = 9 - first.bit_length()
    content = head[place : place + length]
    if not first or len(content) < length:
        return None, place + max(length, 1)
    value = int.from_bytes(content, "big")
    if keep_marker:
        return value, place + length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), place + length
