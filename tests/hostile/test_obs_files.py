"""What the installer and the doctor find in OBS's folders, when somebody else has put it there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from eoam_cli import doctor, obs_log
from eoam_install import installer
from eoam_machine import binaries, obs_settings, receipt, scenes
from eoam_machine.errors import InstallError
from eoam_machine.receipt import Change, Receipt
from tests.install import recorded

SCRIPT = "/home/zoe/eoam-obs/obs_eoam.py"


@pytest.mark.parametrize(
    "content",
    [
        b'{"modules": ' + b"[" * 100_000,
        b'{"modules": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"x": 1e999}',
        b'{"x": NaN}',
        b'{"x": "\\ud800"}',
        b'{"x": ' + b"9" * 5000 + b"}",
    ],
    ids=["nested without end", "nested", "infinite", "no number", "half a character", "digits"],
)
def test_a_collection_that_could_not_be_written_as_it_was_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    scenes.find_collections(tmp_path)
    try:
        after = scenes.with_script(content, SCRIPT, path)
    except InstallError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert after is not None
        assert {**json.loads(after), "modules": 0} == {**json.loads(content), "modules": 0}
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "loop"])
def test_what_is_no_collection_is_passed_over_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path)
    start = time.monotonic()
    assert scenes.find_collections(tmp_path) == []
    with pytest.raises((InstallError, OSError)):
        scenes.read_file(path)
    assert time.monotonic() - start < 60


def test_a_huge_collection_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(10 << 30)
    assert scenes.find_collections(tmp_path) == []
    with pytest.raises(InstallError, match="larger than 64 MiB"):
        scenes.read_file(tmp_path / "x.json")


def test_a_file_is_replaced_through_no_link(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "x.json"
    precious.write_bytes(b"precious")
    # Where an earlier version wrote first, and where it wrote to.
    (tmp_path / ".x.json.eoam-part").symlink_to(precious)
    path.symlink_to(precious)
    receipt.replace(path, b"new")
    assert precious.read_bytes() == b"precious"
    assert path.read_bytes() == b"new"
    assert sorted(one.name for one in tmp_path.iterdir()) == [".x.json.eoam-part", "precious", "x.json"]


def _write(target: Path, **changed: object) -> None:
    (target / receipt.BACKUPS).mkdir(parents=True, exist_ok=True)
    content = {"version": "1", "obs": "", "environment": "cp311-x", "files": [], "changes": [], "parents": []}
    (target / receipt.NAME).write_text(json.dumps({**content, **changed}))


@pytest.mark.parametrize(
    "lie",
    [
        {"parents": ["{outside}"]},
        {"parents": ["{outside}/empty"]},
        {"parents": 5},
        {"files": ["../../outside/notes.txt"]},
        {"files": ["/etc/passwd"]},
        {"files": [5]},
        {"files": "obs_eoam.py"},
        {"changes": [{"path": "{outside}/notes.txt", "sha256": "{sum}", "backup": "1"}]},
        {"changes": [{"path": "{outside}/x.json", "sha256": "{sum}", "backup": "../../outside/notes.txt"}]},
        {"changes": [{"path": "x.json", "sha256": "", "backup": "1"}]},
        {"changes": [{"path": 5, "sha256": 5, "backup": 5}]},
        {"changes": {"path": "x"}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_receipt_that_lies_removes_and_overwrites_nothing(tmp_path: Path, lie: dict[str, object]) -> None:
    target, outside = tmp_path / "a" / "eoam", tmp_path / "outside"
    (outside / "empty").mkdir(parents=True)
    (outside / "notes.txt").write_bytes(b"precious")
    text = json.dumps(lie).replace("{outside}", outside.as_posix()).replace("{sum}", receipt.sha256(b"precious"))
    _write(target, **json.loads(text))
    (target / receipt.BACKUPS / "1").write_bytes(b"evil")
    with pytest.raises(InstallError, match=r"receipt\.json is damaged"):
        installer.uninstall(target, recorded.linux(tmp_path / "computer").machine)
    assert (outside / "empty").is_dir()
    assert (outside / "notes.txt").read_bytes() == b"precious"


def test_the_receipt_that_the_installer_writes_is_believed(tmp_path: Path) -> None:
    target = tmp_path / "made" / "eoam"
    target.mkdir(parents=True)
    changes = [Change(str(tmp_path / "x.json"), "0" * 64, "1-x.json", SCRIPT)]
    written = Receipt("1", "OBS", "cp311-x", ["eoam_core/settings.py"], changes, [str(tmp_path / "made")])
    written.write(target)
    assert receipt.read_receipt(target) == written


def test_a_receipt_is_believed_by_whichever_way_its_folder_is_reached(tmp_path: Path) -> None:
    (tmp_path / "real" / "made").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for written, read in (("link", "real"), ("real", "link")):
        made = Receipt("1", "OBS", "cp311-x", [], [], [str(tmp_path / written / "made")])
        (tmp_path / "real" / "made" / "eoam").mkdir(exist_ok=True)
        made.write(tmp_path / written / "made" / "eoam")
        assert receipt.read_receipt(tmp_path / read / "made" / "eoam") == made


def test_a_receipt_nested_without_end_is_damaged(tmp_path: Path) -> None:
    (tmp_path / receipt.NAME).write_text("[" * 100_000)
    with pytest.raises(InstallError, match="is damaged"):
        receipt.read_receipt(tmp_path)


def test_a_value_with_a_line_break_makes_no_new_setting(tmp_path: Path) -> None:
    content = obs_settings.with_value(b"[Basic]\nProfile=x\n", "Python", "Path64bit", "/py\n[General]\nEvil=1")
    path = tmp_path / "user.ini"
    path.write_bytes(content)
    assert obs_settings.read_value(path, "General", "Evil") == ""
    assert obs_settings.read_value(path, "Python", "Path64bit") == "/py\n[General]\nEvil=1"
    assert obs_settings.read_value(path, "Basic", "Profile") == "x"


def test_a_settings_file_that_is_a_pipe_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "global.ini")
    assert obs_settings.scenes_folder(tmp_path) == tmp_path / "basic" / "scenes"


def test_a_program_whose_version_has_no_end_has_none(tmp_path: Path) -> None:
    assert binaries.version("9" * 10_000 + ".1") in ((), (int("9" * 9), 1))
    (tmp_path / "obs").write_bytes(b"libpython3." + b"9" * 10_000 + b".so")
    assert binaries.linked_python(tmp_path / "obs") is None
    (tmp_path / "Contents").mkdir()
    (tmp_path / "Contents" / "Info.plist").write_bytes(b"<plist>" + b"<array>" * 100_000)
    assert binaries.bundle_version(tmp_path) == ()


def _with_log(tmp_path: Path) -> tuple[recorded.Computer, Path]:
    computer = recorded.linux(tmp_path)
    logs = computer.machine.folder("XDG_CONFIG_HOME", ".config") / "obs-studio" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return computer, logs / "2026-01-01.txt"


def test_a_huge_log_is_read_at_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "1.txt"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.write(b"[EOAM] at the beginning\n")
        file.seek(20 << 30)
        file.write(b"\n[EOAM] at the end\n")
    start = time.process_time()
    text = obs_log.read_log(path)
    assert obs_log.our_lines(text) == ["[EOAM] at the beginning", "[EOAM] at the end"]
    assert len(text) < 6 << 20
    assert time.process_time() - start < 10


def test_a_line_made_of_beginnings_takes_no_time() -> None:
    start = time.process_time()
    assert obs_log.known_failures("[Python: obs_eoam.py] " * 200_000) == []
    assert time.process_time() - start < 5


@pytest.mark.parametrize("kind", ["pipe", "binary", "escapes"])
def test_the_doctor_gets_through_any_log(tmp_path: Path, network: Path, kind: str) -> None:
    computer, path = _with_log(tmp_path)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "binary":
        path.write_bytes(os.urandom(1 << 20))
    else:
        path.write_bytes(b"22:10:02.100: [EOAM] \x1b[2J\x1b]0;evil\x07 \xe2\x80\xae\n")
    text = doctor.as_text(doctor.examine(network, computer.machine))
    assert all(line.isprintable() for line in text.splitlines())
    if kind == "pipe":
        assert "it is not a file" in text
    if kind == "escapes":
        assert r"[EOAM] \x1b[2J\x1b]0;evil\x07 \u202e" in text
