"""The shader against eoam_core.edge, in a real OBS: the same mask, the same coefficients, the same picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.edge import picture_alpha
from eoam_core.refine import Refiner
from eoam_core.settings import Settings, View
from tests.obs_live.obs_helpers import PLAIN, Starter, brightest_hidden, crash_report, is_drawn, save_picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import ObsSession, filter_entry, image_entry

Bytes = NDArray[np.uint8]

EDGE = 301
# (picture, mask, coefficients, one result per case) by size.
Drawn = dict[str, tuple[Bytes, Bytes, NDArray[np.uint16], list[Bytes]]]
CASES: dict[str, Settings] = {
    "plain": Settings(refinement=0.0),
    "refined": Settings(refinement=1.0),
    "half refined": Settings(refinement=0.5),
    "hard": Settings(refinement=1.0, threshold=0.3, softness=0.1),
    "soft": Settings(refinement=1.0, softness=1.0),
    "grown": Settings(refinement=1.0, edge_shift=7.0),
    "shrunk": Settings(refinement=1.0, edge_shift=-3.5),
    "plain and grown": Settings(refinement=0.0, edge_shift=10.0),
    "refined, mask": Settings(refinement=1.0, view=View.MASK),
    "plain, mask": Settings(refinement=0.0, view=View.MASK),
    "shrunk, mask": Settings(refinement=1.0, edge_shift=-10.0, view=View.MASK),
}
SIZES = {"wide": (360, 640, 144, 256), "upright": (500, 300, 224, 144), "smaller than its mask": (90, 160, 144, 256)}


def draw_scene(height: int, width: int) -> tuple[Bytes, Bytes]:
    """Draw a person with strands of hair before a wall in two colours: BGRA, and the true outline."""
    random = np.random.default_rng(3)
    truth = np.zeros((height, width), np.uint8)
    unit = min(height, width)
    x, y = width // 2, height // 3
    cv2.circle(truth, (x, y), unit // 5, 255, -1, cv2.LINE_AA)
    cv2.ellipse(truth, (x, height), (unit // 3, height // 2), 0, 180, 360, 255, -1, cv2.LINE_AA)
    for angle in np.linspace(-2.8, -0.3, 9):
        end = (int(x + unit * 0.27 * np.cos(angle)), int(y + unit * 0.27 * np.sin(angle)))
        cv2.line(truth, (x, y), end, 255, max(1, unit // 120), cv2.LINE_AA)
    person = np.full((height, width, 3), (40, 60, 150), np.float32)
    person[height // 2 :] = (120, 40, 30)
    wall = np.full((height, width, 3), (150, 190, 180), np.float32)
    wall[:, width // 2 :] = (90, 120, 70)
    share = truth[..., None] / 255
    picture = wall * (1 - share) + person * share + random.normal(0, 3, (height, width, 3))
    bgra = np.dstack([np.clip(picture, 0, 255), np.full((height, width), 255)]).astype(np.uint8)
    return bgra, truth


def coarse_mask(truth: Bytes, height: int, width: int) -> Bytes:
    """Make what a network would: small, blurred and a little off."""
    small = cv2.resize(truth, (width, height), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), 1.5)
    return np.ascontiguousarray(np.roll(blurred, 1, axis=1), np.uint8)


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "edge.png", edge_picture())
    camera = image_entry(file, filter_entry(**PLAIN))
    return start_obs({"Test": [camera]}, environment={"EOAM_MODEL": str(brightness_model)})


@pytest.fixture(scope="module")
def drawn(obs: ObsSession, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """What was given to the shader, and what it drew, for each size and each of the CASES."""
    found = {}
    cases = []
    probe = Probe(obs, obs.folder)
    for settings in CASES.values():
        low, high = settings.alpha_ramp
        cases.append(
            {
                "low": low,
                "high": high,
                "show_mask": settings.view is View.MASK,
                "refinement": settings.refinement,
                "edge_shift": settings.edge_shift,
            }
        )
    for name, (height, width, rows, columns) in SIZES.items():
        picture, truth = draw_scene(height, width)
        mask = coarse_mask(truth, rows, columns)
        frame = np.asarray(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        coefficients = Refiner().coefficients(mask, frame)
        folder = tmp_path_factory.mktemp("matte")
        for part, array in (("picture", picture), ("mask", mask), ("coefficients", coefficients)):
            np.save(folder / f"{part}.npy", array)
        probe("draw_matte", folder=str(folder), cases=cases)
        found[name] = picture, mask, coefficients, [np.load(folder / f"{number}.npy") for number in range(len(cases))]
    return found


def reference(picture: Bytes, mask: Bytes, coefficients: NDArray[np.uint16], case: str) -> Bytes:
    return picture_alpha(picture, mask, CASES[case], coefficients)


def alpha_drawn(result: Bytes, case: str) -> NDArray[np.int16]:
    return result[..., 0 if CASES[case].view is View.MASK else 3].astype(np.int16)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
def test_the_shader_draws_what_the_reference_computes(drawn: Drawn, size: str, case: str) -> None:
    picture, mask, coefficients, results = drawn[size]
    result = results[list(CASES).index(case)]
    wanted = reference(picture, mask, coefficients, case)
    difference = np.abs(alpha_drawn(result, case) - wanted)
    if size == "smaller than its mask" and CASES[case].edge_shift:
        # What lies beyond the border of a mask that is shrunk: the reference has the picture's last pixel there.
        difference = difference[12:-12, 12:-12]
    # Within 2 grey levels, and a narrow softness is a steep slope: it multiplies what the software renderer makes of
    # sRGB, which it decodes by a polynomial.
    assert difference.max() <= max(2, 1.5 / CASES[case].softness)
    assert (difference > 2).mean() < 0.005
    if CASES[case].view is View.MASK:
        assert (result[..., :3] == result[..., :1]).all()
        assert (result[..., 3] == 255).all()
        return
    assert not result[result[..., 3] == 0].any()
    opaque = wanted == 255
    assert opaque.any()
    assert np.abs(result[opaque].astype(int) - picture[opaque]).max() <= 1
    shown = result[..., 3] >= 16  # the foot of sRGB makes much of little below
    linear = decoded(picture[..., :3]) * (result[..., 3:] / 255)
    assert np.abs(result[..., :3].astype(int) - encoded(linear))[shown].max() <= 3


def decoded(colour: Bytes) -> NDArray[np.float64]:
    level = colour / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def encoded(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("one", "other"), [("plain", "refined"), ("refined", "half refined"), ("refined", "grown")])
def test_the_comparison_sees_a_wrong_setting(drawn: Drawn, one: str, other: str) -> None:
    picture, mask, coefficients, results = drawn["wide"]
    result = results[list(CASES).index(one)]
    wrong = reference(picture, mask, coefficients, other)
    assert (np.abs(alpha_drawn(result, one) - wrong) > 20).mean() > 0.002


def edge_picture(height: int = 360, width: int = 640) -> Bytes:
    """Draw the toy network's person: light, to the right of a column that is no border between its mask's pixels."""
    picture = np.full((height, width, 3), (60, 30, 20), np.uint8)
    picture[:, EDGE:] = (230, 235, 250)
    return picture


def edge_of(picture: Bytes) -> int:
    """Return the first column that is more person than not, in the middle row."""
    return int(np.argmax(picture[180, :, 3] >= 128))


def steepest(picture: Bytes) -> int:
    """Return the largest step of alpha from one column to the next, in the middle row."""
    return int(np.diff(picture[180, :, 3].astype(int)).max())


def test_the_filter_refines_the_edge(obs: ObsSession) -> None:
    obs.set_filter(refinement=0.0, detail="normal")  # the coarser of the masks: its edge is the softer one
    plain = obs.wait_for_picture(lambda found: is_drawn(found) and steepest(found) < 160, "the mask enlarged")
    assert abs(edge_of(plain) - EDGE) <= 2
    obs.set_filter(refinement=1.0)
    sharp = obs.wait_for_picture(lambda found: steepest(found) > 220, "an edge as hard as the picture's")
    assert edge_of(sharp) == EDGE
    assert brightest_hidden(sharp) == 0


@pytest.mark.parametrize("refinement", [0.0, 1.0])
def test_the_filter_moves_the_edge(obs: ObsSession, refinement: float) -> None:
    for shift in (8.0, -8.0, 0.0):
        obs.set_filter(refinement=refinement, edge_shift=shift)

        def is_there(found: Bytes, shift: float = shift) -> bool:
            return is_drawn(found) and abs(EDGE - shift - edge_of(found)) <= 2

        obs.wait_for_picture(is_there, f"the edge {shift} pixels from where it was")


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
