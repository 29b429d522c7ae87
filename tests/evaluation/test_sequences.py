"""The sequences' truth is exact, and what is counted in them means what its name says.

Slow: it draws each group's sequence to its end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from eoam_core.settings import Settings
from evaluation.over_time import CUT, OVERALL, Bench, by_group, chosen_settings, cut_mask, report, shortfalls, table
from evaluation.sequence_methods import (
    FILL,
    OURS,
    RAW,
    Method,
    methods,
    obs_backgroundremoval,
    our_filter,
    paper_fill,
    plain,
)
from evaluation.sequence_metrics import FIGURES, Tally, Truth, average, is_best, lag
from evaluation.sequence_props import Sprite, draw_body, hand, microphone, skin_colour
from evaluation.sequence_rooms import Camera, panned, shaken, still, tinted
from evaluation.sequence_scenes import (
    GAP,
    OCCLUDED,
    SECOND,
    SIZE,
    STILL,
    Frame,
    Place,
    Scene,
    frozen,
    hold,
    rise,
    shoot,
    sway,
    walk,
)
from evaluation.sequences import GROUPS, Sequence, sequences
from models.data import DataError, Person

RNG = np.random.default_rng


def somebody(colour: int = 255) -> Person:
    """Head and shoulders, as wide as the picture at the lower edge."""
    alpha = np.zeros((200, 160), np.uint8)
    cv2.ellipse(alpha, (80, 80), (35, 48), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(alpha, (80, 200), (76, 70), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return Person(np.full((200, 160, 3), colour, np.uint8), alpha)


def actor(person: Person | None = None) -> Callable[[int], Person]:
    one = person or somebody()
    return lambda _: one


def black(_: int) -> np.ndarray:
    return np.zeros((*SIZE, 3), np.uint8)


def frames(scene: Scene, count: int = 3) -> list[Frame]:
    return list(shoot([(count, scene)], (1,)))


def test_white_people_before_black_are_as_bright_as_their_alpha() -> None:
    paths = (sway(reach=0.2, period=9), walk(0.1, 0.05), rise(0.5, 0.9, 0, 9), lambda t: Place(0.4, 1.1, 0.7, 12.0 * t))
    for path in paths:
        shot = frames(Scene(black, actor(), path), 6)
        assert shot[-1].alpha.max() == 255  # somebody is there
        for frame in shot:
            assert np.abs(frame.clean.astype(int) - frame.alpha[..., None]).max() <= 1  # rounding


def test_the_same_seed_makes_the_same_frames() -> None:
    scene = Scene(black, actor(), walk(0.1, 0.05))
    for first, again in zip(frames(scene), frames(scene), strict=True):
        assert np.array_equal(first.bgr, again.bgr)
        assert np.array_equal(first.layers, again.layers)


def test_arms_on_hips_leave_gaps_through_which_the_room_is_seen() -> None:
    person = somebody(120)
    body = draw_body(person, elbows=0.5)
    assert body.gap.any()
    assert not body.dressed(person).alpha[body.gap > 0].any()
    assert not draw_body(person).gap.any()
    room = RNG(0).integers(0, 255, (*SIZE, 3), np.uint8)
    scene = Scene(lambda _: room, lambda _: body.dressed(person), hold(0.5, 1.0), body.gap)
    for frame in frames(scene):
        gap = frame.has(GAP) & (frame.alpha == 0)
        assert gap.sum() > 1000
        assert np.array_equal(frame.clean[gap], room[gap])
        outside = np.zeros((SIZE[0] + 2, SIZE[1] + 2), np.uint8)
        reached = (frame.alpha > 127).astype(np.uint8)
        cv2.floodFill(reached, outside, (0, 0), 2)
        assert not (reached[gap] == 2).any()  # closed all round: a hole to whoever follows outlines


def test_what_is_held_before_the_body_is_person_and_beside_it_only_if_it_is_a_hand() -> None:
    shape, chin, skin = SIZE, (320.0, 200.0), np.full(3, 150, np.float32)
    for is_person in (False, True):
        mic = microphone(RNG(2), shape, chin, 90.0)
        thing = hand(RNG(2), shape, chin, 90.0, skin, 20) if is_person else mic
        scene = Scene(black, actor(), hold(), occluder=thing)
        frame = frames(scene, 8)[-1]
        bare = frames(Scene(black, actor(), hold()), 1)[0]
        sprite = thing(7)
        assert sprite is not None
        assert sprite.is_person == is_person
        solid, body = sprite.alpha == 255, bare.alpha == 255
        assert frame.has(OCCLUDED)[solid & body].all()
        assert not frame.has(OCCLUDED)[bare.alpha == 0].any()
        assert (frame.alpha[solid & body] == 255).all()
        beside = solid & (bare.alpha == 0)
        assert beside.any()
        assert (frame.alpha[beside] == (255 if is_person else 0)).all()
        assert np.array_equal(frame.clean[solid], sprite.bgr[solid])


def test_a_second_person_is_marked_where_the_first_does_not_hide_them() -> None:
    second = actor(somebody(90))
    frame = frames(Scene(black, actor(), hold(0.4), second=(second, hold(0.6))))[0]
    first = frames(Scene(black, actor(), hold(0.4)))[0]
    alone = frames(Scene(black, second, hold(0.6)))[0]
    assert np.array_equal(frame.has(SECOND), (alone.alpha > 127) & ~(first.alpha > 127))
    assert ((frame.alpha > 127) == (first.alpha > 127) | (alone.alpha > 127)).mean() > 0.999


def test_what_stands_still_is_known_through_the_noise() -> None:
    room = RNG(0).integers(0, 255, (*SIZE, 3), np.uint8)
    moving = frames(Scene(lambda _: room, actor(), walk(0.3, 0.03), camera="noisy"))[-1]
    assert np.abs(moving.bgr.astype(int) - moving.clean).mean() > 5
    assert moving.has(STILL)[:, -40:].all()  # nobody has been there
    assert not moving.has(STILL)[(moving.alpha > 20) & (moving.alpha < 235)].any()
    held = frames(Scene(lambda _: room, frozen(actor()), hold()))
    assert held[1].has(STILL).all()
    assert not held[0].has(STILL).any()  # there is none before it


def test_rooms_move_as_they_are_named() -> None:
    room = np.asarray(cv2.resize(RNG(0).integers(0, 255, (40, 60, 3), np.uint8), (300, 200)), np.uint8)
    here = still(room, SIZE)
    assert np.array_equal(here(0), here(9))
    pan = panned(room, SIZE, 6.0, 20)
    assert np.abs(pan(3).astype(int) - pan(1)).mean() > 2
    assert np.abs(pan(3)[:, :-12].astype(int) - pan(1)[:, 12:]).mean() < 1
    hand_held = shaken(room, SIZE, RNG(1), 10)
    assert not np.array_equal(hand_held(1), hand_held(5))
    wall = tinted(room, SIZE, np.array([20, 90, 160], np.float32))(0)
    assert np.abs(wall.reshape(-1, 3).mean(0) - (20, 90, 160)).max() < 12


def test_a_camera_changes_the_picture_as_its_kind_says() -> None:
    frame, alpha = np.full((*SIZE, 3), 120, np.uint8), np.zeros(SIZE, np.uint8)
    alpha[200:] = 255
    assert Camera("dark", SIZE, RNG(0)).light(frame, alpha, 0).mean() < 30
    lit = Camera("back-lit", SIZE, RNG(0)).light(frame, alpha, 0)
    assert lit[:200].mean() > lit[200:].mean() + 100
    hunting = Camera("exposure", SIZE, RNG(0))
    assert abs(hunting.light(frame, alpha, 2).mean() - hunting.light(frame, alpha, 14).mean()) > 10
    noisy = Camera("noisy", SIZE, RNG(0))
    first, second = noisy.shoot(frame), noisy.shoot(frame)
    assert 10 < first.std() < 20
    assert not np.array_equal(first, second)


def test_skin_is_taken_from_the_face() -> None:
    person = somebody(40)
    person.bgr[50:120] = (100, 120, 180)
    assert np.allclose(skin_colour(person), (100, 120, 180))


# --- what is counted ------------------------------------------------------------------------------------------------


def blob(x: int, y: int = 60, width: int = 60, height: int = 80) -> np.ndarray:
    mask = np.zeros((180, 320), bool)
    mask[y : y + height, max(x, 0) : max(x + width, 0)] = True
    return mask


def truth(mask: np.ndarray, **layers: np.ndarray) -> Truth:
    bits = np.zeros(mask.shape, np.uint8)
    for name, place in layers.items():
        bits |= place.astype(np.uint8) * np.uint8(
            {"gap": GAP, "occluded": OCCLUDED, "second": SECOND, "still": STILL}[name]
        )
    picture = np.zeros((*mask.shape, 3), np.uint8)
    return Truth.of(Frame(picture, mask.astype(np.uint8) * 255, bits, picture))


def counted(truths: list[Truth], masks: list[np.ndarray], group: str = "still", **facts: object) -> dict[str, float]:
    sequence = Sequence("made", group, lambda: iter(()), **facts)  # type: ignore[arg-type]
    tally = Tally(sequence)
    for one, mask in zip(truths, masks, strict=True):
        tally.add(one, mask.astype(np.uint8) * 255)
    return tally.figures()


def test_a_perfect_mask_has_perfect_figures() -> None:
    masks = [blob(20 + 6 * i) for i in range(20)]
    figures = counted([truth(m, still=blob(260)) for m in masks], masks, moves=True)
    assert figures["fg"] == figures["boundary"] == 100
    assert figures["flicker"] == figures["invented"] == 0
    assert figures["lag"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(figures["filled gaps"])  # there are none
    assert np.isnan(figures["ghost"])
    assert set(figures) == {name for name, *_ in FIGURES}


def test_a_delayed_mask_has_the_lag_it_is_delayed_by() -> None:
    masks = [blob(20 + 6 * i) for i in range(24)]
    for delay in (0, 1, 2, 3):
        assert lag([masks[max(i - delay, 0)] for i in range(24)], masks) == pytest.approx(delay, abs=1e-6)
    between = [blob(20 + 6 * i - 3) for i in range(24)]  # half a frame behind
    assert lag(between, masks) == pytest.approx(0.5, abs=0.05)


def test_a_filled_gap_and_an_open_occlusion_count_by_their_area() -> None:
    body, hole = blob(100), blob(120, 80, 20, 20)
    upper = blob(120, 80, 20, 10)
    gap = truth(body & ~hole, gap=hole)
    assert counted([gap], [body & ~hole])["filled gaps"] == 0
    assert counted([gap], [body])["filled gaps"] == 100
    assert counted([gap], [body & ~upper])["filled gaps"] == 50
    mug = truth(body, occluded=hole)
    assert counted([mug], [body])["open occlusions"] == 0
    assert counted([mug], [body & ~upper])["open occlusions"] == 50
    assert np.isnan(counted([mug], [body])["filled gaps"])


def test_a_second_person_is_lost_blinks_or_is_kept() -> None:
    first, second = blob(40), blob(200)
    both = [truth(first | second, second=second)] * 4
    assert counted(both, [first | second] * 4, "second")["lost"] == 0
    assert counted(both, [first] * 4, "second")["lost"] == 100
    blinking = counted(both, [first, first | second, first, first | second], "second")
    assert blinking["lost"] == 50
    assert blinking["blinks"] == 100


def test_a_region_where_nobody_is_has_been_invented_and_a_ragged_edge_has_not() -> None:
    person = blob(40)
    one = [truth(person)] * 2
    assert counted(one, [person | blob(250, 20, 30, 30), person])["invented"] == 50
    assert counted(one, [person | blob(250, 20, 6, 6), person])["invented"] == 0  # a speck
    assert counted(one, [person | blob(95, 60, 30, 80), person])["invented"] == 0  # joined to the person


def test_flicker_counts_where_the_picture_stands_still() -> None:
    person, place = blob(40), blob(200)
    shown = [person, person | place, person]
    assert counted([truth(person, still=place)] * 3, shown)["flicker"] == 1000
    assert counted([truth(person, still=blob(100))] * 3, shown)["flicker"] == 0


def test_who_comes_and_goes_is_seen_and_gone_after_so_many_frames() -> None:
    nobody = blob(0, width=0)
    course = [nobody] * 5 + [blob(100)] * 10 + [nobody] * 9
    late = [nobody] * 3 + course[:-3]
    figures = counted([truth(m) for m in course], late, "enter", arrival="person")
    assert figures["appears"] == figures["disappears"] == 3
    figures = counted([truth(m) for m in course], course, "enter", arrival="person")
    assert figures["appears"] == figures["disappears"] == 0
    never = counted([truth(m) for m in course], [nobody] * 24, "enter", arrival="person")
    assert never["appears"] == 19
    stuck = counted([truth(m) for m in course], [blob(100)] * 24, "enter", arrival="person")
    assert stuck["disappears"] == 9


def test_a_ghost_is_the_share_of_the_old_mask_in_the_first_frame_after_a_cut() -> None:
    old, new = blob(40), blob(200)
    course = [truth(old)] * 3 + [truth(new)] * 3
    clean = counted(course, [old] * 3 + [new] * 3, "cut", cuts=(3,))
    assert clean["ghost"] == 0
    ghost = counted(course, [old] * 3 + [new | blob(40, 60, 60, 40)] + [new] * 2, "cut", cuts=(3,))
    assert ghost["ghost"] == 50
    after = counted(course, [old] * 3 + [new, new | old, new], "cut", cuts=(3,))
    assert after["ghost"] == 0  # one frame later is another matter


def test_best_means_best_or_equal_whichever_way_is_better() -> None:
    assert is_best("fg", 95.0, np.array([94.0, 95.05]))
    assert not is_best("fg", 95.0, np.array([94.0, 95.5]))
    assert is_best("flicker", 0.1, np.array([0.5, np.nan]))
    assert not is_best("flicker", 0.5, np.array([0.1]))
    nothing = {name: float("nan") for name, *_ in FIGURES}
    mean = average([{**nothing, "fg": 90.0}, {**nothing, "fg": 80.0}, nothing])
    assert mean["fg"] == 85.0
    assert np.isnan(mean["lag"])


# --- the methods ----------------------------------------------------------------------------------------------------

EMPTY_FRAME, PICTURE = np.zeros((144, 256, 4), np.uint8), np.zeros((*SIZE, 3), np.uint8)


def small(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((144, 256), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 255
    return mask


def test_the_papers_fill_keeps_the_largest_region_whole() -> None:
    mask = small((60, 40, 160, 144), (200, 20, 230, 60))
    mask[80:100, 90:110] = 0
    shown = paper_fill()(EMPTY_FRAME, mask, PICTURE)
    assert np.array_equal(shown, small((60, 40, 160, 144)))
    assert not paper_fill()(EMPTY_FRAME, np.zeros_like(mask), PICTURE).any()


def test_the_peers_filter_fills_small_gaps_and_loses_who_touches_no_border() -> None:
    mask = small((60, 40, 160, 144))
    mask[80:100, 90:110] = 0
    shown = obs_backgroundremoval()(EMPTY_FRAME, mask, PICTURE)
    assert shown.shape == SIZE
    assert shown[225, 250] == 255  # the gap, though the room is seen through it
    assert shown[20, 20] == 0
    floating = obs_backgroundremoval()(EMPTY_FRAME, small((60, 40, 160, 100)), PICTURE)
    assert not floating.any()


def test_the_peers_filter_lets_who_enters_wait() -> None:
    step = obs_backgroundremoval()
    nobody, person = np.zeros((144, 256), np.uint8), small((60, 40, 160, 144))
    step(EMPTY_FRAME, nobody, PICTURE)
    seen = [bool(step(EMPTY_FRAME, person, PICTURE).any()) for _ in range(8)]
    assert not seen[0]
    assert seen[-1]


def test_our_filter_is_the_pipeline_and_the_shaders_alpha() -> None:
    mask = small((60, 40, 160, 144))
    picture = np.full((*SIZE, 3), 60, np.uint8)
    picture[100:, 150:400] = 200
    frame = np.dstack([cv2.resize(picture, (256, 144)), np.full((144, 256), 255, np.uint8)])
    shown = our_filter(size=(144, 256))()(frame, mask, picture)
    assert shown.shape == SIZE
    assert shown[300, 250] == 255
    assert shown[50, 50] == 0
    assert our_filter(drawn=False, size=(144, 256))()(frame, mask, picture).shape == mask.shape


def one_shot(count: int = 6) -> Sequence:
    def make() -> Iterator[Frame]:
        person = somebody(200)
        return shoot([(count, Scene(black, actor(person), hold()))], (3,))

    return Sequence("one", "still", make)


def test_a_bench_scores_what_it_is_given_and_the_table_says_where_ours_is_not_best() -> None:
    bench = Bench([one_shot()], [], keep=True)
    judged = [
        Method(RAW, CUT, plain(lambda: lambda _, raw: raw)),
        Method(FILL, CUT, paper_fill),
        Method(OURS, CUT, plain(lambda: lambda _, raw: np.zeros_like(raw))),
    ]
    first, again = bench.score(judged), bench.score(judged)
    assert str(first) == str(again)  # as text, for NaN is not itself
    grouped = by_group(first)
    assert grouped[OVERALL][RAW]["fg"] > 98
    assert grouped[OVERALL][OURS]["fg"] == 0
    text = table(grouped["still"])
    assert "lag" not in text
    assert "0.00 (!)" in text
    assert any(line.startswith("still, fg: EOAM 0.00") for line in shortfalls(grouped))
    assert "neither best nor equal" in report(grouped)
    assert [m.network for m in methods("a", ["b"], (144, 256))] == ["a"] * 5 + ["b"]


def test_our_filter_can_be_judged_with_other_settings() -> None:
    assert chosen_settings("{}") == Settings()
    assert chosen_settings('{"smoothing": 0.5}') == Settings(smoothing=0.5)
    for wrong in ("{", "[1]", '{"smoothing": 2}', '{"smoothnes": 0.5}', '{"detail": "normal"}'):
        with pytest.raises(DataError, match="need settings as JSON"):
            chosen_settings(wrong)
    mask, faint = small((60, 40, 160, 144)), small((60, 40, 160, 144)) // 2
    steps = [methods("a", [], (144, 256), Settings(smoothing=s))[3].start() for s in (0.0, 0.9)]
    shown = [[step(EMPTY_FRAME, m, PICTURE) for m in (mask, faint)][-1] for step in steps]
    assert shown[1][100, 100] > shown[0][100, 100]


def test_masks_made_of_the_truth_have_a_hole_for_every_occluder_and_gap() -> None:
    def mug(_: int) -> Sprite:
        alpha = np.zeros(SIZE, np.uint8)
        alpha[250:310, 290:350] = 255
        return Sprite(np.full((*SIZE, 3), 40, np.uint8), alpha, True)

    frame = frames(Scene(black, actor(), hold(), occluder=mug), 1)[0]
    mask = cut_mask(frame, (144, 256))
    assert mask.shape == (144, 256)
    assert mask[112, 128] < 20
    assert mask[92, 128] > 235
    assert frame.alpha[280, 320] == 255


# --- with the data --------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("people", ["val", "greenscreen"])
def test_every_group_shows_what_it_is_named_after(shared: Path, people: str) -> None:
    listed = sequences(shared / "data", people)
    assert [s.group for s in listed] == sorted((s.group for s in listed), key=GROUPS.index)
    assert {s.group for s in listed} == set(GROUPS)
    assert len({s.name for s in listed}) == len(listed)
    assert sum(s.group in ("still", "moving", "similar", "poor light") for s in listed) >= 12
    bits = {"occluders": OCCLUDED, "gaps": GAP, "second": SECOND}
    for sequence in listed:
        if sequence.group in bits:
            shown = next(itertools.islice(sequence.frames(), 15, None))
            assert shown.has(bits[sequence.group]).mean() > 0.002, sequence.name
    cut = next(s for s in listed if s.group == "cut")
    shots = list(itertools.islice(cut.frames(), 20))
    assert np.abs(shots[cut.cuts[0]].clean.astype(int) - shots[cut.cuts[0] - 1].clean).mean() > 10
    assert np.abs(shots[5].clean.astype(int) - shots[4].clean).mean() < 3


@pytest.mark.shared
def test_unknown_people_and_groups_are_named(shared: Path) -> None:
    with pytest.raises(DataError, match="'nobody'"):
        sequences(shared / "data", "nobody")
    with pytest.raises(DataError, match="'crowds'"):
        sequences(shared / "data", "val", ("crowds",))
