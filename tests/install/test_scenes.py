"""Changing OBS's own files: scene collections and settings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from eoam_install import running
from eoam_machine import obs_settings, receipt, scenes
from eoam_machine.errors import InstallError
from eoam_machine.layouts import find_obs
from eoam_machine.receipt import Change, Receipt

from . import recorded

SCRIPT = "/home/zoe/.local/share/eoam-obs/obs_eoam.py"


def _scripts(content: bytes) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(content)["modules"]["scripts-tool"]
    return listed


def test_the_script_is_added_once_and_everything_else_stays(tmp_path: Path) -> None:
    path = recorded.add_collection(tmp_path, "Küche & Co", ["/opt/other.lua"], quick_transitions=[{"duration": 0.1}])
    before = path.read_bytes()
    after = scenes.with_script(before, SCRIPT, path)
    assert after is not None
    assert _scripts(after) == [
        {"path": "/opt/other.lua", "settings": {"threshold": 0.7}},
        {"path": SCRIPT, "settings": {}},
    ]
    rest = json.loads(after)
    rest["modules"]["scripts-tool"].pop()
    assert rest == json.loads(before)
    assert scenes.with_script(after, SCRIPT, path) is None
    assert scenes.without_script(before, SCRIPT, path) is None
    without = scenes.without_script(after, SCRIPT, path)
    assert without is not None
    assert json.loads(without) == json.loads(before)


@pytest.mark.parametrize("modules", [None, [], {"scripts-tool": None}, {"scripts-tool": {}}])
def test_a_collection_that_never_had_scripts_gets_one(tmp_path: Path, modules: object) -> None:
    after = scenes.with_script(json.dumps({"name": "x", "modules": modules}).encode(), SCRIPT, tmp_path)
    assert after is not None
    assert _scripts(after) == [{"path": SCRIPT, "settings": {}}]


def test_another_copy_of_the_script_gives_way_and_leaves_its_settings(tmp_path: Path) -> None:
    path = recorded.add_collection(tmp_path, "x", ["C:/Users/zoe/Downloads/obs_eoam.py"])
    after = scenes.with_script(path.read_bytes(), SCRIPT, path)
    assert after is not None
    assert _scripts(after) == [{"path": SCRIPT, "settings": {"threshold": 0.7}}]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_collection_is_named_and_not_listed(tmp_path: Path, content: bytes) -> None:
    path = recorded.add_collection(tmp_path, "x")
    path.write_bytes(content)
    with pytest.raises(InstallError, match=r"x\.json"):
        scenes.with_script(content, SCRIPT, path)
    assert scenes.find_collections(path.parent) == []


def test_collections_are_chosen_by_name_file_or_word(tmp_path: Path) -> None:
    for name in ("Talk", "Küche"):
        recorded.add_collection(tmp_path, name)
    found = scenes.find_collections(tmp_path / "basic" / "scenes")
    assert [collection.name for collection in found] == ["Küche", "Talk"]
    for wanted, names in (
        (["all"], ["Küche", "Talk"]),
        (["none"], []),
        (["current"], ["Talk"]),
        (["Küche", "all"], ["Küche", "Talk"]),
    ):
        assert [collection.name for collection in scenes.choose(found, wanted, "Talk")] == names
    with pytest.raises(InstallError, match="There is not a scene collection 'Talks'; OBS has: 'Küche', 'Talk'"):
        scenes.choose(found, ["Talks"], "")


def test_undo_restores_an_untouched_file_byte_by_byte(tmp_path: Path) -> None:
    path = recorded.add_collection(tmp_path, "x")
    before = path.read_bytes()
    after = scenes.with_script(before, SCRIPT, path)
    assert after is not None
    written = _changed(tmp_path, path, before, after)
    receipt.undo_changes(written, tmp_path)
    assert path.read_bytes() == before


def test_undo_takes_only_the_script_out_of_a_file_that_obs_has_written_since(tmp_path: Path) -> None:
    path = recorded.add_collection(tmp_path, "x")
    after = scenes.with_script(path.read_bytes(), SCRIPT, path)
    assert after is not None
    written = _changed(tmp_path, path, path.read_bytes(), after)
    path.write_text(json.dumps({**json.loads(after), "sources": [{"name": "new"}]}))
    receipt.undo_changes(written, tmp_path)
    content = json.loads(path.read_text())
    assert (content["sources"], content["modules"]["scripts-tool"]) == ([{"name": "new"}], [])
    path.unlink()
    assert receipt.undo_changes(written, tmp_path) == []


def _changed(folder: Path, path: Path, before: bytes, after: bytes) -> Receipt:
    (folder / receipt.BACKUPS).mkdir()
    (folder / receipt.BACKUPS / "1").write_bytes(before)
    receipt.replace(path, after)
    change = Change(str(path), receipt.sha256(after), "1", SCRIPT)
    return Receipt(version="1", obs="", environment="", changes=[change])


def test_settings_are_read_from_the_file_that_obs_reads(tmp_path: Path) -> None:
    assert obs_settings.settings_file(tmp_path) is None
    old = recorded.add_settings(tmp_path, name="global.ini", Basic={"SceneCollectionFile": "Old"})
    assert obs_settings.settings_file(tmp_path) == old
    new = recorded.add_settings(tmp_path, Basic={"SceneCollectionFile": "New"}, Python={"Path64bit": "C:\\\\Py=3"})
    assert obs_settings.settings_file(tmp_path) == new
    assert obs_settings.read_value(new, "Basic", "SceneCollectionFile") == "New"
    assert obs_settings.read_value(new, "Python", "Path64bit") == "C:\\Py=3"
    assert obs_settings.read_value(new, "Python", "Path32bit") == ""
    assert obs_settings.read_value(tmp_path / "no.ini", "Python", "Path64bit") == ""


def test_scenes_may_lie_elsewhere(tmp_path: Path) -> None:
    recorded.add_settings(tmp_path, name="global.ini", Locations={"SceneCollections": str(tmp_path / "cloud")})
    assert obs_settings.scenes_folder(tmp_path) == tmp_path / "basic" / "scenes"
    (tmp_path / "cloud" / "obs-studio" / "basic" / "scenes").mkdir(parents=True)
    assert obs_settings.scenes_folder(tmp_path) == tmp_path / "cloud" / "obs-studio" / "basic" / "scenes"


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_collection_keeps_its_bom_and_its_ends_of_lines(tmp_path: Path, bom: bytes, end: bytes) -> None:
    path = tmp_path / "x.json"
    before = bom + b'{\n    "name": "a\\nb"\n}\n'.replace(b"\n", end)
    added = scenes.with_script(before, SCRIPT, path)
    assert added is not None
    removed = scenes.without_script(added, SCRIPT, path)
    assert removed is not None
    for content in (added, removed):
        assert content.startswith(bom + b"{" + end)
        assert content.count(b"\n") == content.count(end)
        assert json.loads(content.decode("utf-8-sig"))["name"] == "a\nb"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[Python]\nPath64bit=C:/Py\n"),
        ("[Basic]\nProfile=x\n", "[Basic]\nProfile=x\n\n[Python]\nPath64bit=C:/Py\n"),
        ("[Python]\nPath64bit=D:/old\nx=1\n\n[B]\ny=2\n", "[Python]\nPath64bit=C:/Py\nx=1\n\n[B]\ny=2\n"),
        ("[Python]\nx=1\n[B]\nPath64bit=2\n", "[Python]\nPath64bit=C:/Py\nx=1\n[B]\nPath64bit=2\n"),
        ("\ufeff[Python]", "\ufeff[Python]\nPath64bit=C:/Py\n"),
        ("[B]\nname=Zo\xeb", "[B]\nname=Zo\xeb\n\n[Python]\nPath64bit=C:/Py\n"),
        ("[Basic]\r\nProfile=x\r\n", "[Basic]\r\nProfile=x\r\n\r\n[Python]\r\nPath64bit=C:/Py\r\n"),
        ("\ufeff[B]\r\nx=1", "\ufeff[B]\r\nx=1\r\n\r\n[Python]\r\nPath64bit=C:/Py\r\n"),
        ("[Python]\r\nPath64bit=D:/old\r\nx=1\r\n", "[Python]\r\nPath64bit=C:/Py\r\nx=1\r\n"),
        ("x=1\n[Python]\r\ny=2\n", "x=1\n[Python]\r\nPath64bit=C:/Py\r\ny=2\n"),
        ("[Python]\nPath64bit=1\ny=2\r\n", "[Python]\nPath64bit=C:/Py\ny=2\r\n"),
        ("[B]\r\nx=1\r\n[Python]\r\nPath64bit=1", "[B]\r\nx=1\r\n[Python]\r\nPath64bit=C:/Py\r\n"),
    ],
)
def test_one_value_is_set_and_the_rest_stays(before: str, after: str) -> None:
    assert obs_settings.with_value(before.encode(), "Python", "Path64bit", "C:/Py").decode() == after


def _process(computer: recorded.Computer, number: int, name: str, state: str = "S", **environ: str) -> None:
    computer.add(f"/proc/{number}/comm", f"{name}\n".encode())
    computer.add(f"/proc/{number}/stat", f"{number} ({name}) {state} 1 1".encode())
    content = b"\0".join(f"{key}={value}".encode() for key, value in environ.items())
    computer.add(f"/proc/{number}/environ", content)


def test_linux_sees_an_obs_with_these_settings_only(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    (obs,) = find_obs(computer.machine)
    _process(computer, 1, "bash", HOME="/home/zoe")
    _process(computer, 2, "obs", HOME="/home/other")
    _process(computer, 3, "obs", HOME="/home/zoe", XDG_CONFIG_HOME="/elsewhere")
    _process(computer, 4, "obs", "Z", HOME="/home/zoe")
    assert not running.is_running(obs, computer.machine)
    _process(computer, 5, "obs", HOME="/home/zoe")
    assert running.is_running(obs, computer.machine)


def test_windows_and_macos_ask_the_system(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path / "windows")
    (obs,) = find_obs(computer.machine)
    computer.programs = ["System", "obs-browser-page.exe", "python.exe"]
    assert not running.is_running(obs, computer.machine)
    computer.programs.append("OBS64.exe")
    assert running.is_running(obs, computer.machine)
    computer = recorded.macos(tmp_path / "macos")
    (obs,) = find_obs(computer.machine)
    computer.answers["ps -axo"] = "/sbin/launchd\n/usr/bin/obs-helper\n"
    assert not running.is_running(obs, computer.machine)
    computer.answers["ps -axo"] = "/sbin/launchd\n/Applications/OBS.app/Contents/MacOS/OBS\n"
    assert running.is_running(obs, computer.machine)


def test_a_file_keeps_its_rights_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"1")
    path.chmod(0o640)
    rights = path.stat().st_mode  # on Windows there is only one to take away
    receipt.replace(path, b"2")
    assert (path.read_bytes(), path.stat().st_mode, os.listdir(tmp_path)) == (b"2", rights, ["x.json"])
