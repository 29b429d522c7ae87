"""The filter's files in OBS's dialog *Missing Files*: listed, replaced, cleared, and asked for without Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.obs_live.obs_helpers import PLAIN, Starter, crash_report, disc, save_picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import CAMERA, FILTER, ObsSession, colour_entry, filter_entry, image_entry

WIDTH, HEIGHT = 640, 360
LABEL = f"{CAMERA}: {FILTER}"
WHOLE: dict[str, Any] = {
    "background": "transparent",
    "background_picture": "",
    "model": "eoam",
    "follow_defaults": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("missing")


@pytest.fixture(scope="module")
def session(start_obs: Starter, brightness_model: Path, folder: Path) -> ObsSession:
    save_picture(folder / "there.png", np.full((30, 40, 3), (90, 200, 60), np.uint8))
    (folder / "there.onnx").write_bytes(brightness_model.read_bytes())
    # As a scene collection that comes from another computer: the filter is loaded with a picture that is not there.
    lost = {"background": "picture", "background_picture": str(folder / "lost.png")}
    camera = image_entry(save_picture(folder / "disc.png", disc(WIDTH, HEIGHT)), filter_entry(**PLAIN, **lost))
    return start_obs(
        {"Test": [colour_entry(0xFF00FF00, WIDTH, HEIGHT), camera]}, environment={"EOAM_MODEL": str(brightness_model)}
    )


@pytest.fixture(scope="module")
def probe(session: ObsSession) -> Probe:
    return Probe(session, session.folder)


@pytest.fixture
def obs(session: ObsSession, probe: Probe) -> Iterator[ObsSession]:
    yield session
    session.set_filter(**WHOLE)
    listed_is(session, probe, [])


def listed_is(obs: ObsSession, probe: Probe, expected: list[list[str]]) -> None:
    obs.wait(lambda: probe("missing_files") == expected, f"{expected} in the dialog")


def settings(obs: ObsSession) -> dict[str, Any]:
    answer = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=FILTER)
    found: dict[str, Any] = answer["filterSettings"]
    return found


def when(obs: ObsSession, is_so: Callable[[dict[str, Any]], bool], what: str) -> None:
    obs.wait(lambda: is_so(settings(obs)), what)


def test_a_picture_that_is_missing_on_loading_is_listed_and_replaced(
    obs: ObsSession, probe: Probe, folder: Path
) -> None:
    lost, there = str(folder / "lost.png"), str(folder / "there.png")
    listed_is(obs, probe, [[lost, LABEL]])
    assert "file_is_missing setting=background_picture" in obs.log
    probe("missing_files", replace={lost: there})
    when(obs, lambda found: found["background_picture"] == there, "the picture that was chosen")
    listed_is(obs, probe, [])
    obs.wait_for_picture(lambda seen: tuple(seen[5, 5]) == (60, 200, 90, 255), "the picture")


def test_a_network_of_the_users_own_is_listed_and_replaced(obs: ObsSession, probe: Probe, folder: Path) -> None:
    lost, there = str(folder / "lost.onnx"), str(folder / "there.onnx")
    obs.set_filter(model=lost)
    listed_is(obs, probe, [[lost, LABEL]])
    probe("missing_files", replace={lost: there})
    when(obs, lambda found: found["model"] == there, "the network that was chosen")
    obs.wait_for_picture(lambda seen: bool(seen[..., 3].any()), "a person")


def test_both_are_listed_and_one_may_be_cleared(obs: ObsSession, probe: Probe, folder: Path) -> None:
    network, picture = str(folder / "lost.onnx"), str(folder / "lost.png")
    obs.set_filter(model=network, background="picture", background_picture=picture)
    obs.wait(lambda: sorted(probe("missing_files")) == [[network, LABEL], [picture, LABEL]], "both")
    probe("missing_files", replace={network: ""})
    when(obs, lambda found: found["model"] == "eoam", "the network that comes with EOAM")
    listed_is(obs, probe, [[picture, LABEL]])


def test_what_was_replaced_by_another_missing_file_is_listed_again(obs: ObsSession, probe: Probe, folder: Path) -> None:
    first, second = str(folder / "first.png"), str(folder / "second.png")
    obs.set_filter(background="picture", background_picture=first)
    listed_is(obs, probe, [[first, LABEL]])
    probe("missing_files", replace={first: second})
    # OBS has it in its list at once, the filter when the watch has seen it there.
    obs.wait(lambda: settings(obs)["background_picture"] == second, "the file that was chosen")
    listed_is(obs, probe, [[second, LABEL]])


def test_a_file_that_comes_back_or_is_not_used_is_not_listed(obs: ObsSession, probe: Probe, folder: Path) -> None:
    late = folder / "late.png"
    obs.set_filter(background="picture", background_picture=str(late))
    listed_is(obs, probe, [[str(late), LABEL]])
    obs.set_filter(background="transparent")
    listed_is(obs, probe, [])
    obs.set_filter(background="picture")
    listed_is(obs, probe, [[str(late), LABEL]])
    late.write_bytes((folder / "there.png").read_bytes())
    listed_is(obs, probe, [])
    assert settings(obs)["background_picture"] == str(late)


def test_nothing_is_listed_while_the_script_is_unloaded(obs: ObsSession, probe: Probe, folder: Path) -> None:
    lost = str(folder / "lost.png")
    obs.set_filter(background="picture", background_picture=lost)
    listed_is(obs, probe, [[lost, LABEL]])
    probe("unload")
    listed_is(obs, probe, [])
    probe("load")
    listed_is(obs, probe, [[lost, LABEL]])


def test_obs_has_its_answer_whoever_holds_pythons_lock(obs: ObsSession, probe: Probe, folder: Path) -> None:
    lost = str(folder / "lost.png")
    obs.set_filter(background="picture", background_picture=lost)
    listed_is(obs, probe, [[lost, LABEL]])
    answer = probe("answers_without_python")
    assert answer["asked"] > 3
    assert answer["waiting"] == []


def test_a_filter_that_is_removed_takes_its_files_along(session: ObsSession, probe: Probe, folder: Path) -> None:
    lost = str(folder / "lost.png")
    session.set_filter(background="picture", background_picture=lost)
    listed_is(session, probe, [[lost, LABEL]])
    session.request("RemoveSourceFilter", sourceName=CAMERA, filterName=FILTER)
    listed_is(session, probe, [])


def test_obs_ends_cleanly(session: ObsSession) -> None:
    assert "callback_failed" not in session.log
    ended = session.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, session)
