"""A camera on its side, at all four turns, in a real OBS: its mask is that of the upright camera."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import pytest
import skimage.data

from tests.obs_live.obs_helpers import Starter, crash_report, is_drawn, save_picture
from tools.obs_driver.session import ObsSession, filter_entry, group_entry, image_entry

UPRIGHT: Final = "upright"
# How a camera's picture lies that is turned by so many degrees, clockwise, in OBS, and what turns it upright.
LIES: Final = {
    "90": (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_90_CLOCKWISE),
    "180": (cv2.ROTATE_180, cv2.ROTATE_180),
    "270": (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
SIZE: Final = (512, 384)  # of the upright picture: height, width


@pytest.fixture(scope="module")
def obs(start_obs: Starter, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    folder = tmp_path_factory.mktemp("pictures")
    picture = np.ascontiguousarray(skimage.data.astronaut()[:, 64 : 64 + SIZE[1], ::-1])  # BGR
    sources = [image_entry(save_picture(folder / "upright.png", picture), filter_entry(), name=UPRIGHT)]
    for turn, (lies, _) in LIES.items():
        file = save_picture(folder / f"{turn}.png", np.ascontiguousarray(cv2.rotate(picture, lies)))
        sources.append(image_entry(file, filter_entry(turn=turn), name=f"turned {turn}"))
        sources.append(image_entry(file, filter_entry(), name=f"not told {turn}"))
    file = folder / "90.png"
    sources += [
        image_entry(file, name="in the group"),
        group_entry("group", "in the group", SIZE[::-1], filter_entry()),
    ]
    session = start_obs({"Test": sources}, canvas=(640, 640))
    session.wait_for_picture(is_drawn, "the person", source=UPRIGHT)
    return session


def _settled(obs: ObsSession, source: str) -> np.ndarray:
    """Return a source's alpha, (h, w) uint8, once two pictures that follow each other are the same."""
    obs.wait_for_picture(is_drawn, f"the person in {source}", source=source)
    last: list[np.ndarray] = []

    def stands(picture: np.ndarray) -> bool:
        last.append(picture)
        return len(last) > 1 and np.array_equal(last[-1], last[-2])

    return np.asarray(obs.wait_for_picture(stands, "a mask that has settled", source=source)[..., 3])


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    ones, others = one > 127, other > 127
    return float((ones & others).sum() / (ones | others).sum())


@pytest.mark.parametrize("turn", LIES)
def test_a_turned_cameras_mask_is_that_of_the_upright_one(obs: ObsSession, turn: str) -> None:
    upright = _settled(obs, UPRIGHT)
    found = cv2.rotate(_settled(obs, f"turned {turn}"), LIES[turn][1])
    assert found.shape == upright.shape
    assert _overlap(found, upright) > 0.985
    not_told = cv2.rotate(_settled(obs, f"not told {turn}"), LIES[turn][1])
    assert _overlap(found, upright) > _overlap(not_told, upright) + 0.02


def test_a_turn_that_is_changed_shows_nothing_that_does_not_belong_together(obs: ObsSession) -> None:
    source = "turned 90"
    before = _settled(obs, source)
    for turn in ("270", "none", "180", "90"):
        obs.set_filter(source=source, turn=turn)
        for _ in range(4):
            picture = obs.screenshot(source=source)
            assert picture.shape[:2] == before.shape
            assert not picture[0, 0, 3], "a corner of the background"
    assert _overlap(_settled(obs, source), before) > 0.985


def test_a_camera_that_is_turned_inside_its_group_needs_no_setting(obs: ObsSession) -> None:
    (item,) = obs.request("GetGroupSceneItemList", sceneName="group")["sceneItems"]
    obs.request(
        "SetSceneItemTransform",
        sceneName="group",
        sceneItemId=item["sceneItemId"],
        sceneItemTransform={
            "boundsType": "OBS_BOUNDS_NONE",
            "rotation": 90.0,
            "positionX": float(SIZE[1]),
            "positionY": 0.0,
            "scaleX": 1.0,
            "scaleY": 1.0,
        },
    )
    upright = _settled(obs, UPRIGHT)
    obs.wait(lambda: obs.source_size("group") == SIZE[::-1], "the group's size")

    def is_upright(picture: np.ndarray) -> bool:
        return picture.shape[:2] == upright.shape and _overlap(picture[..., 3], upright) > 0.985

    obs.wait_for_picture(is_upright, "the upright person", source="group")


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
