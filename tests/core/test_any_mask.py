"""What holds for the clean-up and the smoothing whatever the mask, its size and the settings."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eoam_core.cleanup import MaskCleaner, fill_largest_region
from eoam_core.pipeline import Pipeline
from eoam_core.refine import halved
from eoam_core.settings import Settings
from eoam_core.temporal import MaskSmoother

Bytes = NDArray[np.uint8]
# No folder of examples is left behind, and a busy computer is no failure.
quick = settings(database=None, deadline=None, max_examples=60)

sizes = st.tuples(st.integers(1, 60), st.integers(1, 90))
thresholds = st.floats(0.05, 0.95)


@st.composite
def pictures(draw: st.DrawFn, size: tuple[int, int] | None = None) -> Bytes:
    """A mask of blotches: from noise to one large region, soft or hard, with some empty and some full ones."""
    height, width = size or draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = rng.normal(0, 1, (height, width)).astype(np.float32)
    blur = draw(st.sampled_from([0.0, 1.0, 3.0, 8.0]))
    if blur:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32)
        noise /= max(float(noise.std()), 1e-6)
    steep = draw(st.sampled_from([30.0, 100.0, 1e4]))
    return np.clip(127.5 + steep * (noise + draw(st.floats(-3, 3))), 0, 255).astype(np.uint8)


@st.composite
def choices(draw: st.DrawFn, /, **fixed: Any) -> Settings:
    """Any settings of the clean-up."""
    values: dict[str, Any] = {
        "threshold": draw(thresholds),
        "regions": draw(st.sampled_from(["largest", "share", "people"])),
        "region_share": draw(st.sampled_from([0.0, 0.1, 2.0, 20.0])),
        "people": draw(st.integers(1, 6)),
        "holes": draw(st.sampled_from(["smart", "size", "all", "open"])),
        "hole_share": draw(st.sampled_from([0.0, 0.5, 20.0])),
        "smoothing": draw(st.sampled_from([0.0, 0.4, 0.95])),
    }
    return Settings(**{**values, **fixed})


def _picture(mask: Bytes, seed: int = 0) -> Bytes:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*mask.shape, 4)).astype(np.uint8)


def _clean(mask: Bytes, choice: Settings, cleaner: MaskCleaner | None = None) -> Bytes:
    return (cleaner or MaskCleaner()).clean(mask, halved(_picture(mask)), choice)


def _regions(mask: Bytes, level: float) -> list[Bytes]:
    person = (mask >= level * 255.0 - 0.5 + 1e-9).astype(np.uint8)
    contours, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = []
    for contour in contours:
        region = np.zeros_like(person)
        cv2.drawContours(region, [contour], -1, 1, cv2.FILLED)
        filled.append(region)
    return filled


@quick
@given(pictures(), choices())
def test_the_result_has_the_masks_shape_and_type_and_the_mask_is_not_written_to(mask: Bytes, choice: Settings) -> None:
    before = mask.copy()
    result = _clean(mask, choice)
    assert (result.shape, result.dtype) == (mask.shape, mask.dtype)
    np.testing.assert_array_equal(mask, before)


@quick
@given(pictures(), choices())
def test_the_same_again_gives_the_same(mask: Bytes, choice: Settings) -> None:
    np.testing.assert_array_equal(_clean(mask, choice), _clean(mask, choice))


@quick
@given(sizes, choices(), st.integers(0, 10))
def test_an_empty_mask_stays_empty(size: tuple[int, int], choice: Settings, faint: int) -> None:
    result = _clean(np.full(size, faint, np.uint8), choice)
    assert result.max() <= (faint if choice.region_share == 0 else 0) or choice.regions == "largest"
    assert not _clean(np.zeros(size, np.uint8), choice).any()


@quick
@given(sizes, choices())
def test_a_full_mask_stays_full(size: tuple[int, int], choice: Settings) -> None:
    assert (_clean(np.full(size, 255, np.uint8), choice) == 255).all()


@quick
@given(pictures(), choices())
def test_every_region_that_is_left_is_one_of_the_masks_and_as_large_as_asked(mask: Bytes, choice: Settings) -> None:
    left = _regions(_clean(mask, choice), choice.threshold)
    there = {region.tobytes() for region in _regions(mask, choice.threshold)}
    for region in left:
        assert region.tobytes() in there
        if choice.regions != "largest":
            assert region.sum() >= choice.region_share / 100 * mask.size
    if choice.regions == "largest":
        assert len(left) == min(len(there), 1)
    if choice.regions == "people":
        assert len(left) <= choice.people


@quick
@given(pictures(), choices(regions="share"))
def test_every_region_that_is_large_enough_is_left(mask: Bytes, choice: Settings) -> None:
    limit = choice.region_share / 100 * mask.size
    unsure = np.floor(choice.threshold * 255.0 - 0.5)
    sureness = np.maximum(mask - unsure, 0)
    regions = _regions(mask, choice.threshold)
    left = {r.tobytes() for r in _regions(_clean(mask, choice), choice.threshold)}
    for region in regions:
        counted = (sureness * region).sum() / (255 - unsure)
        if counted >= limit or region.sum() < 8 * limit:  # of more than that it need not be sure
            assert (region.tobytes() in left) == (counted >= limit)


@quick
@given(pictures(), choices(holes="all"))
def test_filled_regions_have_no_holes(mask: Bytes, choice: Settings) -> None:
    result = _clean(mask, choice)
    person = result >= choice.threshold * 255.0 - 0.5 + 1e-9
    filled = np.zeros(mask.shape, np.uint8)
    for region in _regions(result, choice.threshold):
        filled |= region
    np.testing.assert_array_equal(person, filled > 0)


@quick
@given(pictures(), choices(), st.sampled_from(["all", "open"]))
def test_cleaning_a_clean_mask_changes_nothing(mask: Bytes, choice: Settings, holes: str) -> None:
    choice = choice.replace(holes=holes)
    once = _clean(mask, choice)
    np.testing.assert_array_equal(_clean(once, choice), once)


@quick
@given(pictures(), thresholds)
def test_the_papers_step_keeps_one_region_without_holes_and_is_idempotent(mask: Bytes, level: float) -> None:
    once = fill_largest_region(mask, level=level)
    assert len(_regions(once, level)) == min(len(_regions(mask, level)), 1)
    np.testing.assert_array_equal(fill_largest_region(once, level=level), once)


@quick
@given(pictures(), choices(regions="largest", holes="all"))
def test_the_first_mask_of_a_sequence_is_cleaned_as_in_the_paper(mask: Bytes, choice: Settings) -> None:
    expected = _regions(fill_largest_region(mask, level=choice.threshold), choice.threshold)
    result = _regions(_clean(mask, choice), choice.threshold)
    assert [region.sum() for region in result] == [region.sum() for region in expected]


@quick
@given(st.lists(sizes, min_size=2, max_size=4), st.data(), choices())
def test_another_size_knows_nothing_of_the_one_before(
    shapes: list[tuple[int, int]], data: st.DataObject, choice: Settings
) -> None:
    masks = [data.draw(pictures(size)) for size in shapes]
    cleaner = MaskCleaner()
    for number, mask in enumerate(masks):
        result = _clean(mask, choice, cleaner)
        if not number or mask.shape != masks[number - 1].shape:
            np.testing.assert_array_equal(result, _clean(mask, choice))


@quick
@given(sizes, st.data(), choices())
def test_a_whole_sequence_runs_and_reset_makes_it_new(
    size: tuple[int, int], data: st.DataObject, choice: Settings
) -> None:
    masks = [data.draw(pictures(size)) for _ in range(4)]
    frames = [_picture(mask, data.draw(st.integers(0, 3))) for mask in masks]

    class Given:
        height, width = size
        name = "given"
        at = 0

        def segment(self, frame: Bytes) -> Bytes:
            return masks[self.at]

        def close(self) -> None:
            pass

    segmenter = Given()
    pipeline = Pipeline(segmenter, choice)
    runs = []
    for _ in range(2):
        run = []
        for segmenter.at, frame in enumerate(frames):
            run.append(pipeline.process(frame).mask)
        runs.append(run)
        pipeline.reset()
    for first, again in zip(*runs, strict=True):
        assert (first.shape, first.dtype) == (size, np.uint8)
        np.testing.assert_array_equal(first, again)


@quick
@given(pictures(), st.floats(0.0, 0.99), st.sampled_from([0, 255]))
def test_smoothing_moves_a_mask_towards_the_old_one_only(mask: Bytes, strength: float, old: int) -> None:
    smoother, frame = MaskSmoother(strength), np.full((*mask.shape, 4), 90, np.uint8)
    smoother.smooth(np.full(mask.shape, old, np.uint8), frame)
    result = smoother.smooth(mask, frame)
    assert (result >= mask).all() if old else (result <= mask).all()


@quick
@given(pictures(), st.floats(0.0, 0.99))
def test_a_mask_that_stays_the_same_is_not_changed_by_smoothing(mask: Bytes, strength: float) -> None:
    smoother, frame = MaskSmoother(strength), np.full((*mask.shape, 4), 90, np.uint8)
    for _ in range(3):
        np.testing.assert_array_equal(smoother.smooth(mask, frame), mask)


@quick
@given(pictures(), st.floats(0.0, 0.99), st.integers(0, 255))
def test_a_cut_leaves_nothing_of_the_old_mask(mask: Bytes, strength: float, old: int) -> None:
    smoother = MaskSmoother(strength)
    smoother.smooth(np.full(mask.shape, old, np.uint8), np.full((*mask.shape, 4), 30, np.uint8))
    np.testing.assert_array_equal(smoother.smooth(mask, np.full((*mask.shape, 4), 220, np.uint8)), mask)
