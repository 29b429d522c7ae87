"""Find pictures that FFmpeg's readers skip silently after damaged parts.

A jump in time alone is not damage: cameras leave pictures out, and screen recorders store only changes. So something
else must be missing as well: bytes that belong to no packet, packets of the index, or a counter's step.
"""

from __future__ import annotations

from typing import Any, Final

from eoam_cli.video.decoder import addition
from eoam_cli.video.file_end import FileEnd

_IN_ORDER: Final = ("matroska", "flv")  # whose packets come in file order
_HEADER_BYTES: Final = 32  # at most, of a cluster and a block in a Matroska file, of a tag in an FLV
_UNREAD_BYTES: Final = 32  # between two pictures of it, headers aside, that belong to none
_UNREAD_SHARE: Final = 0.01  # of a fragmented MP4, and so many bytes, may belong to nothing
_UNREAD_MOST: Final = 4096
_REORDERED: Final = 32  # pictures that a decoder may delay before the one after a gap comes out
_GAP: Final = 1.5  # pictures; a jump in time beyond rounding


class Skips:
    """Track the packets of all streams and the pictures that come out.

    Args:
        container: PyAV's container.
        video: the stream whose pictures are counted.
        end: what the file's structure says, or None for what comes from a pipe.
    """

    def __init__(self, container: Any, video: Any, end: FileEnd | None) -> None:
        self._video = video
        self._form = str(container.format.name).partition(",")[0]
        self._position = end.first_cluster if end is not None else None  # position up to which such a file was read
        self._unread = 0  # bytes of it since the last picture that are in no packet
        self._suspicious = 0  # pictures still to come that may follow a gap
        self._last_shown: float | None = None  # in seconds
        self._media_bytes = end.media_bytes if end is not None else 0
        self._bytes = self._pictures = 0  # in packets
        self._gaps = 0  # pictures expected at a steady rate

    def read(self, packet: Any) -> None:
        """Record one packet of any stream."""
        self._bytes += packet.size
        if packet.pos is not None and packet.size and self._form in _IN_ORDER:
            if self._position is not None:
                self._unread += max(0, packet.pos - self._position - _HEADER_BYTES)
            self._position = packet.pos + packet.size + len(addition(packet))
        if packet.stream is self._video and packet.size:
            self._pictures += 1
            if self._unread > _UNREAD_BYTES or packet.is_corrupt:  # MPEG-TS counts its packets
                self._suspicious = _REORDERED
            self._unread = 0

    def before(self, frame: Any, *, known: int) -> int:
        """Return how many pictures were skipped before one that comes out, besides those `known` to be lost."""
        rate = self._video.average_rate
        if frame.pts is None or not rate:
            return 0
        time, last = float(frame.pts * self._video.time_base), self._last_shown
        self._last_shown = time
        jump = (time - (-1 / float(rate) if last is None else last)) * float(rate)
        missing = max(0, round(jump) - 1 - known) if jump > _GAP else 0
        if not self._suspicious:
            self._gaps += missing if last is not None else 0
            return 0
        self._suspicious = 0 if jump > _GAP else self._suspicious - 1
        return missing

    def at_end(self) -> int:
        """Return how many more were skipped, after everything was read."""
        if self._form == "avi":
            indexed = len([entry for entry in self._video.index_entries if entry.size > 0])
            return max(0, indexed - self._pictures)
        if self._media_bytes - self._bytes > _UNREAD_SHARE * self._media_bytes + _UNREAD_MOST:
            return self._gaps  # fragments whose header was damaged
        return 0
