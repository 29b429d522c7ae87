"""The checks of the stage that installs on Windows fail when they should; without Wine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eoam_machine import obs_settings, receipt, scenes
from tools.windows import pip_settings
from tools.windows.computer import COLLECTIONS, PEOPLE, Computer, write_settings
from tools.windows.installer_checks import check_installed, users_files
from tools.windows.snapshot import Snapshot, take_snapshot
from tools.windows.wine import Wine


class _Ended(Wine):
    """A Wine without a program."""

    def end(self) -> None:
        pass


@pytest.fixture(params=PEOPLE, ids=lambda person: person.name)
def computer(request: pytest.FixtureRequest, tmp_path: Path) -> Computer:
    """A user's Windows with OBS's settings and nothing else."""
    wine = _Ended(prefix=tmp_path, display="", python=tmp_path / "drive_c" / "Python311", user=request.param.name)
    computer = Computer(person=request.param, wine=wine)
    write_settings(computer)
    for name in ("system.reg", "user.reg"):
        (tmp_path / name).write_text('WINE REGISTRY Version 2\n\n[Software\\\\OBS Studio] 1\n#time=1\n@="C:\\\\obs"\n')
    return computer


def _installed(computer: Computer) -> dict[Path, bytes]:
    """Change OBS's files as the installer does, and return how they were."""
    originals = {path: path.read_bytes() for path in users_files(computer)}
    settings, *collections = originals
    (computer.target / "backups").mkdir(parents=True)
    changes = []
    for number, (path, before) in enumerate(originals.items()):
        (computer.target / "backups" / str(number)).write_bytes(before)
        changes.append(receipt.Change(computer.windows(path), "", str(number)))
    receipt.Receipt("0.1.0", "", "", changes=changes).write(computer.target)
    settings.write_bytes(obs_settings.with_value(originals[settings], "Python", "Path64bit", "C:/Python311"))
    script = computer.windows(computer.target / "obs_eoam.py").replace("\\", "/")
    for path in collections:
        path.write_bytes(scenes.with_script(originals[path], script, path) or b"")
    return originals


def _wrong(computer: Computer, originals: dict[Path, bytes]) -> list[str]:
    wrong: list[str] = []
    check_installed(computer, originals, lambda holds, sentence: None if holds else wrong.append(sentence))
    return wrong


def test_a_good_installation_has_nothing_wrong(computer: Computer) -> None:
    assert _wrong(computer, _installed(computer)) == []


def _edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.removeprefix(b"\xef\xbb\xbf"), "keeps its byte order mark"),
        (lambda text: text.replace(b"\n", b"\r\r\n"), "what was in user.ini before"),
        (lambda text: text.rstrip() + (b"\n" if b"\r\n" in text else b"\r\n"), "all lines of user.ini end with"),
        (lambda text: text.replace(b"FirstRun=true", b"FirstRun=false"), "what was in user.ini before"),
        (lambda text: text.replace(b"C:/Python311", b"C:/Python312"), "is told of the Python in C:/Python311"),
    ],
)
def test_a_fault_in_the_settings_is_found(computer: Computer, change: Callable[[bytes], bytes], sentence: str) -> None:
    originals = _installed(computer)
    _edit(computer.settings / "user.ini", change)
    assert any(sentence in found for found in _wrong(computer, originals))


def test_a_fault_in_a_collection_is_found(computer: Computer) -> None:
    originals = _installed(computer)
    path = computer.scenes / f"{COLLECTIONS[0]}.json"
    good = path.read_bytes()
    _edit(path, lambda text: text.replace("Ünterwegs.py".encode(), b"Unterwegs.py"))
    assert any("lists its other scripts" in found for found in _wrong(computer, originals))
    path.write_bytes(good)
    _edit(path, lambda text: text.replace(b"0.7", b"0.8"))
    assert _wrong(computer, originals) == [f"all else in {COLLECTIONS[0]} is the same, in the same order"]


def test_a_false_or_missing_backup_is_found(computer: Computer) -> None:
    originals = _installed(computer)
    _edit(computer.target / "backups" / "1", lambda text: text[:-1])
    assert any("a true backup" in found for found in _wrong(computer, originals))
    found = json.loads((computer.target / "receipt.json").read_text(encoding="utf-8"))
    found["changes"].pop(1)
    (computer.target / "receipt.json").write_text(json.dumps(found), encoding="utf-8")
    assert any("a true backup" in found for found in _wrong(computer, originals))


def _changes(computer: Computer, before: Snapshot) -> list[str]:
    return before.differences(take_snapshot(computer.wine, but_caches_in=[computer.download]))


def test_every_change_on_the_drive_and_in_the_registry_is_seen(computer: Computer) -> None:
    computer.download.mkdir(parents=True)
    before = take_snapshot(computer.wine, but_caches_in=[computer.download])
    assert _changes(computer, before) == []
    (computer.download / "__pycache__").mkdir()
    assert _changes(computer, before) == []
    place = computer.settings.relative_to(computer.drive)
    (computer.settings / "new").mkdir()
    (computer.settings / "global.ini").unlink()
    _edit(computer.settings / "user.ini", lambda text: text.replace(b"true", b"True"))
    (computer.wine.prefix / "user.reg").write_text(
        'WINE REGISTRY Version 2\n\n[Software\\\\OBS Studio] 1\n#time=2\n@="D"\n'
    )
    assert _changes(computer, before) == [
        f"{place}/global.ini is gone",
        f"{place}/new is new",
        f"{place}/user.ini is another",
        "user.reg [Software\\\\OBS Studio] is another",
    ]


def test_what_wine_writes_of_itself_is_no_change(computer: Computer) -> None:
    before = take_snapshot(computer.wine)
    with (computer.wine.prefix / "system.reg").open("a") as file:
        file.write(
            "\n[Software\\\\Microsoft\\\\SystemCertificates\\\\CA] 2\n#time=2\n\n[System\\\\Display] 2\n#time=2\n"
        )
    assert _changes(computer, before) == []


def test_windows_pip_is_given_the_settings_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    lines = r"""
:env:.cert='/etc/ca bundle.crt'
global.cert='/etc/other.crt'
global.index-url='https://index.example/simple'
global.extra-index-url='file:///srv/simple https://more.example'
install.target='/elsewhere'
"""
    python.write_text(f"#!/bin/sh\ncat <<'END'{lines}END\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    for name in pip_settings.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert pip_settings.pip_environment() == {
        "PIP_CERT": "Z:\\etc\\ca bundle.crt",
        "PIP_INDEX_URL": "https://index.example/simple",
        "PIP_EXTRA_INDEX_URL": "file:///Z:/srv/simple https://more.example",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }
