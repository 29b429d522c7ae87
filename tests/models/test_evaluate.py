"""Times are compared fairly, and SINet is timed at the size that the papers name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eoam_core.geometry import network_size
from eoam_core.settings import Detail
from models import evaluate
from models.data import DataError


def idle(name: str, square: tuple[int, int], wide: tuple[int, int], made: list[tuple[int, int]]) -> evaluate.Network:
    def infer(size: tuple[int, int]) -> Callable[[], object]:
        made.append(size)
        return lambda: sum(range(size[0]))

    def run(bgr: np.ndarray, _: tuple[int, int]) -> np.ndarray:
        return bgr[..., 0]

    return evaluate.Network(name, Path("none"), run, infer, {"square": square, "wide": wide})


def test_times_are_compared_with_the_first_network_and_with_mediapipe_landscape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "SPEED_ROUNDS", 5)
    made: list[tuple[int, int]] = []
    ours = idle("ours", (224, 224), (144, 256), made)
    peer = idle(evaluate.LANDSCAPE, (144, 256), (144, 256), made)
    rows = evaluate.judge_speed([ours, peer])
    assert made == [(224, 224), (144, 256), (144, 256)]  # one size is timed once
    landscape = rows[evaluate.LANDSCAPE]
    for shape in ("square", "wide"):
        assert rows["ours"][f"{shape} ratio"] == landscape[f"{shape} x landscape"] == 1
        assert rows["ours"][f"{shape} x landscape"] == rows["ours"][f"{shape} ms"] / landscape["wide ms"]
        assert landscape[f"{shape} ratio"] == landscape[f"{shape} ms"] / rows["ours"][f"{shape} ms"]
    assert "wide x landscape" not in evaluate.judge_speed([ours])["ours"]


def test_an_upright_input_is_compared_with_the_first_networks_portrait_and_judged_on_portraits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "SPEED_ROUNDS", 5)
    ours = idle("ours", (224, 224), (144, 256), [])
    fine = replace(ours, name="fine", sizes={"upright": (288, 224), "wide": (176, 304)})
    rows = evaluate.judge_speed([ours, fine])
    assert rows["fine"]["upright ratio"] == rows["fine"]["upright ms"] / rows["ours"]["square ms"]
    assert (ours.portrait_size, fine.portrait_size) == ((224, 224), (288, 224))


def test_our_networks_have_the_sizes_that_the_filter_gives_pictures() -> None:
    model = Path(evaluate.__file__).parent / "eoam.onnx"
    sizes = {detail: evaluate.own_network(model, detail).sizes for detail in Detail}
    assert sizes[Detail.NORMAL] == {"square": (224, 224), "wide": (144, 256)}
    for detail in (Detail.FINE, Detail.FINEST):
        shapes = {"upright": (3, 4), "wide": (16, 9)}
        assert sizes[detail] == {name: network_size(*shape, detail)[::-1] for name, shape in shapes.items()}


@pytest.mark.shared
def test_sinet_at_its_own_size_is_the_file_and_at_224_still_finds_people(shared: Path) -> None:
    path = shared / "peers" / evaluate.SINET
    picture = np.random.default_rng(0).random((1, 3, 320, 320), np.float32)
    expected = evaluate.session(path.read_bytes()).run(None, {"data": picture})[0]
    assert np.array_equal(evaluate.session(evaluate.sinet_at(path, 320)).run(None, {"data": picture})[0], expected)

    from skimage import data

    small = evaluate.sinet_224(shared / "peers")
    astronaut = np.ascontiguousarray(np.asarray(data.astronaut())[..., ::-1])  # type: ignore[no-untyped-call]
    matte = small.run(astronaut, (224, 224))
    assert matte[60:160, 200:250].min() > 200  # the face
    assert matte[:40, 110:170].max() < 60  # the wall
    small.infer((224, 224))()


@pytest.mark.shared
def test_a_size_that_sinet_cannot_take_is_refused(shared: Path) -> None:
    with pytest.raises(DataError, match="asked for 200"):
        evaluate.sinet_at(shared / "peers" / evaluate.SINET, 200)
