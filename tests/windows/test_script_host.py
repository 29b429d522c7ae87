"""What is made of the lines that the script host prints; Wine is not needed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.windows import script_host
from tools.windows.errors import WindowsToolError
from tools.windows.script_host import Report, run_steps


class Printing:
    """Stands in for Wine: a program that prints this and ends so."""

    def __init__(self, printed: str, exit_code: int | None = 0) -> None:
        self._printed = printed
        self._exit_code = exit_code

    def run(self, *command: str | Path, output: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        output.write_text(self._printed, encoding="utf-8")
        if self._exit_code is None:
            raise WindowsToolError("host.exe did not end within 300 s.")
        return subprocess.CompletedProcess(command, self._exit_code, self._printed)


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(script_host, "script_host", lambda: tmp_path)

    def run(printed: str, exit_code: int | None = 0) -> Report:
        return run_steps(Printing(printed, exit_code), [("type", "a b"), ("end",)], tmp_path / "out.txt")  # type: ignore[arg-type]

    return run


def test_the_steps_are_written_one_a_line(report: Any, tmp_path: Path) -> None:
    report("")
    assert (tmp_path / "out.steps").read_text() == "type\ta b\nend\n"


def test_values_are_found_by_their_kind(report: Any) -> None:
    found = report("panel\tadd\nlog\tpanel\npanel\tlogs\n")
    assert found.all("panel") == ["add", "logs"]
    assert found.last("panel") == "logs"
    assert found.last("allocations") == ""
    assert found.problem == ""


def test_a_step_that_failed_is_a_problem_told_with_obs_errors(report: Any) -> None:
    problem = report("step\tscript\nerror\tNameError: x\nfailed\tThe script does not load.\n", 1).problem
    assert problem == "It failed in the step script: The script does not load. OBS's log says: NameError: x"


def test_a_crash_is_a_problem_told_with_its_place(report: Any) -> None:
    problem = report("step\treload\ncrash\texception 0xc0000005 in thread 9\ncrash\tobs.dll+0x10\n", 77).problem
    assert problem == "It crashed in the step reload: exception 0xc0000005 in thread 9, obs.dll+0x10."


def test_another_exit_code_is_a_problem_told_with_the_last_lines(report: Any) -> None:
    problem = report("step\tscripting\nFatal Python error: no streams\n", 3).problem
    assert "in the step scripting with exit code 3" in problem
    assert "Fatal Python error: no streams" in problem


def test_a_host_that_hangs_is_a_problem(report: Any) -> None:
    problem = report("step\treload\n", None).problem
    assert problem == "It failed in the step reload: host.exe did not end within 300 s."
