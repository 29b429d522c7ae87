"""Every format's picture is turned upright, with and without alpha, whatever its depth."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from eoam_core.pictures.decoding import decode
from eoam_core.pictures.orientation import oriented
from eoam_core.pictures.picture import BackgroundPicture, read_picture

from .pictures import colours, exif, png_with, saved
from .test_picture_file import CASES

ORIENTATIONS = range(1, 9)


def _upright(picture: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn with Pillow's operations, which are not ours."""
    ways = Image.Transpose
    way = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }.get(orientation)
    return picture if way is None else np.array(Image.fromarray(picture).transpose(way))


def _agrees(content: bytes, expected: NDArray[Any]) -> None:
    found = decode(content, name="x").pixels
    assert found.shape[:2] == expected.shape[:2]
    rgba = cv2.cvtColor(found, cv2.COLOR_BGRA2RGBA).astype(int)
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    difference = np.abs(rgba[..., : expected.shape[2]] - expected)
    assert np.percentile(difference, 90) <= 4  # the edges of the fields are blurred in JPEG


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("form", "alpha"),
    [("JPEG", None), *((form, alpha) for form in ("PNG", "WEBP", "AVIF") for alpha in (None, 128))],
)
def test_the_orientation_in_exif_is_applied(form: str, alpha: int | None, orientation: int) -> None:
    picture = colours(alpha=alpha)
    # Pillow writes AVIF's own turn and mirror instead.
    _agrees(saved(picture, form, exif=exif(orientation)), _upright(picture, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("alpha", [None, 128])
def test_a_tiffs_orientation_is_applied(alpha: int | None, orientation: int) -> None:
    picture = colours(alpha=alpha)
    _agrees(saved(picture, "TIFF", tiffinfo={274: orientation}), _upright(picture, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "AVIF"])
def test_grey_pictures_are_turned(form: str, orientation: int) -> None:
    grey = np.ascontiguousarray(colours()[..., 1])
    options = {"tiffinfo": {274: orientation}} if form == "TIFF" else {"exif": exif(orientation)}
    _agrees(saved(grey, form, **options), _upright(grey, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_16_bits_are_turned(channels: int, orientation: int) -> None:
    picture = colours(alpha=100)[..., :channels]
    deep = picture.astype(np.uint16) * 257
    order = deep[..., {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]]
    content = cv2.imencode(".png", np.ascontiguousarray(order))[1].tobytes()
    at = 33  # behind the header
    chunk = png_with(colours(), (b"eXIf", exif(orientation)))
    start = chunk.index(b"eXIf") - 4
    inserted = chunk[start : start + 12 + int.from_bytes(chunk[start : start + 4], "big")]
    shown = picture[..., 0] if channels == 1 else picture
    _agrees(content[:at] + inserted + content[at:], _upright(np.ascontiguousarray(shown), orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pictures_with_a_palette_are_turned(orientation: int) -> None:
    file = io.BytesIO()
    Image.fromarray(colours()).quantize(8).save(file, "PNG", exif=exif(orientation))
    _agrees(file.getvalue(), _upright(colours(), orientation))


def test_the_exif_of_an_avif_counts_only_without_a_turn_of_its_own() -> None:
    def with_tag(tag: int, orientation: int) -> bytes:
        made = Image.Exif()
        made[0x113] = 6
        made[0x112] = orientation  # which Pillow writes as AVIF's own turn and leaves out
        content = saved(colours(), "AVIF", exif=made.tobytes())
        entry = struct.pack(">HHI", 0x113, 3, 1)
        assert content.count(entry) == 1
        return content.replace(entry, struct.pack(">HHI", tag, 3, 1))

    _agrees(with_tag(0x112, 1), _upright(colours(), 6))
    _agrees(with_tag(0x113, 1), colours())
    _agrees(with_tag(0x112, 3), _upright(colours(), 3))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_none(order: str, value: int) -> None:
    data = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 274, 3, 1, value, 0, 0)
    _agrees(png_with(colours(), (b"eXIf", data)), colours())


def test_a_background_picture_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "lying.png"
    path.write_bytes(saved(colours(alpha=255), "PNG", exif=exif(6)))
    shown = BackgroundPicture(path).at(height=40, width=20)
    np.testing.assert_array_equal(shown[..., ::-1], _upright(colours(), 6))


def test_an_orientation_beyond_the_eight_is_misuse() -> None:
    with pytest.raises(ValueError, match="orientation is 9, need 1 to 8"):
        oriented(colours(), 9)


@pytest.mark.shared
@pytest.mark.skipif(not CASES.is_dir(), reason="there is no folder of cases beside the project")
@pytest.mark.parametrize("name", ["or6_alpha.png", "or6_alpha.webp"])
def test_photos_with_alpha_are_upright(name: str) -> None:
    stored = cv2.imdecode(np.frombuffer((CASES / name).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    np.testing.assert_array_equal(read_picture(CASES / name), cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE))
