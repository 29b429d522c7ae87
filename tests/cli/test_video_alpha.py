"""What is transparent in a video stays so, whatever is put behind the person."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.compose import flattened
from eoam_core.errors import InputError, InstallationError
from eoam_core.pictures.decoding import decode
from eoam_core.pictures.orientation import oriented
from eoam_core.settings import Settings
from tests.pictures.pictures import DISPLAY_P3, LOSSLESS, colours, curve, exif, profile, srgb_curve

from .videos import convert, everything, pictures, times, transparent_pictures, written

Bytes = NDArray[np.uint8]

# name, codec, pixels
KINDS = [
    ("a.webm", "libvpx", "yuva420p"),
    ("a.webm", "libvpx-vp9", "yuva420p"),
    ("a.mkv", "libvpx-vp9", "yuva420p"),
    ("a.mov", "prores_ks", "yuva444p10le"),
    ("a.mov", "png", "rgba"),
    ("a.mov", "qtrle", "argb"),
    ("a.mkv", "ffv1", "bgra"),
    ("a.apng", "apng", "rgba"),
]
BACKGROUNDS: list[dict[str, Any]] = [
    {"background": "blur"},
    {"background": "color", "background_color": "#00ff00"},
    {"background": "picture"},
    {"view": "side_by_side"},
    {"view": "outline"},
]


def _half_hidden() -> Bytes:
    """Return a picture, BGRA (96, 128, 4): a red person in a bright room, and all of it hidden in the left half."""
    picture = np.full((96, 128, 4), (255, 220, 0, 255), np.uint8)
    picture[24:72, 32:96] = (0, 0, 255, 255)
    picture[:, :64, 3] = 0
    return picture


def _source(folder: Path, name: str, codec: str, pixels: str) -> Path:
    options = {"auto-alt-ref": "0", "crf": "10", "b": "2M"} if codec.startswith("libvpx") else {}
    if codec == "prores_ks":
        options = {"profile": "4444"}
    return written(folder / name, [_half_hidden()] * 4, codec=codec, pixels=pixels, options=options)


@pytest.mark.parametrize(("name", "codec", "pixels"), KINDS)
def test_the_alpha_of_the_input_is_kept_and_multiplied(
    tmp_path: Path, out: Path, name: str, codec: str, pixels: str
) -> None:
    source = _source(tmp_path, name, codec, pixels)
    for target in ("b.mov", "b.webm"):
        assert convert(source, out / target).frames == 4
        for picture in transparent_pictures(out / target):
            assert picture[:, :56, 3].max() < 8
            assert picture[30:66, 72:88, 3].min() > 245  # the person
            assert picture[:16, 72:, 3].max() < 8  # the room
            assert picture[:, :48, :3].max() < 24  # no colour of what was hidden


@pytest.mark.parametrize(("name", "codec", "pixels"), KINDS)
@pytest.mark.parametrize("settings", BACKGROUNDS, ids=lambda settings: next(iter(settings.values())))
def test_what_was_hidden_is_never_seen(
    tmp_path: Path, out: Path, name: str, codec: str, pixels: str, settings: dict[str, Any]
) -> None:
    behind = tmp_path / "behind.png"
    cv2.imwrite(str(behind), np.full((96, 128, 3), (255, 0, 0), np.uint8))
    if settings.get("background") == "picture":
        settings = settings | {"background_picture": str(behind)}
    convert(_source(tmp_path, name, codec, pixels), out / "a.mp4", **settings)
    shown = pictures(out / "a.mp4")[1].astype(int)
    if settings.get("view") == "side_by_side":
        shown = shown[24:72, :32]  # where the hidden half is shown as it is
    expected = {"color": (0, 255, 0), "picture": (0, 0, 255)}.get(str(settings.get("background")), (0, 0, 0))
    hidden = shown[8:-8, : shown.shape[1] * 3 // 8]
    if settings.get("view") == "outline":
        hidden = hidden[:8]  # the line itself may be there
    assert np.abs(hidden - expected).max() < 40, hidden.reshape(-1, 3).max(0)


def _tagged(path: Path, *, codec: str = "libvpx-vp9", tags: tuple[int, int, int] = (9, 9, 18), turn: int = 0) -> Path:
    """Write a grey video with alpha, whose container says what its colours are and how it lies."""

    def prepare(_: Any, stream: Any) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = tags
        if turn:
            stream.set_display_rotation(turn)

    def frame(shown: Any) -> Any:
        shown.colorspace, shown.color_primaries, shown.color_trc = tags
        return shown

    grey = np.full((96, 128, 4), 191, np.uint8)
    grey[..., 3] = 255
    grey[:, :32, 3] = 0
    options = {"auto-alt-ref": "0", "crf": "10", "b": "2M"}
    return written(path, [grey] * 3, codec=codec, pixels="yuva420p", options=options, prepare=prepare, frame=frame)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("name", ["a.webm", "a.mkv"])
def test_hdr_with_alpha_is_tone_mapped_as_its_container_says(tmp_path: Path, out: Path, name: str, codec: str) -> None:
    convert(_tagged(tmp_path / name, codec=codec), out / "hdr.mov", make_pipeline=everything)
    plain = _tagged(tmp_path / f"plain-{name}", codec=codec, tags=(1, 1, 1))
    convert(plain, out / "sdr.mov", make_pipeline=everything)
    hdr, sdr = (int(transparent_pictures(out / file)[0][48, 80, 0]) for file in ("hdr.mov", "sdr.mov"))
    assert abs(sdr - 191) < 4
    assert hdr - sdr > 20  # 75 % of HLG's signal is white


def test_a_turned_video_with_alpha_comes_out_upright(tmp_path: Path, out: Path) -> None:
    convert(_tagged(tmp_path / "a.mkv", turn=90), out / "a.mov", make_pipeline=everything)
    shown = transparent_pictures(out / "a.mov")[0]
    assert shown.shape[:2] == (128, 96)
    assert shown[-20:, :, 3].max() < 8  # what was on the left is below, after a quarter turn counter-clockwise


def test_a_gif_keeps_what_is_transparent(tmp_path: Path, out: Path) -> None:
    from PIL import Image

    frames = [Image.fromarray(cv2.cvtColor(_half_hidden(), cv2.COLOR_BGRA2RGBA)) for _ in range(2)]
    frames[1].putpixel((100, 10), (1, 2, 3, 255))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2)
    convert(tmp_path / "a.gif", out / "a.mov", make_pipeline=everything)
    picture = transparent_pictures(out / "a.mov")[0]
    assert picture[:, :60, 3].max() < 8
    assert picture[:, 68:, 3].min() > 245


@pytest.mark.parametrize("name", ["a.webp", "a.avif", "a.png", "a.gif"])
def test_all_pictures_of_an_animation_are_written_at_their_times(tmp_path: Path, out: Path, name: str) -> None:
    from PIL import Image

    frames = []
    for number in range(4):
        rgba = np.zeros((48, 64, 4), np.uint8)
        rgba[10:30, 5 + number * 10 : 20 + number * 10] = (255, 30, 0, 255)
        frames.append(Image.fromarray(rgba))
    source = tmp_path / name
    quality = {"lossless": True} if name == "a.webp" else {"disposal": 2} if name == "a.gif" else {}
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=[100, 240, 60, 400], **quality)
    report = convert(source, out / "a.mov")
    assert (report.frames, report.notes) == (4, ())
    assert times(out / "a.mov") == pytest.approx([0, 0.1, 0.34, 0.4], abs=0.002)
    for number, picture in enumerate(transparent_pictures(out / "a.mov")):
        assert picture[20, 12 + number * 10, 3] > 240
        assert picture[20, 40 - number * 10 if number != 1 else 60, 3] < 10


def _animation(form: str, **options: Any) -> bytes:
    """Return an animation of two pictures of four fields each, 40x20, the second a little brighter."""
    from PIL import Image

    first = colours()
    second = Image.fromarray(first + np.uint8(5))
    file = io.BytesIO()
    options = LOSSLESS[form] | options
    Image.fromarray(first).save(file, form, save_all=True, append_images=[second], duration=100, **options)
    return file.getvalue()


def _as_video(content: bytes, folder: Path, out: Path) -> tuple[list[Bytes], tuple[str, ...]]:
    """Return the pictures of an animation that became a video, RGBA, and what was said of it."""
    source = folder / "animation"
    source.write_bytes(content)
    report = convert(source, out / "a.mov", make_pipeline=everything)
    return transparent_pictures(out / "a.mov"), report.notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_animated_webp_comes_out_upright(tmp_path: Path, out: Path, orientation: int) -> None:
    shown, notes = _as_video(_animation("WEBP", exif=exif(orientation)), tmp_path, out)
    assert notes == ()
    expected = oriented(colours(), orientation).astype(int)
    assert [picture.shape[:2] for picture in shown] == [expected.shape[:2]] * 2
    assert np.abs(shown[0][..., :3] - expected).mean() < 6


@pytest.mark.parametrize("quarters", range(4))
def test_an_animated_avif_comes_out_upright(tmp_path: Path, out: Path, quarters: int) -> None:
    content = _animation("AVIF")
    place = content.index(b"colrnclx")  # that it is sRGB, which is assumed anyway
    turn = b"irot" + bytes([quarters]) + bytes(10)
    assert content.count(b"\4\1\2\x83\4") == 1  # the picture's four properties
    content = content.replace(b"\4\1\2\x83\4", b"\4\1\2\x83\x84")  # a turn has to be marked as essential
    shown, notes = _as_video(content[:place] + turn + content[place + len(turn) :], tmp_path, out)
    assert notes == ()
    assert shown[0].shape[:2] == ((20, 40), (40, 20))[quarters % 2]


@pytest.mark.parametrize("form", ["WEBP", "AVIF"])
def test_the_profile_of_an_animation_is_converted_as_that_of_a_picture(tmp_path: Path, out: Path, form: str) -> None:
    content = _animation(form, icc_profile=profile(DISPLAY_P3, srgb_curve()))
    expected = decode(content, name="x").pixels[..., 2::-1].astype(int)
    shown, notes = _as_video(content, tmp_path, out)
    assert notes == ()
    assert np.abs(expected - colours()).max() > 20  # else there would be nothing to see
    assert np.abs(shown[0][..., :3] - expected).mean() < 6


def test_a_profile_of_an_animation_that_is_not_known_is_named_once(tmp_path: Path, out: Path) -> None:
    _, notes = _as_video(_animation("WEBP", icc_profile=profile(None, curve(1.8))), tmp_path, out)
    (note,) = notes
    assert note.endswith("has a colour profile that is for greyscale images; its colours may look different.")


def test_an_animated_avif_of_ten_bits_becomes_a_video(tmp_path: Path, out: Path) -> None:
    animation: Any = cv2.Animation()
    animation.frames = [np.full((20, 40, 3), level, np.uint16) for level in (400, 800)]
    animation.durations = np.array([100, 100])
    ok, content = cv2.imencodeanimation(".avif", animation, [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert ok
    shown, _ = _as_video(content.tobytes(), tmp_path, out)
    levels = [int(picture[10, 20, 0]) for picture in shown]
    assert levels == pytest.approx([100, 199], abs=4)


def test_an_animated_webp_that_is_cut_short_gives_what_is_there(tmp_path: Path, out: Path) -> None:
    from PIL import Image

    dice = np.random.default_rng(0)
    frames = [Image.fromarray(dice.integers(0, 256, (48, 64, 3), np.uint8)) for _ in range(6)]
    source = tmp_path / "a.webp"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=100, lossless=True)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 6 // 10])
    report = convert(source, out / "a.mov", make_pipeline=everything)
    assert report.frames == 3
    assert report.notes == ("The video ends early: everything after 0.3 seconds is missing.",)


def test_an_animated_webp_of_an_absurd_size_costs_no_memory(tmp_path: Path, out: Path) -> None:
    size = (16_000 - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + size * 2 + b"ANMF" + bytes(64)
    source = tmp_path / "a.webp"
    source.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(InputError, match=r"too large to be decoded \(16000x16000 pixels\)"):
        convert(source, out / "a.mov")


def test_without_the_decoder_that_knows_alpha_nothing_is_written(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    source = _source(tmp_path, "a.webm", "libvpx-vp9", "yuva420p")

    class _Missing:
        @staticmethod
        def create(name: str, mode: str) -> None:
            raise ValueError(name)

    monkeypatch.setattr(av, "CodecContext", _Missing)
    with pytest.raises(InstallationError, match="no decoder libvpx-vp9, so transparent parts"):
        convert(source, out / "a.webm")
    assert not list(out.iterdir())


def test_flattening_mixes_what_is_half_transparent_with_what_is_behind() -> None:
    rgba = np.full((2, 2, 4), (255, 255, 255, 128), np.uint8)
    green = Settings.validated(background="color", background_color="#00ff00")
    blur = Settings.validated(background="blur")
    assert flattened(rgba, green)[0, 0, 1] == 255
    assert 180 < flattened(rgba, green)[0, 0, 0] < 195  # half the light
    assert 180 < flattened(rgba, blur)[0, 0].max() < 195
    rgba[..., 3] = 0
    assert flattened(rgba, blur).max() == 0
