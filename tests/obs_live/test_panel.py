"""The panels in a real OBS: presets, what is stored, what is shown, the dialog itself."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoam_core.presets import values_of
from eoam_core.settings import VERSION, Preset, Settings, describe_settings
from eoam_obs.source import guard
from eoam_obs.source.stored import VERSION_KEY
from tests.obs_live.obs_helpers import PLAIN, SCRIPT, Starter, disc, grab_screen, is_drawn, is_empty, save_picture
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    FILTER_ID,
    REPOSITORY,
    SCENE,
    Json,
    ObsSession,
    filter_entry,
    image_entry,
)

OLD: dict[str, Any] = {
    "threshold": 0.6,
    "softness": 0.3,
    "contour_fill": True,
    "smoothing": 0.4,
    "timing": "aligned",
    "view": "result",
}
PLAIN_NAMES = {info.name for info in describe_settings() if info.group != "advanced" and not info.shown_if}
BUTTONS = {"status", "refresh", "reset", "follow_defaults", "guard"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins for the file manager and the clipboard: what they were given lies in NAME.txt."""
    folder = tmp_path_factory.mktemp("programs")
    for name, text in (("xdg-open", 'printf %s "$1"'), ("xclip", "cat")):
        (folder / name).write_text(
            f"#!/bin/sh\n{text} >'{folder}/{name}.part' && mv '{folder}'/{name}.part '{folder}'/{name}.txt\n"
        )
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def obs(
    start_obs: Starter, brightness_model: Path, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    sources: list[Json] = [
        image_entry(file, name="no filter"),
        image_entry(file, filter_entry(**OLD), name="old"),
        image_entry(file, filter_entry()),
    ]
    path = f"{programs}:{os.environ['PATH']}"
    session = start_obs({"Test": sources}, environment={"EOAM_MODEL": str(brightness_model), "PATH": path})
    session.wait_for_picture(is_drawn, "the person")
    return session


@pytest.fixture(scope="module")
def probe(obs: ObsSession) -> Probe:
    return Probe(obs, obs.folder)


def stored(obs: ObsSession, source: str = CAMERA, name: str = FILTER) -> dict[str, Any]:
    values: dict[str, Any] = obs.request("GetSourceFilter", sourceName=source, filterName=name)["filterSettings"]
    return values


def wait_stored(obs: ObsSession, **wanted: object) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        values = stored(obs)
        return values if {name: values.get(name) for name in wanted} == wanted else None

    found = obs.wait(probe, f"the stored settings to hold {wanted}")
    assert found is not None
    return found


def set_and_settle(obs: ObsSession, **settings: Any) -> None:
    """Set something and wait until the filter has looked at it: what follows at once is taken together with it."""
    obs.set_filter(**settings)
    obs.wait_frames(4)  # libobs hands it on with the next frame,
    obs.request("SetCurrentProgramScene", sceneName=SCENE)  # and the UI thread, which this waits for, does the rest


def test_a_new_filter_shows_its_state_and_few_controls(obs: ObsSession, probe: Probe) -> None:
    panel = obs.wait(lambda: _running(probe), "the state", every_s=0.5)
    assert panel.keys() == BUTTONS | PLAIN_NAMES | {"advanced"}
    assert "ms per mask" in panel["status"]
    assert "brightness 1, aligned, 1-frame delay." in panel["status"]


def _running(probe: Probe) -> dict[str, str] | None:
    panel: dict[str, str] = probe("filter_panel", source=CAMERA, name=FILTER)
    return panel if panel["status"].startswith("Removing the background") else None


def test_a_panel_without_a_filter_has_the_settings_only(probe: Probe) -> None:
    assert not BUTTONS & set(probe("type_panel"))


@pytest.mark.parametrize("preset", [preset for preset in Preset if preset is not Preset.CUSTOM], ids=lambda p: p.value)
def test_every_preset_sets_the_rest_over_obs_websocket(obs: ObsSession, preset: Preset) -> None:
    set_and_settle(obs, preset="custom", threshold=0.8, every=4)
    obs.set_filter(preset=preset.value)
    values = wait_stored(obs, preset=preset.value, threshold=values_of(preset)["threshold"])
    assert values_of(preset).items() <= values.items()
    obs.wait_for_picture(is_drawn, f"the person with {preset.value}")


def test_a_changed_knob_makes_the_preset_custom(obs: ObsSession) -> None:
    set_and_settle(obs, preset="streaming")
    wait_stored(obs, preset="streaming", threshold=0.5)
    obs.set_filter(threshold=0.55)
    assert wait_stored(obs, preset="custom")["threshold"] == pytest.approx(0.55)


def test_the_button_reset_brings_the_defaults_back(obs: ObsSession, probe: Probe) -> None:
    set_and_settle(obs, threshold=0.7, every=3, advanced=True)
    wait_stored(obs, preset="custom", every=3)
    assert "every" in probe("filter_panel", source=CAMERA, name=FILTER)
    shown = probe("filter_panel", source=CAMERA, name=FILTER, press="reset")
    assert "every" not in shown
    values = wait_stored(obs, preset="streaming", every=1, advanced=False)
    assert values["threshold"] == pytest.approx(Settings().threshold)


def test_irrelevant_controls_hide(obs: ObsSession, probe: Probe) -> None:
    obs.set_filter(background="picture")
    wait_stored(obs, background="picture")
    assert "background_picture" in probe("filter_panel", source=CAMERA, name=FILTER)
    obs.set_filter(background="transparent")
    wait_stored(obs, background="transparent")
    assert "background_picture" not in probe("filter_panel", source=CAMERA, name=FILTER)


def test_a_scene_file_of_the_older_version_is_migrated_and_stored(obs: ObsSession, probe: Probe) -> None:
    values = stored(obs, "old")
    assert (values["regions"], values["holes"], values["threshold"]) == ("largest", "all", pytest.approx(0.6))
    assert (values["preset"], values[VERSION_KEY]) == ("custom", VERSION)
    assert "contour_fill" not in values
    assert {"regions", "holes"} <= probe("filter_panel", source="old", name=FILTER).keys()


def test_the_script_panel_says_what_is_installed_and_how_the_filters_do(obs: ObsSession, probe: Probe) -> None:
    panel = obs.wait(lambda: _table(probe), "the table of filters", every_s=0.5)
    for part in ("Python", "numpy", "onnxruntime", "OBS Studio", "sha256"):
        assert part in panel["installation"]
    assert f"{CAMERA}: Removing the background: " in panel["filters"]
    assert not [name for name in panel if name.startswith("missing_")]
    assert PLAIN_NAMES | {"advanced", "add_to", "add", "camera", "copy", "logs"} <= panel.keys()


def _table(probe: Probe) -> dict[str, str] | None:
    panel: dict[str, str] = probe("script_panel", press="refresh")
    return panel if panel["filters"].count("Removing the background") == 2 else None


def test_the_button_adds_the_filter_to_the_chosen_source(obs: ObsSession, probe: Probe) -> None:
    def kinds(source: str) -> list[str]:
        return [item["filterKind"] for item in obs.request("GetSourceFilterList", sourceName=source)["filters"]]

    assert kinds("no filter") == []
    probe("set_default", name="add_to", value="no filter")
    panel = probe("script_panel", press="add")
    assert panel["done"].startswith("no filter now has the filter.")
    assert "no filter: " in panel["filters"]
    order = list(panel)
    assert order.index("add") < order.index("done") < order.index("filters") < order.index("installation")
    assert kinds("no filter") == ["color_filter_v2", FILTER_ID]
    obs.request("RemoveSourceFilter", sourceName="no filter", filterName="EOAM Background Removal")
    obs.request("RemoveSourceFilter", sourceName="no filter", filterName=guard.NAME)
    probe("set_default", name="guard", value=False)
    panel = probe("script_panel", press="add")  # without a choice: the first without the filter
    assert kinds("no filter") == [FILTER_ID]
    obs.request("RemoveSourceFilter", sourceName="no filter", filterName="EOAM Background Removal")


def test_copied_diagnostics_hold_what_a_report_needs_and_nobodys_names(
    obs: ObsSession, probe: Probe, programs: Path
) -> None:
    panel = probe("script_panel", press="copy")
    assert "diagnostics" in panel
    assert panel["done_below"].startswith("The diagnostics are on the clipboard")
    text = (programs / "xclip.txt").read_text(encoding="utf-8")
    for part in ("OBS Studio", "onnxruntime", "threshold="):
        assert part in text
    assert str(obs.folder) not in text


def test_the_folder_with_obss_logs_is_opened(obs: ObsSession, probe: Probe, programs: Path) -> None:
    assert "done_below" not in probe("script_panel", press="logs")
    opened = programs / "xdg-open.txt"
    obs.wait(opened.exists, "the file manager")
    folder = Path(opened.read_text(encoding="utf-8"))
    assert folder == obs.folder / "home" / ".config" / "obs-studio" / "logs"
    assert [file for file in folder.iterdir() if "[EOAM]" in file.read_text(errors="replace")]


def test_obspython_has_all_that_the_script_calls(probe: Probe) -> None:
    called = set()
    for file in (SCRIPT, *(REPOSITORY / "eoam_obs").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("api", "self._api", "obspython"):
                called.add(node.attr)
    assert len(called) > 30  # or the search has lost its way
    assert probe("lacking", names=sorted(called)) == []


def test_new_filters_take_the_scripts_defaults_and_keep_them(obs: ObsSession, probe: Probe) -> None:
    probe("set_default", name="threshold", value=0.8)
    obs.request("CreateSourceFilter", sourceName=CAMERA, filterName="second", filterKind=FILTER_ID, filterSettings={})
    probe("set_default", name="threshold", value=0.3)
    assert stored(obs, name="second")["threshold"] == pytest.approx(0.8)
    assert stored(obs)["threshold"] == pytest.approx(Settings().threshold)
    obs.request("RemoveSourceFilter", sourceName=CAMERA, filterName="second")
    probe("set_default", name="threshold", value=0.5)


def test_a_filter_that_follows_the_script_changes_with_it(obs: ObsSession, probe: Probe) -> None:
    obs.set_filter(**PLAIN)
    person = obs.wait_for_picture(is_drawn, "the person")
    obs.set_filter(follow_defaults=True)
    probe("set_default", name="view", value="mask")
    obs.wait_for_picture(lambda picture: bool((picture[..., :3].max(axis=2) == 255).any()), "the mask")
    panel = probe("filter_panel", source=CAMERA, name=FILTER)
    assert panel.keys() == {"status", "refresh", "follow_defaults", "guard"}
    assert stored(obs)["view"] == "result"  # its own settings are kept
    probe("set_default", name="view", value="result")
    obs.set_filter(follow_defaults=False)

    def is_as_before(picture: Picture) -> bool:
        # Nearly: the mask of a picture that stands still goes on settling for a while, and the first was taken at once.
        return picture.shape == person.shape and float((np.abs(picture.astype(int) - person) > 16).mean()) < 0.01

    obs.wait_for_picture(is_as_before, "the person as before")


def test_values_out_of_range_are_brought_into_it_and_logged(obs: ObsSession) -> None:
    obs.set_filter(threshold=7.5)
    assert wait_stored(obs, threshold=0.95)
    assert "settings_adjusted threshold=7.5" in obs.log
    obs.set_filter(threshold=0.5)


def test_the_same_source_in_two_scenes_and_studio_mode_is_one_filter(obs: ObsSession) -> None:
    obs.request("CreateScene", sceneName="Other")
    obs.request("CreateSceneItem", sceneName="Other", sourceName=CAMERA)
    obs.request("SetStudioModeEnabled", studioModeEnabled=True)
    obs.request("SetCurrentPreviewScene", sceneName="Other")
    obs.wait_frames(10)
    assert is_drawn(obs.wait_for_picture(is_drawn, "the person", source="Other"))
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=False)
    obs.wait_for_picture(lambda picture: bool(picture[..., 3].all()), "the raw picture, as was chosen")
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=True)
    obs.wait_for_picture(lambda picture: is_drawn(picture) and not picture[..., 3].all(), "the person")
    obs.request("SetStudioModeEnabled", studioModeEnabled=False)
    obs.request("RemoveScene", sceneName="Other")


def test_the_dialog_opens_and_follows_what_is_set_from_elsewhere(obs: ObsSession, tmp_path: Path) -> None:
    import cv2

    def photograph(name: str) -> np.ndarray:
        picture = grab_screen(obs.display)
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
        return picture

    def changed_share(before: np.ndarray) -> float:
        return float((photograph("now") != before).any(axis=2).mean())

    closed = photograph("closed")
    obs.request("OpenInputFiltersDialog", inputName=CAMERA)
    obs.wait(lambda: changed_share(closed) > 0.1, "the dialog")
    obs.wait_frames(60)
    # The lower right of the dialog, where the panel is: another slider stands there once the background is blurred.
    opened = photograph("opened")
    obs.set_filter(preset="meeting")
    wait_stored(obs, preset="meeting", background="blur")
    obs.wait(lambda: changed_share(opened) > 0.01, "the panel with another preset")
    obs.set_filter(preset="streaming")
    wait_stored(obs, preset="streaming", background="transparent")
    assert not is_empty(obs.wait_for_picture(is_drawn, "the person"))


def test_the_panels_speak_the_language_of_obs(start_obs: Starter, tmp_path: Path) -> None:
    file = save_picture(tmp_path / "disc.png", disc(640, 360))
    obs = start_obs({"Test": [image_entry(file, filter_entry())]}, language="de-DE")
    probe = Probe(obs, obs.folder)
    panel = probe("filter_panel", source=CAMERA, name=FILTER)
    assert (panel["threshold"], panel["reset"]) == ("Schwelle", "Auf Standardwerte zurücksetzen")
    assert probe("script_panel")["add"] == "Filter hinzufügen"
