"""What is read of videos that are trimmed, damaged or cut short: all that decodes, and one line for the rest."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eoam_cli.main import main
from eoam_cli.video.convert import convert_video
from eoam_cli.video.pipe import PipeInput
from eoam_core.errors import InputError
from eoam_core.settings import Settings

from .videos import GOP, convert, cut_off, moving, pictures, red_pipeline, spoiled, times, written

FRAMES = 50
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
DAMAGED = "The video is damaged: {} left out."


def _one(count: int) -> str:
    return DAMAGED.format("1 frame was" if count == 1 else f"{count} frames were")


def _remuxed(source: Path, target: Path, *, start: float, end: float = 1e9, sound_from: float | None = None) -> Path:
    """Copy packets as an editor does that cuts without loss: what is before the start is kept and not shown."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in container.streams}
        for packet in container.demux():
            if packet.dts is None or packet.pts is None:
                continue
            time = float(packet.pts * packet.time_base)
            if time >= end or (packet.stream.type == "audio" and time < (sound_from or 0)):
                continue
            packet.pts -= round(start / packet.time_base)
            packet.dts -= round(start / packet.time_base)
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return target


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_lossless_cut_is_complete_whatever_the_header_counts(tmp_path: Path, out: Path, suffix: str) -> None:
    whole = written(tmp_path / "whole.mp4", moving(FRAMES), options={"g": "50", "crf": "10"})
    source = _remuxed(whole, tmp_path / f"cut{suffix}", start=1.0, end=1.6)
    with av.open(str(source)) as container:
        assert container.streams.video[0].frames > 30  # the header's number
    report = convert(source, out / "a.mp4", background="color")
    assert (report.frames, report.notes) == (15, ())
    assert times(out / "a.mp4") == pytest.approx([number / 25 for number in range(15)])


def test_sound_that_an_editor_cut_off_does_not_come_back(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "whole.mp4", moving(FRAMES), sounds=["aac"], options={"g": "50", "crf": "10"})
    source = _remuxed(whole, tmp_path / "cut.mp4", start=1.0)
    assert convert(source, out / "a.mkv", background="color").notes == ()
    with av.open(str(out / "a.mkv")) as container:
        first = next(packet for packet in container.demux(audio=0) if packet.pts is not None)
        assert first.pts is not None
        assert float(first.pts * first.time_base) > -0.1
    assert times(out / "a.mkv")[0] == pytest.approx(0, abs=0.1)


def test_an_avi_whose_camera_skipped_pictures_is_complete(tmp_path: Path, out: Path) -> None:
    uneven = [number * 2 for number in range(20)]
    source = written(tmp_path / "in.avi", moving(20), codec="mjpeg", pixels="yuvj420p", options={}, times=uneven)
    with av.open(str(source)) as container:
        assert container.streams.video[0].frames == 39
    report = convert(source, out / "a.mp4", background="color")
    assert (report.frames, report.notes) == (20, ())
    assert times(out / "a.mp4") == pytest.approx([number / 25 for number in uneven])


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "first", "count"),
    [
        ("a.avi", "mjpeg", "yuvj420p", 7, 1),
        ("a.mov", "prores_ks", "yuv422p10le", 7, 3),
        ("a.mp4", "libx264", "yuv420p", 15, 1),
        ("a.mp4", "libx264", "yuv420p", 48, 2),
        ("a.mov", "png", "rgb24", 0, 2),
    ],
)
def test_damaged_pictures_are_left_out_and_counted(
    tmp_path: Path, out: Path, name: str, codec: str, pixels: str, first: int, count: int
) -> None:
    options = GOP | {"bf": "0"} if codec == "libx264" else {}
    whole = written(tmp_path / name, moving(FRAMES), codec=codec, pixels=pixels, options=options)
    report = convert(spoiled(whole, tmp_path / f"b{name}", first=first, count=count), out / "a.mp4", background="color")
    assert (report.frames, report.notes) == (FRAMES - count, (_one(count),))
    left = [number / 25 for number in range(FRAMES) if not first <= number < first + count]
    assert times(out / "a.mp4") == pytest.approx(left, abs=0.001)


def test_pictures_that_depend_on_a_damaged_one_are_counted_too(tmp_path: Path, out: Path) -> None:
    slides = [np.roll(moving(1)[0], 2 * number, axis=1) for number in range(FRAMES)]  # with B pictures
    whole = written(tmp_path / "a.mp4", slides, options={"g": "25", "sc_threshold": "0"})
    report = convert(spoiled(whole, tmp_path / "b.mp4", first=0), out / "a.mp4", background="color")
    assert FRAMES - 26 < report.frames < FRAMES - 10  # from the next key picture on
    assert report.notes == (_one(FRAMES - report.frames),)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
@pytest.mark.parametrize("first", [0, 20])
def test_pictures_that_the_reader_skips_without_a_word_are_counted(
    tmp_path: Path, out: Path, name: str, first: int
) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    options = {"g": "10", "crf": "20", "deadline": "realtime"} if codec == "libvpx-vp9" else GOP
    whole = written(tmp_path / name, moving(FRAMES), codec=codec, options=options, container_options=_SMALL_CLUSTERS)
    report = convert(spoiled(whole, tmp_path / f"b{name}", first=first, count=2), out / "a.mp4", background="color")
    assert 0 < report.frames < FRAMES
    assert report.notes == (_one(FRAMES - report.frames),)


_SMALL_CLUSTERS = {"cluster_time_limit": "400"}


def _noise(content: bytearray, start: int, count: int) -> None:
    content[start : start + count] = np.random.default_rng(start).bytes(count)


@pytest.mark.parametrize("name", ["a.ts", "a.flv", "fragmented.mp4", "a.avi"])
def test_what_other_readers_skip_is_counted_too(tmp_path: Path, out: Path, name: str) -> None:
    codec, pixels = ("mjpeg", "yuvj420p") if name == "a.avi" else ("libx264", "yuv420p")
    options = FRAGMENTED if name == "fragmented.mp4" else {}
    whole = written(
        tmp_path / name,
        moving(FRAMES),
        codec=codec,
        pixels=pixels,
        options={} if codec == "mjpeg" else GOP,
        container_options=options,
    )
    content = bytearray(whole.read_bytes())
    if name == "fragmented.mp4":
        _noise(content, content.index(b"moof", content.index(b"moof") + 4) + 4, 60)
    elif name == "a.avi":
        _noise(content, content.index(b"00dc", len(content) // 2) - 20, 40)  # the header of one picture
    elif name == "a.ts":
        del content[188 * 100 : 188 * 160]
    else:
        _noise(content, len(content) // 2, 15_000)
    (tmp_path / f"b{name}").write_bytes(content)
    report = convert(tmp_path / f"b{name}", out / "a.mp4", background="color")
    assert 0.5 * FRAMES < report.frames < FRAMES
    (note,) = report.notes
    missing = FRAMES - report.frames
    # What an FLV's reader takes for packets in the noise counts as well.
    assert note in {_one(missing + extra) for extra in range(4 if name == "a.flv" else 1)}


def test_fragments_that_cannot_be_found_any_more_are_a_missing_end(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.mp4", moving(FRAMES), container_options=FRAGMENTED)
    content = bytearray(whole.read_bytes())
    start = content.index(b"moof", content.index(b"moof") + 4) - 4
    content[start : start + 8] = bytes(8)
    (tmp_path / "b.mp4").write_bytes(content)
    report = convert(tmp_path / "b.mp4", out / "a.mp4", background="color")
    assert 5 < report.frames < 15
    assert report.notes == (f"The video ends early: everything after {report.frames / 25:.1f} seconds is missing.",)


def test_pictures_that_were_never_taken_are_no_damage(tmp_path: Path, out: Path) -> None:
    uneven = [*range(10), *range(30, 40), *range(100, 110)]
    for name in ("a.mkv", "a.mp4"):
        source = written(tmp_path / name, moving(30), times=uneven)
        assert convert(source, out / "a.mp4", background="color").notes == ()


@pytest.mark.parametrize(
    ("name", "codec", "container_options"),
    [
        ("a.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mp4", "libx264", FRAGMENTED),
        ("a.mkv", "libx264", {}),
        ("a.mkv", "libx264", {"live": "1"}),
        ("a.webm", "libvpx-vp9", {}),
        ("a.ts", "libx264", {}),
        ("a.flv", "libx264", {}),
        ("a.avi", "mjpeg", {}),
    ],
    ids=["faststart", "fragmented", "mkv", "mkv_without_duration", "webm", "ts", "flv", "avi"],
)
def test_a_file_that_is_cut_short_says_so_and_keeps_the_rest(
    tmp_path: Path, out: Path, name: str, codec: str, container_options: dict[str, str]
) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {"deadline": "realtime", "crf": "20", "g": "10"} if codec == "libvpx-vp9" else GOP
    sounds = {"libvpx-vp9": ["libopus"], "libx264": ["aac"], "mjpeg": ["pcm_s16le"]}[codec]
    whole = written(
        tmp_path / name,
        moving(FRAMES),
        codec=codec,
        pixels=pixels,
        options=options if codec != "mjpeg" else {},
        container_options=container_options,
        sounds=sounds,
    )
    complete = convert(whole, out / "whole.mkv", background="color")
    assert (complete.frames, complete.notes) == (FRAMES, ())
    report = convert(cut_off(whole, tmp_path / f"cut_{name}", 0.6), out / "a.mkv", background="color")
    assert 0.3 * FRAMES < report.frames < 0.8 * FRAMES
    (note,) = report.notes
    assert "ends early" in note
    assert ("is missing" in note) or ("of 2.0 seconds are missing" in note) or ("of 2.1 seconds are missing" in note)
    assert len(pictures(out / "a.mkv")) == report.frames


def test_the_length_that_is_missing_is_right(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.mp4", moving(FRAMES), container_options={"movflags": "faststart"})
    report = convert(cut_off(whole, tmp_path / "b.mp4", 0.5), out / "a.mp4", background="color")
    missing = (FRAMES - report.frames) / 25
    assert report.notes == (f"The video ends early: the last {missing:.1f} of 2.0 seconds are missing.",)


def test_damage_and_a_missing_end_are_one_line(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.mov", moving(30), codec="mjpeg", pixels="yuvj420p", options={})
    with (
        av.open(str(whole)) as container,
        av.open(str(tmp_path / "f.mov"), "w", options={"movflags": "faststart"}) as o,
    ):
        stream = o.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                o.mux(packet)
    damaged = spoiled(tmp_path / "f.mov", tmp_path / "d.mov", first=3)
    report = convert(cut_off(damaged, tmp_path / "e.mov", 0.5), out / "a.mp4", background="color")
    (note,) = report.notes
    assert note.startswith("The video is damaged and ends early: 1 frame was left out, and the last 0.")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
def test_sound_that_is_longer_than_the_pictures_is_no_alarm(tmp_path: Path, out: Path, name: str) -> None:
    codec, pixels = ("mjpeg", "yuvj420p") if name == "a.avi" else ("libx264", "yuv420p")

    silence = av.AudioFrame.from_ndarray(np.zeros((1, 96000), np.int16), format="s16", layout="mono")
    silence.sample_rate, silence.pts, silence.time_base = 48000, 0, Fraction(1, 48000)
    source = tmp_path / name
    with av.open(str(source), "w") as output:
        video: Any = output.add_stream(codec, rate=25)
        video.height, video.width, video.pix_fmt = 96, 128, pixels
        track: Any = output.add_stream("pcm_s16le" if name in ("a.avi", "a.mov") else "aac", rate=48000)
        for picture in moving(10):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(video.encode(None))
        output.mux(track.encode(silence))
        output.mux(track.encode(None))
    report = convert(source, out / "a.mkv", background="color")
    assert (report.frames, report.notes) == (10, ())


def test_the_command_says_in_one_line_what_is_missing_and_succeeds(
    tmp_path: Path, out: Path, network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EOAM_MODEL", str(network))
    whole = written(tmp_path / "a.avi", moving(10), codec="mjpeg", pixels="yuvj420p", options={})
    source = spoiled(whole, tmp_path / "b.avi", first=4)
    assert main(["video", str(source), str(out / "a.mp4"), "--background", "green", "--no-progress"]) == 0
    assert capsys.readouterr().err.splitlines() == ["eoam: The video is damaged: 1 frame was left out."]
    assert len(pictures(out / "a.mp4")) == 9


def test_a_file_in_which_nothing_decodes_is_refused(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.avi", moving(5), codec="mjpeg", pixels="yuvj420p", options={})
    source = spoiled(whole, tmp_path / "b.avi", first=0, count=5)
    with pytest.raises(InputError, match=r"b\.avi is damaged or not a supported video .+; use a complete copy"):
        convert(source, out / "a.mp4", background="color")
    assert not list(out.iterdir())


def test_a_recording_without_its_index_is_refused(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.mp4", moving(20))
    with pytest.raises(InputError, match=r"b\.mp4 is damaged or not a supported video"):
        convert(cut_off(whole, tmp_path / "b.mp4", 0.7), out / "a.mp4", background="color")


def test_a_pipe_that_ends_early_gives_what_it_gave(tmp_path: Path, out: Path) -> None:
    whole = written(tmp_path / "a.mkv", moving(FRAMES), container_options=_SMALL_CLUSTERS)
    content = whole.read_bytes()
    report = convert_video(
        PipeInput(io.BytesIO(content[: len(content) * 6 // 10])),
        out / "a.mkv",
        settings=Settings.validated(background="color"),
        make_pipeline=red_pipeline,
    )
    assert 10 < report.frames < 45
    assert "ends early" in report.notes[0]
