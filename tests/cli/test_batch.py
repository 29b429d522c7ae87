from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from eoam_cli.batch import BatchReport, Job, plan, prepare_folder, run
from eoam_cli.main import main
from eoam_cli.video.convert import VideoReport, convert_video
from eoam_cli.video.pipe import PipeInput, PipeOutput, RawVideo
from eoam_core.errors import InputError, InstallationError
from eoam_core.pictures.picture import read_picture
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Settings
from tests.core.doubles import RedSegmenter, frame_with_person

ROOT = Path(__file__).parents[2]
FFMPEG = shutil.which("ffmpeg")
FRAMES = 6


@pytest.fixture(autouse=True)
def _model(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOAM_MODEL", str(network))


def _photo(path: Path, height: int = 90, width: int = 120) -> Path:
    path.write_bytes(cv2.imencode(".png", frame_with_person(height, width))[1].tobytes())
    return path


def _clip(path: Path, *, sound: str | None = None, form: str | None = None) -> Path:
    bgr = np.ascontiguousarray(frame_with_person(48, 64)[..., :3])
    with av.open(str(path), "w", format=form) as output:
        video: Any = output.add_stream("libx264", rate=25, options={"crf": "10"})
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        audio: Any = output.add_stream(sound, rate=48000) if sound else None
        for number in range(FRAMES):
            output.mux(video.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
            if audio is not None:
                wave = np.sin(np.arange(1920) * 0.06) * 8000
                samples = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
                samples.sample_rate, samples.pts = 48000, 1920 * number
                output.mux(audio.encode(samples))
        for stream in filter(None, (video, audio)):
            output.mux(stream.encode(None))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [_photo(tmp_path / f"{name}.png", 60 + 10 * number, 120) for number, name in enumerate("abc")]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_plan_gives_every_file_its_place(tmp_path: Path, out: Path) -> None:
    assert plan([tmp_path / "x.jpg", Path("y.tar.png")], out, suffix=".png") == (
        Job(source=tmp_path / "x.jpg", target=out / "x.png"),
        Job(source=Path("y.tar.png"), target=out / "y.tar.png"),
    )


@pytest.mark.parametrize("names", [("x/a.jpg", "y/a.jpg"), ("a.jpg", "a.png"), ("a.jpg", "a.jpg"), ("a.png", "A.png")])
def test_two_files_for_one_place_are_refused(out: Path, names: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"(?i)would be written to .+a\.png; use a folder for each"):
        plan(map(Path, names), out, suffix=".png")


def test_a_pattern_that_no_shell_has_replaced_is_replaced(photos: list[Path], tmp_path: Path, out: Path) -> None:
    assert [job.source for job in plan([tmp_path / "[ab].png"], out, suffix=".png")] == photos[:2]
    odd = _photo(tmp_path / "what[1].png")
    assert [job.source for job in plan([odd], out, suffix=".png")] == [odd]
    with pytest.raises(InputError, match=r"No file matches .+\*\.jpg"):
        plan([tmp_path / "*.jpg"], out, suffix=".png")


def test_a_bad_file_does_not_stop_the_rest(out: Path) -> None:
    jobs = plan([Path(f"{name}.jpg") for name in "abcd"], out, suffix=".png")
    told: list[Job] = []

    def work(job: Job) -> None:
        if job.source.stem == "b":
            raise InputError("b is damaged.")
        if job.source.stem == "c":
            raise MemoryError("too large")
        job.target.touch()

    report = run(jobs, work, on_job=told.append)
    assert report == BatchReport(
        done=(Path("a.jpg"), Path("d.jpg")),
        skipped=(),
        failed=((Path("b.jpg"), "b is damaged."), (Path("c.jpg"), "MemoryError: too large")),
    )
    assert told == list(jobs)
    assert report.summary(unit="image").splitlines() == [
        "2 images written, 2 failed:",
        "  b.jpg: b is damaged.",
        "  c.jpg: MemoryError: too large",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, InstallationError])
def test_an_interruption_or_a_missing_library_stops_all(out: Path, error: type[BaseException]) -> None:
    begun: list[Job] = []

    def work(job: Job) -> None:
        begun.append(job)
        raise error

    with pytest.raises(error):
        run(plan([Path("a.jpg"), Path("b.jpg")], out, suffix=".png"), work)
    assert len(begun) == 1


def test_a_folder_is_made_or_the_reason_said(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "new" / "deep")
    assert (tmp_path / "new" / "deep").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be created: .+; choose another folder"):
        prepare_folder(tmp_path / "file")


def test_pictures_go_into_a_folder(photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = tmp_path / "new" / "folder"
    assert main(["image", *map(str, photos), "--into", str(into), "--threshold", "0.4"]) == 0
    assert _names(into) == ["a.png", "b.png", "c.png"]
    assert [read_picture(into / f"{name}.png").shape[0] for name in "abc"] == [60, 70, 80]
    assert read_picture(into / "b.png")[2, 2, 3] == 0
    assert capsys.readouterr() == ("", "eoam: 3 images written\n")


def test_a_batch_that_was_broken_off_is_resumed(
    photos: list[Path], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["image", *map(str, photos), "--into", str(out)]
    process, calls = Pipeline.process, []

    def interrupted(self: Pipeline, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return process(self, *arguments, **named)

    monkeypatch.setattr("eoam_core.pipeline.Pipeline.process", interrupted)
    assert main(command) == 130
    assert _names(out) == ["a.png"]  # and nothing half-written
    (out / "a.png").write_bytes(b"left alone")
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().err == "eoam: 2 images written, 1 already there (--overwrite replaces them)\n"
    assert _names(out) == ["a.png", "b.png", "c.png"]
    assert (out / "a.png").read_bytes() == b"left alone"
    assert main([*command, "--overwrite"]) == 0
    assert read_picture(out / "a.png").shape == (60, 120, 4)


def test_the_bad_picture_of_a_batch_is_named(photos: list[Path], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos[1].write_bytes(photos[1].read_bytes()[:-20])
    assert main(["image", *map(str, photos), "--into", str(out)]) == 1
    assert _names(out) == ["a.png", "c.png"]
    first, second = capsys.readouterr().err.splitlines()
    assert first == "eoam: 2 images written, 1 failed:"
    assert second.startswith(f"  {photos[1]}: The image {photos[1]} is damaged")


def test_what_is_wrong_for_every_file_is_said_once(
    photos: list[Path], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["image", *map(str, photos), "--into", str(out)]
    assert main([*command, "--model", "no.onnx"]) == 2
    assert main([*command, "--background", "picture"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 2
    assert "There is no model file no.onnx" in error
    assert not _names(out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["image", "a.png"], "There is no output for a.png"),
        (["image", "a.png", "b.png", "c.png"], "3 files were named; for more than one input name a folder with --into"),
        (["image", "-", "--into", "x"], "--into cannot be combined with -"),
        (["video", "a.mp4", "b.mkv", "--raw-input", "4x4@25:rgb24"], "--raw-input only works with the input -"),
        (["video", "a.mp4", "--into", "x", "--ending", ".mp4"], "cannot store transparency"),
        (["video", "a.mp4", "--into", "x", "--background", "picture"], "No background image is chosen"),
    ],
)
def test_a_wrong_set_of_files_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    before = _names(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert _names(tmp_path) == before


def test_flags_may_stand_between_the_files(photos: list[Path], out: Path) -> None:
    assert main(["image", str(photos[0]), "--softness", "0.1", str(out / "x.png")]) == 0
    assert main(["image", str(photos[1]), "--into", str(out), str(photos[2])]) == 0
    assert _names(out) == ["b.png", "c.png", "x.png"]


def test_videos_go_into_a_folder_with_their_sound(tmp_path: Path, out: Path, capsys: Any) -> None:
    good = _clip(tmp_path / "good.mp4", sound="aac")
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video", encoding="utf-8")
    last = _clip(tmp_path / "last.mp4")
    command = ["video", str(good), str(bad), str(last), "--into", str(out)]
    assert main(command) == 1
    assert _names(out) == ["good.webm", "last.webm"]
    error = capsys.readouterr().err
    assert "good.mp4: The sound was re-encoded as opus: webm cannot hold aac." in error
    assert f"2 videos written, 1 failed:\n  {bad}: {bad} is damaged" in error
    assert main([*command[:2], *command[3:], "--background", "red", "--progress"]) == 0
    assert _names(out) == ["good.mp4", "good.webm", "last.mp4", "last.webm"]
    assert "2/2" in capsys.readouterr().err
    with av.open(str(out / "good.mp4")) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["aac", "h264"]


def test_sound_that_is_encoded_anew_keeps_its_pitch_and_its_place(tmp_path: Path, out: Path) -> None:
    source = _clip(tmp_path / "in.mkv", sound="aac")
    report = _convert(source, out / "a.webm")
    assert report.notes == ("The sound was re-encoded as opus: webm cannot hold aac.",)

    def heard(path: Path) -> tuple[float, float]:
        with av.open(str(path)) as container:
            frames: list[Any] = list(container.decode(audio=0))
        wave = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames])
        crossings = np.flatnonzero(np.diff(np.signbit(wave)))
        return float(frames[0].time), float(np.median(np.diff(crossings)))

    (began, pitch), (began_before, pitch_before) = heard(out / "a.webm"), heard(source)
    assert began == pytest.approx(began_before, abs=0.05)
    assert pitch == pytest.approx(pitch_before, abs=2)


def _convert(source: Path | PipeInput, target: Path | PipeOutput, settings: Settings | None = None) -> VideoReport:
    def make(height: int, width: int) -> Pipeline:
        return Pipeline(RedSegmenter(height, width))

    return convert_video(source, target, settings=settings or Settings(), make_pipeline=make)


@pytest.mark.parametrize("form", ["matroska", "nut", "mpegts"])
@pytest.mark.parametrize("written", ["nut", "matroska", "webm"])
def test_a_video_goes_from_pipe_to_pipe_with_alpha_and_sound(tmp_path: Path, form: str, written: str) -> None:
    source = _clip(tmp_path / "in", sound="aac", form=form)
    result = io.BytesIO()
    report = _convert(PipeInput(io.BytesIO(source.read_bytes())), PipeOutput(result, form=written))
    assert report.frames == FRAMES
    result.seek(0)
    with av.open(result, "r") as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]
        video = container.streams.video[0]
        decoder: Any = av.CodecContext.create("libvpx-vp9", "r") if video.codec_context.name == "vp9" else None
        frames: list[Any] = []
        for packet in container.demux(video):
            frames += (decoder or packet.stream.codec_context).decode(packet if packet.size else None)
    assert len(frames) == FRAMES
    picture = frames[3].to_ndarray(format="rgba")
    assert picture[24, 32, 3] > 245
    assert picture[2, 2].max() < 12


def test_headerless_video_goes_in_and_out() -> None:
    rgb = np.ascontiguousarray(frame_with_person(48, 64)[..., 2::-1])
    result = io.BytesIO()
    source = PipeInput(io.BytesIO(rgb.tobytes() * 3), raw=RawVideo.parsed("64x48@25:rgb24"))
    assert _convert(source, PipeOutput(result, form="rawvideo")).frames == 3
    frames = np.frombuffer(result.getvalue(), np.uint8).reshape(3, 48, 64, 4)
    np.testing.assert_array_equal(frames[2, 24, 32], (255, 30, 20, 255))
    np.testing.assert_array_equal(frames[2, 2, 2], 0)


@pytest.mark.parametrize("text", ["64x48", "64x48@0:rgb24", "0x48@25:rgb24", "64x48@25/0:rgb24", "64x48@25", ""])
def test_a_wrong_description_of_headerless_video_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="use the form 1280x720@30:rgb24"):
        RawVideo.parsed(text)


def test_a_rate_may_be_a_fraction() -> None:
    assert RawVideo.parsed("1280x720@30000/1001:yuv420p").rate == "30000/1001"


def test_an_output_that_is_no_pipes_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'mp4' cannot come out of a pipe"):
        _convert(_clip(tmp_path / "in.mp4"), PipeOutput(io.BytesIO(), form="mp4"))


def test_a_pipe_that_holds_no_video_is_said(out: Path) -> None:
    for content in (b"", b"no video at all" * 100):
        with pytest.raises(InputError, match=r"^Standard input is damaged or not a video that can be read from a pipe"):
            _convert(PipeInput(io.BytesIO(content)), out / "a.webm")
    assert not _names(out)


def test_an_unbuffered_pipe_that_takes_little_at_once_gets_all(tmp_path: Path) -> None:
    class Narrow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:1000])

    source = _clip(tmp_path / "in.mp4")
    narrow, wide = Narrow(), io.BytesIO()
    for result in (narrow, wide):
        _convert(source, PipeOutput(result))
    assert narrow.getvalue() == wide.getvalue()


def test_a_reader_that_ends_is_said(tmp_path: Path) -> None:
    class Closed(io.BytesIO):
        def write(self, data: Any) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(
        InputError, match=r"^Standard output was closed \(Broken pipe\); check the program that reads it"
    ):
        _convert(_clip(tmp_path / "in.mp4"), PipeOutput(Closed()))


def _shell(command: str, folder: Path) -> str:
    """Run a line of the documentation with this Python's `eoam`, and return what it wrote to stderr."""
    (folder / "eoam").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eoam_core "$@"\n', encoding="utf-8")
    (folder / "eoam").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {command}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def _documented() -> list[str]:
    text = (ROOT / "docs" / "user" / "cli.md").read_text(encoding="utf-8")
    section = text.partition("## Pipes")[2].partition("\n## ")[0]
    blocks = section.split("```")[1::2]
    return [line for block in blocks for line in block.strip().replace(" \\\n", " ").splitlines()]


@pytest.mark.skipif(sys.platform == "win32", reason="the lines are a Unix shell's")
@pytest.mark.skipif(FFMPEG is None, reason="there is no ffmpeg; the tests above do the same through PyAV")
@pytest.mark.parametrize("line", _documented())
def test_the_documented_lines_with_ffmpeg_work(tmp_path: Path, line: str) -> None:
    _clip(tmp_path / "talk.mp4", sound="aac")
    _photo(tmp_path / "photo.jpg")
    made = line.split()[-1]
    assert not (tmp_path / made).exists()
    _shell(line, tmp_path)
    if made.endswith(".png"):
        assert read_picture(tmp_path / made).shape[2] == 4
        return
    with av.open(str(tmp_path / made)) as container:
        assert len(list(container.decode(video=0))) >= FRAMES
        wants_sound = not any(form in line for form in ("-f rawvideo", "--pipe-format rawvideo", "yuv4mpegpipe"))
        assert bool(container.streams.audio) == wants_sound
