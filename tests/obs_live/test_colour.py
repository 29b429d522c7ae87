"""Colours pass through: with and without the filter the kept part of the picture is the same, on every kind of canvas.

Judged in what OBS puts out, its recording, since screenshots are always taken in SDR.

Slow: it records every source on every canvas.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.obs_live.obs_helpers import (
    PLAIN,
    Moments,
    Recording,
    Starter,
    crash_report,
    lossless,
    save_picture,
    write_hdr_video,
)
from tools.obs_driver import clips
from tools.obs_driver.clips import Picture
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    SCENE,
    ObsSession,
    colour_entry,
    filter_entry,
    image_entry,
    video_entry,
)

WIDTH, HEIGHT = 640, 360
CANVASES = {
    "sdr": {"ColorFormat": "NV12", "ColorSpace": "709"},
    "10 bits": {"ColorFormat": "P010", "ColorSpace": "709"},
    "hdr": {"ColorFormat": "P010", "ColorSpace": "2100PQ"},
}


SOURCES = (CAMERA, "clip", "hdr clip")
CURTAIN = "curtain"


def rainbow() -> Picture:
    """Draw a bright disc of all hues, which the toy network keeps, on a dark wall."""
    picture = np.full((HEIGHT, WIDTH, 3), 15, np.uint8)
    hue = np.linspace(0, 179, WIDTH).astype(np.uint8)[None].repeat(HEIGHT, 0)
    value = np.linspace(190, 255, HEIGHT).astype(np.uint8)[:, None].repeat(WIDTH, 1)
    colours = cv2.cvtColor(np.dstack([hue, np.full_like(hue, 60), value]), cv2.COLOR_HSV2BGR)
    inside = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), 140, 255, -1)
    picture[inside > 0] = colours[inside > 0]
    return picture


@pytest.fixture(scope="module", params=CANVASES)
def obs(request: pytest.FixtureRequest, start_obs: Starter, brightness_model: Path, tmp_path_factory) -> ObsSession:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("colours")
    still = save_picture(folder / "rainbow.png", rainbow())
    clip, hdr = folder / "rainbow.mkv", folder / "hdr.mkv"
    clips.write_video(clip, [rainbow()] * 60, 30, lossless=True)
    write_hdr_video(hdr, rainbow(), 60)
    plain = filter_entry(**PLAIN, threshold=0.15, softness=0.0)
    return start_obs(
        {
            "Test": [
                colour_entry(0xFF00FF00, WIDTH, HEIGHT),
                video_entry(hdr, plain, name="hdr clip"),
                video_entry(clip, plain, name="clip"),
                image_entry(still, plain, name=CAMERA),
                colour_entry(0xFFFF00FF, WIDTH, HEIGHT, CURTAIN),
            ]
        },
        environment={"EOAM_MODEL": str(brightness_model)},
        profile=lossless(folder, **CANVASES[request.param]),
    )


def show_only(obs: ObsSession, source: str) -> None:
    for item in obs.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]:
        visible = item["sourceName"] in (source, "background", CURTAIN)
        number = item["sceneItemId"]
        obs.request("SetSceneItemEnabled", sceneName=SCENE, sceneItemId=number, sceneItemEnabled=visible)


@pytest.fixture(scope="module")
def recorded(obs: ObsSession) -> dict[str, tuple[Picture, Picture]]:
    """Return for each source what OBS puts out without and with the filter, (h, w, 3) uint8 RGB each."""
    recording = Recording(obs)
    moments = Moments(obs, recording, CURTAIN)
    pictures = {}
    for source in SOURCES:
        for enabled in (False, True):
            obs.request("SetSourceFilterEnabled", sourceName=source, filterName=FILTER, filterEnabled=enabled)
            show_only(obs, source)
            # With the filter, nothing is drawn where a mask comes too late: there is the green ground, without blue.
            pictures[source, enabled] = moments.take(
                f"{source} {'with' if enabled else 'without'} the filter",
                ready=lambda found: found[HEIGHT // 2, WIDTH // 2, 2] > 30,
            )
    recording.stop()
    return {source: (pictures[source, False], pictures[source, True]) for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES)
def test_the_person_has_the_colours_that_the_source_has(
    recorded: dict[str, tuple[Picture, Picture]], source: str
) -> None:
    raw, cut = recorded[source]
    inside = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), 120, 255, -1) > 0
    outside = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (WIDTH // 2, HEIGHT // 2), 160, 255, -1) == 0
    assert raw[inside].std(axis=0).min() > 3, "there are no colours to compare"
    difference = np.abs(raw[inside].astype(int) - cut[inside])
    # OBS tone-maps an HDR source from a half-float texture with the filter, and from the 10-bit frame without.
    assert difference.max() <= (3 if source == "hdr clip" else 1)
    assert difference.mean() < 0.3
    # Outside the green ground is seen, in the place of the wall.
    assert (cut[outside][:, 1].astype(int) - cut[outside][:, 0]).min() > 20
    assert np.abs(raw[outside].astype(int) - cut[outside]).max(axis=1).min() > 20


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
