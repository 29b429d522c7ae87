from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core import edge
from eoam_core.compose import alpha_from_mask, cut_out
from eoam_core.edge import picture_alpha, reach_pixels
from eoam_core.refine import Refiner, fine_levels, halved
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]
PERSON, WALL = (60, 70, 150), (190, 180, 150)  # BGR
HEIGHT, WIDTH, ROWS, COLUMNS = 360, 640, 144, 256
EDGE = 322  # the true edge, in picture pixels


def painted(truth: Bytes, *, person: tuple[int, ...] = PERSON, wall: tuple[int, ...] = WALL) -> Bytes:
    """Paint a picture, BGRA, with `person` where `truth` is 255 and `wall` where it is 0."""
    share = truth[..., None] / 255
    colour = np.array(wall) * (1 - share) + np.array(person) * share
    return np.dstack([colour, np.full(truth.shape, 255)]).round().astype(np.uint8)


def upright_edge(edge: float = EDGE, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Bytes:
    """Return 255 to the right of a column, 0 to its left."""
    truth = np.zeros(shape, np.uint8)
    truth[:, round(edge) :] = 255
    return truth


def shrunk(picture: Bytes, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Bytes:
    return np.asarray(cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def vague(truth: Bytes, *, late: int = 1) -> Bytes:
    """Return a mask as a network makes it: small, soft, and `late` of its pixels to the right."""
    blurred = np.asarray(cv2.GaussianBlur(shrunk(truth), (0, 0), 1.5), np.uint8)
    return np.pad(blurred, ((0, 0), (2, 2)), mode="edge")[:, 2 - late : 2 - late + blurred.shape[1]].copy()


def refined(picture: Bytes, mask: Bytes, **settings: float) -> Bytes:
    coefficients = Refiner().coefficients(mask, shrunk(picture, (mask.shape[0], mask.shape[1])))
    return picture_alpha(picture, mask, Settings.validated(**settings), coefficients)


def edge_of(alpha: Bytes, row: int = 180) -> int:
    """Return the first column that is more person than not."""
    return int(np.argmax(alpha[row] >= 128))


def test_on_a_flat_picture_the_mask_is_enlarged_as_it_is() -> None:
    mask = vague(upright_edge())
    flat = painted(np.zeros((HEIGHT, WIDTH), np.uint8))
    wanted = alpha_from_mask(mask, Settings(), height=HEIGHT, width=WIDTH).astype(int)
    assert np.abs(refined(flat, mask) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("person", "wall"),
    [(PERSON, WALL), (WALL, PERSON), ((90, 90, 90), (130, 130, 130)), ((60, 130, 160), (160, 130, 60))],
    ids=["dark before light", "light before dark", "grey", "of the same brightness"],
)
def test_an_edge_in_the_picture_attracts_the_mask(person: tuple[int, ...], wall: tuple[int, ...]) -> None:
    truth = upright_edge()
    picture = painted(truth, person=person, wall=wall)
    for late in (-1, 1):
        mask = vague(truth, late=late)
        off = refined(picture, mask, refinement=0.0)
        assert abs(edge_of(off) - EDGE) >= 2
        on = refined(picture, mask)
        assert abs(edge_of(on) - EDGE) <= 1
        # A hard edge in the picture becomes a hard edge of the mask.
        assert np.diff(on[180].astype(int)).max() > 2 * np.diff(off[180].astype(int)).max()


def test_a_strand_finer_than_the_mask_comes_back() -> None:
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    truth[:, 400:] = 255
    truth[180:182, 380:400] = 255
    on, off = (refined(painted(truth), vague(truth, late=0), refinement=strength) for strength in (1.0, 0.0))
    wall_beside = on[190, 380:396].astype(int)
    assert on[180:182, 390:396].min() > 100 + wall_beside.max()
    assert int(off[180:182, 388:396].max()) - int(off[172:190:17, 388:396].max()) < 100


def test_outside_stays_0_and_inside_stays_255() -> None:
    random = np.random.default_rng(1)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(truth, (300, 180), 110, 255, -1)
    pattern = np.dstack([random.integers(0, 256, (HEIGHT, WIDTH, 3)), np.full((HEIGHT, WIDTH), 255)]).astype(np.uint8)
    pattern[:, ::9, :3] = 255
    mask = vague(truth, late=0)
    around = cv2.resize(cv2.dilate(mask, np.ones((19, 19), np.uint8)), (WIDTH, HEIGHT))
    within = cv2.resize(cv2.erode(mask, np.ones((19, 19), np.uint8)), (WIDTH, HEIGHT))
    for settings in ({}, {"edge_shift": 5.0}, {"edge_shift": -5.0}):
        alpha = refined(pattern, mask, **settings)
        assert (around == 0).any()
        assert not alpha[around == 0].any()
        assert (within == 255).any()
        assert (alpha[within == 255] == 255).all()


def test_a_pattern_that_is_not_the_outline_makes_no_holes() -> None:
    truth = upright_edge()
    picture = painted(truth)
    picture[:, EDGE + 10 :: 12] = (200, 190, 160, 255)  # stripes in the wall's colour on the person's shirt
    alpha = refined(picture, vague(truth, late=0))
    assert alpha[180, EDGE + 24 :].min() == 255
    assert alpha[180, EDGE + 2 :].min() > 100


@pytest.mark.parametrize("shift", [-10.0, -3.0, -0.5, 2.0, 5.5, 10.0])
@pytest.mark.parametrize("refinement", [0.0, 1.0])
@pytest.mark.parametrize("slant", [0, 20, 45])
def test_the_edge_moves_by_as_many_pixels_as_asked_for(shift: float, refinement: float, slant: int) -> None:
    angle = np.deg2rad(slant)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = (x - WIDTH / 2) * np.cos(angle) + (y - HEIGHT / 2) * np.sin(angle)
    truth = np.clip(distance * 255 + 127.5, 0, 255).astype(np.uint8)
    picture = painted(truth)
    mask = vague(truth, late=0)
    still, moved = (refined(picture, mask, refinement=refinement, edge_shift=value) for value in (0.0, shift))
    middle = (slice(HEIGHT // 2 - 60, HEIGHT // 2 + 60), slice(WIDTH // 2 - 120, WIDTH // 2 + 120))
    grown = (moved[middle].astype(float) - still[middle]).sum() / 255
    # Where the edge crosses 120 rows of this piece, it is so long.
    length = 120 / np.cos(angle)
    assert abs(grown / length - shift) <= 1.0


def test_a_disc_grows_and_shrinks_all_round() -> None:
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(truth, (320, 180), 90, 255, -1, cv2.LINE_AA)
    mask, picture = vague(truth, late=0), painted(truth)
    radius = {
        shift: np.sqrt(refined(picture, mask, edge_shift=shift).sum() / 255 / np.pi) for shift in (-8.0, 0.0, 8.0)
    }
    assert abs(radius[8.0] - radius[0.0] - 8) <= 1
    assert abs(radius[0.0] - radius[-8.0] - 8) <= 1


def test_strength_goes_from_the_plain_to_the_refined_edge() -> None:
    truth = upright_edge()
    picture, mask = painted(truth), vague(truth)
    plain, half, full = (refined(picture, mask, refinement=strength) for strength in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(plain, picture_alpha(picture, mask, Settings()))
    assert np.abs(plain - alpha_from_mask(mask, Settings(), height=HEIGHT, width=WIDTH).astype(int)).max() <= 1
    assert abs(edge_of(full) - EDGE) <= abs(edge_of(half) - EDGE) <= abs(edge_of(plain) - EDGE)
    assert (half != full).any()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (224, 224), (144, 256)])
def test_masks_of_any_size_one_after_the_other(shape: tuple[int, int]) -> None:
    refiner, random = Refiner(), np.random.default_rng(2)
    before = refiner.coefficients(np.full((8, 8), 255, np.uint8), np.zeros((8, 8, 4), np.uint8))
    kept = before.copy()
    mask = random.integers(0, 256, shape, np.uint8)
    frame = random.integers(0, 256, (*shape, 4), np.uint8)
    found = refiner.coefficients(mask, frame)
    assert found.shape == ((shape[0] + 3) // 4, (shape[1] + 3) // 4, 4)
    assert found.dtype == np.uint16
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, Refiner().coefficients(mask, frame))
    np.testing.assert_array_equal(before, kept)  # what was handed out is not written to again
    assert picture_alpha(np.zeros((7, 9, 4), np.uint8), mask, Settings(edge_shift=2.0), found).shape == (7, 9)


def test_the_strongest_factors_fit_into_16_bits() -> None:
    # The variance of the guide at which the factors are largest, of the largest mask.
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    mask[:, ::4] = mask[:, 1::4] = 255
    for contrast in range(4, 60, 4):
        frame = np.full((ROWS, COLUMNS, 4), 120, np.uint8)
        frame[mask == 255] += np.uint8(contrast)
        found = Refiner().coefficients(mask, frame)
        assert found.min() > 0
        assert found.max() < 65535


def test_the_weight_is_0_where_there_is_no_edge() -> None:
    truth = upright_edge()
    found = Refiner().coefficients(vague(truth, late=0), shrunk(painted(truth)))
    used = np.flatnonzero((found[..., 3] != 32768).any(axis=0))
    centre = EDGE / WIDTH * found.shape[1]
    assert used.size
    assert np.abs(used - centre).max() < 10
    far = np.abs(np.arange(found.shape[1]) - centre) >= 10
    assert (found[:, far, 0] == 32768).all()


def test_the_coefficients_are_those_of_least_squares() -> None:
    random = np.random.default_rng(3)
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(truth, (300, 360), (130, 260), 0, 0, 360, 255, -1)
    mask, picture = vague(truth), painted(truth).astype(int)
    picture[..., :3] += random.integers(-20, 21, (HEIGHT, WIDTH, 3))
    frame = shrunk(np.clip(picture, 0, 255).astype(np.uint8))
    found = (Refiner().coefficients(mask, frame).astype(float) - 32768) / 2048
    assert (found[..., 3] > 0.5).sum() > 40

    linear = halved(halved(frame))[..., :3] / 255.0
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    blue, green, red = np.rint(np.sqrt(linear) * 255).transpose(2, 0, 1) / 255
    luma, chroma = np.rint(255 * (0.114 * blue + 0.587 * green + 0.299 * red)) / 255, red - blue
    small = halved(halved(mask)) / 255.0
    padded = [np.pad(plane, 1, mode="edge") for plane in (luma, chroma, small)]
    for row in range(2, found.shape[0], 3):
        for column in range(1, found.shape[1], 3):
            y, c, m = (plane[row : row + 3, column : column + 3].ravel() for plane in padded)
            guide = np.stack([y - y.mean(), c - c.mean()])
            a = np.linalg.solve(guide @ guide.T / 9 + 2.5e-3 * np.eye(2), guide @ (m - m.mean()) / 9)
            weight = min(1.5 * (a @ guide @ (m - m.mean()) / 9) / (m.var() + 1e-4), 1.0)
            wanted = [*(a * weight), (m.mean() - a @ [y.mean(), c.mean()]) * weight, weight]
            np.testing.assert_allclose(found[row, column], wanted, atol=0.01)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_mask_without_an_edge_is_not_refined_at_all(level: int) -> None:
    frame = np.random.default_rng(4).integers(0, 256, (ROWS, COLUMNS, 4), np.uint8)
    assert (Refiner().coefficients(np.full((ROWS, COLUMNS), level, np.uint8), frame) == 32768).all()


def test_the_halved_frame_may_be_given() -> None:
    truth = upright_edge()
    mask, frame = vague(truth), shrunk(painted(truth))
    refiner = Refiner()
    given = refiner.coefficients(mask, frame, half=halved(frame))
    np.testing.assert_array_equal(given, refiner.coefficients(mask, frame))


def test_the_strips_of_a_picture_are_worked_on_in_the_same_memory() -> None:
    # OpenCV takes another array without a word where shape or type do not fit, such as float64 for float32.
    strip, rows = edge._Strip(8, 40), np.arange(8, 15)
    part = np.zeros((7, 20, 4), np.uint8)
    for plane, out in ((np.ones((6, 9), np.float32), strip.level), (np.ones((6, 9, 4), np.float32), strip.factors)):
        found = edge._enlarged_rows(plane, rows, 50, 40, out=out[:7])
        assert np.shares_memory(found, out)
    assert np.shares_memory(strip.roots(part), strip.roots(part[:, :3]))
    assert np.shares_memory(strip.roots(part[:, 5:]), strip._roots)


def test_the_command_lines_picture_is_refined() -> None:
    truth = upright_edge()
    picture, mask = painted(truth), vague(truth)
    on, off = (cut_out(picture, mask, Settings(refinement=strength))[..., 3] for strength in (1.0, 0.0))
    assert abs(edge_of(on) - EDGE) <= 1 < abs(edge_of(off) - EDGE)
    assert abs(edge_of(cut_out(picture, mask, Settings(edge_shift=6.0))[..., 3]) - EDGE + 6) <= 1


def test_what_is_transparent_is_black_to_the_refinement_and_stays_transparent() -> None:
    truth = upright_edge()
    picture = painted(truth)
    hidden = picture.copy()
    hidden[:100, :, 3] = 0
    black = hidden.copy()
    black[:100, :, :3] = 0
    mask = vague(truth)
    np.testing.assert_array_equal(cut_out(hidden, mask, Settings()), cut_out(black, mask, Settings()))
    assert not cut_out(hidden, mask, Settings())[:100].any()


def test_fine_levels_are_the_same_share_of_their_maximum() -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(fine_levels(mask).astype(np.int64) * 255, mask.astype(np.int64) * 65535)


def test_the_reach_covers_the_shift_and_the_masks_pixels() -> None:
    assert reach_pixels(-10.0, picture=(360, 640), mask=(144, 256)) == 10
    assert reach_pixels(1.0, picture=(1080, 1920), mask=(144, 256)) == 12
    assert reach_pixels(0.0, picture=(72, 128), mask=(144, 256)) == 1


PICTURE, MASK = np.zeros((8, 8, 4), np.uint8), np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Refiner().coefficients(MASK.astype(np.float32), np.zeros((4, 4, 4), np.uint8)),
        lambda: Refiner().coefficients(np.zeros((0, 4), np.uint8), np.zeros((0, 4, 4), np.uint8)),
        lambda: Refiner().coefficients(MASK, np.zeros((4, 4, 3), np.uint8)),
        lambda: Refiner().coefficients(MASK, np.zeros((4, 5, 4), np.uint8)),
        lambda: Refiner().coefficients(MASK, np.zeros((4, 4, 4), np.float32)),
        lambda: Refiner().coefficients(MASK, np.zeros((4, 4, 4), np.uint8), half=np.zeros((4, 4, 4), np.uint8)),
        lambda: picture_alpha(PICTURE[..., :3], MASK, Settings()),
        lambda: picture_alpha(PICTURE[:0], MASK, Settings()),
        lambda: picture_alpha(PICTURE, MASK[..., None], Settings()),
        lambda: picture_alpha(PICTURE, MASK, Settings(), np.zeros((2, 2, 4), np.float16)),
        lambda: picture_alpha(PICTURE, MASK, Settings(), np.zeros((2, 2), np.uint16)),
    ],
)
def test_wrong_shapes_and_types_are_refused(call: object) -> None:
    with pytest.raises(ValueError, match="need"):
        call()  # type: ignore[operator]


def test_noise_moves_the_edge_less_once_it_is_known() -> None:
    rng = np.random.default_rng(0)
    truth = upright_edge()
    mask = vague(truth)
    refiner = Refiner()

    def trembling(noise: float) -> float:
        alphas = []
        for _ in range(6):
            noisy = painted(truth, person=(100, 105, 140), wall=(135, 130, 125)).astype(np.float32)
            noisy[..., :3] += rng.normal(0, 15, (HEIGHT, WIDTH, 3))
            picture = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
            coefficients = refiner.coefficients(mask, shrunk(picture), noise=noise)
            alphas.append(picture_alpha(picture, mask, Settings(), coefficients).astype(np.float32))
        return float(np.std(alphas, 0).mean())

    assert trembling(2.0) < 0.8 * trembling(0.0)
    # And where there is none, nothing changes.
    still = painted(truth)
    plain = refiner.coefficients(mask, shrunk(still))
    np.testing.assert_array_equal(refiner.coefficients(mask, shrunk(still), noise=0.0), plain)
