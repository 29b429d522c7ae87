"""Read as much of a video as possible: headers are hints, and damaged parts are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from eoam_cli.video.decoder import VideoDecoder
from eoam_cli.video.extent import Extent
from eoam_cli.video.file_end import FileEnd
from eoam_cli.video.losses import Losses
from eoam_cli.video.pipe import PipeInput
from eoam_cli.video.skips import Skips
from eoam_core.errors import EoamError, InputError

_FRUITLESS: Final = 100  # failed reads in a row before the rest is given up
_AHEAD_PACKETS: Final = 1000  # read before the first is decoded, to identify the sound
_AHEAD_BYTES: Final = 1 << 26
_TRIED: Final = 4  # of each track
_ASPECTS: Final = (Fraction(1, 20), Fraction(20))  # beyond this it is not a plausible pixel shape


class Recording:
    """An opened video: the pictures that decode, interleaved with the packets of all other streams.

    Args:
        av: PyAV.
        source: where it comes from, for messages.
        container: PyAV's container.
        end: from the file's structure, or None for a pipe.
        notes: notes for the user so far.
    """

    def __init__(
        self,
        av: Any,
        source: Path | PipeInput,
        container: Any,
        *,
        end: FileEnd | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._av = av
        self._source = source
        self.container = container
        self.video = _chosen_video(container, source)
        self.decoder = VideoDecoder(av, self.video)
        self.first_packets: dict[int, list[Any]] = {}  # by their streams' indices, when the first picture is there
        self._first_notes = notes
        self._losses = Losses()
        self._extent = Extent(container, self.video)
        self._skips = Skips(container, self.video, end)
        self._truncated = end is not None and end.is_truncated
        self._first_aspect: Fraction | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user, after everything was read."""
        return (*self._first_notes, *self._losses.notes, *self.decoder.notes)

    @property
    def expected_frames(self) -> int | None:
        """Estimated number of pictures."""
        frames, container, rate = self.video.frames, self.container, self.video.average_rate
        seconds = container.duration / 1_000_000 if container.duration else 0  # FFmpeg counts in microseconds
        if self.video.duration:
            seconds = float(self.video.duration * self.video.time_base)
        estimate = max(1, round(seconds * float(rate))) if seconds and rate else 0
        return min(frames, estimate) if frames and estimate else frames or estimate or None

    def aspect(self, *, turned: bool) -> Fraction:
        """Return the current frames' pixel width relative to its height; `turned`: after a quarter turn.

        The container's value has priority; broadcasts change it within a stream, where only the codec has it.
        """
        now = self.decoder.context.sample_aspect_ratio or None
        if self._first_aspect is None:
            self._first_aspect = now or Fraction(1)
        aspect = Fraction(self.video.sample_aspect_ratio or self._first_aspect)
        if now is not None and self.video.sample_aspect_ratio:
            aspect *= Fraction(now) / self._first_aspect
        if not _ASPECTS[0] <= aspect <= _ASPECTS[1]:
            aspect = Fraction(1)
        return 1 / aspect if turned else aspect

    def items(self) -> Iterator[Any]:
        """Yield decoded frames of the video, whole and with alpha, and the packets of all other streams.

        Raises:
            InputError: not one picture decodes.
        """
        found = False
        error: Exception | None = None
        for packet in self._ahead():
            self._extent.read(packet)
            self._skips.read(packet)
            if packet.stream is not self.video:
                if packet.dts is not None:
                    yield packet
                continue
            if packet.size == 0 and packet.dts is not None:
                continue  # written by cameras if there is no new picture
            frames: list[Any] = []
            try:
                frames = self._decoded(packet if packet.size else None)
            except EoamError:
                raise
            except (self._av.error.FFmpegError, OSError, ValueError, MemoryError) as reason:
                error = error or reason
                if packet.size and not packet.is_discard:
                    self._losses.refused()
            for frame in frames:
                found = True
                lost = self._losses.shown(frame.pts)
                self._losses.skipped(self._skips.before(frame, known=lost))
                yield from self.decoder.shown(frame)
        yield from self.decoder.rest()
        if not found:
            raise self._useless(error)
        self._note_the_end()
        self._losses.ended()

    def _decoded(self, packet: Any) -> list[Any]:
        if packet is not None and not packet.is_discard:
            self._losses.entered(packet.pts)
        return self.decoder.decoded(packet)

    def _ahead(self) -> Iterator[Any]:
        """Read ahead until every sound track has packets, then yield the packets read."""
        packets, size = self._packets(), 0
        held: list[Any] = []
        wanted = {track.index for track in self.container.streams.audio}
        while wanted and len(held) < _AHEAD_PACKETS and size < _AHEAD_BYTES:
            packet = next(packets, None)
            if packet is None:
                break
            held.append(packet)
            size += packet.size
            if packet.size and packet.dts is not None:
                first = self.first_packets.setdefault(packet.stream.index, [])
                first.append(packet)
                if len(first) >= _TRIED:
                    wanted.discard(packet.stream.index)
        yield from held
        held.clear()
        yield from packets

    def _packets(self) -> Iterator[Any]:
        """Yield the packets of all streams, the last of each empty; continue after unreadable parts."""
        failures = 0
        packets = self.container.demux()
        while True:
            try:
                packet = next(packets, None)
            except (self._av.error.FFmpegError, OSError, ValueError, MemoryError):
                failures += 1
                if failures >= _FRUITLESS:
                    self._truncated = True
                    yield self._flush()
                    return
                packets = self.container.demux()
                continue
            if packet is None:
                return
            failures = 0
            yield packet

    def _flush(self) -> Any:
        packet = self._av.Packet()
        packet.stream = self.video
        return packet

    def _note_the_end(self) -> None:
        promised = self._extent.promised(truncated=self._truncated or isinstance(self._source, PipeInput))
        if promised is not None:
            self._losses.cut_short(after=self._extent.seconds, of=promised)
        elif self._truncated:
            self._losses.cut_short(after=self._extent.seconds, of=None)
        else:
            self._losses.skipped(self._skips.at_end())

    def _useless(self, error: Exception | None) -> InputError:
        if error is not None:
            return unreadable(self._source, error)
        return InputError(f"{self._source} has no frames that can be decoded; use a complete copy.")


def unreadable(source: Path | PipeInput, error: Exception) -> InputError:
    """Return the sentence for a video that cannot be read at all."""
    reason = getattr(error, "strerror", None) or error
    if isinstance(source, PipeInput):
        return InputError(
            f"{source} is damaged or not a video that can be read from a pipe ({reason}); write it with -f nut."
        )
    return InputError(f"{source} is damaged or not a supported video ({reason}); use a complete copy.")


def _chosen_video(container: Any, source: Path | PipeInput) -> Any:
    """Return the video stream that a player would show: the default one, or the first."""
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise InputError(f"{source} contains no video; choose another file.")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise InputError(f"{source} is damaged or uses an unsupported video codec; convert it.")
    return next((stream for stream in known if stream.disposition & type(stream.disposition).default), known[0])


def is_cover(stream: Any) -> bool:
    """Return whether a video stream is an album cover and not a video."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)
