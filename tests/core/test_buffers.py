from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core import Pipeline, Settings
from eoam_core.buffers import Buffers
from eoam_core.pipeline import Matte

H, W = 144, 256


class _Moving:
    """A segmenter that returns the masks it was made with, in turn."""

    name, height, width = "moving", H, W

    def __init__(self) -> None:
        self.masks: list[NDArray[np.uint8]] = []
        for step in range(8):
            mask = np.zeros((H, W), np.uint8)
            mask[30:, 80 + step : 170 + step] = 250
            mask[60:75, 110:120] = 40  # a hole
            mask[10:20, 10:20] = 200  # what is removed
            self.masks.append(mask)
        self._count = 0

    def segment(self, _frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._count += 1
        return self.masks[self._count % len(self.masks)]

    def close(self) -> None:
        pass


def _frames() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(3)
    return [
        np.clip(mask[..., np.newaxis] / 2 + rng.normal(60, 2, (H, W, 4)), 0, 255).astype(np.uint8)
        for mask in _Moving().masks
    ]


def test_what_nobody_holds_is_used_again() -> None:
    buffers = Buffers()
    first = buffers.take((4, 5), np.uint8)
    place = first.ctypes.data
    del first
    assert buffers.take((4, 5), np.uint8).ctypes.data == place


def test_what_somebody_holds_is_not_touched_however_many_are_asked_for() -> None:
    buffers = Buffers()
    held = [buffers.take((4, 5), np.uint8) for _ in range(30)]
    assert len({array.ctypes.data for array in held}) == 30


def test_a_piece_of_an_array_holds_it() -> None:
    buffers = Buffers()
    piece = buffers.take((4, 5), np.uint8)[1:]
    piece[...] = 7
    buffers.take((4, 5), np.uint8)[...] = 9
    assert (piece == 7).all()


def test_another_size_or_type_gets_its_own() -> None:
    buffers = Buffers()
    for shape, dtype in (((4, 5), np.uint8), ((5, 4), np.uint8), ((5, 4), np.uint16)):
        array = buffers.take(shape, dtype)
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))


def test_mattes_that_are_held_stay_as_they_were() -> None:
    frames = _frames()
    with Pipeline(_Moving()) as pipeline:
        mattes: list[Matte] = []
        copies = []
        for number in range(24):
            matte = pipeline.process(frames[(number + 1) % 8], number)
            assert matte.coefficients is not None
            mattes.append(matte)
            copies.append((matte.mask.copy(), matte.levels.copy(), matte.coefficients.copy()))
    for matte, (mask, levels, coefficients) in zip(mattes, copies, strict=True):
        np.testing.assert_array_equal(matte.mask, mask)
        np.testing.assert_array_equal(matte.levels, levels)
        np.testing.assert_array_equal(matte.coefficients, coefficients)


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
def test_a_frame_in_steady_state_allocates_no_mask(smoothing: float) -> None:
    """The newest matte is held, as by whoever draws it, while the next is made."""
    frames = _frames()
    peaks, growth = [], []
    with Pipeline(_Moving(), Settings(smoothing=smoothing)) as pipeline:
        newest = pipeline.process(frames[0], 0)
        for number in range(1, 40):
            newest = pipeline.process(frames[number % 8], number)
        tracemalloc.start()
        try:
            for number in range(40, 80):
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                newest = pipeline.process(frames[number % 8], number)
                now, peak = tracemalloc.get_traced_memory()
                peaks.append(peak - before)
                growth.append(now - before)
        finally:
            tracemalloc.stop()
    assert newest.mask.any()
    # What is left at any time of a frame is smaller than one mask: contours, and what numpy converts numbers in. One
    # frame in eight or so looks at a hole as well.
    assert np.median(peaks) < H * W
    assert max(peaks) < 3 * H * W
    assert sum(growth) < H * W / 4


def test_the_address_is_that_of_the_array_taken_last() -> None:
    buffers = Buffers()
    held = []
    for shape in ((3, 4), (3, 4), (3, 4), (5, 2), (5, 2)):  # new ones, and another shape
        held.append(buffers.take(shape, np.uint8))
        assert buffers.address == held[-1].ctypes.data
    del held[-2:]
    many = []
    for _ in range(20):  # the same ones again, and more than are kept
        many.append(buffers.take((5, 2), np.uint8))
        assert buffers.address == many[-1].ctypes.data


def test_a_matte_says_where_its_arrays_are() -> None:
    frames = _frames()
    looks: list[dict[str, object]] = [{}, {"refinement": 0}, {"view": "confidence"}, {}]
    with Pipeline(_Moving()) as pipeline:
        for number, look in enumerate(looks):
            pipeline.settings = Settings.validated(**look)
            for repeated in (False, True):
                matte = pipeline.process(frames[number % 3], number, repeated=repeated)
                arrays = (matte.levels, matte.coefficients, matte.confidence)
                assert matte.addresses == tuple(0 if array is None else array.ctypes.data for array in arrays)
