"""Training in several processes: PyTorch's torchrun with two of them on this CPU.

Slow: it starts two processes, each of which imports torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from models import train as train_module  # noqa: E402
from models.augment import MixConfig  # noqa: E402
from models.checkpoint import read_header  # noqa: E402
from models.data import DataError, read_training_set  # noqa: E402
from models.ranks import Ranks, join  # noqa: E402

REPOSITORY = Path(__file__).parents[2]
# Both processes start from their own number; what they average, and how far they were apart, is known.
AVERAGING = """
import torch
from models.ranks import join, leave
ranks = join("cpu")
weights, counter = torch.full((2, 3), float(ranks.rank)), torch.tensor(ranks.rank)
assert ranks.drift([weights]) == 0.5, ranks.drift([weights])
ranks.average([weights, counter])
assert torch.equal(weights, torch.full((2, 3), 0.5)), weights
assert int(counter) == ranks.rank
assert ranks.drift([weights]) == 0
leave(ranks)
"""
TRAINING = """
import sys
from pathlib import Path
from models import train
train.RUNS = Path(sys.argv[1])
raise SystemExit(train.main(sys.argv[2:]))
"""


def torchrun(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def test_two_processes_average_what_they_learn(tmp_path: Path) -> None:
    program = tmp_path / "averaging.py"
    program.write_text(AVERAGING)
    done = torchrun(program)
    assert done.returncode == 0, done.stderr


def test_two_processes_train_one_network_and_one_of_them_writes_it(tiny_data: Path, tmp_path: Path) -> None:
    program = tmp_path / "training.py"
    program.write_text(TRAINING)
    words = ["--data", str(tiny_data), "--name", "t", "--samples", "16", "--batch", "4", "--every", "2"]
    done = torchrun(program, str(tmp_path / "runs"), *words, "--workers", "0", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("parameters, step 0 of 4, 2 x cpu") == 1
    header = read_header(tmp_path / "runs" / "t" / "last.safetensors")
    assert header["step"] == 4
    assert len((tmp_path / "runs" / "t" / "curves.csv").read_text().splitlines()) == 3


def test_each_process_draws_samples_of_its_own(tiny_data: Path) -> None:
    data, config = read_training_set(tiny_data), train_module.TrainConfig(samples=16, batch=4)
    mix = MixConfig()
    alone, *pair = (train_module.Batches(data, config, mix, ranks)[1] for ranks in (Ranks(), Ranks(0, 2), Ranks(1, 2)))
    assert len(alone[0]) == 4
    assert [len(frames) for frames, _ in pair] == [2, 2]
    assert not torch.equal(pair[0][0], pair[1][0])


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(DataError, match=r"--batch is 5.*multiple of 2"):
        Ranks(0, 2).share(5)


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu") == Ranks()
