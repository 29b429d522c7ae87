from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_cli.main import main
from eoam_cli.webcam.devices import OpenedCamera, PreviewWindow, VirtualCamera
from eoam_cli.webcam.run import run_webcam, settings_for_webcam
from eoam_core.cutter import Cutter
from eoam_core.errors import InputError, InstallationError, ModelError
from eoam_core.geometry import network_size
from eoam_core.pipeline import Pipeline
from eoam_core.settings import BackgroundKind, Detail, Settings, View
from tests.core.doubles import RedSegmenter, frame_with_person

Bytes = NDArray[np.uint8]
COVER = (10, 20, 30)  # BGR
SETTINGS = Settings.validated(background="color", background_color="#1e140a", smoothing=0)
ROOM = np.array((120, 90, 0), np.uint8)


class ListedCamera:
    """Give the pictures of a list, None where it says so, and end with it, or stay without pictures."""

    def __init__(self, pictures: Iterable[Bytes | BaseException | None], *, ends: bool = True) -> None:
        self._pictures = list(pictures)
        self._ends = ends
        self.rate = 25.0
        self.ended = False
        self.closed = 0

    def read(self) -> Bytes | None:
        if not self._pictures:
            self.ended = self._ends
            return None
        picture = self._pictures.pop(0)
        if isinstance(picture, BaseException):
            raise picture
        return picture

    def close(self) -> None:
        self.closed += 1


class KeptSink:
    """Keep what is sent; want no more after so many pictures, or raise."""

    def __init__(self, *, wants: int | None = None, error: BaseException | None = None) -> None:
        self.opened: list[tuple[int, int, float]] = []
        self.pictures: list[Bytes] = []
        self.closed = 0
        self._wants = wants
        self._error = error

    def open(self, height: int, width: int, rate: float) -> KeptSink:
        self.opened.append((height, width, rate))
        return self

    def send(self, picture: Bytes) -> bool:
        if self._error is not None and self.pictures:
            raise self._error
        self.pictures.append(picture.copy())
        return self._wants is None or len(self.pictures) < self._wants

    def close(self) -> None:
        self.closed += 1

    @property
    def covered(self) -> list[bool]:
        return [bool((picture == COVER).all()) for picture in self.pictures]


class Clock:
    """A second hand that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class MoodySegmenter(RedSegmenter):
    """Raise for frames whose first byte is 1."""

    def segment(self, frame: Bytes) -> Bytes:
        if frame[0, 0, 0] == 1:
            raise ModelError("the network failed")
        return super().segment(frame)


def _cutter(settings: Settings = SETTINGS) -> Cutter:
    return Cutter(settings, make_pipeline=lambda height, width: Pipeline(MoodySegmenter(height, width), settings))


def test_fine_detail_gives_the_network_more_pixels() -> None:
    for detail in Detail:
        cutter = Cutter(Settings(detail=detail), make_pipeline=(made := _Made()))
        with cutter:
            cutter.cut(_picture())
        assert made.sizes == [network_size(128, 96, detail)]


class _Made:
    """Make pipelines and keep their (width, height)."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, height: int, width: int) -> Pipeline:
        self.sizes.append((width, height))
        return Pipeline(MoodySegmenter(height, width))


def _picture(shift: int = 0) -> Bytes:
    """A room of 96x128 with a person, moved to the right by so many columns."""
    return np.ascontiguousarray(np.roll(frame_with_person(96, 128)[..., :3], shift, axis=1))


def _failing() -> Bytes:
    picture = _picture()
    picture[:20, :20] = 1
    return picture


def _run(pictures: Iterable[Bytes | BaseException | None], sink: KeptSink, **options: Any) -> tuple[int, list[str]]:
    clock, said = Clock(), list[str]()
    options.setdefault("cutter", _cutter())
    camera = options.pop("camera", None) or ListedCamera(pictures)
    try:
        sent = run_webcam(camera, [sink.open], say=said.append, clock=clock, sleep=clock.sleep, **options)
    finally:
        assert camera.closed == 1
        with pytest.raises(RuntimeError, match="closed"):
            options["cutter"].cut(_picture())
    return sent, said


def _assert_no_room(picture: Bytes) -> None:
    assert not (picture == ROOM).all(axis=2).any()


def test_every_picture_is_sent_with_its_own_mask_and_the_room_never() -> None:
    sink = KeptSink()
    shifts = [0, 30, -30, 15]
    sent, said = _run([_picture(shift) for shift in shifts], sink)
    assert (sent, said) == (4, [])
    assert sink.opened == [(96, 128, 25.0)]
    assert sink.covered == [True, False, False, False, False, True]  # before the first mask, and at the end
    for shift, picture in zip(shifts, sink.pictures[1:-1], strict=True):
        np.testing.assert_array_equal(picture[48, 64 + shift], (20, 30, 255))
        np.testing.assert_array_equal(picture[5, 5], COVER)
        np.testing.assert_array_equal(picture[48, 64 + shift - 42], COVER)
        _assert_no_room(picture)
    assert sink.closed == 1


def test_a_picture_that_cannot_be_cut_out_is_covered_and_the_next_one_shown() -> None:
    sink = KeptSink()
    sent, said = _run([_picture(), _failing(), _failing(), _picture()], sink)
    assert sent == 2
    assert sink.covered == [True, False, True, True, False, True]
    assert said == ["A plain colour is shown instead of the video: the network failed", "The video is shown again."]


def test_trouble_from_the_first_picture_on_shows_nothing_of_it() -> None:
    sink = KeptSink()
    assert _run([_failing(), _failing()], sink)[0] == 0
    assert set(sink.covered) == {True}


def test_a_camera_that_gives_nothing_is_covered_and_given_up_after_three_seconds() -> None:
    sink, camera = KeptSink(), ListedCamera([_picture(), None, _picture()], ends=False)
    with pytest.raises(InputError, match="The camera sends no frames; reconnect it"):
        _run([], sink, camera=camera)
    assert sink.covered[:5] == [True, False, True, False, True]
    assert set(sink.covered[4:]) == {True}
    assert 60 <= len(sink.covered) <= 70  # 3 seconds of 0.05
    assert sink.closed == 1


def test_a_camera_that_never_gives_a_picture_opens_no_sink() -> None:
    sink = KeptSink()
    with pytest.raises(InputError, match="sends no frames"):
        _run([], sink, camera=ListedCamera([], ends=False))
    assert not sink.opened


@pytest.mark.parametrize("error", [ModelError("no"), ValueError("odd")])
def test_a_network_that_keeps_failing_ends_it(error: Exception) -> None:
    clock, sink, camera = Clock(), KeptSink(), ListedCamera([_picture()] * 1000)

    class Broken(RedSegmenter):
        def segment(self, frame: Bytes) -> Bytes:
            clock.sleep(0.04)
            raise error

    cutter = Cutter(SETTINGS, make_pipeline=lambda height, width: Pipeline(Broken(height, width), SETTINGS))
    with pytest.raises(type(error)):
        run_webcam(camera, [sink.open], cutter, clock=clock, sleep=clock.sleep)
    assert set(sink.covered) == {True}
    assert 3 <= clock.now < 3.2
    assert (sink.closed, camera.closed) == (1, 1)


def test_ctrl_c_is_the_normal_end() -> None:
    sink = KeptSink()
    sent, said = _run([_picture(), KeyboardInterrupt(), _picture()], sink)
    assert (sent, said) == (1, [])
    assert sink.covered == [True, False, True]
    assert sink.closed == 1


def test_whatever_the_camera_raises_leaves_a_covered_sink() -> None:
    sink = KeptSink()
    with pytest.raises(OSError, match="gone"):
        _run([_picture(), OSError("gone")], sink)
    assert sink.covered[-1]
    assert sink.closed == 1


def test_it_ends_after_so_many_pictures_and_when_a_window_is_closed() -> None:
    assert _run([_picture()] * 9, KeptSink(), frames=3)[0] == 3
    sink = KeptSink(wants=4)  # with the cover
    _run([_picture()] * 9, sink)
    assert sink.covered == [True, False, False, False, True]


def test_a_sink_that_fails_is_said_and_the_others_are_closed() -> None:
    good, bad = KeptSink(), KeptSink(error=RuntimeError("unplugged"))
    camera = ListedCamera([_picture()] * 3)
    with pytest.raises(InputError, match=r"can no longer be sent \(unplugged\)"):
        run_webcam(camera, [good.open, bad.open], _cutter())
    assert (good.closed, bad.closed, camera.closed) == (1, 1, 1)
    assert good.covered[-1]


def test_a_camera_that_changes_its_size_is_scaled_for_the_device() -> None:
    sink = KeptSink()
    large = np.ascontiguousarray(frame_with_person(192, 128)[..., :3])
    assert _run([_picture(), large, _picture()], sink)[0] == 3
    assert {picture.shape for picture in sink.pictures} == {(96, 128, 3)}
    for picture in sink.pictures:
        _assert_no_room(picture)


def test_the_cover_is_black_where_no_colour_is_chosen() -> None:
    sink = KeptSink()
    settings = Settings.validated(background="blur")
    _run([_picture()], sink, cutter=_cutter(settings))
    assert not sink.pictures[0].any()
    assert sink.pictures[1].any()
    assert not sink.pictures[2].any()


@pytest.mark.parametrize("background", ["blur", "picture"])
def test_every_background_reaches_the_sink(tmp_path: Path, background: str) -> None:
    file = tmp_path / "behind.png"
    file.write_bytes(cv2.imencode(".png", np.full((10, 10, 3), (1, 2, 3), np.uint8))[1].tobytes())
    sink = KeptSink()
    settings = Settings.validated(background=background, background_picture=str(file))
    _run([_picture()], sink, cutter=_cutter(settings))
    expected = ROOM if background == "blur" else (1, 2, 3)
    assert np.abs(sink.pictures[1][5, 5].astype(int) - expected).max() <= 2
    np.testing.assert_array_equal(sink.pictures[1][48, 64], (20, 30, 255))


def test_transparency_becomes_the_background_colour_and_nothing_else_changes() -> None:
    assert settings_for_webcam(Settings()).background is BackgroundKind.COLOR
    for kept in (Settings.validated(background="blur"), Settings(view=View.MASK)):
        assert settings_for_webcam(kept) is kept
    with pytest.raises(ValueError, match="use settings_for_webcam"):
        run_webcam(ListedCamera([]), [], _cutter(Settings()))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 pictures, 25 a second, in which the person moves to the right."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for number in range(12):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(_picture(number * 2), format="bgr24")))
        output.mux(stream.encode(None))
    return path


def test_a_video_file_is_a_camera_that_ends(clip: Path) -> None:
    sink = KeptSink()
    camera = OpenedCamera(str(clip), paced=False)
    assert camera.rate == 25
    assert run_webcam(camera, [sink.open], _cutter()) == 12
    assert sink.covered == [True, *[False] * 12, True]
    for number, picture in enumerate(sink.pictures[1:-1]):
        assert np.abs(picture[48, 64 + number * 2].astype(int) - (20, 30, 255)).max() < 25
        columns = np.flatnonzero(picture[48, :, 2] > 128)  # the person's own place, and no other picture's
        assert (columns[0], columns[-1]) == pytest.approx((32 + number * 2, 95 + number * 2), abs=2)


def test_a_video_file_is_played_at_its_own_speed(clip: Path) -> None:
    clock = Clock()
    camera = OpenedCamera(str(clip), clock=clock, sleep=clock.sleep)
    while camera.read() is not None:
        pass
    assert camera.ended
    assert clock.now == pytest.approx(12 / 25)
    camera.close()
    camera.close()


@pytest.mark.parametrize(
    ("source", "message"),
    [(99, r"The camera 99 cannot be opened; plug it in, close"), ("no.mp4", r"no\.mp4 cannot be opened as a camera")],
)
def test_a_camera_that_is_not_there_is_one_sentence(
    source: int | str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=message):
        OpenedCamera(source)
    assert capfd.readouterr() == ("", "")


def test_a_camera_by_number_is_opened_by_a_camera_backend_and_ffmpeg_is_never_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []
    released: list[int] = []
    reader, working = cv2.VideoCapture, cv2.CAP_DSHOW

    def capture(source: int, backend: int) -> Any:
        asked.append((source, backend))
        real = reader()  # opened by nothing: it answers as a camera that says nothing of itself
        return SimpleNamespace(
            isOpened=lambda: backend == working, release=lambda: released.append(backend), get=real.get, set=real.set
        )

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    order = [cv2.CAP_FFMPEG, cv2.CAP_MSMF, working, cv2.CAP_V4L2]
    monkeypatch.setattr(cv2.videoio_registry, "getCameraBackends", lambda: order)
    camera = OpenedCamera(3)
    assert asked == [(3, cv2.CAP_MSMF), (3, working)]
    assert released == [cv2.CAP_MSMF]
    camera.close()
    assert released == [cv2.CAP_MSMF, working]


class DeviceModule:
    """Stand in for pyvirtualcam as its version 0.15 is."""

    PixelFormat = SimpleNamespace(BGR="BGR")

    def __init__(self, *, error: Exception | None = None) -> None:
        self.cameras: list[Any] = []
        self._error = error

    def Camera(self, **arguments: Any) -> Any:
        if self._error is not None:
            raise self._error
        made = SimpleNamespace(
            **{**arguments, "device": arguments["device"] or "/dev/video9"}, sent=[], send=None, close=None
        )
        made.send = lambda picture: made.sent.append(picture.copy())
        made.close = lambda: made.sent.append("closed")
        self.cameras.append(made)
        return made


def test_the_virtual_camera_is_opened_as_pyvirtualcam_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = DeviceModule()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    camera = VirtualCamera(96, 128, 30.0)
    assert camera.device == "/dev/video9"
    assert camera.send(_picture()[:, ::-1])
    camera.close()
    (made,) = module.cameras
    assert (made.height, made.width, made.fps, made.fmt) == (96, 128, 30.0, "BGR")
    assert made.sent[0].flags.c_contiguous
    assert made.sent[1] == "closed"
    assert VirtualCamera(96, 128, 30.0, device="/dev/video2").device == "/dev/video2"


def test_a_system_without_a_virtual_camera_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    module = DeviceModule(error=RuntimeError("'v4l2loopback' backend:\nNo device found"))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    for system, remedy in (("linux", "sudo modprobe v4l2loopback"), ("win32", "install OBS"), ("sunos", "see what")):
        monkeypatch.setattr(sys, "platform", system)
        with pytest.raises(InputError, match=rf"'v4l2loopback' backend: No device found\); .*{remedy}"):
            VirtualCamera(96, 128, 30.0)


def test_a_preview_without_a_screen_or_without_windows_is_told_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InputError, match="There is no screen for --preview"):
        PreviewWindow()

    def headless(*_: object) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", headless)
    with pytest.raises(
        InstallationError, match=r"cannot open windows .+ uninstall opencv-python-headless, and then: .+"
    ):
        PreviewWindow()


@pytest.mark.parametrize(
    ("key", "visible", "wanted"), [(-1, 1, True), (27, 1, False), (ord("q"), 1, False), (-1, 0, False)]
)
def test_a_preview_ends_by_key_or_by_its_button(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: int, wanted: bool
) -> None:
    calls: list[str] = []

    def say(name: str, result: object = None) -> Callable[..., object]:
        return lambda *_: (calls.append(name), result)[1]

    monkeypatch.setenv("DISPLAY", ":0")
    for name, result in (
        ("namedWindow", None),
        ("resizeWindow", None),
        ("imshow", None),
        ("waitKey", key),
        ("destroyWindow", None),
    ):
        monkeypatch.setattr(cv2, name, say(name, result))
    monkeypatch.setattr(cv2, "getWindowProperty", say("getWindowProperty", float(visible)))
    window = PreviewWindow()
    assert window.send(_picture()) is wanted
    assert window.send(_picture()) is wanted
    assert calls.count("imshow") == (2 if wanted else 1)  # OpenCV would open a closed window again
    window.close()
    assert calls[-1] == "destroyWindow"


def test_the_command_leads_a_file_to_a_virtual_camera(
    clip: Path, network: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    module = DeviceModule()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    command = [
        "webcam",
        "--camera",
        str(clip),
        "--model",
        str(network),
        "--frames",
        "3",
        "--fps",
        "60",
        "--threads",
        "2",
    ]
    assert main([*command, "--background-color", "#1e140a"]) == 0
    error = capfd.readouterr().err
    assert "128x96 at 60 frames per second go to /dev/video9; Ctrl+C stops it." in error
    assert "3 frames were shown." in error
    sent = module.cameras[0].sent
    assert [isinstance(picture, str) for picture in sent] == [False] * 5 + [True]
    for covered in (sent[0], sent[4]):
        np.testing.assert_array_equal(covered[5, 5], COVER)
        np.testing.assert_array_equal(covered[48, 64], COVER)
    np.testing.assert_array_equal(sent[2][5, 5], COVER)
    assert sent[2][48, 66, 2] > 200


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "A virtual camera needs pyvirtualcam, which does not load"),
        (["--no-virtual-camera"], "Nothing would be shown; add --preview"),
    ],
)
def test_the_command_says_what_is_missing_before_a_camera_is_opened(
    flags: list[str], message: str, network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a camera was opened")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    monkeypatch.setattr("eoam_cli.webcam.devices.OpenedCamera", opened)
    assert main(["webcam", "--model", str(network), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("flags", [["--size", "0x10"], ["--size", "big"], ["--fps", "0"], ["--frames", "0"]])
def test_a_wrong_flag_is_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["webcam", *flags])
    assert caught.value.code == 2
    assert repr(flags[1]) in capsys.readouterr().err
