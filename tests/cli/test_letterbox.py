from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from eoam_cli.video.letterbox import letterboxed


def _white(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.full((height, width, channels), 255, np.uint8)


def test_a_picture_of_the_frames_size_stays_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    assert np.array_equal(letterboxed(picture, height=20, width=30), picture)


def test_a_missing_last_row_and_column_are_repeated() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (19, 29, 3), np.uint8)
    framed = letterboxed(picture, height=20, width=30)
    assert np.array_equal(framed[:19, :29], picture)
    assert np.array_equal(framed[19], framed[18])


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"), [(40, 20, 40, 20), (20, 40, 20, 40), (90, 160, 22, 40)]
)
def test_the_shape_stays_and_the_rest_is_bars(height: int, width: int, rows: int, columns: int) -> None:
    framed = letterboxed(_white(height, width), height=40, width=40)
    assert framed.shape == (40, 40, 3)
    lit = framed.max(axis=2) > 0
    assert (int(lit.any(1).sum()), int(lit.any(0).sum())) == (rows, columns)
    top, left = (40 - rows) // 2, (40 - columns) // 2
    assert framed[top : top + rows, left : left + columns].min() == 255


def test_pixels_that_are_wider_than_high_count() -> None:
    lit = letterboxed(_white(40, 20), height=40, width=40, aspect=Fraction(2)).max(axis=2) > 0
    assert lit.all()


def test_bars_are_transparent_and_colours_of_hidden_pixels_do_not_bleed() -> None:
    picture = _white(20, 80, 4)
    picture[:, ::2] = (255, 0, 0, 0)
    framed = letterboxed(picture, height=40, width=40)
    assert framed[0].max() == 0
    assert framed[20, 20, 1] > 250  # still white, not reddish
    assert 100 < framed[20, 20, 3] < 150


def test_a_frame_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the frame is 0x5, need at least 1x1"):
        letterboxed(_white(2, 2), height=5, width=0)
