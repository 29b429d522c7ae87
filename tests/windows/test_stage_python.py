"""What the stage that runs tests/core makes of pytest's end, with small tests on this machine's own Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.windows import stage_python
from tools.windows.errors import WindowsToolError
from tools.windows.stage import Outcome, Workplace

GOOD = "def test_good(): pass\n"
MIXED = """
import pytest

def test_good():
    pass

@pytest.mark.parametrize("number", [1])
def test_bad(number):
    assert number == 2

@pytest.fixture
def broken():
    yield
    raise OSError("not closed")

def test_that_does_not_clean_up(broken):
    pass

def test_bad_in_two_ways(broken):
    assert False

@pytest.mark.skip(reason="not on this system")
def test_left_out():
    pass
"""
UNREADABLE = "import os\nos.no_such_function()\n"
CRASH = "import os\ndef test_good(): pass\ndef test_that_crashes(): os._exit(5)\n"


class OwnPython:
    """In Wine's place: runs this machine's Python, in the folder with the tests."""

    def __init__(self, folder: Path, too_late: bool = False) -> None:
        self.prefix = folder / "prefix"
        (self.prefix / "drive_c").mkdir(parents=True)
        self._folder = folder
        self._too_late = too_late

    def run_python(self, *arguments: str, output: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, *arguments], cwd=self._folder, capture_output=True, text=True)
        output.write_text(done.stdout)
        if self._too_late:
            raise WindowsToolError("python.exe did not end within 1 s.")
        return done


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setattr(stage_python, "TESTS", (tmp_path / "tests",))
    monkeypatch.setattr(stage_python, "MORE", ())
    monkeypatch.setattr(stage_python, "REPOSITORY", tmp_path)
    monkeypatch.setattr(stage_python, "windows_path", str)
    (tmp_path / "tests").mkdir()
    (tmp_path / "out").mkdir()
    return Workplace(wine=OwnPython(tmp_path), folder=tmp_path / "out")  # type: ignore[arg-type]


def _run(place: Workplace, **tests: str) -> Outcome:
    for name, content in tests.items():
        (stage_python.TESTS[0] / f"test_{name}.py").write_text(content)
    return stage_python.run(place)


def test_all_passed_in_both_processes(place: Workplace) -> None:
    outcome = _run(place, one=GOOD, two=GOOD * 2, three=GOOD)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (3, [], [])
    assert len(outcome.notes) == 2


def test_each_failure_and_skip_is_named_once(place: Workplace) -> None:
    outcome = _run(place, mixed=MIXED, good=GOOD)
    assert outcome.passed == 2
    assert outcome.skipped == ["tests/test_mixed.py::test_left_out: not on this system"]
    assert outcome.failed == [
        "tests/test_mixed.py::test_bad[1]: assert 1 == 2",
        'tests/test_mixed.py::test_that_does_not_clean_up: failed on teardown with "OSError: not closed"',
        "tests/test_mixed.py::test_bad_in_two_ways: assert False",
    ]


def test_a_file_that_cannot_be_imported_is_a_failure(place: Workplace) -> None:
    outcome = _run(place, good=GOOD, unreadable=UNREADABLE)
    assert outcome.passed == 1
    assert any("no attribute 'no_such_function'" in sentence for sentence in outcome.failed)


def test_a_crash_is_a_failure_that_names_the_test(place: Workplace) -> None:
    (sentence,) = _run(place, crash=CRASH).failed
    assert sentence.startswith("pytest broke off (exit code 5)")
    assert sentence.rstrip().endswith("test_crash.py::test_that_crashes")


def test_a_process_that_does_not_end_is_a_failure(place: Workplace, tmp_path: Path) -> None:
    late = Workplace(wine=OwnPython(tmp_path / "late", too_late=True), folder=place.folder)  # type: ignore[arg-type]
    (sentence,) = _run(late, good=GOOD).failed
    assert "did not end within 1 s" in sentence


def test_without_wine_the_stage_says_so(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise WindowsToolError("Wine is not installed: apt-get install wine wine64.")

    monkeypatch.setattr(place.wine, "run_python", missing)
    with pytest.raises(WindowsToolError, match="is not installed"):
        _run(place, good=GOOD)


def test_nothing_that_passed_is_a_failure(place: Workplace) -> None:
    (sentence,) = _run(place, skipped="import pytest\n@pytest.mark.skip(reason='x')\ndef test_x(): pass\n").failed
    assert sentence == "no test of tests/test_skipped.py passed"


def test_a_report_that_was_cut_short_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "tests.xml"
    path.write_text("<testsuites><testsuite><testcase name='x'/>")
    assert "is cut short" in stage_python.read_report(path).failed[0]


def test_the_files_are_divided_by_their_size(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "abcd"]
    for file, size in zip(files, (10, 30, 5, 14), strict=True):
        file.write_bytes(bytes(size))
    parts = stage_python.split(files, 2)
    assert [sum(file.stat().st_size for file in part) for part in parts] == [30, 29]
