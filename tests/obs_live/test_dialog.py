"""The filter's dialog in a real OBS, opened, clicked into and photographed: what a user sees, not what is stored.

The rows of the panel are counted by the names that stand at its left, whatever OBS's theme: something that is lighter
than the ground.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from eoam_core.settings import describe_settings
from tests.obs_live.obs_helpers import SCRIPT, crash_report, disc, save_picture
from tools.obs_driver import desktop as obs_desktop
from tools.obs_driver.clips import Picture
from tools.obs_driver.desktop import Desktop
from tools.obs_driver.session import CAMERA, FILTER, Collection, ObsSession, filter_entry, image_entry, virtual_display

SCREEN = (1300, 2300)
WIDTH, HEIGHT = 900, 2200  # of the dialog: the whole panel has room in its lower half
PANEL = slice(int(HEIGHT * 0.48), int(HEIGHT * 0.97))  # below the picture, above the buttons
NAMES = slice(275, 375)  # the column of the settings' names
LIGHTER = 60  # of 255: how much letters differ from the ground at least
PLAIN = {info.name for info in describe_settings() if info.group != "advanced" and not info.shown_if} | {"advanced"}
CHOOSER = 1  # the row that chooses a network from a file is no setting

pytestmark = [
    pytest.mark.obs,
    pytest.mark.skipif(
        bool(obs_desktop.missing_programs()), reason=f"not installed: {', '.join(obs_desktop.missing_programs())}"
    ),
]


class Dialog:
    """The filter's dialog."""

    def __init__(self, obs: ObsSession, desktop: Desktop, folder: Path) -> None:
        self._obs, self._desktop, self._folder = obs, desktop, folder
        obs.request("OpenInputFiltersDialog", inputName=CAMERA)
        self._window = desktop.window("^Filters for", timeout_s=40)
        desktop.place(self._window, WIDTH, HEIGHT)
        obs.wait(lambda: desktop.geometry(self._window) == (0, 0, WIDTH, HEIGHT), "the dialog's size", every_s=0.5)

    def photograph(self) -> Picture:
        return self._desktop.photograph(self._window)

    def wait_for_rows(self, count: int, what: str) -> list[int]:
        """Wait until the panel has so many rows with names, and return where they are; the picture is kept."""
        found = self._obs.wait(
            lambda: rows if len(rows := rows_of(self.photograph())) == count else [], what, timeout_s=40, every_s=0.5
        )
        cv2.imwrite(str(self._folder / f"{what}.png"), self.photograph()[..., ::-1])
        return found

    def click(self, x: int, y: int) -> None:
        self._desktop.click(x, y)


def is_lighter(picture: Picture) -> np.ndarray:
    """Return where in the panel something is lighter than its ground, (h, w) bool."""
    grey = picture[PANEL].max(axis=2).astype(int)
    return grey > int(np.median(grey[:, NAMES])) + LIGHTER


def rows_of(picture: Picture) -> list[int]:
    """Return the height at which each name stands."""
    lines = np.flatnonzero(is_lighter(picture)[:, NAMES].any(axis=1))
    if not lines.size:
        return []
    rows = np.split(lines, np.flatnonzero(np.diff(lines) > 10) + 1)
    return [int(row.mean()) + PANEL.start for row in rows]


@pytest.fixture(scope="module")
def obs(brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObsSession]:
    folder = tmp_path_factory.mktemp("obs")
    camera = image_entry(save_picture(folder / "disc.png", disc(640, 360)), filter_entry())
    collections = {"Test": Collection([camera], [(SCRIPT, {})])}
    with virtual_display(f"{SCREEN[0]}x{SCREEN[1]}") as display:
        environment = {"EOAM_MODEL": str(brightness_model)}
        with ObsSession(folder, display, collections, canvas=(640, 360), environment=environment) as session:
            yield session
            ended = session.end()
        assert ended.is_clean or ended.fault_of_obs, crash_report(ended, session)


@pytest.fixture(scope="module")
def dialog(obs: ObsSession, tmp_path_factory: pytest.TempPathFactory) -> Dialog:
    return Dialog(obs, Desktop(obs.display, SCREEN), tmp_path_factory.mktemp("dialog"))


def stored(obs: ObsSession) -> dict[str, object]:
    found: dict[str, object] = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=FILTER)["filterSettings"]
    return found


def test_the_state_stands_above_a_few_settings_and_nothing_is_cut_off(dialog: Dialog) -> None:
    rows = dialog.wait_for_rows(len(PLAIN), "the plain settings")
    light = is_lighter(dialog.photograph())
    sentence = light[: rows[0] - PANEL.start - 15, 380 : WIDTH - 30]
    assert sentence.any(axis=0).mean() > 0.3, "no sentence of state"
    # Names that have no room would reach the border; between it and them is some of the ground.
    assert not light[:, 268:273].any()
    assert not light[:, WIDTH - 4 :].any()


def test_a_click_opens_the_advanced_settings_and_another_one_closes_them(obs: ObsSession, dialog: Dialog) -> None:
    before = dialog.wait_for_rows(len(PLAIN), "the plain settings")
    height = before[-2]  # above "Show", which is the last
    dialog.click(330, height)
    obs.wait(lambda: stored(obs)["advanced"] is True, "the tick to be stored")
    shown = {
        info.name
        for info in describe_settings()
        if not info.shown_if or any(stored(obs)[name] == value for name, value in info.shown_if)
    }
    dialog.wait_for_rows(len(shown) + CHOOSER, "the advanced settings")
    dialog.click(330, height)
    obs.wait(lambda: stored(obs)["advanced"] is False, "the tick to be gone")
    dialog.wait_for_rows(len(PLAIN), "the plain settings again")


@pytest.mark.parametrize("background", ["blur", "color", "picture"])
def test_a_background_brings_its_own_setting_along(obs: ObsSession, dialog: Dialog, background: str) -> None:
    obs.set_filter(background=background)
    dialog.wait_for_rows(len(PLAIN) + 1, f"the row of {background}")
    obs.set_filter(background="transparent")
    dialog.wait_for_rows(len(PLAIN), "the row to be gone")


def test_a_filter_that_follows_the_script_shows_no_settings(obs: ObsSession, dialog: Dialog) -> None:
    obs.set_filter(follow_defaults=True)
    obs.wait(lambda: 0 < len(rows_of(dialog.photograph())) <= 6, "few rows", timeout_s=40, every_s=0.5)
    obs.set_filter(follow_defaults=False)
    dialog.wait_for_rows(len(PLAIN), "the settings again")


def test_a_network_that_is_chosen_over_obs_websocket_is_not_undone_by_the_open_dialog(
    obs: ObsSession, dialog: Dialog, tmp_path: Path
) -> None:
    dialog.wait_for_rows(len(PLAIN), "the plain settings")
    file = str(tmp_path / "own.onnx")
    obs.set_filter(advanced=True, model=file)
    obs.wait(lambda: stored(obs)["advanced"] is True, "the settings to be taken")
    obs.wait(lambda: len(rows_of(dialog.photograph())) > len(PLAIN) + 5, "the panel to be built anew", every_s=0.5)
    obs.wait_frames(30)
    assert stored(obs)["model"] == file
    obs.set_filter(advanced=False, model="eoam")
    dialog.wait_for_rows(len(PLAIN), "the plain settings again")
