"""The drawn situations are what their names say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.augment import MixConfig, SampleMaker
from models.data import Person, TrainingSet, is_uncut
from models.props import add_chair, add_clutter, add_furniture, add_headphones, add_lookalike, add_microphone, head_box
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
