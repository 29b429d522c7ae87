from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.errors import ModelError
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Holes, Regions, Settings, View

from .doubles import HEIGHT, WIDTH, RedSegmenter, frame_with_person

Bytes = NDArray[np.uint8]


def test_a_frame_becomes_a_matte_with_its_number() -> None:
    matte = Pipeline(RedSegmenter()).process(frame_with_person(), sequence=7)
    assert matte.sequence == 7
    assert matte.mask.dtype == np.uint8
    np.testing.assert_array_equal(matte.mask, frame_with_person()[..., 2])


def test_stages_are_timed_with_the_clock_that_was_given() -> None:
    ticks = count()
    matte = Pipeline(RedSegmenter(), clock=lambda: next(ticks) * 0.001).process(frame_with_person())
    timings = matte.timings
    stages = [timings.inference_ms, timings.cleanup_ms, timings.smoothing_ms, timings.refinement_ms]
    assert stages == pytest.approx([1, 1, 1, 1])
    assert timings.total_ms == pytest.approx(4)


def test_a_repeated_frame_gets_the_same_mask_unless_something_changed() -> None:
    segmenter, frame = CountingSegmenter(), frame_with_person()
    pipeline = Pipeline(segmenter)
    pipeline.process(frame, 1)
    settled = pipeline.process(frame, 2, repeated=True)
    again = pipeline.process(frame, 3, repeated=True)
    assert (again.sequence, again.mask is settled.mask, again.coefficients is settled.coefficients) == (3, True, True)
    assert segmenter.asked == 2
    pipeline.settings = pipeline.settings.replace(threshold=0.6)
    pipeline.process(frame, 4, repeated=True)
    pipeline.reset()
    pipeline.process(frame, 5, repeated=True)
    assert segmenter.asked == 4


def test_a_picture_that_stops_moving_ends_with_the_mask_of_its_own() -> None:
    segmenter = CountingSegmenter()
    pipeline = Pipeline(segmenter, Settings(smoothing=0.7, holes=Holes.OPEN, regions=Regions.SHARE, region_share=0))
    noise = np.random.default_rng(1)
    for sequence in range(20):  # an unsteady mask over a picture that hardly moves is smoothed
        frame = frame_with_person()
        frame[..., 2] = np.clip(frame[..., 2] // 2 + 60 + noise.integers(-20, 20), 0, 255)
        pipeline.process(frame, sequence)
    own = segmenter.segment(frame).astype(int)
    off = [np.abs(pipeline.process(frame, 20 + n, repeated=n > 0).mask.astype(int) - own).mean() for n in range(30)]
    assert off[0] > 5
    assert off[-1] < off[0] / 3  # eight bits are too few for it to come any closer
    asked = segmenter.asked
    pipeline.process(frame, 60, repeated=True)
    assert segmenter.asked == asked


def test_without_refinement_nothing_is_made_for_it() -> None:
    frame = frame_with_person()
    assert Pipeline(RedSegmenter()).process(frame).coefficients is not None
    assert Pipeline(RedSegmenter(), Settings(refinement=0.0)).process(frame).coefficients is None


class CountingSegmenter(RedSegmenter):
    """Counts how often it is asked."""

    asked = 0

    def segment(self, frame: np.ndarray) -> np.ndarray:
        self.asked += 1
        return super().segment(frame)


def test_the_regions_are_a_setting_that_acts_from_the_next_frame_on() -> None:
    frame = frame_with_person()
    frame[:4, :4, 2] = 255
    pipeline = Pipeline(RedSegmenter(), Settings(smoothing=0))
    assert pipeline.process(frame).mask[0, 0] == 0
    pipeline.settings = pipeline.settings.replace(region_share=0)
    assert pipeline.process(frame).mask[0, 0] == 255


def test_the_holes_are_a_setting() -> None:
    frame = frame_with_person()
    frame[22:26, 30:34] = (120, 90, 0, 255)  # as the room
    assert Pipeline(RedSegmenter(), Settings(holes=Holes.ALL)).process(frame).mask[24, 32] == 255
    assert Pipeline(RedSegmenter(), Settings(holes=Holes.OPEN)).process(frame).mask[24, 32] == 0
    assert Pipeline(RedSegmenter(), Settings()).process(frame).mask[24, 32] == 0


def test_the_networks_own_mask_is_kept_only_for_the_view_of_it() -> None:
    frame = frame_with_person()
    frame[:4, :4, 2] = 255  # removed from the mask
    assert Pipeline(RedSegmenter()).process(frame).confidence is None
    confidence = Pipeline(RedSegmenter(), Settings(view=View.CONFIDENCE)).process(frame).confidence
    assert confidence is not None
    assert confidence.dtype == np.uint16
    np.testing.assert_array_equal(confidence, frame[..., 2].astype(np.uint16) * 257)


def test_nothing_of_the_old_scene_survives_a_cut() -> None:
    dark, bright = (np.full((HEIGHT, WIDTH, 4), value, np.uint8) for value in (30, 200))
    for frame in (dark, bright):
        frame[..., 2] = 0
    dark[10:40, 10:50, 2] = 255
    bright[30:34, 20:26, 2] = 255  # too small to be shown, but for the one that was there before
    pipeline = Pipeline(RedSegmenter(), Settings(smoothing=0.95, region_share=1.0))
    for _ in range(5):
        pipeline.process(dark)
    assert not pipeline.process(bright).mask.any()


def test_reset_forgets_the_regions() -> None:
    frame = frame_with_person()
    small = np.full_like(frame, (120, 90, 0, 255))
    small[20:25, 30:35, 2] = 255
    limit = 100 * 30 / (HEIGHT * WIDTH)
    pipeline = Pipeline(RedSegmenter(), Settings(smoothing=0, region_share=limit))
    pipeline.process(frame)
    assert pipeline.process(small).mask.any()
    pipeline.reset()
    assert not pipeline.process(small).mask.any()


def test_the_threshold_is_the_level_of_the_regions() -> None:
    frame = frame_with_person()
    frame[..., 2] = np.minimum(frame[..., 2], 150)
    assert Pipeline(RedSegmenter(), Settings(threshold=0.5)).process(frame).mask.any()
    assert not Pipeline(RedSegmenter(), Settings(threshold=0.7)).process(frame).mask.any()


def test_smoothing_is_a_setting_and_reset_forgets() -> None:
    class Steps(RedSegmenter):
        level = 200

        def segment(self, frame: Bytes) -> Bytes:
            return np.full((HEIGHT, WIDTH), self.level, np.uint8)

    segmenter = Steps()
    pipeline = Pipeline(segmenter, Settings(smoothing=0.5, region_share=0, holes=Holes.OPEN))
    pipeline.process(frame_with_person())
    segmenter.level = 100
    assert pipeline.process(frame_with_person()).mask[0, 0] == round(100 + 100 * 0.5**0.2)
    pipeline.reset()
    assert pipeline.process(frame_with_person()).mask[0, 0] == 100
    segmenter.level = 50
    pipeline.settings = Settings(smoothing=0, region_share=0, holes=Holes.OPEN)
    assert pipeline.process(frame_with_person()).mask[0, 0] == 50


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.zeros((WIDTH, HEIGHT, 4), np.uint8),
        np.zeros((HEIGHT, WIDTH, 4), np.float32),
    ],
)
def test_another_kind_of_frame_is_refused_with_what_was_got_and_needed(frame: Bytes) -> None:
    with pytest.raises(ValueError, match=r"got a frame of .+, need uint8 \(48, 64, 4\)"):
        Pipeline(RedSegmenter()).process(frame)


@pytest.mark.parametrize(
    "mask",
    [
        np.full((HEIGHT, WIDTH), np.nan, np.float32),
        np.zeros((HEIGHT, WIDTH + 1), np.uint8),
        np.zeros((1, HEIGHT, WIDTH), np.uint8),
    ],
)
def test_what_is_no_mask_is_an_error_and_never_shown(mask: Bytes) -> None:
    class Wrong(RedSegmenter):
        def segment(self, frame: Bytes) -> Bytes:
            return mask

    with pytest.raises(ModelError, match="red returned a mask of"):
        Pipeline(Wrong()).process(frame_with_person())


def test_closing_closes_the_segmenter_once() -> None:
    segmenter = RedSegmenter()
    with Pipeline(segmenter) as pipeline:
        pass
    pipeline.close()
    assert segmenter.closed == 1
    with pytest.raises(RuntimeError, match="closed"):
        pipeline.process(frame_with_person())
