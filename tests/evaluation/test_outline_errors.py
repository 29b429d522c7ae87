"""Where wrong pixels lie: known masks give known bands, and the command says what it lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from evaluation.experiments.outline_errors import BANDS, distance_to_outline, error_bands, main


def square(half: int) -> np.ndarray:
    mask = np.zeros((80, 120), bool)
    mask[40 - half : 40 + half, 60 - half : 60 + half] = True
    return mask


def test_a_pixel_at_the_outline_is_one_away_on_either_side() -> None:
    distance = distance_to_outline(square(10))
    assert distance[40, 50] == distance[40, 49] == 1
    assert distance[40, 53] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("too_far", [1, -1])
def test_a_mask_that_is_a_pixel_off_is_wrong_within_two(too_far: int) -> None:
    truth, mask = square(10), square(10 + too_far)
    shares = error_bands(mask, truth)
    assert shares[0] == pytest.approx((mask != truth).sum() / (mask | truth).sum())
    assert shares.sum() == pytest.approx(shares[0])


def test_what_is_no_person_is_wrong_far_away_and_all_bands_together_are_what_the_iou_lacks() -> None:
    truth = square(10)
    mask = truth.copy()
    mask[:5, :5] = True
    mask[40:44, 50:54] = False
    shares = error_bands(mask, truth)
    assert shares[3] == pytest.approx(25 / (mask | truth).sum())
    assert shares.sum() == pytest.approx(1 - (mask & truth).sum() / (mask | truth).sum())


def test_an_empty_picture_without_a_mask_has_no_wrong_pixel() -> None:
    nothing = np.zeros((8, 8), bool)
    assert error_bands(nothing, nothing).tolist() == [0, 0, 0, 0]


def test_the_command_prints_a_row_per_network_and_names_what_is_missing(
    tiny_data: Path, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tiny_data), "--least", "0.01"]
    assert main([str(exported), *words]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[2].startswith("| network | " + " | ".join(BANDS))
    assert rows[-1].startswith(f"| {exported.stem} | ")
    assert main(["no.onnx", *words]) == 2
    assert "no.onnx does not exist" in capsys.readouterr().err
    assert main([str(exported), "--data", str(tiny_data), "--least", "0.999"]) == 2
    assert "--least" in capsys.readouterr().err
