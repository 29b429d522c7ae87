"""Run the tests of the core, the command line and the installer on Windows' Python, in two processes for two cores."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools.windows.errors import WindowsToolError
from tools.windows.stage import REPOSITORY, Outcome, Workplace
from tools.windows.wine import windows_path

TESTS: Final = tuple(REPOSITORY / "tests" / room for room in ("core", "pictures", "cli", "install"))
# Windows' own clipboard is there, too, and these tests need no OBS.
MORE: Final = (REPOSITORY / "tests" / "obs" / "test_windows_clipboard.py",)
_PROCESSES: Final = 2
_LIMIT_S: Final = 1200.0
_HANGING_S: Final = 240  # a test that takes longer says where it is
_ENDED: Final = (0, 1)  # pytest's exit codes: all passed, some failed
_LAST_LINES: Final = 15
_LONGEST: Final = 300  # characters of a sentence


def run(place: Workplace) -> Outcome:
    """Run the tests and report each that failed or was skipped."""
    parts = split([*sorted(file for room in TESTS for file in room.glob("test_*.py")), *MORE], _PROCESSES)
    with ThreadPoolExecutor(len(parts)) as pool:
        outcomes = list(pool.map(lambda part: _run_part(place, *part), enumerate(parts, 1)))
    return Outcome(
        passed=sum(outcome.passed for outcome in outcomes),
        failed=[sentence for outcome in outcomes for sentence in outcome.failed],
        skipped=[sentence for outcome in outcomes for sentence in outcome.skipped],
        notes=[sentence for outcome in outcomes for sentence in outcome.notes],
    )


def split(files: Sequence[Path], count: int) -> list[list[Path]]:
    """Divide files among `count` processes, so that each has about as many bytes to test with."""
    parts: list[list[Path]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(file)
        sizes[smallest] += file.stat().st_size
    return [part for part in parts if part]


def _run_part(place: Workplace, number: int, files: Sequence[Path]) -> Outcome:
    report, log = place.folder / f"tests-{number}.xml", place.folder / f"tests-{number}.txt"
    # On Windows' own drive, as a user has it, and below a short name: its paths may have 260 characters.
    scratch = place.wine.prefix / "drive_c" / f"tests-{number}"
    scratch.mkdir(exist_ok=True)
    temporary = f"C:\\{scratch.name}"
    environment = {"TEMP": temporary, "TMP": temporary, "HYPOTHESIS_STORAGE_DIRECTORY": f"{temporary}\\hypothesis"}
    options = ["-v", "-p", "no:cacheprovider", "-o", f"faulthandler_timeout={_HANGING_S}", "-o", "junit_family=xunit1"]
    names = [file.relative_to(REPOSITORY).as_posix() for file in files]
    began = time.monotonic()
    try:
        done = place.wine.run_python(
            *("-X", "faulthandler", "-m", "pytest", *options, f"--junitxml={windows_path(report)}", *names),
            folder=REPOSITORY,
            environment=environment,
            timeout=_LIMIT_S,
            output=log,
        )
        ended = f"exit code {done.returncode}"
    except WindowsToolError as error:
        if not log.is_file():  # nothing has run: Wine is missing
            raise
        done, ended = None, str(error)
    outcome = read_report(report) if report.is_file() else Outcome()
    if done is None or done.returncode not in _ENDED or not report.is_file():
        outcome.failed.append(f"pytest broke off ({ended}): {last_lines(log)}")
    elif bool(done.returncode) != bool(outcome.failed):
        outcome.failed.append(f"pytest's report does not say what its exit code {done.returncode} does: {report}")
    elif not outcome.passed:
        outcome.failed.append(f"no test of {', '.join(names)} passed")
    outcome.notes.append(
        f"process {number}: {outcome.passed} tests of {len(names)} files passed in {time.monotonic() - began:.0f} s"
    )
    return outcome


def read_report(path: Path) -> Outcome:
    """Read pytest's JUnit report; one that was cut short is a failure."""
    outcome = Outcome()
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except ElementTree.ParseError as error:
        outcome.failed.append(f"pytest's report {path} is cut short ({error}).")
        return outcome
    bad: dict[str, str] = {}  # a test that fails and whose clean-up fails as well is one
    for case in cases:
        name = _name(case)
        for kind in ("failure", "error", "skipped"):
            for found in case.findall(kind):
                if kind == "skipped":
                    outcome.skipped.append(f"{name}: {found.get('message', '')}")
                else:
                    bad.setdefault(name, f"{name}: {_sentence(found)}")
        if name not in bad and case.find("skipped") is None:
            outcome.passed += 1
    outcome.failed += bad.values()
    return outcome


def _name(case: ElementTree.Element) -> str:
    """Return the test's name as pytest takes it; a file that could not be read has no class."""
    file, name = case.get("file", "").replace("\\", "/"), case.get("name", "")
    return f"{file}::{name}" if file else name


def _sentence(found: ElementTree.Element) -> str:
    """Return what went wrong: pytest's own line for it, or the last one that it marks."""
    marked = [line[1:].strip() for line in (found.text or "").splitlines() if line.startswith("E  ")]
    message = found.get("message", "").strip()
    if marked and message in ("", "collection failure"):
        message = marked[-1]
    return " ".join(message.split())[:_LONGEST]


def last_lines(log: Path) -> str:
    """Return the end of what pytest printed: with -v that names the test, and after a crash where it was."""
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return "\n    ".join(["", *lines[-_LAST_LINES:]]) if lines else "it printed nothing"
