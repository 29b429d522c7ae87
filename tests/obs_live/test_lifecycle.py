"""The script is reloaded, unloaded, loaded and left out while filters live; OBS is ended."""

from __future__ import annotations

from pathlib import Path

import pytest

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
from tools.obs_driver.session import CAMERA, FILTER, FILTER_ID, Collection, Json, ObsSession, filter_entry, image_entry


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    return [image_entry(file, filter_entry(**PLAIN))]


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, sources: list[Json]) -> ObsSession:
    session = start_obs(
        {"With": sources, "Without": sources},
        scripts={"Without": [(PROBE, {})]},
        environment={"EOAM_MODEL": str(brightness_model)},
    )
    session.wait_for_picture(is_drawn, "the person")
    return session


@pytest.fixture(scope="module")
def probe(obs: ObsSession) -> Probe:
    return Probe(obs, obs.folder)


def stays_empty(obs: ObsSession, frames: int = 6) -> None:
    for _ in range(frames):
        assert is_empty(obs.screenshot())
        obs.wait_frames(1)


def test_an_unloaded_script_leaves_filters_that_draw_nothing(obs: ObsSession, probe: Probe) -> None:
    obs.wait_for_picture(is_drawn, "the person")
    probe("unload")
    stays_empty(obs)
    assert not probe("filter_panel", source=CAMERA, name=FILTER)
    probe("unload")  # twice is once
    obs.set_filter(threshold=0.6)
    stays_empty(obs, 2)
    probe("load")
    obs.wait_for_picture(is_drawn, "the person again")
    probe("load")  # as OBS does with a second copy of the same name
    obs.wait_for_picture(is_drawn, "the person still")
    probe("unload")
    obs.wait_frames(6)
    obs.wait_for_picture(is_drawn, "the person, since one copy is left")


def test_a_filter_added_while_the_script_is_unloaded_starts_with_the_script(obs: ObsSession, probe: Probe) -> None:
    probe("unload")
    obs.request("RemoveSourceFilter", sourceName=CAMERA, filterName=FILTER)
    obs.request("CreateSourceFilter", sourceName=CAMERA, filterName=FILTER, filterKind=FILTER_ID, filterSettings=PLAIN)
    stays_empty(obs, 3)
    probe("load")
    obs.wait_for_picture(is_drawn, "the person")


def test_the_script_can_be_reloaded_again_and_again(obs: ObsSession, probe: Probe) -> None:
    for _ in range(4):
        probe("reload")
        for _ in range(3):
            assert brightest_hidden(obs.screenshot()) == 0
        picture = obs.wait_for_picture(is_drawn, "the person")
        assert not picture[0, 0].any()
    assert obs.log.count("filter_registered") == 1
    assert "already exists" not in obs.log


def test_switching_the_scene_collection_unloads_and_loads_the_script(obs: ObsSession) -> None:
    def switch(name: str) -> None:
        obs.request("SetCurrentSceneCollection", sceneCollectionName=name)
        obs.wait(lambda: obs.source_size() == (640, 360), f"the collection {name}")

    switch("Without")  # it has the filter, but not the script
    stays_empty(obs)
    switch("With")
    obs.wait_for_picture(is_drawn, "the person")
    switch("Without")
    switch("With")
    obs.wait_for_picture(is_drawn, "the person")
    assert "callback_failed" not in obs.log


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


@pytest.mark.parametrize("attempt", [1, 2])
def test_obs_ends_cleanly_while_frames_are_in_flight(
    start_obs: Starter, brightness_model: Path, sources: list[Json], attempt: int
) -> None:
    obs = start_obs({"Test": sources}, environment={"EOAM_MODEL": str(brightness_model)})
    obs.wait_for_picture(is_drawn, "the person")
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


@pytest.fixture(scope="module")
def copies(
    start_obs: Starter, brightness_model: Path, sources: list[Json], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ObsSession, Probe]:
    """Start an OBS with three copies of the script: the second has the name of the first, the third another."""
    folder = tmp_path_factory.mktemp("copies")
    same, other = folder / SCRIPT.name, folder / "eoam_again.py"
    for copy in (same, other):
        copy.symlink_to(SCRIPT)
    scripts: list[tuple[Path, Json]] = [(SCRIPT, {}), (same, {}), (other, {}), (PROBE, {})]
    session = start_obs({"Test": sources}, scripts={"Test": scripts}, environment={"EOAM_MODEL": str(brightness_model)})
    session.wait_for_picture(is_drawn, "the person")
    return session, Probe(session, session.folder)


@pytest.mark.parametrize("order", [("eoam_again", "obs_eoam"), ("obs_eoam", "eoam_again"), ("obs_eoam", "obs_eoam")])
def test_a_copy_of_the_script_that_is_taken_out_leaves_the_others_filters_alone(
    copies: tuple[ObsSession, Probe], order: tuple[str, str]
) -> None:
    obs, probe = copies
    for module in order:
        probe("unload", module=module)
        obs.set_filter(threshold=0.55)
        obs.wait_frames(6)
        obs.wait_for_picture(is_drawn, "the person, since one copy is left")
    for module in order:
        probe("load", module=module)
    obs.wait_for_picture(is_drawn, "the person")


def test_the_last_copy_that_is_taken_out_takes_the_person_along(copies: tuple[ObsSession, Probe]) -> None:
    obs, probe = copies
    assert obs.log.count("EOAM is in Tools > Scripts more than once") + obs.log.count("script_is_loaded_twice") >= 2
    for module in ("obs_eoam", "eoam_again", "obs_eoam"):
        obs.wait_for_picture(is_drawn, "the person")
        probe("unload", module=module)
    stays_empty(obs)
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


def test_obs_does_not_crash_if_somebody_keeps_a_source_to_the_end(
    display: str, brightness_model: Path, sources: list[Json], tmp_path: Path
) -> None:
    # libobs then destroys the source, and our filter on it, after Python has ended.
    scripts: list[tuple[Path, Json]] = [(SCRIPT, {}), (PROBE, {})]
    environment = {"EOAM_MODEL": str(brightness_model), "EOAM_PROBE": str(tmp_path)}
    collections = {"Test": Collection(sources, scripts)}
    with ObsSession(tmp_path, display, collections, canvas=(640, 360), environment=environment) as obs:
        obs.wait_for_picture(is_drawn, "the person")
        assert Probe(obs, tmp_path)("keep", source=CAMERA)
        ended = obs.end()
        assert "Not all sources were cleared" in ended.output or "sources were not freed" in ended.output or ended.leaks
        assert ended.exit_code == 0, crash_report(ended, obs)
