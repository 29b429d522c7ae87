"""The comparison of the training's levers keeps what is finished, goes on, and ends in a table of gains.

Slow: it trains nine tiny networks, since only whole runs show that a stopped comparison goes on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from evaluation.experiments import levers  # noqa: E402
from models import train as train_module  # noqa: E402
from models.checkpoint import read_header, save_checkpoint  # noqa: E402


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (levers.NOTHING, "Lovasz hinge", "twice as many empty rooms")
    monkeypatch.setattr(levers, "LEVERS", {name: levers.LEVERS[name] for name in names})


@pytest.fixture
def init(tiny_data: Path, runs: Path, tmp_path: Path) -> Path:
    words = ["--data", str(tiny_data), "--run", "first", "--samples", "32", "--workers", "0"]
    train_module.train(train_module.make_parser().parse_args([*words, "--keep", str(tmp_path / "first.safetensors")]))
    return tmp_path / "first.safetensors"


def compare(data: Path, init: Path, results: Path, *more: str) -> int:
    words = ["--data", str(data), "--init", str(init), "--results", str(results), "--samples", "64", "--workers", "0"]
    return levers.main([*words, "--every", "1", *more])


def last_of(runs: Path, lever: str, seed: int, init: Path) -> Path:
    return runs / levers.run_name(levers.key_of(lever, seed, 64, levers.sum_of(init))) / "last.safetensors"


def test_every_lever_is_pulled_once_with_every_seed_and_differs_from_nothing_by_its_options_alone(
    tiny_data: Path,
    runs: Path,
    init: Path,
    few: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results, table = tmp_path / "r.csv", tmp_path / "t.md"
    assert compare(tiny_data, init, results, "--seeds", "1", "2", "--table", str(table)) == 0
    assert len(results.read_text().splitlines()) == 1 + 3 * 2
    assert table.read_text() in capsys.readouterr().out
    assert all(f"| {lever} | 2 | " in table.read_text() for lever in levers.LEVERS)
    base, hinge, empties = (read_header(last_of(runs, lever, 2, init)) for lever in levers.LEVERS)
    assert {**base["train"], "lovasz": 0.5} == hinge["train"]
    assert {**base["mix"], "empty": 0.22, "wide_empty": 0.32} == empties["mix"]
    assert base["train"]["seed"] == 2

    def never(_: object) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(train_module, "train", never)
    assert compare(tiny_data, init, results, "--seeds", "1", "2") == 0
    assert table.read_text() in capsys.readouterr().out


def test_a_comparison_that_was_stopped_goes_on_from_its_checkpoint(
    tiny_data: Path, runs: Path, init: Path, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole.csv", tmp_path / "stopped.csv"
    assert compare(tiny_data, init, whole, "--seeds", "1") == 0
    for lever in levers.LEVERS:
        last_of(runs, lever, 1, init).unlink()
    stops_in = last_of(runs, "twice as many empty rooms", 1, init)
    save = save_checkpoint

    def save_and_stop(path: Path, net: object, average: object, optimiser: object, step: int, *rest: object) -> None:
        save(path, net, average, optimiser, step, *rest)  # type: ignore[arg-type]
        if step == 1 and path == stops_in:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "save_checkpoint", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        compare(tiny_data, init, stopped, "--seeds", "1")
    assert len(stopped.read_text().splitlines()) == 3
    assert compare(tiny_data, init, stopped, "--seeds", "1") == 0
    assert stopped.read_text() == whole.read_text()


def test_a_lever_that_is_changed_is_another_run(init: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {lever: levers.key_of(lever, 1, 64, levers.sum_of(init)) for lever in levers.LEVERS}
    assert len({levers.run_name(key) for key in before.values()}) == len(before)
    monkeypatch.setitem(levers.LEVERS, "Lovasz hinge", ("--lovasz", "1"))
    changed = [lever for lever in before if levers.key_of(lever, 1, 64, levers.sum_of(init)) != before[lever]]
    assert changed == ["Lovasz hinge"]
    assert levers.run_name(levers.key_of("Lovasz hinge", 1, 64, levers.sum_of(init))) != levers.run_name(
        before["Lovasz hinge"]
    )


def test_the_table_of_finished_runs_needs_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = Path(__file__).parents[2] / "docs" / "developer" / "levers.csv"
    assert levers.main(["--results", str(results), "--samples", "24000", "--only-table"]) == 0
    assert "| Lovasz hinge | 3 | -0.05 ± 0.04 | +0.09 ± 0.30 | +0.21 ± 0.06 |" in capsys.readouterr().out
    two = tmp_path / "two.csv"
    two.write_text(results.read_text() + "nothing,9,24000,--rate 0.002 --small-share 0.25,0123456789ab,94,90,1\n")
    assert levers.main(["--results", str(two), "--samples", "24000", "--only-table"]) == 2
    assert "began with 2 checkpoints" in capsys.readouterr().err


def test_gains_are_paired_by_seed_and_what_is_not_finished_is_left_out() -> None:
    scores = {
        levers.NOTHING: {1: np.array([90.0, 80.0, 1.0]), 2: np.array([92.0, 80.0, 1.0])},
        "Lovasz hinge": {1: np.array([90.5, 81.0, 0.5]), 2: np.array([92.7, 81.0, 0.5]), 3: np.array([0.0, 0.0, 0.0])},
        "no composition": {1: np.array([89.0, 40.0, 9.0])},
    }
    table = levers.make_table(scores, 64)
    assert "| nothing | 2 | 91.00 ± 1.41 | 80.00 ± 0.00 | 1.00 ± 0.00 |" in table
    assert "| Lovasz hinge | 2 | +0.60 ± 0.14 | +1.00 ± 0.00 | -0.50 ± 0.00 |" in table
    assert "| no composition | 1 | -1.00 | -40.00 | +8.00 |" in table


def test_results_that_are_none_and_a_checkpoint_that_is_missing_are_named(
    tiny_data: Path, runs: Path, init: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "r.csv"
    assert compare(tiny_data, tmp_path / "gone.safetensors", results) == 2
    assert "gone.safetensors does not exist" in capsys.readouterr().err
    results.write_text("a,b\n1,2\n")
    assert compare(tiny_data, init, results) == 2
    assert "r.csv is not a file of results" in capsys.readouterr().err
    assert results.read_text() == "a,b\n1,2\n"
