"""The comparison of the three fusions can be stopped, goes on, and ends in a table and a figure.

Slow: it trains six tiny networks, since only whole runs show that a stopped one ends as an uninterrupted one.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from evaluation.experiments import ablation  # noqa: E402
from models import train as train_module  # noqa: E402
from models.checkpoint import load_weights, read_header, save_checkpoint  # noqa: E402
from models.net import FUSIONS  # noqa: E402


def compare(data: Path, *more: str) -> int:
    words = ["--data", str(data), "--samples", "64", "--every", "1", "--workers", "0"]
    return ablation.main([*words, *more])


def test_three_fusions_are_trained_once_and_compared_in_a_table_and_a_figure(
    tiny_data: Path,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figure, table = tmp_path / "f.png", tmp_path / "t.md"
    assert compare(tiny_data, "--seeds", "1", "2", "--figure", str(figure), "--table", str(table)) == 0
    text = table.read_text()
    assert text in capsys.readouterr().out
    assert "6 portraits" in text
    assert all(f"| {ablation.NAMES[fusion]} | " in text for fusion in FUSIONS)
    assert text.count(" ± ") == 1 + 3 * len(FUSIONS)
    assert cv2.imread(str(figure)) is not None
    for fusion in FUSIONS:
        header = read_header(runs / ablation.run_name(fusion, 1, 64) / "last.safetensors")
        assert header["net"] == {**train_module.VARIANTS["eoam"].to_dict(), "fusion": fusion}

    def never(_: object) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(train_module, "train", never)
    assert compare(tiny_data, "--seeds", "1", "2") == 0
    assert text in capsys.readouterr().out


def test_a_comparison_that_was_stopped_goes_on_and_ends_as_an_uninterrupted_one(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = save_checkpoint
    judged: list[object] = []

    def judge(*given: object) -> np.ndarray:
        judged.append(given)
        return np.zeros(3)

    monkeypatch.setattr(ablation, "judge", judge)

    def save_and_stop(path: Path, *rest: object) -> None:
        save(path, *rest)  # type: ignore[arg-type]
        if path.parent.name == ablation.run_name("add", 1, 64):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            compare(tiny_data, "--seeds", "1")
    assert not judged  # the test portraits are for the end
    last = runs / ablation.run_name("add", 1, 64) / "last.safetensors"
    assert read_header(last)["step"] == 1
    capsys.readouterr()
    assert compare(tiny_data, "--seeds", "1") == 0
    said = capsys.readouterr().out
    assert "ablation-eoam-1-64: finished" in said
    assert "ablation-add-1-64: going on" in said
    assert "ablation-none-1-64: starting" in said
    resumed = load_weights(last, prefix="net").state_dict()
    last.unlink()
    assert compare(tiny_data, "--seeds", "1") == 0
    for name, value in load_weights(last, prefix="net").state_dict().items():
        assert torch.allclose(value.float(), resumed[name].float(), atol=1e-5), name


def test_a_place_that_cannot_be_written_is_named_before_anything_is_trained(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert compare(tiny_data, "--table", str(tmp_path / "nowhere" / "t.md")) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert not list(runs.glob("ablation-*"))


def test_a_seed_given_twice_is_refused(tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare(tiny_data, "--seeds", "1", "1")
    assert "only once" in capsys.readouterr().err
