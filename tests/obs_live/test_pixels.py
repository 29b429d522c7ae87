"""Every preset on the pixels that OBS draws, and the hotkeys with every background.

test_outputs.py has every background and every view, test_hotkeys.py every hotkey. On a picture that stands still
"Low CPU" looks as "Streaming" does: its mask for every second picture is in test_parts.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from eoam_core.compose import compose_frame
from eoam_core.pictures.picture import fit_network
from eoam_core.presets import values_of
from eoam_core.settings import Preset, Settings
from tests.obs_live.obs_helpers import Starter, is_drawn, is_empty, save_picture
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import SCENE, ObsSession, filter_entry, image_entry

WIDTH, HEIGHT = 640, 360
PINK, GROUND = (255, 140, 255), (0x20, 0x40, 0xC0)  # RGB; the toy network takes what is bright for a person
PERSON, OTHER = (220, 180, 100), (530, 180, 45)  # x, y, radius; the other one is large enough to be kept
PURPOSE = {"background": "color", "background_color": 0xFF << 24 | GROUND[2] << 16 | GROUND[1] << 8 | GROUND[0]}
QUALITY = (Preset.LOW_CPU, Preset.BEST_EDGES)  # these two leave the background as it is


def scene() -> Picture:
    """Draw a room with writing on its wall, a person, and a smaller second one: (h, w, 3) BGR."""
    picture = np.full((HEIGHT, WIDTH, 3), (60, 90, 40), np.uint8)
    for row in range(20, HEIGHT, 24):
        cv2.putText(picture, "who reads this lives here " * 2, (4, row), cv2.FONT_HERSHEY_PLAIN, 1.4, (10, 10, 10), 2)
    for x, y, radius in (PERSON, OTHER):
        cv2.circle(picture, (x, y), radius, PINK, -1, cv2.LINE_AA)
    return picture


def distance(disc: tuple[int, int, int]) -> np.ndarray:
    """Return how far outside of a disc each pixel is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - disc[0], y - disc[1]) - disc[2]


INSIDE, OTHER_INSIDE = distance(PERSON) < -10, distance(OTHER) < -10
OTHER_RIM = (distance(OTHER) > -8) & (distance(OTHER) < -4)  # where the blur is seen
OUTSIDE = (distance(PERSON) > 12) & (distance(OTHER) > 12)
OUTLINE = np.abs(distance(PERSON)) <= 10


def reference(preset: Preset) -> Picture:
    """Return what the command line makes of the scene, RGBA with straight alpha."""
    frame = np.dstack([scene(), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    mask = np.rint(fit_network(frame, height=144, width=256)[..., :3].mean(axis=2)).astype(np.uint8)
    values = values_of(preset)
    if values["regions"] == "largest":
        mask[:, 170:] = 0  # where the other one is
    return compose_frame(frame, mask, Settings.validated(**{**PURPOSE, "preset": preset.value, **values}))


def share_off(found: Picture, expected: Picture) -> float:
    """Return the mean difference at the outline, where the presets differ."""
    return float(np.abs(found[OUTLINE].astype(int) - expected[OUTLINE]).mean())


def sharpness(picture: Picture) -> int:
    """Return the largest step from one pixel of the room to the next."""
    steps = np.abs(np.diff(picture[..., 1].astype(int), axis=1))
    return int(steps[OUTSIDE[:, 1:] & OUTSIDE[:, :-1]].max())


def is_the_person_alone(picture: Picture) -> bool:
    """Whether the person is there and nothing is round it."""
    return bool((picture[INSIDE] == (*PINK, 255)).all()) and not picture[OUTSIDE].any()


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    folder = tmp_path_factory.mktemp("pictures")
    ground = save_picture(folder / "ground.png", np.full((30, 40, 3), GROUND[::-1], np.uint8))
    camera = image_entry(save_picture(folder / "scene.png", scene()), filter_entry(background_picture=str(ground)))
    session = start_obs({"Test": [camera]}, environment={"EOAM_MODEL": str(brightness_model)}, fps=15)
    session.wait_for_picture(is_drawn, "the person")
    return session


@pytest.fixture(scope="module")
def probe(obs: ObsSession) -> Probe:
    return Probe(obs, obs.folder)


@pytest.fixture
def new(obs: ObsSession) -> None:
    """The filter as it is when it is new."""
    set_and_settle(obs, preset="custom", threshold=0.6)
    obs.set_filter(preset="streaming")
    obs.wait_for_picture(is_the_person_alone, "the cut-out")


def set_and_settle(obs: ObsSession, **settings: Any) -> None:
    """Set something and wait until the filter has looked at it: what follows at once is taken together with it."""
    obs.set_filter(**settings)
    obs.wait_frames(4)
    obs.request("SetCurrentProgramScene", sceneName=SCENE)


def press(obs: ObsSession, action: str) -> None:
    obs.request("TriggerHotkeyByName", hotkeyName=f"eoam.{action}")


def test_streaming_leaves_nothing_behind_two_people(obs: ObsSession) -> None:
    set_and_settle(obs, preset="meeting")
    obs.set_filter(preset="streaming")
    picture = obs.wait_for_picture(is_the_person_alone, "the people")
    assert (picture[OTHER_INSIDE] == (*PINK, 255)).all()
    expected = reference(Preset.STREAMING)
    assert np.abs(picture[..., 3].astype(int) - expected[..., 3])[OUTLINE].mean() < 6


def test_meeting_blurs_the_room_and_who_else_is_in_it(obs: ObsSession) -> None:
    set_and_settle(obs, preset="streaming")
    obs.set_filter(preset="meeting")
    expected = reference(Preset.MEETING)

    def is_blurred(picture: Picture) -> bool:
        # The room is blurred at once, the other one with the first mask that is made by the new settings.
        other = np.abs(picture[OTHER_RIM].astype(int) - (*PINK, 255)).max(axis=1)
        return bool((picture[..., 3] == 255).all()) and sharpness(picture) < 12 and bool((other > 20).all())

    picture = obs.wait_for_picture(is_blurred, "the blurred room, and the other one blurred")
    assert sharpness(scene()) > 50
    assert (picture[INSIDE][:, :3] == PINK).all()
    assert np.abs(picture.astype(int) - expected)[OUTSIDE | INSIDE].max() <= 3


@pytest.mark.parametrize("preset", QUALITY, ids=lambda preset: str(preset.value))
def test_the_others_keep_the_background_and_change_the_edge(obs: ObsSession, preset: Preset) -> None:
    set_and_settle(obs, **{**PURPOSE, "preset": "custom"})
    other = next(one for one in QUALITY if one is not preset)
    set_and_settle(obs, preset=other.value)
    obs.set_filter(preset=preset.value)
    own, others = reference(preset), reference(other)
    assert share_off(own, others) > 0.3, "the presets look alike"

    def is_its_edge(picture: Picture) -> bool:
        return share_off(picture, own) < share_off(picture, others) / 2

    picture = obs.wait_for_picture(is_its_edge, f"the edge of {preset.value}")
    assert (picture[OUTSIDE] == (*GROUND, 255)).all()
    # The cleaning of colours reaches a little into the person.
    assert np.abs(picture[INSIDE | OTHER_INSIDE].astype(int) - (*PINK, 255)).max() <= 4


@pytest.mark.usefixtures("new")
def test_the_key_for_the_next_background_goes_round_all_of_them(obs: ObsSession) -> None:
    def is_blurred(picture: Picture) -> bool:
        return bool((picture[..., 3] == 255).all()) and 0 < sharpness(picture) < 12

    def is_colour(colour: tuple[int, int, int]) -> bool:
        return bool((obs.screenshot()[OUTSIDE] == (*colour, 255)).all())

    set_and_settle(obs, background_color=0xFF0000FF)  # red
    press(obs, "next_background")
    obs.wait_for_picture(is_blurred, "the blurred room")
    press(obs, "next_background")
    obs.wait(lambda: is_colour((255, 0, 0)), "the colour")
    press(obs, "next_background")
    obs.wait(lambda: is_colour(GROUND), "the picture")
    press(obs, "next_background")
    obs.wait_for_picture(is_the_person_alone, "nothing behind the person")


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("background", ["transparent", "blur", "color", "picture"])
def test_while_the_key_is_held_nothing_is_drawn_whatever_is_behind(
    obs: ObsSession, probe: Probe, background: str
) -> None:
    obs.set_filter(background=background, no_mask="blur")
    obs.wait_for_picture(lambda picture: is_drawn(picture) and (background == "transparent") != picture[0, 0, 3], "it")
    probe("hold", name="eoam.hide", pressed=True)
    obs.wait_for_picture(is_empty, "nothing")
    obs.wait_frames(3)
    assert is_empty(obs.screenshot())
    probe("hold", name="eoam.hide", pressed=False)
    obs.wait_for_picture(is_drawn, "the picture again")
    obs.set_filter(no_mask="nothing", background="transparent")
