"""Pictures are read by their own structure: what is behind their end is ignored, and what is missing is found."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.pictures.decoding import Picture, decode, examined
from eoam_core.pictures.picture import read_picture

from .pictures import FORMATS, animated, colours, exif, noise, png_with, saved

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def _decode(content: bytes) -> Picture:
    return decode(content, name="a picture")


def _refusal(content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        _decode(content)
    return str(caught.value)


def _video() -> bytes:
    return b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\xff\xda\xff\xd8IEND" * 999


_BEHIND: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda content: b"\xff",
    "a video": lambda content: _video(),
    "zeros": lambda content: bytes(9000),
    "noise": lambda content: np.random.default_rng(1).bytes(9000),
    "itself": lambda content: content,
    "half of itself": lambda content: content[: len(content) // 2],
    "a JPEG that is cut short": lambda content: saved(noise(), "JPEG")[:-900],
    "a megabyte": lambda content: b"SEFH\xff\xda" * (1 << 17),
}


@pytest.mark.parametrize("behind", _BEHIND)
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_behind_a_complete_picture_is_ignored(form: str, behind: str) -> None:
    content = saved(noise(), form)
    found = _decode(content + _BEHIND[behind](content))
    np.testing.assert_array_equal(found.pixels, _decode(content).pixels)
    assert found.notes == ()


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_that_is_cut_short_is_refused(form: str, kept: float) -> None:
    content = saved(noise(), form)
    assert "a picture" in _refusal(content[: int(len(content) * kept)])


@pytest.mark.parametrize("form", FORMATS)
def test_half_a_picture_is_said_to_lack_its_end(form: str) -> None:
    content = saved(noise(), form)
    if form != "TIFF":  # its directory is behind the pixels here
        assert "its end is missing" in _refusal(content[: len(content) // 2])


def test_a_picture_of_a_known_kind_is_never_called_unknown() -> None:
    for form in FORMATS:
        content = saved(noise(), form)
        for kept in (20, 40, len(content) // 3, len(content) - 40):
            text = _refusal(content[:kept])
            assert "known kind" not in text, (form, kept)
            assert "is damaged" in text


@pytest.mark.parametrize("form", ["GIF", "AVIF"])
def test_an_opencv_that_lacks_a_format_is_named_with_its_cure(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved(noise(), form)
    information = re.sub(rf"({form}:\s*)\S.*", r"\1NO", cv2.getBuildInformation())
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    assert "is damaged or of an unsupported kind" in _refusal(content)
    for text in (information, re.sub(rf"{form}:.*", "", information)):  # older ones do not know the word
        monkeypatch.setattr(cv2, "getBuildInformation", lambda text=text: text)
        said = _refusal(content)
        assert said.startswith(f"This OpenCV ({cv2.__version__}) has no {form} support, which a picture needs; ")
        assert "JPEG or PNG" in said
        assert "or update it: " in said


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}])
def test_jpegs_with_many_scans_and_markers_end_at_their_own_end(options: dict[str, object]) -> None:
    content = saved(noise(), "JPEG", **options)
    file = examined(content + _video())
    assert file is not None
    assert (file.is_whole, file.end) == (True, len(content))
    assert "its end is missing" in _refusal(content[: len(content) * 3 // 4])


def test_the_end_of_a_thumbnail_is_not_the_pictures() -> None:
    thumbnail, content = saved(colours(), "JPEG"), saved(noise(), "JPEG")
    inside = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    whole = content[:2] + inside + content[2:]
    np.testing.assert_array_equal(_decode(whole).pixels, _decode(content).pixels)
    assert "its end is missing" in _refusal(whole[: len(inside) + len(content) // 2])


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 2}, {"optimize": True}, {"restart_marker_blocks": 3}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("shape", ["noise", "fields", "grey"])
@pytest.mark.parametrize("filled", [b"", b"\xff"])
def test_a_jpeg_that_lacks_only_its_end_mark_is_shown(options: dict[str, object], shape: str, filled: bytes) -> None:
    picture = {"noise": noise(), "fields": colours(170, 120), "grey": noise()[..., 0]}[shape]
    content = saved(picture, "JPEG", **options)
    found = _decode(content[:-2] + filled)
    np.testing.assert_array_equal(found.pixels, _decode(content).pixels)
    assert found.notes == ("a picture has no end marker, but the image is complete.",)


@pytest.mark.parametrize("filled", [b"", b"\xff", bytes(1000)])
@pytest.mark.parametrize("missing", [3, 4, 6, 10, 30, 100])
@pytest.mark.parametrize("options", [{}, {"subsampling": 2}, {"restart_marker_blocks": 3}, {"progressive": True}])
def test_a_jpeg_that_lacks_more_than_its_end_mark_is_refused(
    options: dict[str, object], missing: int, filled: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    content = saved(noise(), "JPEG", **options)
    assert "its end is missing" in _refusal(content[:-missing] + filled)
    assert capfd.readouterr().err == ""


def test_a_gif_without_its_trailer_and_a_bmp_without_its_padding_are_whole() -> None:
    content = saved(noise(), "GIF")
    np.testing.assert_array_equal(_decode(content[:-1]).pixels, _decode(content).pixels)
    bmp = saved(noise(width=81), "BMP")
    np.testing.assert_array_equal(_decode(bmp[:-1]).pixels, _decode(bmp).pixels)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("count", [2, 7])
def test_an_animation_says_that_only_its_first_picture_is_used(form: str, count: int) -> None:
    found = decode(animated(form, count), name="x", hint="and y writes all of them")
    assert found.notes == (f"x has {count} frames; only the first is used, and y writes all of them.",)
    assert np.abs(found.pixels[5, 5, :3].astype(int) - (20, 0, 230)).max() < 8


def test_animated_avifs_and_pages_say_that_only_the_first_is_used() -> None:
    assert _decode(animated("AVIF")).notes == ("a picture has 3 frames; only the first is used.",)
    assert _decode(animated("TIFF", 5)).notes == ("a picture has 5 pages; only the first is used.",)


def test_a_smaller_copy_in_a_tiff_is_no_page() -> None:
    content = bytearray(saved(colours(), "TIFF", tiffinfo={254: 0}, save_all=False))
    start = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, start)[0]
    at = start + 2 + 12 * count
    content[at : at + 4] = struct.pack("<I", len(content))
    content += struct.pack("<HHHIII", 1, 254, 4, 1, 1, 0)
    assert _decode(bytes(content)).notes == ()


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_a_heic_says_how_it_becomes_a_jpeg(brand: bytes) -> None:
    text = _refusal(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(99))
    assert "a picture is a HEIC image" in text
    assert "Most Compatible" in text


@pytest.mark.parametrize("content", [b"8BPS\0\1", b"%PDF-1.7", b"<svg>", b"\xff\x0a\0", b"\0\0\0\x0cJXL \r\n"])
def test_another_known_kind_is_named(content: bytes) -> None:
    assert "which is not supported; open it in an image editor and save it" in _refusal(content)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_tiff_of_floating_point_numbers_is_read_or_refused_by_its_range(kind: type[np.floating[Any]]) -> None:
    def made(value: float) -> bytes:
        picture: NDArray[Any] = np.full((9, 9, 3), value, kind)
        return cv2.imencode(".tiff", picture, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()

    assert np.abs(_decode(made(0.5)).pixels[..., :3].astype(int) - 128).max() <= 4
    for value in (200.0, -3.0, float("nan")):
        text = _refusal(made(value))
        assert "floating-point samples" in text
        assert "use PNG" not in text


def test_a_tiff_of_32_bit_numbers_is_refused_by_name() -> None:
    content = cv2.imencode(".tiff", np.full((9, 9), 70_000, np.int32))[1].tobytes()
    assert "has int32 samples, which are not supported; save it with 8 or 16 bits" in _refusal(content)


@pytest.mark.parametrize(("bits", "white"), [(10, 1023), (12, 4095)])
def test_an_avif_of_more_than_8_bits_keeps_its_brightness(bits: int, white: int) -> None:
    picture = np.full((16, 16, 3), white // 2, np.uint16)
    content = cv2.imencode(".avif", picture, [cv2.IMWRITE_AVIF_DEPTH, bits])[1].tobytes()
    assert np.abs(_decode(content).pixels[..., :3].astype(int) - 127).max() <= 2


def test_a_transparent_grey_of_a_png_stays_transparent() -> None:
    grey = np.repeat(np.array([[0, 77]], np.uint8), 8, axis=0)
    assert _decode(saved(grey, "PNG", transparency=77)).pixels[0, :, 3].tolist() == [255, 0]


def test_the_colours_of_a_transparent_tiff_are_not_darkened() -> None:
    found = _decode(saved(colours(alpha=100), "TIFF")).pixels
    assert np.abs(found[..., [2, 1, 0, 3]].astype(int) - colours(alpha=100)).max() <= 3


def test_a_tiff_whose_transparency_is_lost_says_so() -> None:
    grey = np.dstack([colours()[..., 0], colours()[..., 1]])
    assert "which is not supported in a TIFF" in " ".join(_decode(saved(grey, "TIFF")).notes)


def test_a_png_that_libpng_complains_about_is_read_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    content = png_with(colours(), (b"gAMA", bytes(4)), (b"cHRM", bytes(32)), (b"eXIf", exif(1)), (b"tEXt", b"a"))
    assert _decode(content).pixels.shape == (20, 40, 4)
    assert capfd.readouterr().err == ""


@pytest.mark.shared
@pytest.mark.skipif(not CASES.is_dir(), reason="there is no folder of cases beside the project")
def test_a_phones_motion_photo_is_read() -> None:
    assert read_picture(CASES / "motion_photo.jpg").shape == (512, 512, 4)
