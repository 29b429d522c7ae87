"""Times are compared fairly, and SINet is timed at the size that the papers name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import evaluation.networks
from eoam_core.geometry import network_size
from eoam_core.settings import Detail
from evaluation.networks import judge_speed
from models import networks
from models.data import DataError


def idle(name: str, square: tuple[int, int], wide: tuple[int, int], made: list[tuple[int, int]]) -> networks.Network:
    def infer(size: tuple[int, int]) -> Callable[[], object]:
        made.append(size)
        return lambda: sum(range(size[0]))

    def run(bgr: np.ndarray, _: tuple[int, int]) -> np.ndarray:
        return bgr[..., 0]

    return networks.Network(name, Path("none"), run, infer, {"square": square, "wide": wide})


def test_times_are_compared_with_the_first_network_and_with_mediapipe_landscape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation.networks, "SPEED_ROUNDS", 5)
    made: list[tuple[int, int]] = []
    ours = idle("ours", (224, 224), (144, 256), made)
    peer = idle(networks.LANDSCAPE, (144, 256), (144, 256), made)
    rows = judge_speed([ours, peer])
    assert made == [(224, 224), (144, 256), (144, 256)]  # one size is timed once
    landscape = rows[networks.LANDSCAPE]
    for shape in ("square", "wide"):
        assert rows["ours"][f"{shape} ratio"] == landscape[f"{shape} x landscape"] == 1
        assert rows["ours"][f"{shape} x landscape"] == rows["ours"][f"{shape} ms"] / landscape["wide ms"]
        assert landscape[f"{shape} ratio"] == landscape[f"{shape} ms"] / rows["ours"][f"{shape} ms"]
    assert "wide x landscape" not in judge_speed([ours])["ours"]


def test_an_upright_input_is_compared_with_the_first_networks_portrait_and_judged_on_portraits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation.networks, "SPEED_ROUNDS", 5)
    ours = idle("ours", (224, 224), (144, 256), [])
    fine = replace(ours, name="fine", sizes={"upright": (288, 224), "wide": (176, 304)})
    rows = judge_speed([ours, fine])
    assert rows["fine"]["upright ratio"] == rows["fine"]["upright ms"] / rows["ours"]["square ms"]
    assert (ours.portrait_size, fine.portrait_size) == ((224, 224), (288, 224))


def test_our_networks_have_the_sizes_that_the_filter_gives_pictures() -> None:
    model = Path(networks.__file__).parent / "eoam.onnx"
    sizes = {detail: networks.own_network(model, detail).sizes for detail in Detail}
    assert sizes[Detail.NORMAL] == {"square": (224, 224), "wide": (144, 256)}
    for detail in (Detail.FINE, Detail.FINEST):
        shapes = {"upright": (3, 4), "wide": (16, 9)}
        assert sizes[detail] == {name: network_size(*shape, detail)[::-1] for name, shape in shapes.items()}


@pytest.mark.shared
def test_sinet_at_its_own_size_is_the_file_and_at_224_still_finds_people(shared: Path) -> None:
    path = shared / "peers" / networks.SINET
    picture = np.random.default_rng(0).random((1, 3, 320, 320), np.float32)
    expected = networks.session(path.read_bytes()).run(None, {"data": picture})[0]
    assert np.array_equal(networks.session(networks.sinet_at(path, 320)).run(None, {"data": picture})[0], expected)

    from skimage import data

    small = networks.sinet_224(shared / "peers")
    astronaut = np.ascontiguousarray(np.asarray(data.astronaut())[..., ::-1])
    matte = small.run(astronaut, (224, 224))
    assert matte[60:160, 200:250].min() > 200  # the face
    assert matte[:40, 110:170].max() < 60  # the wall
    small.infer((224, 224))()


@pytest.mark.shared
def test_a_size_that_sinet_cannot_take_is_refused(shared: Path) -> None:
    with pytest.raises(DataError, match="asked for 200"):
        networks.sinet_at(shared / "peers" / networks.SINET, 200)
