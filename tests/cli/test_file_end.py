from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from eoam_cli.video.file_end import FileEnd

from .videos import moving, written

KINDS = [("a.mp4", {}), ("a.mp4", {"movflags": "frag_keyframe+empty_moov"}), ("a.mov", {}), ("a.mkv", {}), ("a.ts", {})]


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_a_file_that_lacks_its_last_bytes_is_truncated(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = written(tmp_path / name, moving(10), container_options=options)
    with av.open(str(path)) as container:
        form = container.format.name
    content = path.read_bytes()
    assert not FileEnd(io.BytesIO(content), form).is_truncated
    for missing in (1, 50, len(content) // 2 + 1):
        assert FileEnd(io.BytesIO(content[:-missing]), form).is_truncated, missing


def test_a_live_recording_promises_nothing(tmp_path: Path) -> None:
    content = written(tmp_path / "a.mkv", moving(10), container_options={"live": "1"}).read_bytes()
    assert not FileEnd(io.BytesIO(content), "matroska,webm").is_truncated


@pytest.mark.parametrize("tail", [b"\0" * 100, b"appended by something else", b"\xff" * 7])
def test_what_was_appended_to_a_file_is_no_damage(tmp_path: Path, tail: bytes) -> None:
    content = written(tmp_path / "a.mp4", moving(5)).read_bytes()
    assert not FileEnd(io.BytesIO(content + tail), "mov,mp4").is_truncated


def test_the_file_is_left_at_its_beginning() -> None:
    file = io.BytesIO(b"x" * 100)
    FileEnd(file, "mpegts")
    assert file.tell() == 0


@pytest.mark.parametrize("form", ["mov", "matroska", "mpegts", "webp", "avi"])
@pytest.mark.parametrize("content", [b"", b"\x1a", b"\x1a\x45\xdf\xa3", b"\0\0\0\1ftyp", b"RIFF", b"G"])
def test_whatever_a_file_holds_it_is_read_to_an_end(form: str, content: bytes) -> None:
    FileEnd(io.BytesIO(content), form)
