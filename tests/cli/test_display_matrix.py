from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from eoam_cli.video.display_matrix import Orientation

from .videos import convert, everything, pictures, written

ONE = 65536
# (a, b, c, d) of the display matrix, and the same by OpenCV
KINDS = {
    "upright": ((1, 0, 0, 1), lambda picture: picture),
    "mirrored": ((-1, 0, 0, 1), lambda picture: cv2.flip(picture, 1)),
    "upside_down_mirrored": ((1, 0, 0, -1), lambda picture: cv2.flip(picture, 0)),
    "turned_180": ((-1, 0, 0, -1), lambda picture: cv2.rotate(picture, cv2.ROTATE_180)),
    "turned_clockwise": ((0, 1, -1, 0), lambda picture: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE)),
    "turned_counterclockwise": ((0, -1, 1, 0), lambda picture: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE)),
    "transposed": ((0, 1, 1, 0), lambda picture: cv2.transpose(picture)),
    "transposed_180": ((0, -1, -1, 0), lambda picture: cv2.rotate(cv2.transpose(picture), cv2.ROTATE_180)),
}


def _matrix(a: float, b: float, c: float, d: float) -> bytes:
    numbers = [round(value * ONE) for value in (a, b, 0, c, d, 0, 0, 0)]
    return struct.pack("=9i", *numbers, 1 << 30)


def _with_matrix(path: Path, values: tuple[int, int, int, int]) -> None:
    """Write a display matrix into the track of an MP4 or MOV file, where cameras and editors write it."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 4 + 20 + 16  # version and flags; times, track, duration; layer, volume
    a, b, c, d = values
    content[at : at + 36] = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def _corners() -> np.ndarray:
    """Return a picture that no turn and no mirror leaves as it is, BGR (64, 96, 3)."""
    picture = np.full((64, 96, 3), 30, np.uint8)
    picture[:24, :36] = (0, 0, 230)
    picture[:24, 60:] = (0, 230, 0)
    picture[40:, :36] = (230, 0, 0)
    return picture


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_video_comes_out_as_its_display_matrix_says(tmp_path: Path, out: Path, kind: str, suffix: str) -> None:
    values, turned = KINDS[kind]
    source = written(tmp_path / f"in{suffix}", [_corners()] * 3)
    _with_matrix(source, values)
    assert convert(source, out / "a.mp4", background="color", make_pipeline=everything).notes == ()
    for shown in pictures(out / "a.mp4"):
        expected = turned(_corners())[..., ::-1]
        assert shown.shape == expected.shape
        assert np.abs(shown.astype(int) - expected).mean() < 5


@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_of_the_eight_is_taken(kind: str) -> None:
    values, turned = KINDS[kind]
    leaning = _matrix(*(value * 0.97 + 0.1 for value in values))
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert np.array_equal(Orientation.of_matrix(leaning).applied(picture), turned(picture))


def test_what_is_no_matrix_changes_nothing() -> None:
    assert Orientation.of_matrix(b"") == Orientation()
    assert Orientation.of_matrix(bytes(36)) == Orientation()
