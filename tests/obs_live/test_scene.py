"""Backgrounds, colour cleaning and views in a real OBS against eoam_core.compose: the same mask, the same picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.compose import compose_frame
from eoam_core.pictures.picture import BackgroundPicture
from eoam_core.refine import Refiner
from eoam_core.settings import Settings
from tests.obs_live.obs_helpers import PLAIN, Starter, crash_report, save_picture
from tests.obs_live.test_refine import SIZES, coarse_mask, decoded, draw_scene, encoded
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import ObsSession, filter_entry, image_entry

Bytes = NDArray[np.uint8]
Drawn = dict[str, tuple[dict[str, NDArray[np.generic]], list[Bytes]]]  # what was given and drawn, by size

CASES: dict[str, dict[str, Any]] = {
    "blur": {"background": "blur"},
    "slight blur": {"background": "blur", "blur_strength": 1.0},
    "strong blur": {"background": "blur", "blur_strength": 10.0},
    "colour": {"background": "color", "background_color": "#1a90c8"},
    "picture": {"background": "picture", "background_picture": "behind.png"},
    "grown, on a colour": {"background": "color", "edge_shift": 5.0},
    "cleaned": {"decontamination": 1.0},
    "half cleaned, on a colour": {"background": "color", "decontamination": 0.5},
    "cleaned, blur": {"background": "blur", "decontamination": 1.0},
    "outline": {"view": "outline"},
    "side by side": {"view": "side_by_side"},
    "side by side, blur": {"view": "side_by_side", "background": "blur"},
    "confidence": {"view": "confidence"},
}


def with_window(picture: Bytes) -> Bytes:
    """Add what a blur can err on: a bright window, and a corner that is half transparent; straight alpha."""
    result = picture.copy()
    height, width = picture.shape[:2]
    result[height // 10 : height // 4, : width // 8, :3] = 255
    result[: height // 8, -width // 8 :, 3] = 128
    return result


def premultiplied(straight: Bytes) -> Bytes:
    """Return what OBS makes of BGRA: linear light times opacity."""
    colours = encoded(decoded(straight[..., :3]) * (straight[..., 3:] / 255))
    return np.dstack([np.rint(colours).astype(np.uint8), straight[..., 3]])


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "any.png", np.full((36, 64, 3), 90, np.uint8))
    return start_obs(
        {"Test": [image_entry(file, filter_entry(**PLAIN))]}, environment={"EOAM_MODEL": str(brightness_model)}
    )


@pytest.fixture(scope="module")
def drawn(obs: ObsSession, tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    found: Drawn = {}
    probe = Probe(obs, obs.folder)
    for name, (height, width, rows, columns) in SIZES.items():
        folder = tmp_path_factory.mktemp("scene")
        picture, truth = draw_scene(height, width)
        picture = with_window(picture)
        mask = coarse_mask(truth, rows, columns)
        small = np.asarray(cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
        given: dict[str, NDArray[np.generic]] = {
            "picture": premultiplied(picture),
            "straight": picture,
            "mask": mask,
            "coefficients": Refiner().coefficients(mask, small),
            "confidence": np.roll(mask, 5, axis=0).astype(np.uint16) * np.uint16(257),
        }
        for part, array in given.items():
            np.save(folder / f"{part}.npy", array)
        random = np.random.default_rng(1)
        behind = cv2.resize(random.integers(0, 255, (7, 9, 3)).astype(np.uint8), (90, 70))
        file = save_picture(folder / "behind.png", np.asarray(behind, np.uint8))
        cases = [
            {**case, **({"background_picture": str(file)} if "picture" in case.values() else {})}
            for case in CASES.values()
        ]
        given["behind"] = BackgroundPicture(file).at(height=height, width=width)
        probe("draw_scenes", folder=str(folder), cases=cases)
        found[name] = given, [np.load(folder / f"{number}.npy") for number in range(len(cases))]
    return found


def reference(given: dict[str, NDArray[np.generic]], case: str) -> Bytes:
    """Return what the command line makes of the picture: BGRA, premultiplied as OBS does it."""
    picture, mask, behind = (np.asarray(given[name], np.uint8) for name in ("straight", "mask", "behind"))
    confidence = np.asarray(given["confidence"], np.uint16)
    settings = Settings.validated(**CASES[case])
    rgba = compose_frame(picture, mask, settings, picture=behind, confidence=confidence)
    return premultiplied(np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), np.uint8))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
def test_the_shader_draws_what_the_reference_computes(drawn: Drawn, size: str, case: str) -> None:
    given, results = drawn[size]
    result = results[list(CASES).index(case)]
    wanted = reference(given, case)
    height, width = result.shape[:2]
    border = 12 if size == "smaller than its mask" else 0  # see test_refine.py
    inner = (slice(border, height - border), slice(border, width - border))
    result, wanted = result[inner], wanted[inner]
    difference = np.abs(result.astype(int) - wanted)
    assert difference[..., 3].max() <= 1.5 / Settings().softness  # a steep edge, and sRGB by a polynomial
    seen = wanted[..., 3] >= 16  # the foot of sRGB makes much of little below
    sharp = "outline" in case or "side" in case  # lines and squares have hard edges of their own
    assert (difference[seen].max(axis=1) > 2).mean() < 0.005
    if not sharp:
        assert difference[seen].max() <= 8
    assert not result[result[..., 3] == 0].any()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("blur", "strong blur"),
        ("blur", "slight blur"),
        ("colour", "picture"),
        ("half cleaned, on a colour", "colour"),
        ("side by side", "side by side, blur"),
        ("confidence", "outline"),
    ],
)
def test_the_comparison_sees_a_wrong_setting(drawn: Drawn, one: str, other: str) -> None:
    given, results = drawn["wide"]
    difference = np.abs(results[list(CASES).index(one)].astype(int) - reference(given, other))
    assert (difference.max(axis=2) > 8).mean() > 0.004


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
