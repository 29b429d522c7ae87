"""Pictures and videos of the command line: one sentence and exit code 2, and nothing else is opened or written."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from eoam_cli.main import main
from eoam_core.errors import InputError
from eoam_core.pictures.decoding import MAX_PIXELS, examined
from eoam_core.pictures.picture import read_picture
from eoam_core.settings import Settings
from tools.fuzz import pictures

from .confined import CLI, run

REFUSED = 2


@pytest.fixture(autouse=True)
def own_network(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOAM_MODEL", str(network))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    cv2.imwrite(str(path), np.full((48, 64, 3), 128, np.uint8))
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return _write_video(tmp_path / "in.mkv", "libx264", frames=3)


def _write_video(path: Path, codec: str, *, frames: int) -> Path:
    dice = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(dice.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(list(map(str, arguments))) == REFUSED
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("eoam: ")
    assert line.isprintable()
    return line


def bomb(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (20_000, 20_000), (0x7FFFFFFF, 1), (1, 100_000)])
def test_a_picture_that_claims_to_be_huge_costs_no_memory(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(width, height))
    done = run(CLI, ["image", path, tmp_path / "out.png"], mebibytes=2048)
    assert done.returncode == REFUSED, done.stderr
    assert done.stderr.startswith(f"eoam: The image {path} has {width}x{height} pixels, more than")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("content", pictures.samples(), ids=lambda content: content[:4].hex())
def test_the_size_that_a_header_claims_is_the_one_that_opencv_decodes(content: bytes) -> None:
    file = examined(content)
    assert file is not None
    assert (file.width, file.height) == (40, 30)
    ended = content + (b"\xff\xd9" if file.lacks_end_mark else b"")
    decoded = cv2.imdecode(np.frombuffer(ended, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.shape[:2] == (30, 40)


def test_the_largest_camera_is_below_the_limit() -> None:
    assert MAX_PIXELS >= 16_320 * 12_240


def test_what_never_ends_is_not_read_to_its_end(tmp_path: Path) -> None:
    code = (
        "from eoam_core.pictures import picture; picture._MAX_BYTES = 1 << 22; from eoam_cli.main import main; "
        "sys.exit(main(['image', '/dev/zero', sys.argv[1]]))"
    )
    done = run(code, [tmp_path / "out.png"], mebibytes=2048)
    assert (done.returncode, "is larger than 4 MiB" in done.stderr) == (REFUSED, True), done.stderr


@pytest.mark.parametrize("name", ["a\nb.png", "\x1b[2Ja.png", "a\u202egnp.exe", "\udcff.png", "concat:a|b.png"])
def test_odd_names_make_one_harmless_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    path = tmp_path / os.fsdecode(os.fsencode(name))
    path.write_bytes(b"no picture")
    assert "is damaged or not a supported image" in _refused(capsys, "image", path, tmp_path / "out.png")
    assert "is damaged or not a supported video" in _refused(capsys, "video", path, tmp_path / "out.webm")


def test_names_with_a_dash_and_a_line_break_are_names(tmp_path: Path, picture: Path) -> None:
    for name in ("-rf.png", "a\nb.png", "--model"):
        shutil.copy(picture, tmp_path / name)
        assert main(["image", str(tmp_path / name), str(tmp_path / f"{name}.out.png")]) == 0
    done = run(CLI, ["image", "./-rf.png", "./-o.png"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "-o.png").exists()


def test_the_home_of_nobody_is_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(picture, "~nobody-at-all.png")
    assert main(["image", str(picture), "out.png", "--background", "~nobody-at-all.png"]) == 0
    arguments = ("--background", "picture", "--background-picture", "~nobody-at-all/x.png")
    assert "There is no image ~nobody-at-all/x.png" in _refused(capsys, "image", picture, "out2.png", *arguments)


def test_a_background_whose_name_no_file_can_have_is_a_sentence() -> None:
    for text in ("\ud800.png", "x" * 5000):
        with pytest.raises(InputError, match="cannot be read"):
            read_picture(text)


@pytest.mark.parametrize("kind", ["m3u8", "ffconcat", "m3u8 in a pipe", "m3u8 named mkv"])
def test_a_list_of_other_files_opens_none_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # FFmpeg would look there, too, for what a list names
    playlist = tmp_path / f"list.{kind.split()[-1] if 'pipe' not in kind else 'm3u8'}"
    # Large enough for FFmpeg to be sure of its kind, and with an ending that its reader of playlists likes.
    segment = _write_video(tmp_path / "segment.ts", "mpeg2video", frames=30)
    if kind == "ffconcat":
        playlist.write_text(f"ffconcat version 1.0\nfile {segment.name}\n")
    else:
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
        playlist.write_text(f"{head}#EXTINF:0.12,\n{segment.name}\n#EXT-X-ENDLIST\n")
    if kind != "m3u8 named mkv":
        with av.open(str(playlist)) as opened:  # FFmpeg itself would follow it
            assert sum(1 for _ in opened.decode(video=0)) > 0
    target = tmp_path / "out.webm"
    if "pipe" in kind:
        with playlist.open("rb") as file:
            done = run(CLI, ["video", "-", target], stdin=file, cwd=tmp_path)
        assert done.returncode == REFUSED, done.stderr
    else:
        _refused(capsys, "video", playlist, target)
    assert not target.exists()


def test_a_list_of_addresses_reaches_none_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callers: list[object] = []

    def answer() -> None:
        while True:
            try:
                connection, caller = server.accept()
            except OSError:  # closed
                return
            callers.append(caller)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        port = server.getsockname()[1]
        for name, text in (
            ("a.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"),
            ("b.ffconcat", f"ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.ts\n"),
            ("c.sdp", f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"),
        ):
            (tmp_path / name).write_text(text)
            _refused(capsys, "video", tmp_path / name, tmp_path / "out.webm")
        _refused(capsys, "video", f"http://127.0.0.1:{port}/a.mkv", tmp_path / "out.webm")
        _refused(capsys, "image", f"http://127.0.0.1:{port}/a.png", tmp_path / "out.png")
        socket.create_connection(("127.0.0.1", port)).close()  # whoever came before has been let in by now
        give_up = time.monotonic() + 60
        while not callers and time.monotonic() < give_up:
            time.sleep(0.01)
        server.shutdown(socket.SHUT_RDWR)
    assert len(callers) == 1


@pytest.mark.parametrize("name", ["concat:in.mkv", "file:in.mkv", "http:in.mkv", "subfile,,start,0,end,9,,:in.mkv"])
def test_a_name_that_ffmpeg_would_take_for_a_protocol_is_a_name(
    tmp_path: Path, video: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, name)
    assert main(["video", name, f"{name[:-4]}.out.webm"]) == 0
    assert Path(f"{name[:-4]}.out.webm").stat().st_size > 0


def test_a_link_as_output_is_replaced_and_not_written_through(tmp_path: Path, picture: Path, video: Path) -> None:
    for name, source, command in (("out.png", picture, "image"), ("out.webm", video, "video")):
        precious = tmp_path / f"precious-{name}"
        precious.write_bytes(b"precious")
        target = tmp_path / name
        target.symlink_to(precious)
        assert main([command, str(source), str(target)]) == 0
        assert precious.read_bytes() == b"precious"
        assert not target.is_symlink()


def test_a_link_to_the_input_as_output_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: Path
) -> None:
    before = picture.read_bytes()
    (tmp_path / "out.png").symlink_to(picture)
    assert "is the input itself" in _refused(capsys, "image", picture, tmp_path / "out.png")
    assert picture.read_bytes() == before


def test_a_video_that_claims_to_be_huge_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.y4m"
    path.write_bytes(b"YUV4MPEG2 W30000 H30000 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(1000))
    done = run(CLI, ["video", path, tmp_path / "out.webm"], mebibytes=2048)
    assert done.returncode == REFUSED, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    done = run(
        CLI,
        ["video", "-", tmp_path / "out.webm", "--raw-input", "30000x30000@30:rgb24"],
        mebibytes=2048,
        input="x" * 999,
    )
    assert done.returncode == REFUSED, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_one_bad_file_of_many_is_named_and_the_rest_is_done(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], picture: Path
) -> None:
    (tmp_path / "bad\n.png").write_bytes(bomb(60_000, 60_000))
    assert main(["image", str(tmp_path / "bad\n.png"), str(picture), "--into", str(out)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "eoam: 1 image written, 1 failed:"
    assert len(said) == 2
    assert [path.name for path in out.iterdir()] == ["in.png"]


def test_info_and_doctor_show_odd_names_harmlessly(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\x1b[2J\xff\n.onnx")
    path.write_bytes(b"x")
    for command in ("info", "doctor"):
        done = run(CLI, [command, "--model", path], env={"PYTHONIOENCODING": "utf-8", "HOME": str(tmp_path)})
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout


def test_settings_of_the_wildest_kind_become_settings() -> None:
    deep: object = {}
    for _ in range(5000):
        deep = [deep]
    stored = {
        "threshold": 10**400,
        "softness": float("nan"),
        "model": "\0",
        "preset": deep,
        "people": -1e308,
        "x" * 10**6: 1,
    }
    parsed = Settings.from_mapping(stored)
    assert set(parsed.adjusted) == {"threshold", "softness", "model", "preset", "people"}
    assert parsed.settings.replace(people=2) == Settings()


def test_the_limit_of_memory_in_these_tests_is_one() -> None:
    done = run("bytearray(3 << 30)", mebibytes=1024)
    assert "MemoryError" in done.stderr
    with pytest.raises(subprocess.TimeoutExpired):
        run("import time; time.sleep(9)", seconds=0.5)
