"""Have pip-audit look up the libraries of eoam_install/wheels.lock.json; scripts/audit calls this."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]

from eoam_install import wheels  # noqa: E402

NONE_KNOWN, FOUND, NO_PROGRAM, NO_DATABASE = 0, 1, 3, 4
_SERVICES: Final = ("pypi", "osv")
_LONGEST_S: Final = 300.0

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def pinned() -> list[str]:
    """Return name==version of everything that the lock names, each once."""
    lock = wheels.read_lock()
    found = [wheels.Wheel(name, **fields) for name, fields in lock["files"].items()]
    return sorted({f"{wheel.library}=={wheel.version}" for wheel in found})


def audit(requirements: Sequence[str], program: Sequence[str], run: Run) -> int:
    """Look the requirements up, print what is known, and return an exit code. One version of a library at a time."""
    asked, bad, why = 0, 0, ""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        # pip-audit takes no two versions of one library in a file.
        for requirement in requirements:
            file.write_text(f"{requirement}\n", encoding="ascii")
            for service in _SERVICES:
                options = ["-r", str(file), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
                done = run([*program, *options, "-s", service, "-f", "json"])
                report = _report(done.stdout)
                if report is None:
                    why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                    continue
                asked += 1
                for dependency in report:
                    for known in dependency.get("vulns", ()):
                        bad += 1
                        fixed = ", ".join(known.get("fix_versions", ())) or "nothing yet"
                        print(f"{requirement}: {known['id']}, mended in {fixed}")
                break
            else:
                break  # what cannot be reached for one cannot be for the next
    if asked < len(requirements):
        print(
            f"No data base of vulnerabilities could be asked about {len(requirements) - asked} of {len(requirements)} "
            f"libraries ({why}); run this where PyPI or OSV can be reached.",
            file=sys.stderr,
        )
        return NO_DATABASE
    print(f"{len(requirements)} libraries, {bad} known vulnerabilities")
    return FOUND if bad else NONE_KNOWN


def _report(output: str) -> list[dict[str, Any]] | None:
    try:
        report = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    # One that was skipped was not looked up.
    return None if any("skip_reason" in dependency for dependency in report) else list(report)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(list(command), capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 1, "", f"no answer within {_LONGEST_S:g} s")


def main() -> int:
    """Look everything up."""
    if importlib.util.find_spec("pip_audit") is None:
        print("scripts/audit needs pip-audit; install it: .venv/bin/pip install pip-audit", file=sys.stderr)
        return NO_PROGRAM
    return audit(pinned(), [sys.executable, "-m", "pip_audit"], _run)


if __name__ == "__main__":
    sys.exit(main())
