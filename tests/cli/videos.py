"""Videos that the tests make: of a red block in a blue room, with whatever sound and container, whole or damaged."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from eoam_cli.video.convert import VideoReport, convert_video
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Settings
from tests.core.doubles import RedSegmenter, frame_with_person

Bytes = NDArray[np.uint8]

RATE = 25
GOP = {"g": "10", "crf": "10"}


def written(
    path: Path,
    pictures: Sequence[Bytes],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    times: Sequence[int] | None = None,
    sounds: Sequence[str] = (),
    prepare: Callable[[Any, Any], None] = lambda output, stream: None,
    frame: Callable[[Any], Any] = lambda frame: frame,
) -> Path:
    """Write pictures, BGR or BGRA uint8 of one size, at 25 a second or at `times` of 1/25 s, with a tone per sound."""
    with av.open(str(path), "w", options=dict(container_options or {})) as output:
        video: Any = output.add_stream(codec, rate=RATE, options=dict(GOP if options is None else options))
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = pixels
        tracks: list[Any] = [output.add_stream(sound, rate=48000) for sound in sounds]
        prepare(output, video)
        for number, picture in enumerate(pictures):
            shown = av.VideoFrame.from_ndarray(picture, format="bgra" if picture.shape[2] == 4 else "bgr24")
            shown = frame(shown.reformat(format=pixels))
            shown.pts, shown.time_base = (times or range(len(pictures)))[number], Fraction(1, RATE)
            output.mux(video.encode(shown))
            for track in tracks:
                tone = np.sin(np.arange(1920) / 10) * 8000
                samples = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], format="s16", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 1920 * number, Fraction(1, 48000)
                output.mux(track.encode(samples))
        output.mux(video.encode(None))
        for track in tracks:
            output.mux(track.encode(None))
    return path


def moving(count: int, height: int = 96, width: int = 128) -> list[Bytes]:
    """Return pictures of the red block, with noise that makes every packet large, BGR."""
    dice = np.random.default_rng(0)
    still = frame_with_person(height, width)[..., :3]
    return [np.clip(still + dice.integers(-12, 13, still.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def spoiled(source: Path, target: Path, *, first: int, count: int = 1, stream: int = 0) -> Path:
    """Copy a video with `count` packets of a stream, from number `first` on, overwritten by noise."""
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(container.streams[stream]) if packet.size]
    for position, size in places[first : first + count]:
        assert position is not None
        content[position : position + size] = random.Random(position).randbytes(size)
    target.write_bytes(content)
    return target


def cut_off(source: Path, target: Path, share: float) -> Path:
    """Copy the first part of a file."""
    content = source.read_bytes()
    target.write_bytes(content[: int(len(content) * share)])
    return target


def red_pipeline(height: int, width: int) -> Pipeline:
    """Return a pipeline that calls whatever is red a person."""
    return Pipeline(RedSegmenter(height, width))


class _Everything(RedSegmenter):
    def segment(self, frame: Bytes) -> Bytes:
        return np.full(frame.shape[:2], 255, np.uint8)


def everything(height: int, width: int) -> Pipeline:
    """Return a pipeline that calls everything a person."""
    return Pipeline(_Everything(height, width))


def convert(
    source: Path, target: Path, *, make_pipeline: Callable[[int, int], Pipeline] = red_pipeline, **settings: Any
) -> VideoReport:
    """Convert with settings by name, and with a network that calls whatever is red a person unless told otherwise."""
    return convert_video(source, target, settings=Settings.validated(**settings), make_pipeline=make_pipeline)


def pictures(path: Path) -> list[Bytes]:
    """Decode what was written: RGB, with the matrix that it names."""
    with av.open(str(path)) as container:
        decoded: list[Any] = list(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for frame in decoded]


def transparent_pictures(path: Path) -> list[Bytes]:
    """Decode what was written with alpha: RGBA; FFmpeg's own VP9 decoder drops it, libvpx's does not."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder: Any = stream.codec_context
        if decoder.name == "vp9":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        packets = (packet if packet.size else None for packet in container.demux(stream))
        return [frame.to_ndarray(format="rgba") for packet in packets for frame in decoder.decode(packet)]


def times(path: Path) -> list[float]:
    """Return when each picture is shown, in seconds."""
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]
