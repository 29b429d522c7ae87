"""What the filter adds to an HDR source arrives as it was chosen, on every kind of canvas: colours, pictures, levels.

OBS tone-maps an HDR source as a whole where the canvas is SDR, whatever a filter has put into it.

Slow: it records every output of two HDR clips on three canvases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.obs_live.obs_helpers import PLAIN, Moments, Recording, Starter, lossless, save_picture, write_hdr_video
from tools.obs_driver.clips import Picture
from tools.obs_driver.session import (
    CAMERA,
    SCENE,
    Json,
    ObsSession,
    colour_entry,
    filter_entry,
    image_entry,
    video_entry,
)

WIDTH, HEIGHT = 640, 360
GREEN, GREEN_ABGR = (0, 177, 64), 0xFF40B100
GROUND = (60, 200, 90)
CANVASES = {
    "sdr": {"ColorFormat": "NV12", "ColorSpace": "709"},
    "10 bits": {"ColorFormat": "P010", "ColorSpace": "709"},
    "hdr": {"ColorFormat": "P010", "ColorSpace": "2100PQ"},
}
CLIPS = {"pq": 16, "hlg": 18}
CURTAIN = "curtain"  # in front of everything, between what is recorded
KEY = {"key_color_type": "custom", "key_color": GREEN_ABGR & 0xFFFFFF, "similarity": 20, "smoothness": 10, "spill": 1}
ROW = HEIGHT * 2 // 5
INSIDE = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 3, ROW), 40, 255, -1) > 0
OUTSIDE = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), 260, 255, -1) == 0


def bands() -> Picture:
    """Draw eight greys, which the toy network, with a soft edge, is more or less sure of."""
    return np.linspace(0, 255, 8).astype(np.uint8).repeat(WIDTH // 8)[None, :, None].repeat(HEIGHT, 0).repeat(3, 2)


def key_entry() -> Json:
    """Describe OBS's own Chroma Key for the green."""
    return {**filter_entry("key", "chroma_key_filter", **KEY), "versioned_id": "chroma_key_filter_v2", "enabled": False}


@pytest.fixture(scope="module", params=CANVASES)
def canvas(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hdr")


@pytest.fixture(scope="module")
def obs(canvas: str, start_obs: Starter, brightness_model: Path, folder: Path) -> ObsSession:
    person = np.full((HEIGHT, WIDTH, 3), 15, np.uint8)
    cv2.circle(person, (WIDTH // 3, ROW), 60, (250, 250, 250), -1)
    plain = {**PLAIN, "threshold": 0.25, "softness": 0.0}
    for name, transfer in CLIPS.items():
        write_hdr_video(folder / f"{name}.mkv", person, 60, transfer=transfer)
    ground = save_picture(folder / "ground.png", np.full((HEIGHT, WIDTH, 3), GROUND[::-1], np.uint8))
    grey = save_picture(folder / "bands.png", bands())
    return start_obs(
        {
            "Test": [
                colour_entry(GREEN_ABGR, WIDTH, HEIGHT, "green"),
                colour_entry(0xFFFFFFFF, WIDTH, HEIGHT, "white"),
                image_entry(ground, name="ground"),
                image_entry(grey, name="grey"),
                *(video_entry(folder / f"{name}.mkv", filter_entry(**plain), key_entry(), name=name) for name in CLIPS),
                image_entry(grey, filter_entry(**PLAIN, threshold=0.5, softness=1.0), name=CAMERA),
                colour_entry(0xFFFF00FF, WIDTH, HEIGHT, CURTAIN),
            ]
        },
        environment={"EOAM_MODEL": str(brightness_model)},
        profile=lossless(folder, **CANVASES[canvas]),
    )


def show_only(obs: ObsSession, *sources: str) -> None:
    for item in obs.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]:
        number, visible = item["sceneItemId"], item["sourceName"] in sources
        obs.request("SetSceneItemEnabled", sceneName=SCENE, sceneItemId=number, sceneItemEnabled=visible)


OUTPUTS: dict[str, dict[str, Any]] = {
    "colour": {"view": "result", "background": "color", "background_color": GREEN_ABGR},
    "cleaned": {"decontamination": 1.0},
    "picture": {"decontamination": 0.0, "background": "picture"},
    "mask": {"view": "mask"},
    "confidence": {"view": "confidence"},
}


@pytest.fixture(scope="module")
def recorded(obs: ObsSession, folder: Path) -> dict[str, Picture]:
    """Return what OBS puts out, (h, w, 3) uint8 RGB: of each source as it is, and of each clip with each output."""
    obs.set_filter(view="mask")
    # As levels: a screenshot is bytes. The mask is opaque, what is shown before it is not.
    seen = obs.wait_for_picture(
        lambda found: len(np.unique(found[..., :3])) > 4 and bool((found[..., 3] == 255).all()), "the mask's greys"
    )[..., :3]
    levels = save_picture(folder / "levels.png", np.ascontiguousarray(seen[..., ::-1]))
    obs.request("SetInputSettings", inputName="grey", inputSettings={"file": str(levels)})
    show_only(obs, CURTAIN)
    recording = Recording(obs)
    moments = Moments(obs, recording, CURTAIN)
    pictures = {}
    for source in ("green", "white", "ground", "grey", CAMERA):
        show_only(obs, source, CURTAIN)
        pictures[source] = moments.take(source, ready=is_drawn)
    for clip in CLIPS:
        show_only(obs, clip, CURTAIN)
        for output, settings in OUTPUTS.items():
            obs.set_filter(source=clip, **settings, background_picture=str(folder / "ground.png"))
            pictures[f"{clip} {output}"] = moments.take(f"{clip} {output}", ready=is_drawn)
    recording.stop()
    return pictures


def is_drawn(picture: Picture) -> bool:
    """Whether there is anything: nothing at all is drawn where a mask comes too late, on a busy machine."""
    return float(picture.mean()) > 3


def furthest(found: Picture, expected: Picture, where: np.ndarray) -> int:
    return int(np.abs(found[where].astype(int) - expected[where]).max())


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("output", "like"), [("colour", "green"), ("cleaned", "green"), ("picture", "ground")])
def test_what_is_behind_the_person_is_what_a_source_of_its_own_would_be(
    recorded: dict[str, Picture], clip: str, output: str, like: str
) -> None:
    found = recorded[f"{clip} {output}"]
    assert furthest(found, recorded[like], OUTSIDE) <= 1
    assert np.abs(found[INSIDE].astype(int) - recorded[like][INSIDE]).max(axis=1).min() > 20, "there is no person"


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("output", ["mask", "confidence"])
def test_the_mask_is_white_and_black(recorded: dict[str, Picture], clip: str, output: str) -> None:
    found = recorded[f"{clip} {output}"]
    if output == "mask":
        assert furthest(found, recorded["white"], INSIDE) <= 1
        assert int(found[OUTSIDE].max()) <= 1
    else:
        assert found[INSIDE].astype(int).mean() > found[OUTSIDE].astype(int).mean() + 40


def test_the_mask_of_any_source_has_the_same_greys_on_every_canvas(recorded: dict[str, Picture]) -> None:
    assert len(np.unique(recorded["grey"][HEIGHT // 2, :, 1])) > 4, "there are no greys to compare"
    assert furthest(recorded[CAMERA], recorded["grey"], np.ones((HEIGHT, WIDTH), bool)) <= 2


@pytest.mark.parametrize("clip", CLIPS)
def test_the_source_itself_shows_the_very_colour_that_was_chosen(
    obs: ObsSession, recorded: dict[str, Picture], canvas: str, clip: str
) -> None:
    if canvas == "hdr":
        pytest.skip("OBS tone-maps every screenshot there")
    show_only(obs, clip)
    obs.set_filter(source=clip, **OUTPUTS["colour"])
    green = np.array((*GREEN, 255), np.uint8)
    found = obs.wait_for_picture(lambda seen: bool((seen[OUTSIDE] == green).all()), "the green", source=clip)
    assert (found[INSIDE][:, :3] != GREEN).any(axis=1).all()
    obs.set_filter(source=clip, view="mask")
    found = obs.wait_for_picture(lambda seen: not seen[OUTSIDE][:, :3].any(), "the mask", source=clip)
    assert (found[INSIDE] == 255).all()


@pytest.mark.parametrize("clip", CLIPS)
def test_a_chroma_key_behind_the_filter_finds_the_colour(
    obs: ObsSession, recorded: dict[str, Picture], canvas: str, clip: str
) -> None:
    if canvas == "hdr":
        pytest.skip("OBS's own key leaves what is HDR alone there")
    show_only(obs, clip)
    obs.set_filter(source=clip, **OUTPUTS["colour"])
    obs.request("SetSourceFilterEnabled", sourceName=clip, filterName="key", filterEnabled=True)

    def is_keyed(seen: Picture) -> bool:
        return not seen[OUTSIDE].any() and bool((seen[INSIDE][:, 3] > 200).all())

    obs.wait_for_picture(is_keyed, "the person without the ground", source=clip)
    obs.request("SetSourceFilterEnabled", sourceName=clip, filterName="key", filterEnabled=False)
