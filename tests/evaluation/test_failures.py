"""The pictures of what goes wrong can be made by anybody."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation import failures

MODEL = Path(__file__).parents[2] / "models" / "eoam.onnx"
pytest.importorskip("skimage", reason="the pictures come with scikit-image")


def test_the_situations_differ_and_have_the_size_of_a_frame() -> None:
    found = dict(failures.situations())
    assert len({p.tobytes() for p in found.values()}) == len(found) > 8
    assert {p.shape for p in found.values()} == {(failures.HEIGHT, failures.WIDTH, 3)}


def test_the_sheet_shows_a_picture_beside_what_is_left_of_it(tmp_path: Path) -> None:
    assert failures.main([str(MODEL), str(tmp_path / "sheet.png")]) == 0
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    first = sheet[: failures.ROWS, : 2 * round(failures.ROWS * failures.WIDTH / failures.HEIGHT)]
    cut = np.hsplit(first, 2)[1].astype(int)
    kept = np.abs(cut - (60, 160, 40)).max(2) > 20  # not the green that it lies on
    assert 0.1 < kept.mean() < 0.6
    assert kept[50:90, 95:115].mean() > 0.9  # her chest


def test_a_missing_network_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.main([str(tmp_path / "none.onnx"), str(tmp_path / "sheet.png")]) == 2
    assert "none.onnx" in capsys.readouterr().err
