"""The pictures of the settings show a difference, and there is one for each setting of the mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eoam_core.settings import describe_settings
from models.data import Image
from models.setting_pictures import main, panels, pictures, portrait, room

OTHERS = {  # settings that change no mask
    "preset", "background", "blur_strength", "background_color", "background_picture", "decontamination", "advanced",
    "model", "timing", "every", "threads", "no_mask", "view",
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(exported: Path) -> dict[str, Image]:
    return pictures(exported)


def test_every_setting_of_the_mask_has_a_picture(drawn: dict[str, Image]) -> None:
    assert set(drawn) == {info.name for info in describe_settings()} - OTHERS


def test_no_two_panels_of_a_picture_are_the_same(drawn: dict[str, Image]) -> None:
    for name, picture in drawn.items():
        shown = [picture[26:, start : start + 300].astype(int) for start in (306, 612, 918)]
        for first, second in ((0, 1), (1, 2)):
            assert (np.abs(shown[first] - shown[second]).max(2) > 8).sum() >= 200, name  # pixels, of 300 by 170 to 225


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
