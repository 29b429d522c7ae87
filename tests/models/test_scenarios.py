"""The drawn situations are what their names say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.augment import MixConfig, SampleMaker, photographed
from models.data import Person, TrainingSet, is_uncut
from models.props import (
    add_bars,
    add_chair,
    add_clutter,
    add_furniture,
    add_headphones,
    add_lookalike,
    add_microphone,
    head_box,
)
from models.scenarios import CANVAS, degrade, place


def person(top: int = 40) -> Person:
    alpha = np.zeros((200, 160), np.uint8)
    alpha[top:120, 60:100] = 255  # head and neck, 40 wide
    alpha[120:, 30:130] = 255  # shoulders
    return Person(np.full((200, 160, 3), 200, np.uint8), alpha)


def test_the_head_is_found_at_the_top_of_the_person() -> None:
    assert head_box(person().alpha) == pytest.approx((79.5, 40, 40), abs=1)
    assert head_box(np.zeros((9, 9), np.uint8)) is None


def test_headphones_belong_to_the_person() -> None:
    p = person()
    frame, alpha = add_headphones(np.random.default_rng(0), p.bgr, p.alpha)
    painted = np.abs(frame.astype(int) - p.bgr).max(2) > 30
    assert painted.sum() > 100
    assert (alpha[painted] > 0).all()
    assert np.count_nonzero(alpha > 127) > np.count_nonzero(p.alpha > 127)


def test_a_microphone_cuts_no_hole_into_the_truth() -> None:
    p = person()
    frame, alpha = add_microphone(np.random.default_rng(0), p.bgr, p.alpha)
    assert np.array_equal(alpha, p.alpha)
    assert np.abs(frame.astype(int) - p.bgr).max() > 60


def test_a_chair_is_behind_the_person() -> None:
    p = person()
    frame = add_chair(np.random.default_rng(1), p.bgr, p.alpha)
    painted = np.abs(frame.astype(int) - p.bgr).max(2) > 30
    assert painted.sum() > 100
    inner = cv2.erode(p.alpha, np.ones((5, 5), np.uint8)) == 255  # the seam is blended over a pixel
    assert not painted[inner].any()


def test_what_has_the_persons_colours_is_behind_the_person() -> None:
    p = person()
    p.bgr[p.alpha == 255] = (60, 90, 180)
    frame = add_lookalike(np.random.default_rng(3), p.bgr, p.alpha)
    painted = np.abs(frame.astype(int) - p.bgr).max(2) > 30
    assert painted.sum() > 100
    assert not painted[cv2.erode(p.alpha, np.ones((5, 5), np.uint8)) == 255].any()
    assert np.abs(np.median(frame[painted], 0) - (60, 90, 180)).max() < 60


def test_clutter_changes_a_part_of_the_room() -> None:
    room = np.full((90, 160, 3), 128, np.uint8)
    texture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    changed = [(add_clutter(np.random.default_rng(i), room, texture) != room).any(2).mean() for i in range(12)]
    assert 0.01 < np.mean(changed) < 0.6


def test_furniture_is_part_of_the_room_and_as_large_as_somebody() -> None:
    room = np.full((90, 160, 3), 128, np.uint8)
    texture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    made = [add_furniture(np.random.default_rng(i), room, texture) for i in range(40)]
    changed = [(frame != room).any(2) for frame in made]
    assert 0.08 < np.mean(changed) < 0.6
    assert np.mean([c[-1].any() for c in changed]) > 0.9  # it stands on the floor
    assert np.mean([f[c].mean() < 100 for f, c in zip(made, changed, strict=True) if c.any()]) > 0.6  # mostly dark
    p = person()
    data = TrainingSet([p], [p], [p], [p], [texture], "")
    plain, furnished = (SampleMaker(data, MixConfig(furniture=share)) for share in (0.0, 1.0))
    rooms = [maker.room(np.random.default_rng(1), (90, 160)) for maker in (plain, furnished)]
    assert (rooms[0] != rooms[1]).any(2).mean() > 0.05


def test_a_swapped_portrait_stays_where_it_was_photographed_before_another_background() -> None:
    p = person()
    p.bgr[p.alpha == 255], p.bgr[p.alpha == 0] = (200, 200, 200), (0, 0, 255)
    room = np.zeros((60, 80, 3), np.uint8)
    room[..., 1] = 255
    data = TrainingSet([p], [p], [p], [p], [room], "")
    maker = SampleMaker(data, MixConfig(plain=0, clutter=0, lookalike=0, swap=1))
    changed = 0
    for seed in range(10):
        frame, alpha = maker.swapped(np.random.default_rng(seed), p, (112, 112))
        _, before = photographed(np.random.default_rng(seed), p, (112, 112))
        assert not ((alpha > 0) & (before == 0)).any()
        # The rim of the photograph's background is gone, and no more than that.
        assert (cv2.erode(before, np.ones((5, 5), np.uint8)) <= alpha).all()
        outside = frame[before == 0].astype(int)
        if len(outside):
            assert np.median(outside[:, 1]) > np.median(outside[:, 2]) + 50  # the room's green, none of the red
            changed += 1
    assert changed > 5
    kinds = {"portrait": 1.0, "street": 0.0, "mixed": 0.0, "composite": 0.0, "empty": 0.0}
    frames = [SampleMaker(data, MixConfig(**kinds, swap=s)).batch(1, 1, (64, 64), 4)[0] for s in (0.0, 1.0)]
    assert (frames[0] != frames[1]).any()


def test_bars_lie_at_the_rim_and_nobody_is_in_them() -> None:
    seen = set()
    for seed in range(60):
        frame = np.full((90, 160, 3), 77, np.uint8)
        alpha = np.full((90, 160), 255, np.uint8)
        add_bars(np.random.default_rng(seed), frame, alpha)
        bar = alpha == 0
        assert 0 < bar.mean() <= 0.6
        assert set(np.unique(alpha)) <= {0, 255}
        assert (frame[~bar] == 77).all()
        assert np.ptp(frame[bar].astype(int), axis=0).max() == 0  # one colour
        upright = bar.all(0).any()
        line = bar.all(0) if upright else bar.all(1)
        assert np.array_equal(bar, np.broadcast_to(line if upright else line[:, None], bar.shape))
        assert line[0] or line[-1]
        assert np.count_nonzero(np.diff(line.astype(int))) == int(line[0]) + int(line[-1])  # at the rim alone
        seen.add((bool(upright), bool(line[0] and line[-1])))
    assert len(seen) == 4


def test_nobody_in_the_picture_is_left_alone() -> None:
    empty = np.zeros((20, 30), np.uint8)
    frame = np.zeros((20, 30, 3), np.uint8)
    rng = np.random.default_rng(0)
    assert np.array_equal(add_headphones(rng, frame, empty)[0], frame)
    assert np.array_equal(add_microphone(rng, frame, empty)[0], frame)
    assert np.array_equal(add_chair(rng, frame, empty), frame)
    assert np.array_equal(add_lookalike(rng, frame, empty), frame)


def test_a_small_person_is_smaller_than_a_close_one_and_stands_on_the_lower_edge() -> None:
    room = np.zeros((240, 320, 3), np.uint8)
    rng = np.random.default_rng(0)
    _, small = place(rng, room, person(), "small")
    _, close = place(rng, room, person(), "close")
    assert small.shape == CANVAS
    assert 0 < np.count_nonzero(small) < np.count_nonzero(close) / 4
    assert small[-1].any()


def test_degradations_do_what_they_say() -> None:
    rng = np.random.default_rng(0)
    frame = np.full((*CANVAS, 3), 120, np.uint8)
    alpha = np.zeros(CANVAS, np.uint8)
    alpha[100:] = 255
    assert degrade(rng, frame, alpha, "dark").mean() < 40
    assert degrade(rng, frame, alpha, "noisy").std() > 8
    lit = degrade(rng, frame, alpha, "back-lit")
    assert lit[:100].mean() > lit[100:].mean() + 60
    assert np.array_equal(degrade(rng, frame, alpha, "seated"), frame)


def test_a_portrait_that_loses_its_top_is_cut() -> None:
    assert is_uncut(person())
    assert not is_uncut(person(top=0))
