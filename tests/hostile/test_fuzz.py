"""A few seconds of each target of scripts/fuzz, from where the last run began: found once, found every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.fuzz import __main__

SECONDS = 1.0
SEED = 8


@pytest.mark.parametrize("name", sorted(__main__.targets()))
def test_nothing_but_a_sentence_comes_of_hostile_input(name: str) -> None:
    outcome = __main__.run(name, seconds=SECONDS, seed=SEED)
    assert not outcome.fault, outcome.fault
    assert outcome.inputs > 0


def test_a_fault_and_a_crash_are_reported_with_the_command_that_repeats_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process looks for its targets itself, so a folder with broken ones takes the place of scripts/.
    for module in ("fuzz_texts", "fuzz_archives", "fuzz_pictures", "fuzz_videos"):
        (tmp_path / f"{module}.py").write_text("TARGETS = ()\n")
    (tmp_path / "fuzz_models.py").write_text(
        "import ctypes\nfrom fuzz import Target\nfrom hypothesis import strategies as st\n"
        "def bad(value, folder):\n    assert value != 7, 'seven'\n"
        "def worse(value, folder):\n    ctypes.string_at(0)\n"
        "TARGETS = (Target('bad', lambda: st.integers(0, 9), bad), Target('worse', st.integers, worse))\n"
    )
    (tmp_path / "fuzz.py").write_text(Path(__main__.__file__).read_text())
    monkeypatch.setattr(__main__, "__file__", str(tmp_path / "fuzz.py"))
    bad = __main__.run("bad", seconds=20, seed=1)
    assert "seven" in bad.fault
    assert "scripts/fuzz --only bad --seed " in bad.fault
    assert "killed by SIGSEGV" in __main__.run("worse", seconds=20, seed=1).fault
