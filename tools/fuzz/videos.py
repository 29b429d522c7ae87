"""Fuzz videos of the command line, from files and from pipes."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from hypothesis import strategies as st

from eoam_cli.video.convert import VideoReport, convert_video
from eoam_cli.video.pipe import PipeInput
from eoam_core.errors import EoamError
from eoam_core.pipeline import Pipeline
from eoam_core.settings import BackgroundKind, Settings
from tools.fuzz.mutations import damaged, require_sentence
from tools.fuzz.target import Target


class _Red:
    """Call red pixels a person: only the decoders are tested here."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width, self.name = height, width, "red"

    def segment(self, frame: np.ndarray) -> np.ndarray:
        return frame[..., 2].copy()

    def close(self) -> None:
        pass


# name, codec, pixels, options of the codec, options of the container, sounds
_KINDS: Final[tuple[tuple[Any, ...], ...]] = (
    ("a.mp4", "libx264", "yuv420p", {}, {}, ("aac", "aac")),
    ("cut.mp4", "libx264", "yuv420p", {"g": "2"}, {"movflags": "faststart"}, ("flac",)),
    ("fragmented.mp4", "libx264", "yuv420p", {"g": "2"}, {"movflags": "frag_keyframe+empty_moov"}, ("libopus",)),
    ("a.mkv", "libx264", "yuv420p", {}, {}, ("pcm_s16le",)),
    ("live.mkv", "libx264", "yuv420p", {}, {"live": "1"}, ()),
    ("a.webm", "libvpx-vp9", "yuv420p", {}, {}, ()),
    ("alpha.webm", "libvpx-vp9", "yuva420p", {"auto-alt-ref": "0"}, {}, ("libopus",)),
    ("alpha8.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0"}, {}, ()),
    ("a.mov", "prores_ks", "yuv422p10le", {}, {}, ()),
    ("alpha.mov", "png", "rgba", {}, {}, ()),
    ("hdr.mkv", "ffv1", "yuv444p10le", {}, {}, ()),
    ("interlaced.ts", "mpeg2video", "yuv420p", {"flags": "+ildct+ilme"}, {}, ()),
    ("a.avi", "mjpeg", "yuvj420p", {}, {}, ("pcm_s16le",)),
    ("a.nut", "rawvideo", "yuv420p", {}, {}, ()),
    ("a.flv", "flv", "yuv420p", {}, {}, ("aac",)),
)
_HDR = (9, 9, 18)  # BT.2020, HLG


def samples() -> list[bytes]:
    """Return short videos of every kind that is read in its own way, and texts that send FFmpeg to other files."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for name, *kind in _KINDS:
            path = Path(folder, name)
            _write(path, *kind)
            content = path.read_bytes()
            made.append(content)
            if path.stem in ("cut", "fragmented", "live"):
                made.append(content[: len(content) * 2 // 3])
        made.append(_trimmed(Path(folder, "a.mp4"), Path(folder, "trimmed.mp4")))
    made += [
        *_animations(),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ]
    return made


def _write(
    path: Path, codec: str, pixels: str, options: dict[str, str], container: dict[str, str], sounds: tuple[str, ...]
) -> None:
    with av.open(str(path), "w", options=container) as output:
        stream: Any = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 32, 16, pixels
        if path.stem == "hdr":
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc = _HDR
        tracks: list[Any] = [output.add_stream(sound, rate=48000) for sound in sounds]
        output.metadata["title"] = "fuzz"
        output.set_chapters(
            [{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}]
        )
        for number in range(4):
            picture = np.full((16, 32, 4), number * 60, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        for track in tracks:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
            silence.sample_rate = 48000
            output.mux(track.encode(silence))
            output.mux(track.encode(None))
        output.mux(stream.encode(None))


def _trimmed(source: Path, target: Path) -> bytes:
    """Return a copy whose first two pictures are there and not shown."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        video = container.streams.video[0]
        stream = output.add_stream_from_template(video)
        step = round(2 / 25 / (video.time_base or Fraction(1, 25)))
        for packet in container.demux(video):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - step, packet.dts - step, stream
                output.mux(packet)
    return target.read_bytes()


def _animations() -> list[bytes]:
    if not hasattr(cv2, "Animation"):
        return []  # an OpenCV before 4.12
    animation = cv2.Animation()
    animation.frames = [np.full((16, 32, 4), number * 60, np.uint8) for number in range(3)]
    animation.durations = [40, 40, 40]
    return [bytes(cv2.imencodeanimation(ending, animation)[1]) for ending in (".webp", ".avif")]


def _check(value: tuple[bytes, str], folder: Path) -> None:
    content, ending = value
    source, target = folder / f"in{ending}", folder / "out.mkv"
    source.write_bytes(content)
    for one in (source, PipeInput(io.BytesIO(content))):
        for settings in (Settings(), Settings(background=BackgroundKind.BLUR)):
            try:
                report = convert_video(one, target, settings=settings, make_pipeline=_pipeline)
            except EoamError as error:
                require_sentence(error)
            else:
                _require_truth(target, report)
                target.unlink()
            assert [path.name for path in folder.iterdir()] == [source.name]
            if isinstance(one, PipeInput):
                break  # it is empty now


def _require_truth(target: Path, report: VideoReport) -> None:
    """Raise AssertionError unless a result holds the pictures that its report counts."""
    assert report.frames > 0
    for note in report.notes:
        require_sentence(Exception(note))
    with av.open(str(target)) as container:
        assert sum(1 for _ in container.decode(video=0)) == report.frames


def _pipeline(height: int, width: int) -> Pipeline:
    return Pipeline(_Red(height, width), Settings())


_ENDINGS = st.sampled_from([".mp4", ".mkv", ".webm", ".m3u8", ".ffconcat", ".sdp", ".mpd", "", ".%d"])
TARGETS = (Target("videos", lambda: st.tuples(damaged(samples), _ENDINGS), _check),)
