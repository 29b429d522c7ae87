from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.pictures.picture import BackgroundPicture, fit_network, parse_colour, read_picture, write_png
from tests.core.doubles import frame_with_person

Bytes = NDArray[np.uint8]


def _saved(path: Path, picture: NDArray[np.generic]) -> Path:
    encoded, content = cv2.imencode(path.suffix, picture)  # type: ignore[arg-type]
    assert encoded
    path.write_bytes(content.tobytes())
    return path


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.full((5, 7), 100, np.uint8), (100, 100, 100, 255)),
        (np.full((5, 7), 100 * 257, np.uint16), (100, 100, 100, 255)),
        (np.full((5, 7, 3), (10, 20, 30), np.uint8), (10, 20, 30, 255)),
        (np.full((5, 7, 3), (10 * 257, 20 * 257, 30 * 257), np.uint16), (10, 20, 30, 255)),
        (np.full((5, 7, 4), (10, 20, 30, 40), np.uint8), (10, 20, 30, 40)),
        (np.full((5, 7, 4), (2570, 5140, 7710, 10280), np.uint16), (10, 20, 30, 40)),
        (np.full((1, 1, 3), (10, 20, 30), np.uint8), (10, 20, 30, 255)),
    ],
    ids=["grey", "grey16", "colour", "colour16", "alpha", "alpha16", "1x1"],
)
def test_every_kind_of_picture_becomes_bgra(tmp_path: Path, picture: Bytes, expected: tuple[int, ...]) -> None:
    read = read_picture(_saved(tmp_path / "Bild äöü 写真.png", picture))
    assert read.dtype == np.uint8
    assert read.shape == (*picture.shape[:2], 4)
    assert np.abs(read.astype(np.int16) - expected).max() <= 1


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    lying = np.zeros((40, 80, 3), np.uint8)
    lying[:, :40] = 255  # bright on the left; a quarter turn clockwise brings it to the top
    jpeg = _saved(tmp_path / "a.jpg", lying).read_bytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # one entry: orientation 6
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    path = tmp_path / "b.jpg"
    path.write_bytes(jpeg[:2] + exif + jpeg[2:])
    upright = read_picture(path)
    assert upright.shape == (80, 40, 4)
    assert upright[10, 20, 0] > 200
    assert upright[70, 20, 0] < 50


def _shortened(path: Path, kept: float) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    content = _saved(path, noise).read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.97])
def test_a_damaged_picture_is_one_sentence(
    tmp_path: Path, suffix: str, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = _shortened(tmp_path / f"a{suffix}", kept)
    with pytest.raises(InputError) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""  # the libraries' own warnings would be a second message


@pytest.mark.parametrize("suffix", [".bmp", ".tiff"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5])
def test_formats_without_an_end_mark_are_refused_or_read_as_far_as_they_go(
    tmp_path: Path, suffix: str, kept: float
) -> None:
    path = _shortened(tmp_path / f"a{suffix}", kept)
    with suppress(InputError):
        assert read_picture(path).shape == (60, 80, 4)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("no picture", encoding="utf-8")
    with pytest.raises(InputError, match="not a supported image"):
        read_picture(path)
    with pytest.raises(InputError, match="There is no image"):
        read_picture(tmp_path / "b.png")
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(tmp_path)


def test_png_is_written_with_its_alpha(out: Path) -> None:
    rgba = np.random.default_rng(0).integers(0, 255, (5, 7, 4), dtype=np.uint8)
    write_png(out / "ü.png", rgba, source=Path("elsewhere"))
    read = read_picture(out / "ü.png")
    np.testing.assert_array_equal(cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA), rgba)


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.webp"])
def test_only_png_is_written(out: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"use \.png"):
        write_png(out / name, frame_with_person(), source=Path("elsewhere"))
    assert not list(out.iterdir())


@pytest.mark.parametrize("size", [(1, 1), (3, 1000), (1000, 3), (720, 1280), (144, 256)])
def test_every_size_is_brought_to_the_networks(size: tuple[int, int]) -> None:
    frame = np.full((*size, 4), (10, 20, 30, 255), np.uint8)
    small = fit_network(frame, height=144, width=256)
    assert small.shape == (144, 256, 4)
    assert small.flags.c_contiguous
    np.testing.assert_array_equal(small[0, 0], (10, 20, 30, 255))


def test_shrinking_averages_and_does_not_alias() -> None:
    stripes = np.zeros((288, 512, 4), np.uint8)
    stripes[..., 3] = 255
    stripes[:, ::2, :3] = 255
    small = fit_network(stripes, height=144, width=256)
    assert np.abs(small[..., :3].astype(np.int16) - 128).max() <= 1


def test_transparent_colour_does_not_reach_the_network() -> None:
    frame = np.full((32, 32, 4), 255, np.uint8)
    frame[..., 3] = 0
    kept = frame.copy()
    assert not fit_network(frame, height=16, width=16)[..., :3].any()
    np.testing.assert_array_equal(frame, kept)


@pytest.mark.parametrize(
    ("text", "colour"),
    [("#ff8000", "#ff8000"), ("#F80", "#ff8800"), ("green", "#00ff00"), ("White", "#ffffff"), ("#FFaa01", "#ffaa01")],
)
def test_a_colour_has_several_names(text: str, colour: str) -> None:
    assert parse_colour(text) == colour


@pytest.mark.parametrize("text", ["#ff80", "#gggggg", "mauve", "ff8000", ""])
def test_what_is_no_colour_is_none(text: str) -> None:
    assert parse_colour(text) is None


@pytest.mark.parametrize(("text", "message"), [("", "No background image is chosen"), ("no.png", "no image no.png")])
def test_a_background_picture_that_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        BackgroundPicture.chosen(text)


def test_a_picture_covers_the_background_and_keeps_its_shape(tmp_path: Path) -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:20] = picture[80:] = 255  # cropped away for a wide frame
    background = BackgroundPicture(_saved(tmp_path / "a.png", picture))
    wide = background.at(height=50, width=200)
    assert wide.shape == (50, 200, 3)
    assert not wide.any()
    assert background.at(height=50, width=200) is wide
    assert background.at(height=200, width=50)[:30].all()
    opaque = background.with_alpha(height=200, width=50)
    assert opaque.flags.c_contiguous
    assert (opaque[..., 3] == 255).all()
