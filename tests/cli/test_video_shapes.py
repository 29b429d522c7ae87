"""Videos whose shape changes midway, and interlaced ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_cli.video.convert import convert_video
from eoam_core.geometry import network_size
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Settings
from tests.core.doubles import RedSegmenter, frame_with_person

from .videos import convert, pictures, times, transparent_pictures, written

Bytes = NDArray[np.uint8]


def _joined(folder: Path, name: str, codec: str, sizes: Sequence[tuple[int, int]]) -> Path:
    """Write 8 pictures of each size, (height, width), into one stream, as calls and turned phones do."""
    path = folder / name
    options = {"g": "8", "crf": "10", "deadline": "realtime"} if codec.startswith("libvpx") else {"g": "8", "crf": "10"}
    parts = []
    for number, (height, width) in enumerate(sizes):
        still = np.ascontiguousarray(frame_with_person(height, width)[..., :3])
        part = folder / f"part{number}{path.suffix}"
        with av.open(str(part), "w") as output:
            stream: Any = output.add_stream(codec, rate=25, options=options)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            if codec == "libx264":
                stream.codec_context.options = options | {"x264-params": "repeat-headers=1:annexb=1"}
            for _ in range(8):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(still, format="bgr24")))
            output.mux(stream.encode(None))
        parts.append(part)
    with av.open(str(path), "w") as output:
        target: Any = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as container:
                source = container.streams.video[0]
                target = output.add_stream_from_template(source) if target is None else target
                assert source.time_base is not None
                step = round(number * 8 / 25 / source.time_base)
                begin = source.start_time or 0
                for packet in container.demux(source):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts = packet.pts - begin + step, packet.dts - begin + step
                        packet.stream = target
                        output.mux(packet)
    return path


KINDS = [("a.webm", "libvpx"), ("a.webm", "libvpx-vp9"), ("a.ts", "libx264"), ("a.ts", "mpeg2video")]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_another_shape_midway_gets_its_own_network_and_bars(tmp_path: Path, out: Path, name: str, codec: str) -> None:
    shapes = [(96, 160), (160, 96), (96, 160)]
    source = _joined(tmp_path, name, codec, shapes)
    made: list[tuple[int, int]] = []

    def make(height: int, width: int) -> Pipeline:
        made.append((width, height))
        return Pipeline(RedSegmenter(height, width))

    settings = Settings.validated(background="color", background_color="#00ff00")
    report = convert_video(source, out / "a.mp4", settings=settings, make_pipeline=make)
    assert report.frames >= 22
    assert made == [network_size(width, height) for height, width in shapes[:2]]
    shown = pictures(out / "a.mp4")
    assert {picture.shape for picture in shown} == {(96, 160, 3)}
    upright = shown[11].astype(int)
    assert upright[:, :44].max() < 30  # the bars; 96 rows of an upright picture are 58 columns
    assert upright[:, 116:].max() < 30
    assert np.abs(upright[4:18, 56:104] - (0, 255, 0)).max() < 40  # no room at its top
    assert np.abs(upright[36:60, 72:88] - (255, 30, 20)).max() < 40  # the person, neither wider nor higher
    assert np.abs(upright[36:60, 54:62] - (0, 255, 0)).max() < 40
    for number in (4, 20):
        assert np.abs(shown[number].astype(int)[30:66, 46:114] - (255, 30, 20)).max() < 40


def test_the_mask_of_the_second_shape_is_as_good_as_alone(tmp_path: Path, out: Path) -> None:
    shapes = [(96, 160), (160, 96)]
    convert(_joined(tmp_path, "a.webm", "libvpx", shapes), out / "both.webm", view="mask")
    alone = written(tmp_path / "alone.mkv", [np.ascontiguousarray(frame_with_person(160, 96)[..., :3])] * 8)
    convert(alone, out / "alone.webm", view="mask")
    whole = pictures(out / "alone.webm")[4][..., 0]  # (160, 96)
    framed = pictures(out / "both.webm")[12][..., 0][:, 51:109]  # (96, 58): the same, smaller
    rows, columns = (np.arange(96) * 160 // 96 + 1)[:, None], (np.arange(58) * 96 // 58)[None]
    both = (whole[rows, columns] > 128) & (framed > 128)
    either = (whole[rows, columns] > 128) | (framed > 128)
    assert both.sum() / either.sum() > 0.9


def test_bars_of_a_transparent_video_are_transparent(tmp_path: Path, out: Path) -> None:
    convert(_joined(tmp_path, "a.webm", "libvpx", [(96, 160), (160, 96)]), out / "a.mov")
    picture = transparent_pictures(out / "a.mov")[12]
    assert picture[:, :40, 3].max() < 8
    assert picture[40:56, 72:88, 3].min() > 245


def test_a_call_that_only_changes_its_resolution_has_no_bars(tmp_path: Path, out: Path) -> None:
    source = _joined(tmp_path, "a.webm", "libvpx", [(96, 160), (48, 80)])
    convert(source, out / "a.mp4", background="color", background_color="#00ff00")
    shown = pictures(out / "a.mp4")[12].astype(int)
    assert np.abs(shown[2:10, 2:-2] - (0, 255, 0)).max() < 40


def _interlaced(folder: Path, name: str, codec: str) -> Path:
    """Write a white bar that moves by 5 columns from one half picture to the next."""

    def bar(left: int) -> Bytes:
        picture = np.full((96, 128, 3), (120, 90, 0), np.uint8)
        picture[:, left : left + 24] = 255
        return picture

    frames = []
    for number in range(8):
        frame = bar(number * 10)
        frame[1::2] = bar(number * 10 + 5)[1::2]
        frames.append(frame)
    options = {"flags": "+ildct+ilme", "crf": "6", "qscale": "1"}
    if codec == "libx264":
        options = {"flags": "+ildct+ilme", "crf": "6", "x264-params": "tff=1"}
    return written(folder / name, frames, codec=codec, options=options)


def _combs(picture: Bytes) -> float:
    """Return how much the rows differ from their neighbours, more than from those next to them."""
    rows = picture[..., 0].astype(int)
    return float((np.abs(rows[1:-1] * 2 - rows[:-2] - rows[2:]) > 150).mean())


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.ts", "mpeg2video")])
def test_interlaced_video_is_deinterlaced(tmp_path: Path, out: Path, name: str, codec: str) -> None:
    source = _interlaced(tmp_path, name, codec)
    with av.open(str(source)) as container:
        stored = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in stored)
    assert _combs(stored[4].to_ndarray(format="rgb24")) > 0.05  # type: ignore[arg-type]
    report = convert(source, out / "a.mp4", view="side_by_side")
    assert (report.frames, report.notes) == (len(stored), ())
    report = convert(source, out / "b.mov", background="color", background_color="#000000")
    assert max(_combs(picture) for picture in pictures(out / "b.mov")) < 0.01
    assert times(out / "b.mov") == pytest.approx([number / 25 for number in range(len(stored))], abs=0.1)


def test_without_the_filter_one_line_says_that_it_is_interlaced(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eoam_cli.video.interlacing._FILTERS", ("no_such_filter",))
    report = convert(_interlaced(tmp_path, "a.mp4", "libx264"), out / "a.mp4", background="blur")
    assert (report.frames, report.notes) == (
        8,
        ("The video is interlaced, and this build of PyAV cannot deinterlace it.",),
    )


def test_progressive_video_is_left_alone(tmp_path: Path, out: Path) -> None:
    source = written(tmp_path / "a.mp4", [np.ascontiguousarray(frame_with_person(96, 128)[..., :3])] * 5)
    assert convert(source, out / "a.mp4", background="blur").frames == 5
