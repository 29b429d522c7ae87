"""The hotkeys in a real OBS: pressed over obs-websocket and as keys, and stored with the scenes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from obs_helpers import Probe, Starter, disc, is_drawn, is_empty, save_picture
from obs_session import CAMERA, FILTER, FILTER_ID, ObsSession, filter_entry, image_entry

BOUND = {"eoam.hide": [{"key": "OBS_KEY_F9"}], "eoam.toggle": [{"key": "OBS_KEY_F8"}]}

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


def stored(obs: ObsSession) -> dict[str, Any]:
    found: dict[str, Any] = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=FILTER)
    return found


def test_obs_knows_them_as_soon_as_the_scene_is_loaded(obs: ObsSession) -> None:
    assert names(obs) == ["eoam.toggle", "eoam.next_background", "eoam.hide"]


def test_toggle_switches_the_filter(obs: ObsSession) -> None:
    for enabled in (False, True):
        obs.request("TriggerHotkeyByName", hotkeyName="eoam.toggle")
        obs.wait(lambda enabled=enabled: stored(obs)["filterEnabled"] is enabled, f"the filter to be {enabled}")


def test_next_background_goes_round_and_leaves_out_a_picture_that_was_not_chosen(obs: ObsSession) -> None:
    for following in ("blur", "color", "transparent"):
        obs.request("TriggerHotkeyByName", hotkeyName="eoam.next_background")

        def is_there(following: str = following) -> bool:
            return stored(obs)["filterSettings"]["background"] == following

        obs.wait(is_there, following)
        obs.wait_frames(3)


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
        obs.wait(lambda enabled=enabled: stored(obs)["filterEnabled"] is enabled, f"the filter to be {enabled}")


def test_a_filter_added_later_has_them_too_and_takes_them_along(obs: ObsSession) -> None:
    for source, expected in (("other", "eoam.toggle"), (CAMERA, "eoam.toggle.2")):
        before = names(obs).count(expected)
        added = {"sourceName": source, "filterName": "second"}
        obs.request("CreateSourceFilter", **added, filterKind=FILTER_ID, filterSettings={})
        obs.wait(lambda e=expected, n=before: names(obs).count(e) == n + 1, f"{expected} of {source}")
        obs.request("RemoveSourceFilter", **added)
        obs.wait(lambda e=expected, n=before: names(obs).count(e) == n, f"{source} to have it no more")


def test_their_keys_are_saved_with_the_source(obs: ObsSession) -> None:
    file = obs.folder / "home" / ".config" / "obs-studio" / "basic" / "scenes" / "Test.json"
    obs.request("CreateScene", sceneName="makes OBS save")
    obs.end()
    camera = next(source for source in json.loads(file.read_text())["sources"] if source["name"] == CAMERA)
    saved = {name: [key["key"] for key in keys] for name, keys in camera["hotkeys"].items() if keys}
    assert saved["eoam.hide"] == ["OBS_KEY_F9"]
    assert saved["eoam.toggle"] == ["OBS_KEY_F8"]
