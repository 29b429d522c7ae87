"""Colours become sRGB: as LittleCMS converts them where there is a profile, as the standards say where not."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from eoam_core.pictures.colour_profile import UnknownProfileError, conversion
from eoam_core.pictures.decoding import decode
from eoam_core.pictures.picture import BackgroundPicture, read_picture
from eoam_core.pictures.picture_file import Cicp, Gamma, Icc

from .pictures import ADOBE_RGB, DISPLAY_P3, PROPHOTO, Bytes, curve, noise, png_with, profile, saved, srgb_curve
from .test_picture_file import CASES

PROFILES = {
    "Display P3": profile(DISPLAY_P3, srgb_curve()),
    "Adobe RGB": profile(ADOBE_RGB, curve(563 / 256)),
    "ProPhoto": profile(PROPHOTO, curve(1.8)),
    "a table": profile(DISPLAY_P3, curve(*((n / 1023) ** 2.4 for n in range(1024)))),
}
GREY = profile(None, curve(1.4))


def _reference(picture: Bytes, icc: bytes) -> Bytes:
    target = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    image = ImageCms.profileToProfile(Image.fromarray(picture), source, target, intent, outputMode="RGB")
    assert image is not None
    return np.array(image)


def _rgb(content: bytes) -> Any:
    return decode(content, name="x").pixels[..., 2::-1].astype(int)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_a_profile_is_converted_as_littlecms_does(form: str, name: str) -> None:
    expected = _reference(noise(), PROFILES[name])
    assert np.abs(expected.astype(int) - noise()).mean() > 4
    assert np.abs(_rgb(saved(noise(), form, icc_profile=PROFILES[name])) - expected).max() <= 1


@pytest.mark.parametrize("form", ["JPEG", "AVIF"])
def test_a_profile_of_a_format_with_loss_is_converted(form: str) -> None:
    content = saved(noise(), form, icc_profile=PROFILES["Display P3"])
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    expected = _reference(np.ascontiguousarray(decoded[..., ::-1]), PROFILES["Display P3"])
    assert np.abs(_rgb(content) - expected).max() <= 1


def test_a_long_profile_in_many_segments_of_a_jpeg_is_put_together() -> None:
    padded = PROFILES["ProPhoto"] + bytes(150_000)
    content = saved(noise(), "JPEG", icc_profile=padded)
    assert content.count(b"ICC_PROFILE\0") == 3
    np.testing.assert_array_equal(_rgb(content), _rgb(saved(noise(), "JPEG", icc_profile=PROFILES["ProPhoto"])))


def test_alpha_and_16_bits_pass_through_a_conversion() -> None:
    rgba = np.dstack([noise(), np.full((60, 80), 77, np.uint8)])
    found = decode(saved(rgba, "PNG", icc_profile=PROFILES["Adobe RGB"]), name="x").pixels
    assert (found[..., 3] == 77).all()
    assert np.abs(found[..., 2::-1].astype(int) - _reference(noise(), PROFILES["Adobe RGB"])).max() <= 1
    deep = (noise().astype(np.uint16) * 257)[..., ::-1]
    content = cv2.imencode(".tiff", deep)[1].tobytes()
    direct = conversion(Icc(PROFILES["Adobe RGB"])).apply(deep, white=65535)
    assert np.abs(direct[..., ::-1].astype(int) - _reference(noise(), PROFILES["Adobe RGB"])).max() <= 1
    assert decode(content, name="x").pixels.shape == (60, 80, 4)


def test_grey_pictures_have_profiles_as_well() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None], 4, axis=0)
    expected = _reference(grey, GREY)
    assert np.abs(expected[..., 0].astype(int) - grey).max() > 20
    # LittleCMS interpolates where it is darkest.
    assert np.abs(_rgb(saved(grey, "PNG", icc_profile=GREY)) - expected).max() <= 2


def test_a_picture_in_srgb_is_not_touched() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for content in (
        saved(noise(), "PNG", icc_profile=srgb),
        png_with(noise(), (b"sRGB", b"\0")),
        png_with(noise(), (b"gAMA", struct.pack(">I", 45455))),
        png_with(noise(), (b"cICP", bytes((1, 13, 0, 1)))),
        # What says more counts: a program that knows sRGB writes the others for those that do not.
        png_with(noise(), (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))),
        png_with(noise(), (b"cICP", bytes((1, 13, 0, 1))), (b"gAMA", struct.pack(">I", 100_000))),
    ):
        np.testing.assert_array_equal(_rgb(content), noise())
        assert decode(content, name="x").notes == ()


def _primaries(chromaticities: tuple[float, ...]) -> bytes:
    return struct.pack(">8I", *(round(value * 100_000) for value in chromaticities))


def test_the_chunks_of_a_png_say_the_same_as_a_profile() -> None:
    p3 = _reference(noise(), PROFILES["Display P3"])
    assert np.abs(_rgb(png_with(noise(), (b"cICP", bytes((12, 13, 0, 1))))) - p3).max() <= 1
    old = png_with(noise(), (b"cHRM", _primaries(DISPLAY_P3)), (b"gAMA", struct.pack(">I", 45455)))
    assert np.abs(_rgb(old) - p3).max() <= 1
    dark = png_with(np.full((4, 4, 3), 128, np.uint8), (b"gAMA", struct.pack(">I", 100_000)))
    assert _rgb(dark)[0, 0].tolist() == [188, 188, 188]  # half the light


def test_the_numbers_of_an_avif_are_used() -> None:
    content = saved(noise(), "AVIF")
    at = content.index(b"nclx") + 4
    p3 = content[:at] + struct.pack(">HH", 12, 13) + content[at + 4 :]
    assert np.abs(_rgb(p3) - _reference(_rgb(content).astype(np.uint8), PROFILES["Display P3"])).max() <= 1


def test_an_hdr_picture_is_brought_into_range_and_says_so() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(4, axis=0)
    for transfer, white in ((16, 148), (18, 191)):  # 203 candelas per square metre
        found = decode(png_with(grey, (b"cICP", bytes((9, transfer, 0, 1)))), name="x")
        shown = found.pixels[0, :, 0].astype(int)
        assert found.notes == ("x is an HDR image; its highlights are darkened to fit.",)
        assert (np.diff(shown) >= 0).all()
        assert 225 <= shown[white] <= 250
        assert shown[255] == 255


@pytest.mark.parametrize(
    ("icc", "reason"),
    [
        (b"junk" * 100, "is damaged"),
        (PROFILES["ProPhoto"][:150], "is damaged"),
        (PROFILES["ProPhoto"].replace(b"rTRC", b"A2B0"), "is a table"),
        (PROFILES["ProPhoto"].replace(b"RGB XYZ ", b"CMYKLab "), "is for CMYK colours"),
        (PROFILES["ProPhoto"].replace(b"curv", b"odd "), "has an unknown tone curve"),
        (PROFILES["ProPhoto"].replace(b"XYZ \0\0\0\0\0", b"XYZ \0\0\0\0\x7f"), "has invalid primaries"),
    ],
    ids=["junk", "short", "table", "CMYK", "curve", "primaries"],
)
def test_a_profile_that_cannot_be_converted_is_said_in_one_line(icc: bytes, reason: str) -> None:
    found = decode(saved(noise(), "TIFF", icc_profile=icc), name="x")
    (note,) = found.notes
    assert note.startswith(f"x has a colour profile that {reason}")
    assert note.endswith("; its colours may look different.")
    np.testing.assert_array_equal(found.pixels[..., 2::-1], noise())


def test_a_profile_for_other_pictures_is_left_out_with_a_word() -> None:
    found = decode(saved(noise(), "TIFF", icc_profile=GREY), name="x")
    assert found.notes == ("x has a colour profile that is for greyscale images; its colours may look different.",)
    np.testing.assert_array_equal(found.pixels[..., 2::-1], noise())


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_a_cmyk_picture_is_shown_with_a_word(form: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), (200, 100, 50), np.uint8)).convert("CMYK").save(file, form)
    found = decode(file.getvalue(), name="x")
    assert found.notes == ("x has CMYK (print) colours, which are converted without a profile and may look different.",)
    assert np.abs(found.pixels[8, 8, :3].astype(int) - (50, 100, 200)).max() <= 4


@pytest.mark.parametrize("numbers", [(77, 13), (1, 77)])
def test_numbers_of_an_unknown_kind_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(UnknownProfileError, match="unknown"):
        conversion(Cicp(*numbers))


def test_primaries_that_are_no_colours_are_refused() -> None:
    for values in ((0.3, 0.3) * 4, (0.0,) * 8):
        with pytest.raises(UnknownProfileError, match="invalid primaries"):
            conversion(Gamma(0.5, values))


def test_a_background_picture_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "p3.png"
    path.write_bytes(saved(noise(), "PNG", icc_profile=PROFILES["Display P3"]))
    shown = BackgroundPicture(path).at(height=60, width=80)
    assert np.abs(shown[..., ::-1].astype(int) - _reference(noise(), PROFILES["Display P3"])).max() <= 1


@pytest.mark.shared
@pytest.mark.skipif(not CASES.is_dir(), reason="there is no folder of cases beside the project")
def test_a_phones_wide_colours_are_converted() -> None:
    image = Image.open(CASES / "icc_p3.jpg")
    expected = _reference(np.array(image), image.info["icc_profile"])
    assert np.abs(read_picture(CASES / "icc_p3.jpg")[..., 2::-1].astype(int) - expected).max() <= 2
