"""Videos of the command line, from files and from pipes."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import av
import numpy as np
from fuzz import Target
from fuzz_mutations import damaged, require_sentence
from hypothesis import strategies as st

from eoam_core.errors import EoamError
from eoam_core.pipe import PipeInput
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Settings
from eoam_core.video import convert_video


class _Red:
    """Call whatever is red a person: the decoders are what is looked at here."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width, self.name = height, width, "red"

    def segment(self, frame: np.ndarray) -> np.ndarray:
        return frame[..., 2].copy()

    def close(self) -> None:
        pass


def samples() -> list[bytes]:
    """Return short videos in several containers, and texts that send FFmpeg to other files."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in (
            ("a.mp4", "libx264"),
            ("a.mkv", "libx264"),
            ("a.webm", "libvpx-vp9"),
            ("a.mov", "prores_ks"),
            ("a.avi", "mjpeg"),
            ("a.nut", "rawvideo"),
            ("a.ts", "mpeg2video"),
        ):
            path = Path(folder, name)
            with av.open(str(path), "w") as output:
                stream = output.add_stream(codec, rate=25)
                stream.width, stream.height = 32, 16
                stream.pix_fmt = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
                sound = (
                    output.add_stream("aac" if name == "a.mp4" else "pcm_s16le", rate=48000)
                    if name
                    in (
                        "a.mp4",
                        "a.avi",
                    )
                    else None
                )
                for number in range(3):
                    picture = np.full((16, 32, 3), number * 60, np.uint8)
                    output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                if sound is not None:
                    silence = av.AudioFrame(format=sound.format.name, layout=sound.layout.name, samples=1024)
                    silence.sample_rate = 48000
                    for plane in silence.planes:  # new frames are what was in the memory, which an encoder may refuse
                        plane.update(bytes(plane.buffer_size))
                    output.mux(sound.encode(silence))
                    output.mux(sound.encode(None))
                output.mux(stream.encode(None))
            made.append(path.read_bytes())
    made += [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hostname\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ]
    return made


def _check(value: tuple[bytes, str], folder: Path) -> None:
    content, ending = value
    source, target = folder / f"in{ending}", folder / "out.mkv"
    source.write_bytes(content)
    for one in (source, PipeInput(io.BytesIO(content))):
        try:
            convert_video(one, target, settings=Settings(), make_pipeline=_pipeline)
        except EoamError as error:
            require_sentence(error)
        else:
            target.unlink()
        assert [path.name for path in folder.iterdir()] == [source.name]


def _pipeline(height: int, width: int) -> Pipeline:
    return Pipeline(_Red(height, width), Settings())


_ENDINGS = st.sampled_from([".mp4", ".mkv", ".webm", ".m3u8", ".ffconcat", ".sdp", ".mpd", "", ".%d"])
TARGETS = (Target("videos", lambda: st.tuples(damaged(samples), _ENDINGS), _check),)
