"""What photographs lack, made: other clothes, hardly any light, people turned, people on posters."""

from __future__ import annotations

from dataclasses import asdict

import cv2
import numpy as np
import pytest

from models.augment import MixConfig, SampleMaker
from models.data import Image, Person, TrainingSet
from models.posters import add_poster, crop
from models.recolour import find_face, recolour

SKIN, CLOTH, WALL = (120, 150, 205), (60, 60, 60), (200, 200, 190)  # BGR


def drawn_person() -> tuple[Image, Image]:
    """Return somebody with a face, in a dark pullover before a bright wall: BGR and alpha."""
    frame, alpha = np.full((128, 128, 3), WALL, np.uint8), np.zeros((128, 128), np.uint8)
    for picture, cloth, face in ((frame, CLOTH, SKIN), (alpha, 255, 255)):
        cv2.ellipse(picture, (64, 128), (50, 44), 0, 0, 360, cloth, -1)
        cv2.ellipse(picture, (64, 52), (20, 28), 0, 0, 360, face, -1)
    return frame, alpha


def one_of(frame: Image, alpha: Image, room: Image | None = None) -> TrainingSet:
    p = Person(frame, alpha)
    return TrainingSet([p], [p], [p], [p], [np.full((90, 160, 3), 128, np.uint8) if room is None else room], "")


def test_shares_that_were_invented_later_are_off_in_an_older_checkpoint() -> None:
    later = ("pack", "wide_pack", "recolour", "very_dark", "turned", "posters")
    older = {name: value for name, value in asdict(MixConfig()).items() if name not in later}
    assert all(getattr(MixConfig.from_dict(older), name) == 0 for name in later)
    assert MixConfig.from_dict(older) == MixConfig()


def test_clothes_get_another_colour_and_neither_skin_nor_background_do() -> None:
    frame, alpha = drawn_person()
    coloured = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        change = np.abs(recolour(rng, frame, alpha).astype(int) - frame).max(2)
        assert change[40:60, 58:70].max() <= 6  # the face
        coloured += np.median(change[110:, 44:84]) > 25
        walls = change[cv2.dilate(alpha, np.ones((5, 5), np.uint8)) == 0]
        assert walls.max() <= 3 or np.median(walls) > 3  # untouched, or another colour altogether
    assert coloured > 16


def test_many_of_the_new_colours_are_green() -> None:
    frame, alpha = drawn_person()
    made = [recolour(np.random.default_rng(seed), frame, alpha)[110:, 44:84].reshape(-1, 3) for seed in range(60)]
    blue, green, red = np.median(np.stack(made), 1).T
    assert np.mean((green > blue + 8) & (green > red + 8)) > 0.2


def test_the_face_is_found_by_its_colour_and_in_a_grey_picture_not_at_all() -> None:
    frame, alpha = drawn_person()
    skin, face = find_face(frame, alpha)
    assert skin[50, 64] == 255
    assert skin[120, 64] == 0
    assert face is not None
    assert np.allclose(face, (44, 24, 41, 53), atol=4)
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    skin, face = find_face(np.asarray(grey, np.uint8), alpha)
    assert not skin.any()
    assert face is None


def test_a_grey_photograph_keeps_its_face_and_hair() -> None:
    frame, alpha = drawn_person()
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    made = [recolour(np.random.default_rng(seed), grey, alpha) for seed in range(20)]
    assert all(np.abs(m.astype(int) - grey)[26:60, 58:70].max() <= 3 for m in made)
    assert np.mean([np.ptp(m[120, 64].astype(int)) > 15 for m in made]) > 0.6


def test_a_picture_without_anybody_keeps_its_colours() -> None:
    frame, alpha = drawn_person()
    assert np.array_equal(recolour(np.random.default_rng(0), frame, np.zeros_like(alpha)), frame)


@pytest.mark.parametrize("share", ["recolour", "very_dark", "turned", "posters"])
def test_a_share_of_one_changes_the_samples_and_none_leaves_them(share: str) -> None:
    data = one_of(*drawn_person())
    usual = SampleMaker(data, MixConfig()).batch(1, 1, (96, 96), 16)
    off = SampleMaker(data, MixConfig().with_shares([f"{share}=0"])).batch(1, 1, (96, 96), 16)
    on = SampleMaker(data, MixConfig().with_shares([f"{share}=1"])).batch(1, 1, (96, 96), 16)
    assert np.array_equal(usual[0], off[0])
    assert not np.array_equal(usual[0], on[0])


def test_hardly_any_light_leaves_a_twentieth_to_a_quarter_or_noise_that_was_turned_up() -> None:
    frame = np.full((64, 64, 3), 200, np.uint8)
    maker = SampleMaker(one_of(*drawn_person()), MixConfig())
    made = [maker.underexposed(np.random.default_rng(seed), frame) for seed in range(60)]
    levels = np.array([m.mean() for m in made])
    assert levels.min() > 4
    assert levels.min() < 16
    assert np.median(levels) < 60
    assert min(m.std() for m in made) > 0.2


def test_a_turned_sample_is_turned_with_its_mask() -> None:
    frame, alpha = drawn_person()
    frame[alpha == 0] = 0
    kinds = {"portrait": 1.0, **dict.fromkeys(("street", "mixed", "composite", "empty"), 0.0)}
    maker = SampleMaker(one_of(frame, alpha), MixConfig(**kinds, turned=1.0, microphone=0.0, dark=0.0))
    edges = np.zeros(4)
    for seed in range(24):
        picture, mask = maker.sample(np.random.default_rng(seed), (96, 96))
        inside = picture.max(2)[mask > 250].mean() if (mask > 250).any() else 0
        assert inside > picture.max(2)[mask < 5].mean()
        edges += [(mask[side] > 127).mean() for side in (0, -1)] + [(mask[:, side] > 127).mean() for side in (0, -1)]
    assert edges[2:].min() > 1.5 * edges[:2].max()  # the body leaves the picture at its left or right, not below


def test_a_turned_sample_has_the_batchs_size() -> None:
    maker = SampleMaker(one_of(*drawn_person()), MixConfig(turned=1.0))
    frames, alphas = maker.batch(1, 1, (48, 80), 6)
    assert frames.shape == (6, 48, 80, 3)
    assert alphas.any()


def test_people_on_a_poster_are_background() -> None:
    frame, alpha = drawn_person()
    kinds = {"empty": 1.0, **dict.fromkeys(("portrait", "street", "mixed", "composite"), 0.0)}
    mix = MixConfig(**kinds, plain=0.0, clutter=0.0, posters=1.0)
    maker = SampleMaker(one_of(frame, alpha), mix)
    _, alphas = maker.batch(1, 1, (96, 96), 8)
    assert not alphas.any()
    room = np.full((96, 160, 3), 128, np.uint8)
    shares = [
        (add_poster(np.random.default_rng(s), room, Person(frame, alpha)) != room).any(2).mean() for s in range(30)
    ]
    assert min(shares) > 0.002
    assert max(shares) < 0.25


def test_what_hangs_on_the_wall_covers_nobody() -> None:
    frame, alpha = drawn_person()
    room = np.zeros((96, 96, 3), np.uint8)
    kinds = {"composite": 1.0, **dict.fromkeys(("portrait", "street", "mixed", "empty"), 0.0)}
    off, on = (
        SampleMaker(one_of(frame, alpha, room), MixConfig(**kinds, plain=0.0, clutter=0.0, posters=share))
        for share in (0.0, 1.0)
    )
    # The room is drawn before the person, so the same person before a room with posters is the same person.
    empty = np.zeros((96, 96), np.uint8)
    hung = on.with_posters(np.random.default_rng(3), room)
    assert (hung != room).any()
    before, after = (off.add_person(np.random.default_rng(4), wall, empty) for wall in (room, hung))
    inside = after[1] == 255
    assert inside.any()
    assert np.array_equal(before[0][inside], after[0][inside])


def test_a_photograph_for_a_poster_has_a_size_even_if_the_head_touches_the_rim() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        alpha = np.zeros((60, 40), np.uint8)
        x, y = rng.integers(0, 36), rng.integers(0, 56)
        alpha[y : y + 4, x : x + 4] = 255
        part = crop(rng, Person(np.zeros((60, 40, 3), np.uint8), alpha))
        assert min(part.shape[:2]) >= 8
