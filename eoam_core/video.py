"""Lead a video through a pipeline: alpha where the container can hold it, or a new background."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.compose import compose_frame, has_alpha
from eoam_core.cutter import background_of
from eoam_core.encoding import Encoding, encoding_for, import_av, piped_encoding, require_encoder
from eoam_core.errors import InputError
from eoam_core.geometry import network_size
from eoam_core.picture import fit_network
from eoam_core.pipe import ALONE, PipeInput, PipeOutput
from eoam_core.pipeline import Matte, Pipeline
from eoam_core.segmenter import OnnxSegmenter, default_model_path
from eoam_core.settings import Settings
from eoam_core.sound import Sound
from eoam_core.target import replacing, writing

Bytes = NDArray[np.uint8]

_FALLBACK_RATE: Final = Fraction(30)
_HD_ROWS: Final = 720  # untagged video is BT.601 below and BT.709 from here on, as players assume


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoReport:
    """What came out: the number of frames, and what the user should know about (such as sound that was left out)."""

    frames: int
    notes: tuple[str, ...]


def convert_video(
    source: Path | PipeInput,
    target: Path | PipeOutput,
    *,
    settings: Settings,
    make_pipeline: Callable[[int, int], Pipeline] | None = None,
    on_frame: Callable[[int | None], None] = lambda total: None,
) -> VideoReport:
    """Cut the person out of every frame of `source` and write `target`, completely or not at all.

    Time stamps are taken over as they are, and so is the sound; where the container cannot hold it, it is encoded anew.

    Args:
        source: any video that FFmpeg reads, or a pipe.
        target: .webm, .mkv or .mov for alpha; with a background, or a view other than the result, .mp4 as well. Or a
            pipe, which has got a part of the video by the time something goes wrong.
        settings: as for the filter; `timing` has no meaning here, every frame gets its own mask.
        make_pipeline: called with the network's (height, width) once the picture's size is known; the default is a
            pipeline with the network that comes with the project.
        on_frame: called after each frame with the number of frames there will be, or None if that is unknown.

    Raises:
        InputError: the source cannot be read, is no video or ends early, or the target cannot hold or take the result.
        InstallationError: PyAV, or the encoder that the target needs, is missing.
    """
    alpha = has_alpha(settings)
    if isinstance(target, PipeOutput):
        encoding = piped_encoding(target.form, with_alpha=alpha)
    else:
        encoding = encoding_for(target, with_alpha=alpha)
    av = import_av()
    require_encoder(av, encoding)
    compose = _composer(settings)
    make_pipeline = make_pipeline or _own_pipelines(settings)
    with _opened(av, source) as container, _created(av, target, source=source) as output:
        video = _video_stream(container, source)
        video.codec_context.options = {**video.codec_context.options, "max_pixels": ALONE["max_pixels"]}
        sound = next((stream for stream in container.streams.audio if stream.codec_context is not None), None)
        total = video.frames or _estimated_frames(video, container)
        writer = _Writer(av, output, encoding, video, sound)
        pipeline: Pipeline | None = None
        count = 0
        try:
            for item in _decoded(av, source, container, video, sound):
                if isinstance(item, av.VideoFrame):
                    picture = _upright(item)
                    if pipeline is None:
                        width, height = network_size(picture.shape[1], picture.shape[0], settings.detail)
                        pipeline = make_pipeline(height, width)
                    need = pipeline.segmenter
                    small = fit_network(picture, height=need.height, width=need.width)
                    matte = pipeline.process(small, count)
                    writer.write_picture(compose(picture, matte), item)
                    count += 1
                    on_frame(total)
                else:
                    writer.write_sound(item)
            if count == 0:
                raise InputError(f"{source} has no pictures that can be decoded; get a complete copy of it.")
            writer.finish()
        finally:
            if pipeline is not None:
                pipeline.close()
        _check_complete(source, video, count)
    return VideoReport(frames=count, notes=writer.notes)


def _own_pipelines(settings: Settings) -> Callable[[int, int], Pipeline]:
    def make(height: int, width: int) -> Pipeline:
        segmenter = OnnxSegmenter(default_model_path(), height=height, width=width, threads=settings.threads)
        return Pipeline(segmenter, settings)

    return make


class _Writer:
    """Bring pictures and sound into one container; opens its streams with the first picture."""

    def __init__(self, av: Any, output: Any, encoding: Encoding, video: Any, sound: Any) -> None:
        self._output = output
        self._encoding = encoding
        self._video = video
        self._waiting: list[Any] = []  # sound before the first picture: the header needs the picture's size
        self._stream: Any = None
        self._size = (0, 0)
        self._last_pts: int | None = None
        self._sound = Sound(av, output, sound) if sound is not None else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return () if self._sound is None else self._sound.notes

    def write_picture(self, picture: Bytes, original: Any) -> None:
        """Encode `picture`, RGBA (h, w, 4) or BGR (h, w, 3) uint8, at the time of the frame it was made of."""
        import av

        if self._stream is None:
            self._open(picture, original)
        picture = self._fitted(picture)
        frame = av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "bgr24")
        if not self._encoding.is_rgb:
            frame = frame.reformat(
                format=self._encoding.pixel_format, dst_colorspace=_matrix(self._video), dst_color_range="MPEG"
            )
        elif frame.format.name != self._encoding.pixel_format:
            frame = frame.reformat(format=self._encoding.pixel_format)
        frame.pts = self._last_pts = self._next_pts(original)
        frame.time_base = self._video.time_base
        if getattr(original, "duration", 0):  # without it the last picture would last no time
            frame.duration = original.duration
        self._output.mux(self._stream.encode(frame))

    def write_sound(self, packet: Any) -> None:
        """Take one packet of the source's sound."""
        if self._sound is None:
            return
        if self._stream is None:
            self._waiting.append(packet)
            return
        for ready in self._sound.packets(packet):
            self._output.mux(ready)

    def finish(self) -> None:
        """Write what the encoders still hold."""
        self._output.mux(self._stream.encode(None))
        for ready in self._sound.rest() if self._sound is not None else ():
            self._output.mux(ready)

    def _open(self, picture: Bytes, original: Any) -> None:
        height, width = picture.shape[:2]
        if self._encoding.codec == "libx264":
            height, width = height + height % 2, width + width % 2  # 4:2:0 H.264 has no odd sizes
        self._size = (height, width)
        stream = self._output.add_stream(
            self._encoding.codec, rate=self._video.average_rate or _FALLBACK_RATE, options=self._encoding.options
        )
        context = stream.codec_context
        context.height, context.width = height, width
        context.pix_fmt = self._encoding.pixel_format
        context.time_base = self._video.time_base
        aspect = self._video.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = 1 / aspect if _quarter_turns(original) % 2 else aspect
        if not self._encoding.is_rgb:
            matrix = 1 if _matrix(self._video) == "ITU709" else 6  # as in ISO/IEC 23091-2: BT.709, BT.601
            context.colorspace = context.color_primaries = context.color_trc = matrix
            context.color_range = 1  # limited
        self._stream = stream
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self.write_sound(packet)

    def _fitted(self, picture: Bytes) -> Bytes:
        """Bring a picture to the size of the first: by one line for odd sizes, by scaling if the video changes."""
        height, width = self._size
        down, right = height - picture.shape[0], width - picture.shape[1]
        if (down, right) == (0, 0):
            return np.ascontiguousarray(picture)
        if down in (0, 1) and right in (0, 1):
            return cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[return-value]
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def _next_pts(self, original: Any) -> int:
        """Return the frame's own time, or one after the last where a broken file has none or one that does not rise."""
        if self._last_pts is None:
            return int(original.pts or 0)
        if original.pts is None:
            rate = self._video.average_rate or _FALLBACK_RATE
            return self._last_pts + max(1, round(float(1 / (rate * self._video.time_base))))
        return max(int(original.pts), self._last_pts + 1)


def _composer(settings: Settings) -> Callable[[Bytes, Matte], Bytes]:
    """Return what makes RGBA or BGR of a frame and its matte.

    Raises:
        InputError: the background picture is missing or cannot be read.
    """
    behind = background_of(settings)

    def compose(frame: Bytes, matte: Matte) -> Bytes:
        height, width = frame.shape[:2]
        picture = None if behind is None else behind.at(height=height, width=width)
        rgba = compose_frame(frame, matte.mask, settings, picture=picture, confidence=matte.confidence)
        if has_alpha(settings):
            return rgba
        return cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR)  # type: ignore[return-value]

    return compose


def _upright(frame: Any) -> Bytes:
    """Return a decoded frame as BGRA, (h, w, 4) uint8, turned as the file asks for."""
    picture: Bytes = frame.to_ndarray(format="bgra", src_colorspace=_matrix(frame))
    turns = _quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _quarter_turns(frame: Any) -> int:
    # Phones store upright video lying down, with a note how to turn it: degrees counter-clockwise.
    return round(int(frame.rotation) / 90) % 4


def _matrix(picture: Any) -> str:
    """Return the matrix between RGB and YUV of a frame or a stream."""
    bt709, unknown = 1, 2
    if picture.colorspace == bt709 or (picture.colorspace == unknown and picture.height >= _HD_ROWS):
        return "ITU709"
    return "ITU601"


def _decoded(av: Any, source: Path | PipeInput, container: Any, video: Any, sound: Any) -> Iterator[Any]:
    """Yield decoded frames of `video` and, in between, the packets of `sound`."""
    streams = [stream for stream in (video, sound) if stream is not None]
    with _reading(av, source):
        packets = container.demux(*streams)
    while True:
        # Only what reads stands in here: an error of the consumer's is not the source's.
        with _reading(av, source):
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode() if packet.stream is video else ()
        yield from frames
        if packet.stream is sound and packet.dts is not None:
            yield packet


def _check_complete(source: Path | PipeInput, video: Any, count: int) -> None:
    # A file that was cut off after its index decodes without an error up to the cut. Edit lists and broken first
    # frames may hide a few pictures, so a small difference means nothing.
    if video.frames and count < video.frames * 0.9 - 2:
        raise InputError(f"{source} ends early: {count} of {video.frames} pictures; get a complete copy of it.")


def _video_stream(container: Any, source: Path | PipeInput) -> Any:
    for stream in container.streams.video:
        if not stream.disposition & type(stream.disposition).attached_pic:  # an album cover is no video
            if stream.codec_context is None:
                raise InputError(f"{source} is damaged or holds a kind of video that nothing here decodes; convert it.")
            return stream
    raise InputError(f"{source} has no video in it; choose another file.")


def _estimated_frames(video: Any, container: Any) -> int | None:
    if not container.duration or not video.average_rate:
        return None
    return max(1, round(float(container.duration / 1_000_000 * video.average_rate)))  # FFmpeg counts in microseconds


@contextmanager
def _opened(av: Any, source: Path | PipeInput) -> Iterator[Any]:
    if isinstance(source, Path) and not os.path.exists(source):
        raise InputError(f"There is no video {source}; check the name.")
    with ExitStack() as stack:
        with _reading(av, source):
            if isinstance(source, Path):
                # As an open file, never by its name: to FFmpeg `concat:a.mp4` and `http:/x` are no names of files.
                file = stack.enter_context(open(source, "rb"))
                container = av.open(_Named(file, source), "r", options=dict(ALONE))
            else:
                container = source.open(av)
        stack.callback(container.close)
        yield container


class _Named:
    """An open file of which FFmpeg sees the bytes and the name's ending, by which some formats are known."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.name = f"video{path.suffix}" if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", path.suffix) else "video"


@contextmanager
def _created(av: Any, target: Path | PipeOutput, *, source: Path | PipeInput) -> Iterator[Any]:
    if isinstance(target, PipeOutput):
        with _writing(av, target), target.open(av) as output:
            yield output
        return
    # A pipe is no file that the target could be.
    other = source if isinstance(source, Path) else Path(os.devnull)
    with (
        replacing(target, source=other) as temporary,
        _writing(av, target),
        # With the protocol: without, FFmpeg would look for one before a colon in the name.
        av.open(f"file:{os.path.abspath(temporary)}", "w") as output,
    ):
        yield output


@contextmanager
def _reading(av: Any, source: Path | PipeInput) -> Iterator[None]:
    try:
        yield
    except (
        av.error.FFmpegError,
        OSError,
        ValueError,
        MemoryError,
    ) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(source, PipeInput):
            raise InputError(
                f"{source} is damaged or no video that can be read from a pipe ({reason}); write it with -f nut."
            ) from error
        raise InputError(f"{source} is damaged or no video of a known kind ({reason}); get a complete copy.") from error


@contextmanager
def _writing(av: Any, target: Path | PipeOutput) -> Iterator[None]:
    if isinstance(target, PipeOutput):
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = target.failure or error
            raise InputError(
                f"{target} takes no more ({reason.strerror or reason}); see why its reader ended."
            ) from error
        return
    try:
        with writing(target):
            yield
    except av.error.FFmpegError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
