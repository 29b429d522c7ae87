"""The script that goes on with the long run.

Slow: it starts the real script, whose process imports torch and trains a few steps.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("chrt"), reason="chrt is not installed (util-linux)")


def train_on(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the script with its lock in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        [str(ROOT / "scripts" / "train-on"), *words], env=environment, capture_output=True, text=True, timeout=120
    )


def test_a_second_run_on_the_machine_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "eoam-train-on.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = train_on(tmp_path)
    assert done.returncode == 1
    assert "already" in done.stderr


def test_the_run_that_is_named_is_the_one_to_go_on_with(tmp_path: Path) -> None:
    done = train_on(tmp_path, "no-such-run")
    assert done.returncode == 2
    assert "there is no run named no-such-run" in done.stderr


def test_a_further_option_reaches_the_training(tmp_path: Path) -> None:
    done = train_on(tmp_path, "no-such-run", "--samples", "many")
    assert done.returncode == 2
    assert "--samples" in done.stderr
