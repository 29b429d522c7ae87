from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from eoam_cli.main import main
from eoam_core.pictures.picture import read_picture
from eoam_core.settings import describe_settings, settings_table
from tests.core.doubles import broken_library, frame_with_person
from tests.pictures.pictures import animated

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _model(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOAM_MODEL", str(network))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return _photo(tmp_path / "photo.png", 90, 120)


def _photo(path: Path, height: int, width: int) -> Path:
    path.write_bytes(cv2.imencode(".png", frame_with_person(height, width))[1].tobytes())
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        bgr = np.ascontiguousarray(frame_with_person()[..., :3])
        for _ in range(4):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        output.mux(stream.encode(None))
    return path


def test_image_writes_the_person_with_alpha(photo: Path, out: Path) -> None:
    assert main(["image", str(photo), str(out / "a.png")]) == 0
    bgra = read_picture(out / "a.png")
    assert bgra.shape == (90, 120, 4)
    np.testing.assert_array_equal(bgra[45, 60], (20, 30, 255, 255))
    assert not bgra[bgra[..., 3] == 0].any()
    assert bgra[2, 2, 3] == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 501), (333, 17), (97, 101)])
def test_image_takes_any_size(tmp_path: Path, out: Path, size: tuple[int, int]) -> None:
    assert main(["image", str(_photo(tmp_path / "odd.png", *size)), str(out / "a.png")]) == 0
    assert read_picture(out / "a.png").shape == (*size, 4)


def test_image_can_show_the_mask(photo: Path, out: Path) -> None:
    assert main(["image", str(photo), str(out / "a.png"), "--view", "mask"]) == 0
    bgra = read_picture(out / "a.png")
    np.testing.assert_array_equal(bgra[45, 60], 255)
    np.testing.assert_array_equal(bgra[2, 2], (0, 0, 0, 255))


@pytest.mark.parametrize(
    ("flags", "corner"),
    [
        (["--background", "#0a0b0c"], (12, 11, 10, 255)),
        (["--background", "white"], (255, 255, 255, 255)),
        (["--background", "color"], (0x40, 0xB1, 0, 255)),
        (["--background", "color", "--background-color", "#010203"], (3, 2, 1, 255)),
        (["--background", "blur", "--blur-strength", "1"], (120, 90, 0, 255)),
        (["--background", "{photo}"], (120, 90, 0, 255)),
        (["--background", "picture", "--background-picture", "{photo}"], (120, 90, 0, 255)),
        (["--background", "transparent"], (0, 0, 0, 0)),
        (["--view", "side_by_side"], (0, 0, 0, 255)),
        (["--view", "outline"], (120, 90, 0, 255)),
        (["--view", "confidence"], (0, 0, 0, 255)),
    ],
)
def test_image_takes_every_background_and_view(
    photo: Path, out: Path, flags: list[str], corner: tuple[int, ...]
) -> None:
    assert main(["image", str(photo), str(out / "a.png"), *(flag.format(photo=photo) for flag in flags)]) == 0
    found = read_picture(out / "a.png")
    assert found.shape == (90, 120, 4)
    assert np.abs(found[2, 2].astype(int) - corner).max() <= 1
    if "--view" not in flags:
        np.testing.assert_array_equal(found[45, 60], (20, 30, 255, 255))


def test_settings_reach_the_picture(tmp_path: Path, out: Path) -> None:
    frame = frame_with_person(90, 120)
    frame[..., 2] = np.minimum(frame[..., 2], 150)
    source = tmp_path / "faint.png"
    source.write_bytes(cv2.imencode(".png", frame)[1].tobytes())
    for threshold, shown in (("0.3", True), ("0.9", False)):
        assert main(["image", str(source), str(out / "a.png"), "--threshold", threshold]) == 0
        assert read_picture(out / "a.png")[..., 3].any() == shown


def test_video_writes_alpha_and_no_bar_without_a_terminal(
    clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["video", str(clip), str(out / "a.webm")]) == 0
    assert (out / "a.webm").stat().st_size > 0
    assert capsys.readouterr() == ("", "")


def test_video_writes_a_new_background_with_a_bar_if_asked(
    clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["video", str(clip), str(out / "a.mp4"), "--background", "#123456", "--progress"]) == 0
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["image", "{no}", "{out}/a.png"], "There is no image"),
        (["image", "{text}", "{out}/a.png"], "not a supported image"),
        (["image", "{photo}", "{out}/a.jpg"], "use .png"),
        (["image", "{photo}", "{out}/no/a.png"], "there is no folder"),
        (["image", "{photo}", "{photo}"], "is the input itself"),
        (["image", "{photo}", "{out}/a.png", "--model", "{no}"], "There is no model file"),
        (["image", "{photo}", "{out}/a.png", "--model", "{text}"], "not an ONNX model"),
        (["video", "{no}", "{out}/a.webm"], "There is no video"),
        (["video", "{text}", "{out}/a.webm"], "not a supported video"),
        (["video", "{clip}", "{out}/a.mp4"], "cannot store transparency"),
        (["video", "{clip}", "{out}/a.xyz"], "use one of"),
        (["video", "{clip}", "{out}/a.mp4", "--background", "mauve"], "is not valid; use"),
        (["video", "{clip}", "{out}/a.mp4", "--background", "picture"], "No background image is chosen"),
        (["image", "{photo}", "{out}/a.png", "--background", "{text}"], "not a supported image"),
        (["image", "{photo}", "{out}/a.png", "--background", "picture", "--background-picture", "{no}"], "no image"),
        (["bench", "--model", "{no}"], "There is no model file"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(
    arguments: list[str],
    message: str,
    photo: Path,
    clip: Path,
    out: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("neither picture nor video", encoding="utf-8")
    places = {"no": tmp_path / "no", "text": text, "photo": photo, "clip": clip, "out": out}
    assert main([argument.format(**places) for argument in arguments]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("eoam: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--threshold", "7"], "--threshold: '7' is not a number from 0.05 to 0.95"),
        (["--threshold", "much"], "--threshold: 'much' is not a number from 0.05 to 0.95"),
        (["--edge-shift=20"], "--edge-shift: '20' is not a number from -10 to 10"),
        (["--people", "2.5"], "--people: '2.5' is not a whole number from 1 to 6"),
        (["--background-color", "mauve"], "--background-color: 'mauve' is not #rrggbb"),
        (["--view", "nothing"], "--view: 'nothing' is not one of 'result', 'mask'"),
        (["--timing", "aligned"], "unrecognized arguments: --timing"),
    ],
)
def test_a_wrong_flag_is_refused_in_one_line(
    photo: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["image", str(photo), "a.png", *flags])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"eoam image: {message}")
    assert said.endswith(" (see eoam image --help)\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["-x.png", "--model", "--", "-h.png"])
@pytest.mark.parametrize("before", [["--view", "mask"], []])
def test_names_behind_two_dashes_are_files(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, name: str, before: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _photo(tmp_path / "a.png", 60, 80).rename(tmp_path / name)
    assert main(["image", *before, "--", name, str(out / "a.png")]) == 0
    assert main(["image", *before, "--into", str(out), "--", name]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(["a.png", f"{Path(name).stem}.png"])


def test_names_before_and_behind_two_dashes_are_one_list(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _photo(tmp_path / "a.png", 60, 80)
    _photo(tmp_path / "-b.png", 60, 80)
    assert main(["image", "a.png", "--into", str(out), "--", "-b.png"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["-b.png", "a.png"]
    assert main(["image", "--", "a.png", "-c.png"]) == 0
    assert (tmp_path / "-c.png").exists()


def test_a_video_whose_name_begins_with_a_dash_is_read(
    clip: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clip.rename("-clip.mp4")
    assert main(["video", "--no-progress", "--", "-clip.mp4", str(out / "a.webm")]) == 0
    assert (out / "a.webm").exists()


@pytest.mark.parametrize("command", ["image", "video"])
@pytest.mark.parametrize("name", ["-x.jpg", "-h.jpg", "--odd"])
def test_a_file_that_looks_like_a_flag_is_named_with_its_remedy(
    command: str,
    name: str,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    photo.rename(name)
    with pytest.raises(SystemExit) as caught:
        main([command, name, "innocent.jpg", "--into", "x"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert f"{name} is a file whose name begins with -; write ./{name}, or put -- before the names" in said
    assert "innocent" not in said


def test_an_animation_says_what_is_done_with_it(
    tmp_path: Path, photo: Path, clip: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "waving.gif"
    path.write_bytes(animated("GIF", 4))
    assert main(["image", str(path), str(out / "a.png")]) == 0
    said = f"eoam: {path} has 4 frames; only the first is used"
    assert capsys.readouterr().err == f"{said}, and eoam video writes all of them.\n"
    assert main(["image", str(path), "--into", str(out), "--no-progress"]) == 0
    assert f"{said}, and eoam video writes all of them.\n" in capsys.readouterr().err
    assert main(["image", str(photo), str(out / "a.png"), "--background", str(path)]) == 0
    assert capsys.readouterr().err == f"{said}.\n"
    assert main(["video", str(clip), str(out / "a.mp4"), "--background", str(path), "--no-progress"]) == 0
    assert f"{said}.\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "cure"),
    [
        (["--blur-strength", "4"], "--blur-strength has no effect without --background blur"),
        (["--blur-strength", "3"], "--blur-strength has no effect without --background blur"),  # its default
        (["--blur-strength", "4", "--background", "blue"], "--blur-strength has no effect without --background blur"),
        (["--background-color", "#123456"], "--background-color has no effect without --background color"),
        (["--background-picture", "a.png"], "--background-picture has no effect without --background picture"),
        (["--background", "red", "--background-color", "#123456"], "set the same thing"),
        (["--people", "3"], "--people has no effect without --regions people"),
        (["--regions", "largest", "--region-share", "3"], "without --regions share or --regions people"),
        (["--hole-share", "3"], "--hole-share has no effect without --holes size"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused_with_what_it_needs(
    photo: Path, out: Path, capsys: pytest.CaptureFixture[str], flags: list[str], cure: str
) -> None:
    assert main(["image", str(photo), str(out / "a.png"), *flags]) == 2
    assert cure in capsys.readouterr().err
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    "flags",
    [
        ["--blur-strength", "4", "--background", "blur"],
        ["--background-color", "#123456", "--background", "color"],
        ["--people", "3", "--regions", "people"],
        ["--region-share", "3"],
        ["--hole-share", "3", "--holes", "size"],
    ],
)
def test_a_flag_is_taken_beside_what_it_needs(photo: Path, out: Path, flags: list[str]) -> None:
    assert main(["image", str(photo), str(out / "a.png"), *flags]) == 0


@pytest.mark.parametrize("command", ["image", "video", "bench"])
def test_every_setting_for_files_has_a_flag(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    for info in describe_settings():
        if info.name != "model":  # which the command line has always had, as a file
            assert (f"{info.flag} " in text) != info.live_only


def test_an_interruption_is_said_and_leaves_nothing(
    clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eoam_core.pipeline.Pipeline.process", interrupted)
    assert main(["video", str(clip), str(out / "a.webm")]) == 130
    assert capsys.readouterr().err == "eoam: interrupted\n"
    assert not list(out.iterdir())


def test_a_missing_library_names_the_command(
    photo: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["image", str(photo), str(out / "a.png")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("eoam: Missing or too old: onnxruntime >=")
    assert "--upgrade" in said or said.endswith("setup\n")


def test_a_library_that_does_not_load_is_not_called_missing(
    photo: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_library(tmp_path / "broken", monkeypatch)
    assert main(["image", str(photo), str(out / "a.png")]) == 2
    (said,) = capsys.readouterr().err.splitlines()  # and not what numpy prints itself
    assert said.startswith("eoam: Installed, but not loading: onnxruntime")
    assert "(onnxruntime does not load: numpy.core.multiarray failed to import)" in said
    assert "issing" not in said


@pytest.mark.usefixtures("brief_warm_up")
def test_bench_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--frames", "2"]) == 0
    assert "| 256x144 | 2 |" in capsys.readouterr().out
    assert main(["bench", "--frames", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["threads"] == [1, 2]
    assert {row["stage"] for row in document["stages"]} >= {"inference", "cleanup", "smoothing", "total"}


def test_info_prints_text_json_or_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert "sha256" in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "red"
    assert main(["info", "--settings-table"]) == 0
    assert capsys.readouterr().out == settings_table()


def test_info_says_by_its_exit_code_that_something_is_missing(tmp_path: Path) -> None:
    assert main(["info", "--model", str(tmp_path / "no.onnx")]) == 1


def test_the_package_is_the_command_too() -> None:
    command = [sys.executable, "-m", "eoam_core", "--version"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("eoam ")
