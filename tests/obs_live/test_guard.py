"""The privacy guard: with our filter alive it changes nothing, without it nobody sees the room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from eoam_obs.source import guard, source_type
from eoam_obs.source.source_type import FILTER_NAME
from tests.obs_live.obs_helpers import (
    PLAIN,
    SCRIPT,
    Starter,
    brightest_hidden,
    crash_report,
    disc,
    is_drawn,
    is_empty,
    save_picture,
)
from tools.obs_driver.probe import PROBE, Probe
from tools.obs_driver.session import CAMERA, FILTER, Json, ObsSession, filter_entry, image_entry

CROP = filter_entry("crop", "crop_filter", relative=True, left=40)
OPEN = "privacy guard is off"
GUARD = filter_entry(guard.NAME, "color_filter_v2", opacity=0.0)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))


def stays_empty(obs: ObsSession, source: str = CAMERA) -> None:
    for _ in range(8):
        assert is_empty(obs.screenshot(source=source))
        obs.wait_frames(2)


def chain(obs: ObsSession, source: str) -> list[str]:
    """Return the names of a source's filters, from the camera on."""
    found = obs.request("GetSourceFilterList", sourceName=source)["filters"]
    return [entry["filterName"] for entry in sorted(found, key=lambda entry: int(entry["filterIndex"]))]


CHAINS: dict[str, Sequence[Json]] = {
    CAMERA: [GUARD, filter_entry(**PLAIN)],
    "crop first": [CROP, GUARD, filter_entry(**PLAIN)],
    "crop last": [GUARD, filter_entry(**PLAIN), CROP],
}


def test_a_guard_changes_nothing_while_the_filter_is_there(
    start_obs: Starter, brightness_model: Path, picture: Path
) -> None:
    sources = [image_entry(picture, *filters, name=name) for name, filters in CHAINS.items()]
    plain = image_entry(picture, filter_entry(**PLAIN), name="plain")
    obs = start_obs({"Test": [*sources, plain]}, environment={"EOAM_MODEL": str(brightness_model)})
    expected = obs.wait_for_picture(is_drawn, "the person without a guard", source="plain")
    for name in CHAINS:
        seen = obs.wait_for_picture(is_drawn, f"the person in {name}", source=name)
        assert brightest_hidden(seen) == 0
        if name == CAMERA:
            assert (seen == expected).all()
    # Whatever else is before the filter is drawn as it is: a guard that is nobody's guard hides everything.
    obs.request("SetSourceFilterName", sourceName=CAMERA, filterName=guard.NAME, newFilterName="my colours")
    obs.wait_for_picture(is_empty, "nothing, once the filter is just a colour correction")
    stays_empty(obs)
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


@pytest.mark.parametrize("scripts", [[], [(Path("moved") / SCRIPT.name, {})]], ids=["no script", "a moved script"])
def test_without_the_script_the_guard_alone_is_left_and_nobody_sees_the_room(
    start_obs: Starter, picture: Path, scripts: Sequence[tuple[Path, Json]]
) -> None:
    bare = image_entry(picture, filter_entry(**PLAIN), name="no guard")
    sources = [image_entry(picture, *filters, name=name) for name, filters in CHAINS.items()]
    obs = start_obs({"Test": [bare, *sources]}, scripts={"Test": scripts})
    # The control: what OBS shows of a dead filter is the whole room.
    room = obs.wait_for_picture(is_drawn, "the room", source="no guard")
    assert (room[..., 3] == 255).all()
    for name in CHAINS:
        stays_empty(obs, name)
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


def test_the_panel_adds_the_filter_with_its_guard(start_obs: Starter, brightness_model: Path, picture: Path) -> None:
    own = image_entry(picture, CROP, filter_entry(**PLAIN), filter_entry("soft", "sharpness_filter"), name="by hand")
    obs = start_obs(
        {"Test": [image_entry(picture), own]},
        scripts={"Test": [(SCRIPT, {"add_to": CAMERA}), (PROBE, {})]},
        environment={"EOAM_MODEL": str(brightness_model)},
    )
    probe = Probe(obs, obs.folder)
    probe("script_panel", press="add")
    obs.wait_for_picture(is_drawn, "the person")
    assert chain(obs, CAMERA) == [guard.NAME, FILTER_NAME]
    # Pressed again there is no second filter; but the guard comes back.
    obs.request("RemoveSourceFilter", sourceName=CAMERA, filterName=guard.NAME)
    assert "already has the filter" in str(probe("script_panel", press="add")["done"])
    assert chain(obs, CAMERA) == [guard.NAME, FILTER_NAME]
    assert chain(obs, "by hand") == ["crop", FILTER, "soft"]
    probe("filter_panel", source="by hand", name=FILTER, press="guard")
    assert chain(obs, "by hand") == ["crop", guard.NAME, FILTER, "soft"]
    probe("filter_panel", source="by hand", name=FILTER, press="guard")  # there is one: nothing is added
    assert chain(obs, "by hand") == ["crop", guard.NAME, FILTER, "soft"]
    obs.wait_for_picture(is_drawn, "the person behind the guard", source="by hand")
    # Moved out of place it hides everything, and the button brings it back.
    obs.request("SetSourceFilterIndex", sourceName="by hand", filterName=guard.NAME, filterIndex=0)
    obs.wait_for_picture(is_empty, "nothing", source="by hand")
    probe("filter_panel", source="by hand", name=FILTER, press="guard")
    assert chain(obs, "by hand") == ["crop", guard.NAME, FILTER, "soft"]
    obs.wait_for_picture(is_drawn, "the person again", source="by hand")
    # OBS opens its dialog at the guard; the button Defaults there, or the eye beside it, leaves it hiding nothing.
    here = {"sourceName": "by hand", "filterName": guard.NAME}
    for request, values in (
        ("SetSourceFilterSettings", {"filterSettings": {}, "overlay": False}),
        ("SetSourceFilterEnabled", {"filterEnabled": False}),
    ):
        assert "guard" not in probe("filter_panel", source="by hand", name=FILTER)
        obs.request(request, **here, **values)
        assert "guard" in probe("filter_panel", source="by hand", name=FILTER)
        assert "guard" not in probe("filter_panel", source="by hand", name=FILTER, press="guard")
        mended = obs.request("GetSourceFilter", **here)
        assert (mended["filterSettings"]["opacity"], mended["filterEnabled"]) == (0.0, True)
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


@pytest.mark.parametrize(
    ("request_name", "values"),
    [
        ("SetSourceFilterSettings", {"filterSettings": {}, "overlay": False}),
        ("SetSourceFilterSettings", {"filterSettings": {"opacity": 0.4}}),
        ("SetSourceFilterEnabled", {"filterEnabled": False}),
    ],
    ids=["its button Defaults", "its opacity", "its eye"],
)
def test_both_panels_say_that_the_guard_is_open(
    start_obs: Starter, brightness_model: Path, picture: Path, request_name: str, values: Json
) -> None:
    obs = start_obs(
        {"Test": [image_entry(picture, CROP, GUARD, filter_entry(**PLAIN)), image_entry(picture, name="bare")]},
        scripts={"Test": [(SCRIPT, {"add_to": CAMERA}), (PROBE, {})]},
        environment={"EOAM_MODEL": str(brightness_model)},
    )
    probe = Probe(obs, obs.folder)
    obs.request("CreateSourceFilter", sourceName="bare", filterName="own", filterKind=source_type.FILTER_ID)

    def said(**press: str) -> str:
        own = probe("filter_panel", source=CAMERA, name=FILTER, **press)["status"]
        table = probe("script_panel")["filters"]
        assert OPEN not in probe("filter_panel", source="bare", name="own")["status"]  # it has none
        assert table.count(OPEN) == own.count(OPEN)
        return str(own)

    obs.wait_for_picture(is_drawn, "the person behind the guard")
    assert OPEN not in said()
    obs.request(request_name, sourceName=CAMERA, filterName=guard.NAME, **values)
    assert said().startswith("Removing the background: ")
    assert "Press Guard this camera" in said()
    order = list(probe("filter_panel", source=CAMERA, name=FILTER))
    assert order[:2] == ["status", "guard"]  # not to be looked for below everything else
    assert OPEN not in said(press="guard")
    # The button Add of the script's panel mends it as well.
    obs.request(request_name, sourceName=CAMERA, filterName=guard.NAME, **values)
    assert OPEN in said()
    probe("script_panel", press="add")
    assert OPEN not in said()
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
