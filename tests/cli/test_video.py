from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_cli.video.convert import VideoReport, convert_video
from eoam_core.errors import InputError, InstallationError
from eoam_core.geometry import network_size
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Detail, Settings, View
from tests.core.doubles import RedSegmenter, frame_with_person

Bytes = NDArray[np.uint8]
FRAMES = 12


def _clip(
    path: Path,
    *,
    size: tuple[int, int] = (96, 128),
    sound: str | None = None,
    times: list[int] | None = None,
    time_base: Fraction = Fraction(1, 12800),
    rotation: int = 0,
) -> Path:
    """Write 12 pictures, 25 a second unless `times` says otherwise, of a red block in a blue room."""
    bgr = np.ascontiguousarray(frame_with_person(*size)[..., :3])
    times = times or [round(number / 25 / time_base) for number in range(FRAMES)]
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=25, options={"crf": "10"})
        video.height, video.width, video.pix_fmt = (*size, "yuv420p")
        video.codec_context.time_base = time_base
        if rotation:
            video.set_display_rotation(rotation)
        audio: Any = output.add_stream(sound, rate=48000) if sound else None
        for number, pts in enumerate(times):
            frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
            frame.pts, frame.time_base = pts, time_base
            output.mux(video.encode(frame))
            if audio is not None:
                tone = np.full((1, 1920), 100 * number, np.int16)
                samples = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 1920 * number, Fraction(1, 48000)
                output.mux(audio.encode(samples))
        output.mux(video.encode(None))
        if audio is not None:
            output.mux(audio.encode(None))
    return path


def before(colour: str) -> Settings:
    return Settings.validated(background="color", background_color=colour)


def _convert(source: Path, target: Path, **options: Any) -> VideoReport:
    options.setdefault("settings", Settings())
    return convert_video(source, target, make_pipeline=_pipeline, **options)


def _pipeline(height: int, width: int) -> Pipeline:
    return Pipeline(RedSegmenter(height, width))


def _pictures(path: Path, *, alpha: bool = False) -> list[Bytes]:
    """Decode RGBA or RGB; FFmpeg's own VP9 decoder drops alpha, libvpx's does not."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if not alpha or stream.codec_context.name != "vp9":
            decoded: list[Any] = list(container.decode(stream))
            return [frame.to_ndarray(format="rgba" if alpha else "rgb24") for frame in decoded]
        decoder: Any = av.CodecContext.create("libvpx-vp9", "r")
        frames = [
            frame for packet in container.demux(stream) for frame in decoder.decode(packet if packet.size else None)
        ]
        return [frame.to_ndarray(format="rgba") for frame in frames]


def _times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _clip(tmp_path_factory.mktemp("clip") / "in.mp4")


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mov"])
def test_containers_that_can_hold_alpha_get_it(clip: Path, out: Path, suffix: str) -> None:
    report = _convert(clip, out / f"a{suffix}")
    assert report == VideoReport(frames=FRAMES, notes=())
    pictures = _pictures(out / f"a{suffix}", alpha=True)
    assert len(pictures) == FRAMES
    for picture in pictures:
        assert picture.shape == (96, 128, 4)
        assert picture[48, 64, 3] > 245
        assert picture[48, 64, 0] > 200
        assert picture[48, 64, 2] < 60
        assert picture[5, 5, 3] < 8
        assert picture[5, 5, :3].max() < 12  # no colour of the room
    assert _times(out / f"a{suffix}") == pytest.approx(_times(clip), abs=0.0011)


@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mov", ".mp4"])
def test_a_new_background_needs_no_alpha(clip: Path, out: Path, suffix: str) -> None:
    _convert(clip, out / f"a{suffix}", settings=before("#00ff00"))
    pictures = _pictures(out / f"a{suffix}")
    assert len(pictures) == FRAMES
    assert np.abs(pictures[6][5, 5].astype(int) - (0, 255, 0)).max() < 25
    assert np.abs(pictures[6][48, 64].astype(int) - (255, 30, 20)).max() < 25


def test_the_room_can_be_blurred_and_a_picture_be_behind(clip: Path, tmp_path: Path, out: Path) -> None:
    file = tmp_path / "behind.png"
    cv2.imencode(".png", np.full((10, 10, 3), (10, 200, 40), np.uint8))[1].tofile(file)
    settings = Settings.validated(background="picture", background_picture=str(file))
    _convert(clip, out / "a.mp4", settings=settings)
    assert np.abs(_pictures(out / "a.mp4")[6][5, 5].astype(int) - (40, 200, 10)).max() < 25
    _convert(clip, out / "b.mp4", settings=Settings.validated(background="blur"))
    assert np.abs(_pictures(out / "b.mp4")[6][40, 25].astype(int) - (0, 90, 120)).max() < 25  # the room, and no red
    with pytest.raises(InputError, match="No background image is chosen"):
        _convert(clip, out / "c.mp4", settings=Settings.validated(background="picture"))


def test_fine_detail_gives_the_network_more_pixels(clip: Path, out: Path) -> None:
    sizes = []

    def make(height: int, width: int) -> Pipeline:
        sizes.append((width, height))
        return _pipeline(height, width)

    for detail in Detail:
        convert_video(clip, out / f"{detail.value}.webm", settings=Settings(detail=detail), make_pipeline=make)
    assert sizes == [network_size(128, 96, detail) for detail in (Detail.NORMAL, Detail.FINE, Detail.FINEST)]
    assert sizes[0] < sizes[1]


def test_the_mask_can_be_shown_instead(clip: Path, out: Path) -> None:
    _convert(clip, out / "a.mp4", settings=Settings(view=View.MASK))
    picture = _pictures(out / "a.mp4")[3]
    assert picture[48, 64].min() > 240
    assert picture[5, 5].max() < 15


def test_uneven_time_stamps_are_kept(tmp_path: Path, out: Path) -> None:
    times = [0, 512, 1024, 3000, 3100, 9000, 9512, 12800]
    source = _clip(tmp_path / "in.mp4", times=times)
    _convert(source, out / "a.mp4", settings=before("#000000"))
    assert _times(out / "a.mp4") == pytest.approx([pts / 12800 for pts in times], abs=1e-6)


@pytest.mark.parametrize(("codec", "suffix"), [("aac", ".mp4"), ("aac", ".mov"), ("aac", ".mkv"), ("libopus", ".webm")])
def test_sound_is_copied_bit_by_bit(tmp_path: Path, out: Path, codec: str, suffix: str) -> None:
    source = _clip(tmp_path / "in.mkv", sound=codec)
    report = _convert(source, out / f"a{suffix}", settings=before("#000000"))
    assert report.notes == ()

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert len(packets(source)) > 5
    assert packets(out / f"a{suffix}") == packets(source)


def test_sound_that_the_container_cannot_hold_is_encoded_anew_with_a_note(tmp_path: Path, out: Path) -> None:
    report = _convert(_clip(tmp_path / "in.mp4", sound="aac"), out / "a.webm")
    assert report.notes == ("The sound was re-encoded as opus: webm cannot hold aac.",)
    with av.open(str(out / "a.webm")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["opus"]


def test_sound_that_no_encoder_here_can_make_fit_is_left_out_with_a_note(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eoam_cli.video.sound._ENCODERS", (("no_such_encoder", "opus", 64_000, 960),))
    report = _convert(_clip(tmp_path / "in.mp4", sound="aac"), out / "a.webm")
    assert report.notes == ("The sound was left out: webm cannot hold aac.",)
    with av.open(str(out / "a.webm")) as container:
        assert not container.streams.audio


def test_odd_sizes_are_kept_or_grow_by_one_line(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 51, 33, "bgr0"
        bgr = np.ascontiguousarray(frame_with_person(51, 33)[..., :3])
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        output.mux(stream.encode(None))
    _convert(source, out / "a.webm")
    _convert(source, out / "a.mov")
    _convert(source, out / "a.mp4", settings=before("#000000"))
    assert _pictures(out / "a.webm")[0].shape == (51, 33, 3)
    assert _pictures(out / "a.mov")[0].shape == (51, 33, 3)
    assert _pictures(out / "a.mp4")[0].shape == (52, 34, 3)


def test_video_that_a_phone_stored_lying_is_turned_upright(tmp_path: Path, out: Path) -> None:
    source = _clip(tmp_path / "in.mp4", rotation=90)
    _convert(source, out / "a.mp4", settings=before("#000000"))
    assert _pictures(out / "a.mp4")[0].shape == (128, 96, 3)


def test_the_matrix_of_the_colours_is_kept(tmp_path: Path, out: Path) -> None:
    large = _clip(tmp_path / "in.mp4", size=(720, 960))
    _convert(large, out / "a.mp4", settings=before("#ff0000"))
    with av.open(str(out / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == 1  # BT.709
        red = frame.to_ndarray(format="rgb24", src_colorspace="ITU709")[5, 5]
    assert np.abs(red.astype(int) - (255, 0, 0)).max() < 12


def test_progress_is_reported_with_the_total(clip: Path, out: Path) -> None:
    totals: list[int | None] = []
    _convert(clip, out / "a.mp4", settings=before("#000000"), on_frame=totals.append)
    assert totals == [FRAMES] * FRAMES


def _assert_untouched(out: Path) -> None:
    assert [path.name for path in out.iterdir()] == ["a.webm"]
    assert (out / "a.webm").read_bytes() == b"old"


@pytest.fixture
def old(out: Path) -> Path:
    target = out / "a.webm"
    target.write_bytes(b"old")
    return target


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "cut_index_first", "sound_only", "missing", "folder"])
def test_a_broken_source_is_one_sentence_and_leaves_the_target_alone(
    clip: Path, tmp_path: Path, out: Path, old: Path, kind: str
) -> None:
    source = tmp_path / "broken.mp4"
    content = clip.read_bytes()
    if kind == "text":
        source.write_text("no video", encoding="utf-8")
    elif kind == "empty":
        source.touch()
    elif kind == "cut":
        source.write_bytes(content[: len(content) // 2])
    elif kind == "cut_index_first":
        with av.open(str(clip)) as container, av.open(str(source), "w", options={"movflags": "faststart"}) as output:
            stream = output.add_stream_from_template(container.streams.video[0])
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
        content = source.read_bytes()
        source.write_bytes(content[: len(content) - (len(content) - content.index(b"mdat")) * 3 // 4])
    elif kind == "sound_only":
        with av.open(str(source), "w") as output:
            audio: Any = output.add_stream("aac", rate=48000)
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), format="s16", layout="mono")
            samples.sample_rate = 48000
            output.mux(audio.encode(samples))
            output.mux(audio.encode(None))
    elif kind == "folder":
        source.mkdir()
    with pytest.raises(InputError) as caught:
        _convert(source, old)
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    _assert_untouched(out)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing_half_written(
    clip: Path, out: Path, old: Path, error: type[BaseException]
) -> None:
    def interrupt(total: int | None) -> None:
        raise error

    with pytest.raises(error):
        _convert(clip, old, on_frame=interrupt)
    _assert_untouched(out)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.mp4", r"cannot store transparency; use \.webm or \.mov, or add --background"),
        ("a.avi", r"ends in '\.avi'; use one of \.webm, \.mkv, \.mov, \.mp4"),
        ("a", r"has no extension; use one of"),
    ],
)
def test_an_output_that_cannot_hold_the_result_is_refused(clip: Path, out: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _convert(clip, out / name)
    assert not list(out.iterdir())


def test_a_video_is_not_written_over_itself(clip: Path) -> None:
    content = clip.read_bytes()
    with pytest.raises(InputError, match="is the input itself"):
        _convert(clip, clip, settings=before("#000000"))
    assert clip.read_bytes() == content


def test_a_missing_library_names_the_command(clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InstallationError, match=r"Videos need PyAV.+install it: .+"):
        _convert(clip, out / "a.webm")
    assert not list(out.iterdir())


def test_a_missing_encoder_is_named(clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_codec(name: str, mode: str) -> None:
        raise ValueError(name)

    monkeypatch.setattr(av.codec, "Codec", no_codec)
    with pytest.raises(InstallationError, match="no encoder libvpx-vp9"):
        _convert(clip, out / "a.webm")


def test_the_pipeline_is_closed_whatever_happens(clip: Path, out: Path) -> None:
    made: list[RedSegmenter] = []

    def make(height: int, width: int) -> Pipeline:
        made.append(RedSegmenter(height, width))
        return Pipeline(made[-1])

    def interrupt(total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_video(clip, out / "a.webm", settings=Settings(), make_pipeline=make, on_frame=interrupt)
    assert [segmenter.closed for segmenter in made] == [1]
