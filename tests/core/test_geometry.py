from __future__ import annotations

import pytest

from eoam_core.geometry import network_size
from eoam_core.settings import Detail, Settings


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), (256, 144)),
        ((1080, 1920), (144, 256)),
        ((800, 800), (224, 224)),
        ((640, 480), (240, 176)),
        ((480, 640), (176, 240)),
        ((3840, 1080), (288, 80)),
        ((1, 1), (224, 224)),
        ((100_000, 1), (304, 80)),
    ],
)
def test_common_and_extreme_shapes(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert network_size(*size, Detail.NORMAL) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1920, 1080), (304, 176)), ((1080, 1920), (176, 304)), ((800, 800), (272, 272)), ((640, 480), (288, 224))],
)
def test_fine_detail_has_about_half_as_many_pixels_again(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert network_size(*size, Detail.FINE) == expected
    normal = network_size(*size, Detail.NORMAL)
    assert 1.4 < expected[0] * expected[1] / (normal[0] * normal[1]) < 1.6


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1920, 1080), (400, 224)), ((1080, 1920), (224, 400)), ((800, 800), (352, 352)), ((640, 480), (368, 272))],
)
def test_finest_detail_has_nearly_two_and_a_half_times_as_many_pixels(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert network_size(*size, Detail.FINEST) == expected
    normal = network_size(*size, Detail.NORMAL)
    assert 2.3 < expected[0] * expected[1] / (normal[0] * normal[1]) < 2.5


@pytest.mark.parametrize("width", range(1, 8000, 37))
def test_sizes_are_multiples_of_16_bounded_and_near_the_pictures_shape(width: int) -> None:
    columns, rows = network_size(width, 1000, Detail.NORMAL)
    assert columns % 16 == rows % 16 == 0
    assert columns * rows <= 224 * 224
    assert min(columns, rows) >= 80
    if 0.25 <= width / 1000 <= 4:
        assert columns / rows == pytest.approx(width / 1000, rel=0.1)


def test_without_a_detail_it_is_the_settings_default() -> None:
    assert network_size(1920, 1080) == network_size(1920, 1080, Settings().detail)


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-4, 4)])
def test_an_empty_picture_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="need at least 1x1"):
        network_size(*size)
