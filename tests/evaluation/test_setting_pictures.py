"""The pictures of the settings show a difference, and there is one for each setting that shows on a still picture.

Slow: it makes every picture of docs/user/settings.md anew.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from eoam_core.settings import describe_settings
from evaluation.setting_pictures import main, panels, pictures, portrait, room
from models.data import Image

# Settings that show on no picture, or on more than one. What `no_mask` draws is drawn on the GPU alone.
OTHERS = {"preset", "advanced", "model", "threads", "no_mask"}
DOCUMENTS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def drawn(exported: Path) -> dict[str, Image]:
    return pictures(exported)


def test_every_setting_that_shows_has_a_picture(drawn: dict[str, Image]) -> None:
    assert set(drawn) == {info.name for info in describe_settings()} - OTHERS


def test_every_setting_is_shown_where_it_is_explained(drawn: dict[str, Image]) -> None:
    text = (DOCUMENTS / "user" / "settings.md").read_text()
    for name in drawn:
        assert f"(../pictures/masks-{name}.jpg)" in text
        assert 5_000 < (DOCUMENTS / "pictures" / f"masks-{name}.jpg").stat().st_size < 60_000


def test_no_two_panels_of_a_picture_are_the_same(drawn: dict[str, Image]) -> None:
    for name, picture in drawn.items():
        width = 240 if name == "view" else 300
        shown = [picture[26:, start : start + width].astype(int) for start in range(0, picture.shape[1], width + 6)]
        assert len(shown) == {"view": 5}.get(name, 4)
        # The others begin with what the setting is applied to, which may be what one of its values leaves.
        for first, second in itertools.pairwise(shown if name in ("background", "view") else shown[1:]):
            assert (np.abs(first - second).max(2) > 8).sum() >= 200, name  # pixels, of 300 by 170 to 225


def test_the_cleaning_takes_the_yellow_wall_out_of_the_edge(drawn: dict[str, Image]) -> None:
    none, half, whole = (drawn["decontamination"][26:, start : start + 300] for start in (306, 612, 918))
    yellow = [np.count_nonzero(p.min(2) + 60 < p[..., 2].astype(int) - 30) for p in (none, half, whole)]
    assert yellow[0] > yellow[1] > yellow[2]


def test_a_mask_that_is_late_shows_the_room_behind_who_walks(drawn: dict[str, Image]) -> None:
    wall = np.array([150, 165, 170])

    def room_left(picture: Image) -> int:
        return int((np.abs(picture.astype(int) - wall).max(2) < 45).sum())

    timing = [room_left(drawn["timing"][26:, start : start + 300]) for start in (306, 612, 918)]
    assert timing[1] > 1.3 * max(timing[0], timing[2])
    every = [room_left(drawn["every"][26:, start : start + 300]) for start in (306, 612, 918)]
    assert every[2] > every[1] > 1.3 * every[0]


def test_smoothing_calms_what_flickers(drawn: dict[str, Image]) -> None:
    none, some, much = (drawn["smoothing"][26:, start : start + 300].mean() for start in (306, 612, 918))
    assert none > some > much


def test_the_astronaut_is_cut_from_her_wall(exported: Path) -> None:
    person = portrait(exported)
    assert person.alpha[100:120, 215:230].min() > 240  # the face
    assert person.alpha[:100, :60].max() == 0  # the flag
    assert room().shape == (360, 640, 3)
    assert panels([("a", room()), ("b", room())], width=100).shape == (26 + 56, 206, 3)


def test_a_missing_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--model", str(tmp_path / "none.onnx")]) == 2
    assert "none.onnx" in capsys.readouterr().err
