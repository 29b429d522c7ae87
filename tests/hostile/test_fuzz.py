"""A few seconds of each target of scripts/fuzz, from where the last run began: found once, found every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.fuzz import run as fuzzing

SECONDS = 1.0
SEED = 8


@pytest.mark.parametrize("name", sorted(fuzzing.targets()))
def test_nothing_but_a_sentence_comes_of_hostile_input(name: str) -> None:
    outcome = fuzzing.run(name, seconds=SECONDS, seed=SEED)
    assert not outcome.fault, outcome.fault
    assert outcome.inputs > 0


def test_a_fault_and_a_crash_are_reported_with_the_command_that_repeats_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process looks for its targets itself, here in a package with broken ones.
    package = tmp_path / "broken"
    package.mkdir()
    for module in ("texts", "archives", "pictures", "videos"):
        (package / f"{module}.py").write_text("TARGETS = ()\n")
    (package / "models.py").write_text(
        "import ctypes\nfrom hypothesis import strategies as st\nfrom tools.fuzz.target import Target\n"
        "def bad(value, folder):\n    assert value != 7, 'seven'\n"
        "def worse(value, folder):\n    ctypes.string_at(0)\n"
        "TARGETS = (Target('bad', lambda: st.integers(0, 9), bad), Target('worse', st.integers, worse))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bad = fuzzing.run("bad", seconds=20, seed=1, package="broken")
    assert "seven" in bad.fault
    assert "scripts/fuzz --only bad --seed " in bad.fault
    assert "killed by SIGSEGV" in fuzzing.run("worse", seconds=20, seed=1, package="broken").fault
