"""What the installer asks of the computer that it runs on: the real one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eoam_machine import machine, processes


def test_a_program_may_print_any_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")  # as Windows has it in Western Europe
    printed = machine.this_machine().run([sys.executable, "-c", "print('Zo\\xeb \\u65e5\\u672c')"])
    assert printed is not None
    assert printed.strip() == "Zoë 日本"


def test_what_cannot_be_run_or_fails_has_printed_nothing(tmp_path: Path) -> None:
    asked = machine.this_machine()
    assert asked.run([str(tmp_path / "none.exe")]) is None
    assert asked.run([sys.executable, "-c", "print('so far'); raise SystemExit(3)"]) is None


@pytest.mark.skipif(sys.platform != "win32", reason="the list is Windows' own")
def test_windows_names_the_programs_that_run() -> None:
    assert Path(sys.executable).name.lower() in [name.lower() for name in processes.running_programs()]
