"""The whole product on a moving picture of a person: the trained network in a real OBS.

Slow: it is the main job, in a real OBS.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.obs_live.obs_helpers import Starter, brightest_hidden, crash_report, is_drawn
from tools.obs_driver import clips
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import CAMERA, FILTER, ObsSession, colour_entry, filter_entry, video_entry

SIZES = {CAMERA: (960, 540), "classic": (640, 480), "upright": (540, 960)}


@pytest.fixture(scope="module")
def obs(start_obs: Starter, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    folder = tmp_path_factory.mktemp("clips")
    sources = [colour_entry(0xFF30A030, 960, 540)]
    for name, (width, height) in reversed(SIZES.items()):
        file = folder / f"{name}.mkv"
        clips.write_video(file, clips.astronaut_frames(width, height, 60), 30)
        sources.append(video_entry(file, filter_entry(), name=name))
    return start_obs({"Test": sources}, canvas=(960, 540))


def alpha_at(picture: Picture, places: dict[str, tuple[int, int]]) -> dict[str, float]:
    """Return the median alpha, 0 to 1, round places of the astronaut picture, in whatever phase the clip is."""
    height, width = picture.shape[:2]
    found = {}
    for name, place in places.items():
        # The clip moves by a few pixels; the places are chosen to hold in every phase, and the median sees to the rest.
        points = [clips.astronaut_point(place, width, height, phase) for phase in (0.0, 0.25, 0.5, 0.75)]
        inside = [(x, y) for x, y in points if 4 <= x < width - 4 and 4 <= y < height - 4]
        if not inside:
            continue  # an upright picture has no room for the flag
        patches = [picture[y - 4 : y + 5, x - 4 : x + 5, 3] for x, y in inside]
        found[name] = float(np.median(np.concatenate([patch.ravel() for patch in patches]))) / 255
    return found


@pytest.mark.parametrize("source", SIZES)
def test_the_person_stays_and_the_room_goes(obs: ObsSession, source: str) -> None:
    obs.wait_for_picture(is_drawn, f"a picture of {source}", source=source)
    for _ in range(4):
        obs.wait_frames(11)
        # A machine that is busy elsewhere may leave nothing to see for a moment; what is seen must be right.
        picture = obs.wait_for_picture(is_drawn, f"a picture of {source}", source=source)
        person = alpha_at(picture, clips.ASTRONAUT_PERSON)
        room = alpha_at(picture, clips.ASTRONAUT_ROOM)
        assert person.keys() == clips.ASTRONAUT_PERSON.keys()
        assert min(person.values()) > 0.9, person
        assert len(room) >= 2
        assert max(room.values()) < 0.1, room
        assert brightest_hidden(picture) == 0


def test_a_mask_takes_a_few_milliseconds(obs: ObsSession) -> None:
    status = str(Probe(obs, obs.folder)("filter_panel", source=CAMERA, name=FILTER)["status"])
    assert " ms per mask, " in status
    milliseconds = float(status.split(": ")[1].split(" ms")[0])
    assert milliseconds < 100, status  # generous: the machine of a test run has other things to do


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
