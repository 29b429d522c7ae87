"""Compare how long a video should be, by its header, with how much was read."""

from __future__ import annotations

from typing import Any, Final

# Formats whose headers are written when the file is complete, and how much their times may be off: a share of the
# duration, or seconds. For others FFmpeg estimates the duration from the file's size.
_TRUSTED: Final = {"mov": 0.02, "matroska": 0.02, "avi": 0.02, "flv": 0.05, "asf": 0.1}
_FRAMES_OFF: Final = 2.5


class Extent:
    """Track the times read from a container, and compare them with its header."""

    def __init__(self, container: Any, video: Any) -> None:
        self._container = container
        self._video = video
        self._form = str(container.format.name).partition(",")[0]
        self._video_start: float | None = None
        self._video_end = self._end = 0.0
        self._longest = 0.0  # picture, in seconds

    @property
    def seconds(self) -> float:
        """How long the pictures last."""
        return self._video_end - (self._video_start or 0.0)

    def read(self, packet: Any) -> None:
        """Record the time covered by one packet of any stream."""
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or not packet.time_base:
            return
        length = float((packet.duration or 0) * packet.time_base)
        start = float(time * packet.time_base)
        end = start + length
        self._end = max(self._end, end)
        if packet.stream is self._video:
            self._video_start = start if self._video_start is None else min(self._video_start, start)
            self._video_end = max(self._video_end, end)
            self._longest = max(self._longest, length)

    def promised(self, *, truncated: bool) -> float | None:
        """Return the seconds that the video should have, if more than were read, or None.

        `truncated` says that the file lacks its end, or that this is unknown.
        """
        if self._form == "avi" and not truncated:
            return None  # a camera that has stopped taking pictures keeps counting
        should_be, there_is = self._header()
        if should_be is None:
            return None
        rate = self._video.average_rate
        frame = float(1 / rate) if rate else self._longest
        allowed = max(_TRUSTED[self._form] * should_be, _FRAMES_OFF * frame)
        return should_be if should_be - there_is > allowed else None

    def _header(self) -> tuple[float | None, float]:
        video, container = self._video, self._container
        if self._form not in _TRUSTED:
            return None, 0.0
        if self._form == "avi":
            # FFmpeg shortens the duration to the indexed part, but keeps the header's count.
            rate = video.average_rate
            return (float(video.frames / rate) if rate and video.frames else None), self._video_end
        if self._form == "mov":
            # The stream's own, after edit lists: the sound may be longer.
            if not video.duration or not video.frames:
                return None, 0.0  # unknown for a fragmented file
            return float((video.duration + (video.start_time or 0)) * video.time_base), self._video_end
        # These have one duration for all streams, so the longest counts.
        return (container.duration / 1_000_000 if container.duration else None), self._end
