"""What a filter draws, computed: the toy model's mask is the picture's brightness.

Slow: it starts an OBS for each odd size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from eoam_core.compose import alpha_from_mask
from eoam_core.settings import Settings
from tests.obs_live.obs_helpers import (
    PLAIN,
    Starter,
    brightest_hidden,
    crash_report,
    disc,
    disc_centre,
    is_drawn,
    is_empty,
    save_picture,
)
from tools.obs_driver import clips
from tools.obs_driver.clips import Picture
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    FILTER_ID,
    SCENE,
    ObsSession,
    colour_entry,
    filter_entry,
    image_entry,
    video_entry,
)

SIZES = {CAMERA: (640, 360), "classic": (480, 360), "upright": (360, 640)}
LEVELS = (10, 60, 90, 110, 120, 128, 140, 155, 180, 250)  # mask levels of the steps
WALL, DISC = (40, 40, 40), (205, 225, 250)  # RGB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, folder: Path) -> ObsSession:
    clip = folder / "disc.mkv"
    clips.write_video(clip, clips.disc_frames(640, 360, 60), 30, lossless=True)
    plain = filter_entry(**PLAIN)
    sources = [
        colour_entry(0xFF00FF00, 640, 360),
        video_entry(clip, plain, name="moving"),
        image_entry(save_picture(folder / "steps.png", steps()), plain, name="steps"),
        *(
            image_entry(save_picture(folder / f"{name}.png", disc(*size)), plain, name=name)
            for name, size in reversed(SIZES.items())
        ),
    ]
    return start_obs({"Test": sources}, environment={"EOAM_MODEL": str(brightness_model)})


def steps() -> Picture:
    """Draw grey columns, 64 pixels wide, whose brightness is their mask."""
    return np.repeat(np.repeat(np.array(LEVELS, np.uint8), 64)[None, :, None], 360, axis=0).repeat(3, axis=2)


def step_alphas(picture: Picture) -> list[int]:
    """Return the alpha in the middle of each column."""
    return [int(picture[180, 64 * number + 32, 3]) for number in range(len(LEVELS))]


def expected_alphas(**settings: object) -> list[int]:
    """Return what the command line's formula makes of the columns."""
    mask = np.array([LEVELS], np.uint8)
    return [int(alpha) for alpha in alpha_from_mask(mask, Settings.validated(**settings))[0]]


def near(found: list[int], wanted: list[int], tolerance: int = 3) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(found, wanted, strict=True))


@pytest.fixture
def fresh(obs: ObsSession) -> Iterator[ObsSession]:
    """The session, with the camera as it was before the test."""
    yield obs
    obs.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": camera_file(obs)})
    defaults = {**Settings().to_mapping(), **PLAIN}
    for name in ("preset", "advanced"):  # a preset would set the others
        del defaults[name]
    for source in (CAMERA, "steps", "moving"):
        obs.set_filter(source=source, **defaults)


def camera_file(obs: ObsSession, name: str = CAMERA) -> str:
    classic = str(obs.request("GetInputSettings", inputName="classic")["inputSettings"]["file"])
    return str(Path(classic).with_name(f"{name}.png"))


def test_the_filter_is_a_known_kind_of_filter(obs: ObsSession) -> None:
    filters = obs.request("GetSourceFilterList", sourceName=CAMERA)["filters"]
    assert [(item["filterName"], item["filterKind"], item["filterEnabled"]) for item in filters] == [
        (FILTER, FILTER_ID, True)
    ]
    defaults = obs.request("GetSourceFilterDefaultSettings", filterKind=FILTER_ID)["defaultFilterSettings"]
    assert defaults == {**Settings().to_mapping(), "advanced": False}  # a new filter's panel is short


@pytest.mark.parametrize("source", SIZES)
def test_the_person_is_opaque_and_the_room_transparent_at_every_shape(obs: ObsSession, source: str) -> None:
    width, height = SIZES[source]
    picture = obs.wait_for_picture(is_drawn, f"a picture of {source}", source=source)
    assert picture.shape == (height, width, 4)
    inside = np.zeros((height, width), np.uint8)
    cv2.circle(inside, disc_centre(width, height), min(width, height) // 5, 255, -1)
    # The mask is some 2.5 times smaller than the picture: a few pixels round the outline belong to neither.
    core = cv2.erode(inside, np.ones((13, 13), np.uint8)) > 0
    room = cv2.dilate(inside, np.ones((13, 13), np.uint8)) == 0
    assert (picture[core, 3] == 255).all()
    assert not picture[room].any()
    assert np.abs(picture[core][:, :3].astype(int) - DISC).max() == 0


def test_no_colour_is_left_where_nothing_is_to_be_seen(obs: ObsSession) -> None:
    picture = obs.wait_for_picture(is_drawn, "the steps", source="steps")
    assert brightest_hidden(picture) == 0
    assert brightest_hidden(obs.wait_for_picture(is_drawn, "the disc")) == 0


def test_colours_are_those_of_the_source_without_the_filter(obs: ObsSession) -> None:
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=False)
    raw = obs.wait_for_picture(lambda picture: bool((picture[..., 3] == 255).all()), "the raw source")
    raw_scene = obs.screenshot(SCENE)
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=True)
    cut = obs.wait_for_picture(lambda picture: brightest_hidden(picture) == 0 and is_drawn(picture), "the cut source")
    cut_scene = obs.screenshot(SCENE)
    person = cut[..., 3] == 255
    assert person.sum() > 10_000
    assert (cut[person] == raw[person]).all()
    assert (cut_scene[person] == raw_scene[person]).all()  # both are 640x360
    assert (cut_scene[0, 0, :3] != raw_scene[0, 0, :3]).any()


@pytest.mark.parametrize(
    "settings", [{}, {"threshold": 0.7}, {"threshold": 0.3, "softness": 0.8}, {"softness": 0.0}, {"softness": 1.0}]
)
def test_threshold_and_softness_follow_the_formula_live(fresh: ObsSession, settings: dict[str, Any]) -> None:
    wanted = expected_alphas(**settings)
    fresh.set_filter(source="steps", **settings)
    fresh.wait_for_picture(lambda picture: near(step_alphas(picture), wanted), f"alphas {wanted}", source="steps")


def test_the_mask_can_be_looked_at(fresh: ObsSession) -> None:
    wanted = expected_alphas()
    fresh.set_filter(source="steps", view="mask")
    picture = fresh.wait_for_picture(lambda found: bool((found[..., 3] == 255).all()), "the mask", source="steps")
    greys = [int(level) for level in picture[180, 32::64, 0]]
    assert near(greys, wanted)
    assert (picture[..., 0] == picture[..., 1]).all()
    assert (picture[..., 0] == picture[..., 2]).all()


def test_only_the_largest_region_is_kept_and_filled_if_that_is_wanted(fresh: ObsSession, folder: Path) -> None:
    ring = np.full((360, 640, 3), 10, np.uint8)
    cv2.circle(ring, (200, 180), 110, (255, 255, 255), -1)
    cv2.circle(ring, (200, 180), 40, (10, 10, 10), -1)
    cv2.circle(ring, (520, 180), 50, (255, 255, 255), -1)
    file = save_picture(folder / "ring.png", ring)

    def shown(picture: Picture) -> list[bool]:
        return [bool(picture[180, x, 3] == 255) for x in (115, 200, 520)]  # ring, its hole, the other disc

    fresh.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": str(file)})
    fresh.wait_for_picture(lambda picture: shown(picture) == [True, False, True], "both regions, with the hole")
    fresh.set_filter(regions="largest", holes="all")
    fresh.wait_for_picture(lambda picture: shown(picture) == [True, True, False], "one region without a hole")


def test_settings_of_a_newer_version_are_kept_and_ignored(fresh: ObsSession) -> None:
    fresh.set_filter(from_the_future={"a": 1}, threshold="high", softness=99.0)
    fresh.wait_frames(3)
    found = fresh.request("GetSourceFilter", sourceName=CAMERA, filterName=FILTER)["filterSettings"]
    assert found["from_the_future"] == {"a": 1}
    assert fresh.wait(lambda: fresh.log.count("settings_unknown from_the_future={'a': 1}"), "a line in the log") == 1
    assert fresh.log.count("settings_adjusted softness=99") == 1
    assert fresh.log.count("settings_adjusted threshold='high'") == 1
    picture = fresh.wait_for_picture(is_drawn, "the person all the same")
    assert picture[disc_centre(640, 360)[::-1]][3] > 240
    fresh.set_filter(from_the_future={"a": 1}, smoothing=0.1)
    fresh.wait_frames(3)
    assert fresh.log.count("settings_unknown") == 1


def mismatch(picture: Picture) -> tuple[int, int]:
    """Return how many opaque pixels are ground, and how many are disc."""
    opaque = picture[..., 3] > 200
    dark = picture[..., :3].max(axis=2) < 120
    return int((opaque & dark).sum()), int((opaque & ~dark).sum())


def moving_pictures(obs: ObsSession, count: int) -> list[tuple[int, int]]:
    found = []
    for _ in range(count):
        picture = obs.wait_for_picture(is_drawn, "the moving disc", source="moving")
        assert brightest_hidden(picture) == 0
        found.append(mismatch(picture))
        obs.wait_frames(2)
    return found


def test_aligned_never_shows_ground_beside_a_fast_disc(fresh: ObsSession) -> None:
    area = np.pi * 72**2
    outline = 2 * np.pi * 72
    for ground, disc_pixels in moving_pictures(fresh, 12):
        assert ground < 0.5 * outline
        assert disc_pixels > 0.9 * area


def test_low_latency_pairs_the_newest_picture_with_an_older_mask(fresh: ObsSession) -> None:
    fresh.set_filter(source="moving", timing="low_latency")
    fresh.wait_frames(3)
    worst = max(ground for ground, _ in moving_pictures(fresh, 12))
    # This is what aligned avoids; it also shows that the test above could fail.
    assert worst > 2 * np.pi * 72


def test_a_source_that_changes_its_size_never_shows_the_room(fresh: ObsSession, folder: Path) -> None:
    size_of = {name: camera_file(fresh, name) for name in SIZES}
    for name in ("upright", "classic", CAMERA, "upright"):
        width, height = SIZES[name]
        fresh.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": size_of[name]})
        for _ in range(3):
            # Between two files the source has no size for a moment, and OBS refuses to make a picture of it.
            picture = fresh.wait(lambda: [fresh.screenshot()], "a picture")[0]
            assert brightest_hidden(picture) == 0
            opaque = picture[picture[..., 3] == 255]
            assert not (opaque[:, :3] == WALL).all(axis=1).any()

        def is_right(picture: Picture, width: int = width, height: int = height) -> bool:
            x, y = disc_centre(width, height)
            return picture.shape == (height, width, 4) and bool(picture[y, x, 3] == 255) and not picture[0, 0].any()

        fresh.wait_for_picture(is_right, f"{name} at {width}x{height}")


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (7680, 4320)])
def test_odd_sizes_neither_crash_nor_show_the_room(fresh: ObsSession, folder: Path, size: tuple[int, int]) -> None:
    width, height = size
    file = save_picture(folder / f"{width}x{height}.png", np.full((height, width, 3), WALL, np.uint8))
    fresh.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": str(file)})
    fresh.wait(lambda: fresh.source_size() == size, f"the source at {size}", timeout_s=40)
    fresh.wait_frames(8)
    picture = fresh.request("GetSourceScreenshot", sourceName=CAMERA, imageFormat="png", imageWidth=64, imageHeight=64)
    assert picture["imageData"]
    assert "render_failed" not in fresh.log
    assert is_empty(fresh.screenshot())


def test_a_source_without_a_size_draws_nothing_and_recovers(fresh: ObsSession, folder: Path) -> None:
    fresh.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": str(folder / "missing.png")})
    fresh.wait(lambda: fresh.source_size() == (0, 0), "the source without a size")
    fresh.wait_frames(5)
    fresh.request("SetInputSettings", inputName=CAMERA, inputSettings={"file": camera_file(fresh)})
    fresh.wait_for_picture(is_drawn, "the person again")


def test_drawing_a_source_several_times_per_frame_shows_the_same(fresh: ObsSession) -> None:
    once = fresh.wait_for_picture(is_drawn, "the person")
    fresh.request("SetStudioModeEnabled", studioModeEnabled=True)  # preview and programme both draw it
    try:
        fresh.wait_frames(5)
        assert (fresh.screenshot() == once).all()
    finally:
        fresh.request("SetStudioModeEnabled", studioModeEnabled=False)


def test_a_hidden_source_comes_back_without_an_old_picture(fresh: ObsSession, folder: Path) -> None:
    items = fresh.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]
    number = next(item["sceneItemId"] for item in items if item["sourceName"] == CAMERA)

    def show(visible: bool) -> None:
        fresh.request("SetSceneItemEnabled", sceneName=SCENE, sceneItemId=number, sceneItemEnabled=visible)

    show(False)
    fresh.wait_frames(30)
    assert is_empty(fresh.screenshot())  # this one drawing has no mask of its own
    show(True)
    fresh.wait_for_picture(is_drawn, "the person again")


def test_a_filter_can_be_removed_and_added_again(fresh: ObsSession) -> None:
    fresh.request("RemoveSourceFilter", sourceName=CAMERA, filterName=FILTER)
    fresh.wait_for_picture(lambda picture: bool((picture[..., 3] == 255).all()), "the raw source")
    fresh.request(
        "CreateSourceFilter", sourceName=CAMERA, filterName=FILTER, filterKind=FILTER_ID, filterSettings=PLAIN
    )
    for _ in range(5):
        picture = fresh.screenshot()
        assert brightest_hidden(picture) == 0
        assert not (picture[picture[..., 3] == 255][:, :3] == WALL).all(axis=1).any()
    picture = fresh.wait_for_picture(is_drawn, "the person")
    assert not picture[0, 0].any()


def test_a_removed_source_takes_its_filter_along(obs: ObsSession) -> None:
    obs.request("RemoveInput", inputName="upright")
    obs.wait_frames(10)
    obs.wait_for_picture(is_drawn, "the other sources")
    assert "callback_failed" not in obs.log


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
