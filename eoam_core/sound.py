"""Take the sound of a video along: bit by bit where the container can hold it, encoded anew where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

# encoder, its codec, bits per second and channel, samples per packet; the first that the container can hold is taken
_ENCODERS: Final = (("libopus", "opus", 64_000, 960), ("aac", "aac", 96_000, 1024))
_RATE: Final = 48_000


class Sound:
    """Bring packets of sound into another container.

    Args:
        av: PyAV.
        output: the container to write; gets a stream, if it can hold any.
        source: the stream of the container that is read.
    """

    def __init__(self, av: Any, output: Any, source: Any) -> None:
        self._av = av
        self._encoder: Any = None
        self._resampler: Any = None
        self._damaged = 0
        self._stream = _copy(output, source)
        self._told = ""
        if self._stream is None:
            self._encode(output, source)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        lost = f"{self._damaged} packets of the sound are damaged and were left out."
        return tuple(note for note in (self._told, lost * bool(self._damaged)) if note)

    def packets(self, packet: Any) -> Iterator[Any]:
        """Yield what to write for a packet of the source."""
        if self._encoder is not None:
            yield from self._anew(packet)
        elif self._stream is not None:
            packet.stream = self._stream
            yield packet

    def rest(self) -> Iterator[Any]:
        """Yield what is still held, at the end."""
        if self._encoder is not None:
            for frame in self._resampler.resample(None):
                yield from self._encoder.encode(frame)
            yield from self._encoder.encode(None)

    def _encode(self, output: Any, source: Any) -> None:
        name, container = source.codec_context.name, output.format.name + " in a pipe" * (output.file is not None)
        self._told = f"The sound was left out: {container} cannot hold {name}."
        # rawvideo calls itself able to hold anything, and is one stream without a header.
        for encoder, codec, bits, samples in _ENCODERS:
            if output.format.name == "rawvideo" or codec not in output.supported_codecs:
                continue
            layout = source.codec_context.layout if source.codec_context.channels <= 2 else "stereo"
            with suppress(ValueError):  # this build of FFmpeg does not have the encoder
                stream = output.add_stream(encoder, rate=_RATE, layout=layout)
                channels = stream.codec_context.channels
                stream.codec_context.bit_rate = bits * channels
                self._encoder = stream
                self._resampler = self._av.AudioResampler(
                    format=stream.codec_context.format, layout=layout, rate=_RATE, frame_size=samples
                )
                self._told = f"The sound was encoded anew as {codec}: {container} cannot hold {name}."
                return

    def _anew(self, packet: Any) -> Iterator[Any]:
        try:
            frames = packet.decode()
        except self._av.error.FFmpegError:
            self._damaged += 1
            return
        for frame in frames:
            for part in self._resampler.resample(frame):
                yield from self._encoder.encode(part)


def _copy(output: Any, source: Any) -> Any:
    """Return a stream that takes the packets as they are, or None if the container cannot hold them."""
    # Decoder and container name the same codec differently (libopus, opus; mp3float, mp3).
    name = source.codec.canonical_name
    if (
        output.format.name == "matroska"
        and output.file is not None
        and name == "aac"
        and not source.codec_context.extradata
    ):
        return None  # Matroska adds the header that this stream lacks (as in MPEG-TS) at the end, which no pipe allows
    if output.format.name != "rawvideo" and name in output.supported_codecs:
        with suppress(ValueError):
            return output.add_stream_from_template(source)
    return None
