"""Copy a sound track if the container can hold it, or re-encode it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any, Final

# encoder, its codec, bits per second and channel, samples per packet; the first that the container can hold is taken
_ENCODERS: Final = (("libopus", "opus", 64_000, 960), ("aac", "aac", 96_000, 1024))
_AAC_FIRST: Final = ("mov", "mp4")  # what editors and players expect there
_RATE: Final = 48_000


class Sound:
    """Write the packets of one track into another container.

    Args:
        av: PyAV.
        output: the container to write; gets a stream, if it can hold any.
        source: the track of the container that is read.
        packets: its first packets, as far as known.
        name: its name in notes.
        anew: always re-encode it.
    """

    def __init__(
        self,
        av: Any,
        output: Any,
        source: Any,
        packets: Sequence[Any] = (),
        *,
        name: str = "The sound",
        anew: bool = False,
    ) -> None:
        self._av = av
        self._name = name
        self._stream: Any = None
        self._resampler: Any = None
        self._told = ""
        self._damaged = 0
        self._lost = 0  # because they are of another kind than at the track's start
        self._form = output.format.name
        # Without any, as the sound of MPEG-TS, the container leaves room for those of the first packet.
        self._parameters = b"" if source.codec_context is None else bytes(source.codec_context.extradata or b"")
        self._now = self._parameters
        self._is_told = bool(self._parameters)
        told = {self._parameters, *(parameters_of(packet) or self._parameters for packet in packets)} - {b""}
        self._changes = len(told) > 1
        if source.codec_context is None:
            self._told = f"{name} was left out: its codec is not supported."
        elif not anew and not self._changes and can_hold(av, output, source, packets):
            self._stream = output.add_stream_from_template(source)
        else:
            self._encode(output, source, anew=anew)

    @property
    def stream(self) -> Any:
        """The stream added to the container, or None."""
        return self._stream

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        are = "packets of it are" if self._damaged != 1 else "packet of it is"
        lost = f"{self._name} is damaged: {self._damaged} {are} left out."
        are = "packets of it are" if self._lost != 1 else "packet of it is"
        other = f"{self._name} changes midway, which {self._form} cannot hold: {self._lost} {are} left out."
        return tuple(note for note in (self._told, other * bool(self._lost), lost * bool(self._damaged)) if note)

    def packets(self, packet: Any) -> Iterator[Any]:
        """Yield the packets to write for a packet of the source."""
        if self._resampler is not None:
            yield from self._anew(packet)
        elif self._stream is not None and self.fits(packet):
            if parameters_of(packet) is not None and self._is_told:
                packet = without_parameters(self._av, packet)
            self._is_told = True
            packet.stream = self._stream
            yield packet
        elif self._stream is not None:
            self._lost += 1

    def fits(self, packet: Any) -> bool:
        """Return whether a packet has the kind announced to the container, or is decoded anyway."""
        told = parameters_of(packet)
        if told is not None:
            self._parameters, self._now = self._parameters or told, told
        return self._resampler is not None or self._stream is None or self._now == self._parameters

    def refused(self) -> None:
        """Record that the container refused a packet."""
        self._damaged += 1

    def rest(self) -> Iterator[Any]:
        """Yield the remaining packets, at the end."""
        if self._resampler is not None:
            yield from self._resampled(None)
            yield from self._stream.encode(None)

    def _encode(self, output: Any, source: Any, *, anew: bool) -> None:
        codec, container = source.codec.canonical_name, output.format.name + " in a pipe" * (output.file is not None)
        codec += " that changes midway" * (self._changes or anew)
        self._told = f"{self._name} was left out: {container} cannot hold {codec}."
        if output.format.name == "rawvideo":  # claims to hold anything, but is one stream without a header
            return
        encoders = sorted(_ENCODERS, key=lambda one: one[1] != "aac") if output.format.name in _AAC_FIRST else _ENCODERS
        own = _layout(source.codec_context)
        for layout in dict.fromkeys((own, "stereo")):
            for encoder, target, bits, samples in encoders:
                if not self._can_encode(output, encoder, layout):
                    continue
                stream = output.add_stream(encoder, rate=_RATE, layout=layout)
                stream.codec_context.bit_rate = bits * stream.codec_context.channels
                self._stream, self._samples, self._layout = stream, samples, layout
                self._resampler = self._new_resampler()
                mixed = " in stereo" * (layout != own)
                self._told = f"{self._name} was re-encoded as {target}{mixed}: {container} cannot hold {codec}."
                return

    def _can_encode(self, output: Any, encoder: str, layout: str) -> bool:
        """Return whether this FFmpeg has the encoder, it supports so many channels, and the container accepts it."""
        with suppress(ValueError, self._av.error.FFmpegError), _trial(self._av, output) as trial:
            trial.add_stream(encoder, rate=_RATE, layout=layout)
            trial.start_encoding()
            return True
        return False

    def _anew(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except (self._av.error.FFmpegError, ValueError):
            self._damaged += 1
            return
        for frame in frames:
            yield from self._resampled(frame)

    def _resampled(self, frame: Any) -> Iterator[Any]:
        parts: list[Any] = []
        if frame is not None and frame.pts is not None and frame.time_base:
            # A resampler's times are in samples only where the rate changes, and the encoder is told of one unit.
            unit = Fraction(1, frame.sample_rate)
            frame.pts, frame.time_base = round(frame.pts * frame.time_base / unit), unit
        try:
            parts = self._resampler.resample(frame)
        except ValueError:  # the sound's rate or channels have changed
            with suppress(ValueError, self._av.error.FFmpegError):
                parts = self._resampler.resample(None)
            self._resampler = self._new_resampler()
            with suppress(ValueError, self._av.error.FFmpegError):
                parts = [*parts, *self._resampler.resample(frame)]
        except self._av.error.FFmpegError:
            self._damaged += 1
        for part in parts:
            try:
                yield from self._stream.encode(part)
            except (ValueError, self._av.error.FFmpegError):
                self._damaged += 1

    def _new_resampler(self) -> Any:
        return self._av.AudioResampler(
            format=self._stream.codec_context.format, layout=self._layout, rate=_RATE, frame_size=self._samples
        )


def _layout(context: Any) -> str:
    """Return FFmpeg's name of the channel layout; some formats only count channels; unknown becomes stereo."""
    channels = context.channels
    return {1: "mono", 2: "stereo"}.get(channels, str(context.layout.name) if channels > 2 else "stereo")


def can_hold(av: Any, output: Any, source: Any, packets: Sequence[Any] = ()) -> bool:
    """Return whether a container accepts a stream unchanged; tried in memory, because formats' own claims are wrong.

    Args:
        av: PyAV.
        output: the container.
        source: the stream of another one.
        packets: the stream's first packets, which are not changed.
    """
    form, context = output.format.name, source.codec_context
    if form == "rawvideo":
        return False
    codec = source.codec.canonical_name
    if form == "matroska" and output.file is not None and codec == "aac" and not context.extradata:
        return False  # Matroska adds the header that this stream lacks (as in MPEG-TS) at the end, which no pipe allows
    with suppress(ValueError, av.error.FFmpegError):
        with _trial(av, output) as trial:
            stream = trial.add_stream_from_template(source)
            trial.start_encoding()
            for packet in packets:
                trial.mux(_copy(av, packet, stream))
        return True
    return False


def _trial(av: Any, output: Any) -> Any:
    return av.open(io.BytesIO(), "w", format=output.format.name)


def _copy(av: Any, packet: Any, stream: Any) -> Any:
    copy = without_parameters(av, packet)
    copy.stream = stream
    return copy


def parameters_of(packet: Any) -> bytes | None:
    """Return a packet's new decoding parameters for its track, if it has any."""
    return bytes(packet.get_sidedata("new_extradata")) if packet.has_sidedata("new_extradata") else None


def without_parameters(av: Any, packet: Any) -> Any:
    """Return a copy of a packet that does not change the container's header.

    For new AAC parameters, FFmpeg's Matroska muxer overwrites the header it has written, including later tracks,
    because it assumes that it has reserved space for them.
    """
    copy = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    for one in packet.iter_sidedata():
        if one.data_type not in ("new_extradata", "param_change"):
            copy.set_sidedata(one)
    return copy
