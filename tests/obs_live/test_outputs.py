"""Every background and every view of the filter, on the pixels that OBS draws, and what changes while it runs.

Slow: it waits until a missing picture is looked for again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from eoam_core.cleanup import MaskCleaner
from eoam_core.compose import compose_frame
from eoam_core.geometry import network_size
from eoam_core.pictures.picture import fit_network
from eoam_core.presets import values_of
from eoam_core.refine import halved
from eoam_core.settings import Preset, Settings
from tests.obs_live.obs_helpers import PLAIN, Starter, crash_report, is_drawn, is_empty, save_picture
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import CAMERA, FILTER, ObsSession, colour_entry, filter_entry, image_entry

WIDTH, HEIGHT = 640, 360
MAGENTA = (255, 0, 255)  # RGB; its mean is above the threshold of the toy network, which takes brightness for a person
CENTRE, RADIUS = (240, 180), 100
DEFAULTS = {
    name: value for name, value in {**Settings().to_mapping(), **PLAIN}.items() if name not in ("preset", "advanced")
}
GROUND = (60, 200, 90)  # of the background picture, RGB


def scene() -> Picture:
    """Draw a room with writing on its wall and a magenta person: (h, w, 3) BGR."""
    picture = np.full((HEIGHT, WIDTH, 3), 70, np.uint8)
    for row in range(20, HEIGHT, 24):
        cv2.putText(picture, "who reads this lives here " * 2, (4, row), cv2.FONT_HERSHEY_PLAIN, 1.4, (10, 10, 10), 2)
    cv2.circle(picture, CENTRE, RADIUS, MAGENTA, -1, cv2.LINE_AA)
    return picture


def distance() -> np.ndarray:
    """Return how far outside of the person each pixel is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - CENTRE[0], y - CENTRE[1]) - RADIUS


INSIDE, OUTSIDE = distance() < -8, distance() > 8


def is_magenta(picture: Picture) -> np.ndarray:
    """Return where red and blue stand out of green, as in no part of the room."""
    colours = picture[..., :3].astype(int)
    return np.minimum(colours[..., 0], colours[..., 2]) - colours[..., 1] > 4


def sharpness(picture: Picture, where: np.ndarray) -> float:
    """Return the largest step from one pixel to the next."""
    grey = picture[..., 1].astype(int)
    steps = np.abs(np.diff(grey, axis=1))
    return float(steps[(where[:, 1:] & where[:, :-1])].max())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def session(start_obs: Starter, brightness_model: Path, folder: Path) -> ObsSession:
    camera = image_entry(save_picture(folder / "scene.png", scene()), filter_entry(**PLAIN))
    ground = np.full((30, 40, 3), GROUND[::-1], np.uint8)
    ground[:3] = ground[-3:] = (0, 0, 255)  # cropped away: the frame is wider
    save_picture(folder / "ground.png", ground)
    return start_obs(
        {"Test": [colour_entry(0xFF00FF00, WIDTH, HEIGHT), camera]}, environment={"EOAM_MODEL": str(brightness_model)}
    )


@pytest.fixture
def obs(session: ObsSession) -> Iterator[ObsSession]:
    """The session, with the filter as it was after the test."""
    yield session
    session.set_filter(**DEFAULTS)
    session.wait_for_picture(
        lambda found: is_drawn(found) and is_empty(found[:20]) and bool((found[INSIDE, 3] == 255).all()), "the cut-out"
    )


def wanted(**settings: object) -> Picture:
    """Return what the command line makes of the scene, RGBA with straight alpha."""
    frame = np.dstack([scene(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    chosen = Settings.validated(**{**PLAIN, **settings})
    columns, rows = network_size(WIDTH, HEIGHT, chosen.detail)
    small = fit_network(frame, height=rows, width=columns)
    mask = MaskCleaner().clean(np.rint(small[..., :3].mean(axis=2)).astype(np.uint8), halved(small), chosen)
    background = np.full((HEIGHT, WIDTH, 3), GROUND[::-1], np.uint8)
    return compose_frame(frame, mask, chosen, picture=background)


def premultiplied(picture: Picture) -> np.ndarray:
    """Return RGBA with straight alpha as OBS draws it: multiplied in linear light, as float."""
    encoded, alpha = picture[..., :3] / 255, picture[..., 3:] / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4) * alpha
    colours = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.dstack([colours * 255, picture[..., 3]])


def looks_like(found: Picture, expected: Picture) -> bool:
    """Whether an opaque screenshot is what the command line computes, but for the mask's own small difference.

    The two shrink the picture to the mask a little differently, which is seen at the outline. test_scene.py compares
    them with the very same mask.
    """
    difference = np.abs(expected.astype(int) - found).max(axis=2)
    return bool(difference[INSIDE | OUTSIDE].max() <= 2 and (difference > 2).mean() < 0.005)


def test_transparency_leaves_nothing_of_the_room(obs: ObsSession) -> None:
    picture = obs.wait_for_picture(is_drawn, "the person")
    assert not picture[OUTSIDE].any()
    np.testing.assert_array_equal(picture[INSIDE], (*MAGENTA, 255) * np.ones((int(INSIDE.sum()), 1), np.uint8))
    assert not picture[picture[..., 3] == 0].any()


@pytest.mark.parametrize("strength", [1.5, 3.0, 10.0])
def test_the_room_is_blurred_without_the_person_in_it(obs: ObsSession, strength: float) -> None:
    obs.set_filter(background="blur", blur_strength=strength)
    expected = wanted(background="blur", blur_strength=strength)
    picture = obs.wait_for_picture(lambda found: looks_like(found, expected), f"the room blurred by {strength}")
    assert (picture[..., 3] == 255).all()
    np.testing.assert_array_equal(picture[INSIDE][:, :3], MAGENTA * np.ones((int(INSIDE.sum()), 1), np.uint8))
    assert not is_magenta(picture)[distance() > 6].any()
    assert sharpness(picture, OUTSIDE) < (12 if strength < 3 else 4)
    assert sharpness(scene(), OUTSIDE) > 50


def test_a_colour_is_the_colour_that_was_chosen(obs: ObsSession) -> None:
    obs.set_filter(background="color", background_color=0xFF2040C0)  # 0xAABBGGRR
    expected = wanted(background="color", background_color=0xFF2040C0)
    picture = obs.wait_for_picture(lambda found: looks_like(found, expected), "the colour")
    np.testing.assert_array_equal(
        picture[OUTSIDE], (0xC0, 0x40, 0x20, 255) * np.ones((int(OUTSIDE.sum()), 1), np.uint8)
    )
    obs.set_filter(background_color=0x00FF0000)  # OBS's dialog may store no alpha
    obs.wait_for_picture(lambda found: bool((found[OUTSIDE] == (0, 0, 255, 255)).all()), "another colour, opaque")


@pytest.mark.parametrize("preset", [preset for preset in Preset if preset is not Preset.CUSTOM], ids=lambda p: p.value)
def test_every_preset_looks_as_its_values_say(obs: ObsSession, preset: Preset) -> None:
    values = values_of(preset)
    obs.set_filter(preset="custom", **{**PLAIN, "threshold": 0.8, "softness": 0.0})
    obs.wait_for_picture(is_empty, "nothing: the toy network is not that sure")
    obs.wait_frames(2)  # what is changed together with a preset stays: it has to be seen before
    obs.set_filter(preset=preset.value)
    expected = premultiplied(wanted(**values))

    def is_right(found: Picture) -> bool:
        difference = np.abs(expected - found).max(axis=2)
        return bool(difference[INSIDE | OUTSIDE].max() <= 3 and (difference > 3).mean() < 0.005)

    picture = obs.wait_for_picture(is_right, f"the preset {preset.value}", timeout_s=30)
    assert (picture[OUTSIDE, 3] == (255 if values.get("background") == "blur" else 0)).all()


def test_a_picture_covers_the_room(obs: ObsSession, folder: Path) -> None:
    obs.set_filter(background="picture", background_picture=str(folder / "ground.png"))
    expected = wanted(background="picture")
    picture = obs.wait_for_picture(lambda found: looks_like(found, expected), "the picture")
    assert np.abs(picture[OUTSIDE][:, :3].astype(int) - GROUND).max() <= 1


def test_a_picture_that_is_missing_leaves_nothing_until_it_is_there(obs: ObsSession, folder: Path) -> None:
    probe, late = Probe(obs, obs.folder), folder / "late.png"
    late.unlink(missing_ok=True)
    obs.set_filter(background="picture", background_picture=str(late))

    def status() -> str:
        return str(probe("filter_panel", source=CAMERA, name=FILTER)["status"])

    obs.wait(lambda: "There is no image" in status(), "the missing file in the status")
    picture = obs.wait_for_picture(is_drawn, "the person")
    assert (picture[INSIDE, 3] == 255).all()
    assert not picture[OUTSIDE].any()
    late.write_bytes(b"no picture at all")
    obs.wait(lambda: "not a supported image" in status(), "the damaged file in the status", timeout_s=30)
    assert not obs.screenshot()[OUTSIDE].any()
    late.write_bytes((folder / "ground.png").read_bytes())
    obs.wait_for_picture(lambda found: bool((found[OUTSIDE, 3] == 255).all()), "the picture, once it is there")
    assert "late" not in status()


def test_a_large_picture_is_read_without_holding_obs_up(obs: ObsSession, folder: Path) -> None:
    large = save_picture(folder / "large.jpg", np.full((7000, 9000, 3), GROUND[::-1], np.uint8))
    obs.set_filter(background="picture", background_picture=str(large))
    for _ in range(5):
        picture = obs.screenshot()
        assert not picture[OUTSIDE][picture[OUTSIDE, 3] == 0].any()
        assert picture[OUTSIDE][:, :3].max(axis=0)[0] <= GROUND[0] + 2  # nothing of the room
    obs.wait_for_picture(lambda found: bool((found[OUTSIDE, 3] == 255).all()), "the large picture", timeout_s=40)


def test_the_mask_hides_the_room(obs: ObsSession) -> None:
    obs.set_filter(view="mask")
    picture = obs.wait_for_picture(lambda found: bool((found[..., 3] == 255).all()), "the mask")
    assert (picture[INSIDE] == 255).all()
    assert not picture[OUTSIDE][:, :3].any()


def test_the_outline_is_a_line_of_few_pixels_over_the_picture(obs: ObsSession) -> None:
    obs.set_filter(view="outline", background="blur")  # the background does not matter
    expected = wanted(view="outline")
    picture = obs.wait_for_picture(lambda found: looks_like(found, expected), "the outline")
    away = np.abs(distance()) > 8
    np.testing.assert_array_equal(picture[away][:, :3], scene()[..., ::-1][away])
    row = picture[CENTRE[1], : CENTRE[0], :3].astype(int)
    bright = (row[:, 0] > 200) & (row[:, 2] < 120)
    assert 1 <= bright.sum() <= 4
    for softness in (0.0, 1.0):
        obs.set_filter(view="outline", softness=softness)
        obs.wait_frames(3)
        row = obs.wait_for_picture(is_drawn, "the outline")[CENTRE[1], : CENTRE[0], :3].astype(int)
        assert 1 <= ((row[:, 0] > 200) & (row[:, 2] < 120)).sum() <= 5


@pytest.mark.parametrize("background", ["transparent", "blur", "color"])
def test_side_by_side_shows_the_picture_and_the_result(obs: ObsSession, background: str) -> None:
    obs.set_filter(view="side_by_side", background=background)
    expected = wanted(view="side_by_side", background=background)

    def is_right(found: Picture) -> bool:
        difference = np.abs(found.astype(int) - expected).max(axis=2)
        return bool((difference > 3).mean() < 0.005)

    obs.wait_for_picture(is_right, f"both sides, {background}")


def test_the_confidence_is_what_the_network_says(obs: ObsSession) -> None:
    obs.set_filter(view="confidence")
    picture = obs.wait_for_picture(lambda found: bool((found[..., 3] == 255).all()), "the map")
    middle = picture[CENTRE[1], CENTRE[0], :3].astype(int)
    level = 170 / 255
    unsure = 4 * level * (1 - level)
    expected = 255 * (level + (np.array([1.0, 0.5, 0.0]) - level) * unsure)
    assert np.abs(middle - expected).max() <= 2


def test_cleaning_takes_the_room_out_of_the_edge_only(obs: ObsSession) -> None:
    before = obs.wait_for_picture(is_drawn, "the person")
    obs.set_filter(decontamination=1.0)

    def share_of_green(found: Picture) -> float:
        edge = (found[..., 3] > 60) & (found[..., 3] < 250)
        return float((found[edge][:, 1] / found[edge][:, 3]).mean())  # a magenta person has none

    after = obs.wait_for_picture(
        lambda found: is_drawn(found) and share_of_green(found) < 0.7 * share_of_green(before), "a clean edge"
    )
    assert np.abs(after[..., 3].astype(int) - before[..., 3]).max() <= 1
    np.testing.assert_array_equal(after[distance() < -20], before[distance() < -20])
    assert not after[after[..., 3] == 0].any()


def unreadable(picture: Picture) -> bool:
    """Whether nothing of the room can be read: nothing is there, or no step is as high as that of a letter."""
    steps = np.abs(np.diff(picture[..., 1].astype(int), axis=1))
    return bool(steps[OUTSIDE[:, 1:] & OUTSIDE[:, :-1]].max() < 12)


def test_settings_that_change_while_it_runs_never_show_the_room(obs: ObsSession, folder: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"background": "blur"},
        {"background": "color"},
        {"decontamination": 1.0},
        {"background": "picture", "background_picture": str(folder / "ground.png")},
        {"threads": 2},
        {"background": "blur", "blur_strength": 5.0},
        {"view": "mask"},
        {"view": "result", "every": 3},
        {"timing": "low_latency"},
        {"model": str(folder / "missing.onnx")},
        {"no_mask": "blur"},
        {"model": "eoam"},
        {"background": "transparent", "every": 1},
    ]
    for change in changes:
        obs.set_filter(**change)
        for _ in range(4):
            assert unreadable(obs.screenshot()), change
    assert "render_failed" not in obs.log
    assert "callback_failed" not in obs.log


def test_a_missing_network_is_said_and_nothing_or_the_cover_shown(obs: ObsSession, folder: Path) -> None:
    probe = Probe(obs, obs.folder)
    obs.set_filter(model="no such network")
    obs.wait_for_picture(is_empty, "nothing")
    obs.wait(lambda: "There is no network" in probe("filter_panel", source=CAMERA, name=FILTER)["status"], "the status")
    obs.set_filter(no_mask="blur")
    covered = obs.wait_for_picture(is_drawn, "the cover")
    assert (covered[..., 3] == 255).all()
    said = probe("filter_panel", source=CAMERA, name=FILTER)["status"]
    assert said.startswith("Everything is shown blurred. There is no network")
    assert np.abs(np.diff(covered[..., :3].astype(int), axis=1)).max() < 16
    assert np.abs(np.diff(covered[..., :3].astype(int), axis=0)).max() < 16
    # As many cells as that hold everything: the picture is nearly the same after it was as small as this.
    small = cv2.resize(covered[..., :3], (43, 24), interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    assert np.abs(again.astype(int) - covered[..., :3]).mean() < 2.5
    obs.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": str(folder / "ground.png")})
    obs.wait_for_picture(
        lambda found: found.shape[:2] == (30, 40) and not is_magenta(found).any() and is_drawn(found),
        "the cover of the picture that is there now",
    )
    obs.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": str(folder / "scene.png")})


def test_obs_ends_cleanly(session: ObsSession) -> None:
    ended = session.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, session)
