"""The hotkeys in a real OBS: pressed over obs-websocket and as keys, and stored with the scenes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.obs_live.obs_helpers import Starter, disc, is_drawn, is_empty, save_picture, saved_scenes
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import CAMERA, FILTER, FILTER_ID, Json, ObsSession, filter_entry, image_entry

BOUND = {"eoam.hide": [{"key": "OBS_KEY_F9"}], "eoam.toggle": [{"key": "OBS_KEY_F8"}]}

GREEN = (0x00, 0xB1, 0x40, 255)  # the default of "one colour"
CORNER = (slice(340, 360), slice(0, 20))  # of the room, away from the disc: grey 40
LOOKS: dict[str, Callable[[np.ndarray], bool]] = {
    "transparent": lambda picture: is_drawn(picture) and is_empty(picture[CORNER]),
    "color": lambda picture: bool((picture[CORNER] == GREEN).all()),
    "blur": lambda picture: bool((np.abs(picture[CORNER].astype(int) - (40, 40, 40, 255)) <= 2).all()),
}

# OBS never lets an injected key go by itself: its thread finds every 25 ms that the keyboard does not hold it. A second
# press before that is no press.
FORTY_LOOKS_AT_THE_KEYBOARD_S = 1.0


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    camera = {**image_entry(file, filter_entry()), "hotkeys": BOUND}
    session = start_obs(
        {"Test": [image_entry(file, name="other"), camera]}, environment={"EOAM_MODEL": str(brightness_model)}
    )
    session.wait_for_picture(is_drawn, "the person")
    return session


@pytest.fixture(scope="module")
def probe(obs: ObsSession) -> Probe:
    return Probe(obs, obs.folder)


def names(obs: ObsSession) -> list[str]:
    return [name for name in obs.request("GetHotkeyList")["hotkeys"] if name.startswith("eoam.")]


def stored(obs: ObsSession, name: str = FILTER) -> dict[str, Any]:
    found: dict[str, Any] = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=name)
    return found


def wait_until_enabled(obs: ObsSession, enabled: bool, name: str = FILTER) -> None:
    obs.wait(lambda: stored(obs, name)["filterEnabled"] is enabled, f"the filter to be {enabled}")


def wait_for_count(obs: ObsSession, name: str, count: int) -> None:
    obs.wait(lambda: names(obs).count(name) == count, f"{name} to be there {count} times")


def test_obs_knows_them_as_soon_as_the_scene_is_loaded(obs: ObsSession) -> None:
    assert names(obs) == ["eoam.toggle", "eoam.next_background", "eoam.hide"]


def test_toggle_switches_the_filter(obs: ObsSession) -> None:
    for enabled in (False, True):
        obs.request("TriggerHotkeyByName", hotkeyName="eoam.toggle")
        wait_until_enabled(obs, enabled)

        def is_shown(picture: Picture, enabled: bool = enabled) -> bool:
            return bool(picture[..., 3].all()) is not enabled and is_drawn(picture)

        obs.wait_for_picture(is_shown, "the person alone" if enabled else "the picture with its room")


def test_next_background_goes_round_and_leaves_out_a_picture_that_was_not_chosen(obs: ObsSession) -> None:
    for following in ("blur", "color", "transparent"):
        obs.request("TriggerHotkeyByName", hotkeyName="eoam.next_background")

        def is_there(following: str = following) -> bool:
            return stored(obs)["filterSettings"]["background"] == following

        obs.wait(is_there, following)
        obs.wait_for_picture(LOOKS[following], following)


def test_next_background_shows_the_picture_that_was_chosen(obs: ObsSession, tmp_path: Path) -> None:
    violet = np.full((90, 160, 3), (200, 40, 120), np.uint8)  # blue, green, red
    obs.set_filter(background_picture=str(save_picture(tmp_path / "violet.png", violet)))
    try:
        for _ in range(3):
            obs.request("TriggerHotkeyByName", hotkeyName="eoam.next_background")
            obs.wait_frames(10)
        obs.wait(lambda: stored(obs)["filterSettings"]["background"] == "picture", "the picture to be chosen")
        obs.wait_for_picture(
            lambda picture: bool((np.abs(picture[CORNER].astype(int) - (120, 40, 200, 255)) <= 2).all()),
            "the picture",
        )
        obs.request("TriggerHotkeyByName", hotkeyName="eoam.next_background")
        obs.wait_for_picture(LOOKS["transparent"], "nothing behind the person, once round")
    finally:
        obs.set_filter(background_picture="", background="transparent")


def test_while_the_key_is_held_nothing_is_drawn(obs: ObsSession, probe: Probe) -> None:
    obs.wait_for_picture(is_drawn, "the person")
    probe("hold", name="eoam.hide", pressed=True)
    obs.wait_for_picture(is_empty, "nothing")
    for _ in range(5):
        assert is_empty(obs.screenshot())
        obs.wait_frames(1)
    probe("hold", name="eoam.hide", pressed=False)
    obs.wait_for_picture(is_drawn, "the person again")


def test_a_key_from_the_scene_file_switches_the_filter_off_and_on(obs: ObsSession, probe: Probe) -> None:
    for enabled in (False, True):
        probe("key", name="OBS_KEY_F8")
        time.sleep(FORTY_LOOKS_AT_THE_KEYBOARD_S)
        wait_until_enabled(obs, enabled)


def test_a_filter_added_later_has_them_too_and_takes_them_along(obs: ObsSession) -> None:
    for source, expected in (("other", "eoam.toggle"), (CAMERA, "eoam.toggle.2")):
        before = names(obs).count(expected)
        added = {"sourceName": source, "filterName": "second"}
        obs.request("CreateSourceFilter", **added, filterKind=FILTER_ID, filterSettings={})
        wait_for_count(obs, expected, before + 1)
        obs.request("RemoveSourceFilter", **added)
        wait_for_count(obs, expected, before)


def saved_keys(obs: ObsSession) -> tuple[Json, dict[str, list[str]]]:
    """Have OBS save, and return the camera as the scene file has it, and the keys of its hotkeys."""
    camera = next(source for source in saved_scenes(obs)["sources"] if source["name"] == CAMERA)
    return camera, {name: [key["key"] for key in keys] for name, keys in camera["hotkeys"].items() if keys}


def test_their_keys_are_saved_with_the_source(obs: ObsSession) -> None:
    _, keys = saved_keys(obs)
    assert keys == {"eoam.hide": ["OBS_KEY_F9"], "eoam.toggle": ["OBS_KEY_F8"]}


def test_a_second_filter_keeps_its_keys_when_the_first_is_removed(
    start_obs: Starter, brightness_model: Path, tmp_path: Path
) -> None:
    file = save_picture(tmp_path / "disc.png", disc(640, 360))
    bound = {"eoam.toggle": [{"key": "OBS_KEY_F8"}], "eoam.toggle.2": [{"key": "OBS_KEY_F7"}]}
    camera = {**image_entry(file, filter_entry(), filter_entry("second")), "hotkeys": bound}
    environment = {"EOAM_MODEL": str(brightness_model)}
    first = start_obs({"Test": [camera]}, environment=environment)
    first.request("RemoveSourceFilter", sourceName=CAMERA, filterName=FILTER)
    first.wait(lambda: names(first)[0] == "eoam.toggle.2", "the first filter's hotkeys to be gone")
    # What takes the number away: OBS's button Defaults clears the settings, as does this.
    first.request("SetSourceFilterSettings", sourceName=CAMERA, filterName="second", filterSettings={}, overlay=False)
    first.wait(lambda: stored(first, "second")["filterSettings"].get("hotkey_number") == 2, "the number as before")
    camera, keys = saved_keys(first)
    assert keys == {"eoam.toggle.2": ["OBS_KEY_F7"]}

    again = start_obs({"Test": [camera]}, environment=environment)
    probe = Probe(again, again.folder)
    assert names(again) == ["eoam.toggle.2", "eoam.next_background.2", "eoam.hide.2"]
    for enabled in (False, True):
        probe("key", name="OBS_KEY_F7")
        time.sleep(FORTY_LOOKS_AT_THE_KEYBOARD_S)
        wait_until_enabled(again, enabled, "second")
    again.request(  # a copy of a filter has its settings, and cannot have its number
        "CreateSourceFilter",
        sourceName=CAMERA,
        filterName="copy",
        filterKind=FILTER_ID,
        filterSettings=stored(again, "second")["filterSettings"],
    )
    again.wait(lambda: sorted(names(again))[-3:] == ["eoam.next_background.2", "eoam.toggle", "eoam.toggle.2"], "both")
