"""A track that changes, or is declared and brings nothing, does not cost the pictures of the file that is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

import eoam_cli.video.convert
from eoam_cli.video.convert import convert_video
from eoam_cli.video.pipe import PipeInput
from eoam_cli.video.written import pictures_in
from eoam_core.settings import Settings

from .videos import convert, moving, pictures, red_pipeline, written

_SOUND = 8
_HEADER_BYTES = 13
_AAC_HEADER = b"\xaf\x00"
# AAC-LC: as FFmpeg's encoder describes it, the same in short, and with another rate
_USUAL, _SHORT, _OTHER_RATE = b"\x11\x90\x56\xe5\x00", b"\x11\x90", b"\x12\x08"

Tag = tuple[int, int, bytes]  # kind, milliseconds, content


def _tags(content: bytes) -> Iterator[Tag]:
    at = _HEADER_BYTES
    while at + 11 <= len(content):
        size = int.from_bytes(content[at + 1 : at + 4], "big")
        time = int.from_bytes(content[at + 4 : at + 7], "big") | content[at + 7] << 24
        yield content[at], time, content[at + 11 : at + 11 + size]
        at += 11 + size + 4


def _flv(path: Path, *extra: Tag, at: float) -> Path:
    """Write 0.8 seconds of FLV with more tags: one before the sound's tag at a share of them, others 3 tags later."""
    content = written(path, moving(20), codec="flv", options={}, sounds=["aac"]).read_bytes()
    tags = list(_tags(content))
    places = [index for index, tag in enumerate(tags) if tag[0] == _SOUND]
    first = int(at * (len(places) - 1)) + 1
    for number, one in reversed(list(enumerate(extra))):
        tags.insert(places[first + 3 * number], one)
    made = bytearray(content[:_HEADER_BYTES])
    for kind, time, data in tags:
        time &= 0xFFFFFFFF
        tag = bytes([kind]) + len(data).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
        tag += bytes([time >> 24, 0, 0, 0]) + data
        made += tag + len(tag).to_bytes(4, "big")
    path.write_bytes(made)
    return path


def _kinds(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


def _seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        assert container.duration
        return container.duration / 1_000_000


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm"])
@pytest.mark.parametrize("at", [0, 0.5], ids=["at the beginning", "midway"])
@pytest.mark.parametrize("header", [_SHORT, _OTHER_RATE], ids=["same", "other rate"])
def test_sound_that_is_described_anew_leaves_the_pictures_alone(
    tmp_path: Path, out: Path, header: bytes, at: float, suffix: str
) -> None:
    source = _flv(tmp_path / "in.flv", (_SOUND, 400 if at else 0, _AAC_HEADER + header), at=at)
    report = convert(source, out / f"a{suffix}", background="color")
    assert report.frames == len(pictures(out / f"a{suffix}")) == 20
    assert _kinds(out / f"a{suffix}") == ["audio", "video"]
    assert 0.7 < _seconds(out / f"a{suffix}") < 1.1
    assert len(report.notes) == 1
    assert "The sound was re-encoded as " in report.notes[0]


def test_sound_that_changes_midway_in_a_pipe_is_named(out: Path, tmp_path: Path) -> None:
    source = _flv(tmp_path / "in.flv", (_SOUND, 400, _AAC_HEADER + _OTHER_RATE), at=0.5)
    report = convert_video(
        PipeInput(io.BytesIO(source.read_bytes())),
        out / "a.mkv",
        settings=Settings(),
        make_pipeline=red_pipeline,
    )
    assert report.frames == len(pictures(out / "a.mkv")) == 20
    (note,) = report.notes
    assert note.startswith("The sound changes midway, which matroska cannot hold: ")


def test_sound_that_changes_back_in_a_pipe_is_copied_on(out: Path, tmp_path: Path) -> None:
    headers = [(_SOUND, 400, _AAC_HEADER + header) for header in (_OTHER_RATE, _USUAL)]
    source = _flv(tmp_path / "in.flv", *headers, at=0.5)
    report = convert_video(
        PipeInput(io.BytesIO(source.read_bytes())), out / "a.mkv", settings=Settings(), make_pipeline=red_pipeline
    )
    assert report.frames == len(pictures(out / "a.mkv")) == 20
    assert report.notes == ("The sound changes midway, which matroska cannot hold: 3 packets of it are left out.",)
    with av.open(str(out / "a.mkv")) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 30


@pytest.mark.parametrize("time", [0, 2**31 - 1, -(2**30)])
@pytest.mark.parametrize("header", [b"\x32", b"\x02", b"\x72"], ids=["pcm_s16le", "pcm_u8", "pcm_alaw"])
def test_a_second_track_that_brings_one_absurd_packet_leaves_the_pictures_alone(
    tmp_path: Path, out: Path, header: bytes, time: int
) -> None:
    source = _flv(tmp_path / "in.flv", (_SOUND, time, header + bytes(6)), at=0)
    report = convert(source, out / "a.mkv", background="color")
    assert report.frames == len(pictures(out / "a.mkv"))
    assert "video" in _kinds(out / "a.mkv")


def test_a_file_that_does_not_open_is_written_again_without_the_other_tracks(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(library: Any, path: Path) -> int:
        return 0 if "audio" in _kinds(path) else pictures_in(library, path)

    monkeypatch.setattr(eoam_cli.video.convert, "pictures_in", read)
    source = written(tmp_path / "in.mkv", moving(10), sounds=["aac", "aac"])
    report = convert(source, out / "a.mkv", background="color")
    assert report.frames == len(pictures(out / "a.mkv")) == 10
    assert report.notes == ("Left out: all other tracks and the chapters, since matroska cannot hold them.",)
    assert [path.name for path in out.iterdir()] == ["a.mkv"]


def test_a_file_whose_header_is_spoiled_holds_no_pictures(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", moving(10), sounds=["aac"])
    assert pictures_in(av, path) == 10
    content = bytearray(path.read_bytes())
    at = content.index(b"V_MPEG4")
    content[at - 60 : at + 20] = bytes(80)
    path.write_bytes(content)
    assert pictures_in(av, path) == 0
