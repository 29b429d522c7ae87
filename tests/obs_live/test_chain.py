"""The filter among others: crops and scalers before and after it, a nested scene, several at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eoam_core.geometry import network_size
from eoam_core.settings import Detail
from tests.obs_live.obs_helpers import (
    PLAIN,
    Starter,
    brightest_hidden,
    crash_report,
    disc,
    disc_centre,
    is_drawn,
    is_empty,
    save_picture,
)
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    FILTER_ID,
    SCENE,
    Json,
    ObsSession,
    colour_entry,
    filter_entry,
    group_entry,
    image_entry,
)

WIDTH, HEIGHT = 640, 360
RADIUS = min(WIDTH, HEIGHT) // 5
CROP = {"relative": True, "left": 100, "top": 20, "right": 60, "bottom": 41}
SCALE = {"resolution": "321x181", "sampling": "bilinear"}


def ours() -> Json:
    return filter_entry(**PLAIN)


def crop() -> Json:
    return filter_entry("crop", "crop_filter", **CROP)


def scale() -> Json:
    return filter_entry("scale", "scale_filter", **SCALE)


CHAINS = {
    "crop before": [crop(), ours()],
    "crop after": [ours(), crop()],
    "scale before": [scale(), ours()],
    "scale after": [ours(), scale()],
    "both sides": [crop(), ours(), scale()],
    "twice": [ours(), filter_entry("EOAM 2", **PLAIN)],
}


def place_of(name: str) -> tuple[int, int, float, tuple[int, int]]:
    """Return the disc's centre (x, y), its radius, and the (width, height) of what comes out of a chain."""
    x, y = disc_centre(WIDTH, HEIGHT)
    size, radius = (WIDTH, HEIGHT), float(RADIUS)
    if "crop" in name or "both" in name:
        x, y = x - CROP["left"], y - CROP["top"]
        size = (size[0] - CROP["left"] - CROP["right"], size[1] - CROP["top"] - CROP["bottom"])
    if "scale" in name or "both" in name:
        # The scaler stretches to the resolution it was given.
        factor_x, factor_y = 321 / size[0], 181 / size[1]
        x, y, radius, size = round(x * factor_x), round(y * factor_y), radius * min(factor_x, factor_y), (321, 181)
    return x, y, radius, size


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(WIDTH, HEIGHT))
    sources = [image_entry(file, *filters, name=name) for name, filters in CHAINS.items()]
    member = image_entry(file, name="member")
    group = group_entry("group", "member", (WIDTH, HEIGHT), ours())
    return start_obs(
        {"Test": [colour_entry(0xFF00FF00, WIDTH, HEIGHT), *sources, member, group, image_entry(file)]},
        environment={"EOAM_MODEL": str(brightness_model)},
    )


def alpha_on_rings(picture: Picture, x: int, y: int, radius: float) -> tuple[float, float]:
    """Return the mean alpha, 0 to 1, well inside the disc and well outside of it."""
    rows, columns = np.indices(picture.shape[:2])
    distance = np.hypot(columns - x, rows - y)
    alpha = picture[..., 3] / 255
    return float(alpha[distance < 0.85 * radius].mean()), float(alpha[distance > 1.2 * radius].mean())


@pytest.mark.parametrize("name", CHAINS)
def test_among_other_filters_the_person_stays_in_place(obs: ObsSession, name: str) -> None:
    x, y, radius, (width, height) = place_of(name)
    picture = obs.wait_for_picture(is_drawn, f"the chain {name}", source=name)
    # A screenshot has the size of the source without its filters; what they make of it lies in its upper left.
    beyond = picture.copy()
    beyond[:height, :width] = 0
    assert is_empty(beyond)
    picture = picture[:height, :width]
    assert picture.shape[:2] == (height, width)
    inside, outside = alpha_on_rings(picture, x, y, radius)
    assert inside > 0.99
    assert outside < 0.01
    assert brightest_hidden(picture) == 0


def test_filters_of_one_size_share_one_network(obs: ObsSession) -> None:
    # Each of them has a worker of its own and is running; they need three sizes of input, and have as many networks.
    probe = Probe(obs, obs.folder)
    obs.wait(lambda: probe("script_panel")["filters"].count("ms per mask") >= len(CHAINS), "all to run", every_s=0.5)
    sizes = {network_size(*place_of(name)[3]) for name in ("twice", "crop after", "scale after")}
    sizes |= {network_size(WIDTH, HEIGHT)}
    assert {tuple(size) for size in probe("networks")} == {(height, width) for width, height in sizes}


@pytest.mark.parametrize("detail", [Detail.NORMAL, Detail.FINEST])
def test_another_detail_gives_the_network_other_pixels_and_the_person_stays_in_place(
    obs: ObsSession, detail: Detail
) -> None:
    chosen = {"sourceName": "scale before", "filterName": FILTER, "filterSettings": {"detail": detail.value}}
    obs.request("SetSourceFilterSettings", **chosen)
    columns, rows = network_size(321, 181, detail)
    assert (columns, rows) != network_size(321, 181)
    probe = Probe(obs, obs.folder)
    obs.wait(lambda: [rows, columns] in [list(size) for size in probe("networks")], "the other network", every_s=0.5)
    picture = obs.wait_for_picture(is_drawn, "the person", source="scale before")
    x, y, radius, (width, height) = place_of("scale before")
    inside, outside = alpha_on_rings(picture[:height, :width], x, y, radius)
    assert inside > 0.99
    assert outside < 0.01


def test_on_a_nested_scene(obs: ObsSession) -> None:
    obs.request("CreateScene", sceneName="inner")
    obs.request("CreateSceneItem", sceneName="inner", sourceName=CAMERA)
    obs.request("CreateSourceFilter", sourceName="inner", filterName=FILTER, filterKind=FILTER_ID, filterSettings=PLAIN)
    obs.request("CreateSceneItem", sceneName=SCENE, sourceName="inner")
    picture = obs.wait_for_picture(is_drawn, "the nested scene", source="inner")
    x, y = disc_centre(WIDTH, HEIGHT)
    inside, outside = alpha_on_rings(picture, x, y, RADIUS)
    assert inside > 0.99
    assert outside < 0.01


def test_on_a_group(obs: ObsSession) -> None:
    picture = obs.wait_for_picture(is_drawn, "the group", source="group")
    assert picture.shape[:2] == (HEIGHT, WIDTH)
    x, y = disc_centre(WIDTH, HEIGHT)
    inside, outside = alpha_on_rings(picture, x, y, RADIUS)
    assert inside > 0.99
    assert outside < 0.01
    assert brightest_hidden(picture) == 0


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
