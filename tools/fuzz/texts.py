"""Fuzz texts: stored settings, scene collections, OBS's settings file, receipts, logs."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from eoam_cli import obs_log
from eoam_core.errors import EoamError
from eoam_core.pictures.picture import BackgroundPicture
from eoam_core.presets import effective, normalised
from eoam_core.printable import printable
from eoam_core.settings import Settings, describe_settings, migrated
from eoam_install import installer
from eoam_machine import obs_settings, receipt, scenes
from eoam_machine.errors import InstallError
from tools.fuzz.mutations import damaged, require_sentence
from tools.fuzz.target import Target

SCRIPT = "/home/zoe/eoam/obs_eoam.py"
_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
_WORDS = st.sampled_from([choice for info in describe_settings() for choice, _ in info.choices])
_NAMES = st.sampled_from([info.name for info in describe_settings()] + ["contour_fill", "settings_version"])
_NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, float("nan"), float("inf"), -0.0])
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _ANY_TEXT, _WORDS, st.just("x" * 100_000), st.just("\0")),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_ANY_TEXT, inner, max_size=4)),
    max_leaves=12,
)


def _check_settings(stored: Any, folder: Path) -> None:
    parsed = Settings.from_mapping(stored)
    again = Settings.from_mapping(parsed.settings.to_mapping())
    assert again.settings == parsed.settings
    assert not again.adjusted
    for value in parsed.settings.to_mapping().values():
        assert isinstance(value, str | bool | int) or math.isfinite(value)
    migrated(stored)
    effective(normalised(parsed.settings, None))
    with contextlib.suppress(ValueError):
        Settings.validated(**{str(name): value for name, value in stored.items()})
    for text in (parsed.settings.background_picture, str(stored.get("background_picture", "x"))[:300]):
        try:
            BackgroundPicture.chosen(text)
        except EoamError as error:
            require_sentence(error)


def _check_scenes(content: bytes, folder: Path) -> None:
    path = folder / "x.json"
    path.write_bytes(content)
    scenes.find_collections(folder)
    try:
        after = scenes.with_script(content, SCRIPT, path)
    except InstallError:
        return
    before = json.loads(content.decode("utf-8-sig"))
    if after is not None:
        parsed = json.loads(after)
        assert [one.get("path") for one in parsed["modules"]["scripts-tool"]].count(SCRIPT) == 1
        assert scenes.with_script(after, SCRIPT, path) is None
        rest = {name: value for name, value in parsed.items() if name != "modules"}
        assert rest == {name: value for name, value in before.items() if name != "modules"}
    scenes.without_script(after or content, SCRIPT, path)


_ENTRY = st.dictionaries(st.sampled_from(["path", "settings", "x"]), _VALUES, max_size=3)
_MODULES = st.one_of(_VALUES, st.fixed_dictionaries({"scripts-tool": st.one_of(_VALUES, st.lists(_ENTRY, max_size=3))}))
_COLLECTION = st.fixed_dictionaries({"name": _VALUES, "modules": _MODULES, "sources": _VALUES})


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _some_collections() -> list[bytes]:
    plain = {"name": "x", "modules": {"scripts-tool": [{"path": SCRIPT, "settings": {"a": 1.5}}]}, "sources": [{}]}
    deep = b'{"modules":' + b"[" * 900 + b"]" * 900 + b"}"
    deeper = b'{"modules":' + b"[" * 200_000
    return [_as_json(plain), deep, deeper, b'{"n": 1e999}', b'{"n": "\\ud800"}', b'{"n": ' + b"9" * 6000 + b"}"]


def _check_ini(parts: tuple[bytes, str], folder: Path) -> None:
    content, value = parts
    path = folder / "user.ini"
    path.write_bytes(content)
    obs_settings.settings_file(folder)
    obs_settings.scenes_folder(folder)
    obs_settings.read_value(path, "Python", "Path64bit")
    after = obs_settings.with_value(content, "Python", "Path64bit", value)
    path.write_bytes(after)
    # What is no end of a line to OBS must be none here; a \r alone is one to OBS.
    if b"\r" not in content:
        assert obs_settings.read_value(path, "Python", "Path64bit") == value
        kept = [
            line for line in content.split(b"\n") if not line.startswith((b"Path64bit=", b"[Python]")) and line.strip()
        ]
        assert all(line in after for line in kept)


_INI = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [b"[Python]", b"[Basic]", b"Path64bit=C:/x", b"Path64bit", b"a=b\xe2\x80\xa8[Python]", b"\x0b", b""]
        ),
        max_size=8,
    ).map(b"\n".join),
)
_VALUE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def _check_receipt(content: bytes, folder: Path) -> None:
    target, outside = folder / "a" / "eoam", folder / "outside"
    (target / receipt.BACKUPS).mkdir(parents=True)
    (target / receipt.BACKUPS / "1").write_bytes(b"evil")
    (outside / "empty").mkdir(parents=True)
    (outside / "notes.txt").write_bytes(b"precious")
    text = (
        content.decode("utf-8", "replace").replace("OUTSIDE", outside.as_posix()).replace("TARGET", target.as_posix())
    )
    (target / receipt.NAME).write_text(text, encoding="utf-8")
    (target / "obs_eoam.py").write_bytes(b"")
    before = sorted(outside.rglob("*"))
    try:
        found = receipt.read_receipt(target)
    except InstallError:
        found = None
    if found is not None:
        receipt.undo_changes(found, target)
        installer._remove_files(target, found)
        for parent in found.parents:
            assert Path(parent) in target.parents
    assert sorted(outside.rglob("*")) == before
    assert (outside / "notes.txt").read_bytes() == b"precious"


def _some_receipts() -> list[bytes]:
    evil = receipt.sha256(b"precious")
    made = []
    for path, backup, name, parent in (
        ("OUTSIDE/notes.txt", "1", "obs_eoam.py", "TARGET"),
        ("OUTSIDE/x.json", "../../../outside/notes.txt", "../../outside/notes.txt", "OUTSIDE/empty"),
        ("x.json", "..", "/etc/passwd", "/"),
    ):
        change = {"path": path, "sha256": evil, "backup": backup, "script": ""}
        made.append(
            _as_json(
                {
                    "version": "1",
                    "obs": "",
                    "environment": "cp311-x",
                    "files": [name],
                    "changes": [change],
                    "parents": [parent],
                }
            )
        )
    return [*made, b"[" * 100_000, b'{"changes": []}', b"[]", b"{}"]


def _check_log(content: bytes, folder: Path) -> None:
    (folder / "logs").mkdir()
    (folder / "logs" / "1.txt").write_bytes(content)
    path = obs_log.newest_log(folder)
    assert path is not None
    text = obs_log.read_log(path)
    for line in (*obs_log.our_lines(text), *(failure.line for failure in obs_log.known_failures(text))):
        assert line == printable(line)
        assert len(line) < 3000


def _some_logs() -> list[bytes]:
    ours = b"22:10:02.100: [EOAM] filter_registered id=eoam_background_removal \x1b[2Jobs=30\n"
    return [
        ours * 20,
        b"[Python: obs_eoam.py] " * 100_000,
        b"\0" * 3_000_000,
        b"\xff\xfe" * 999,
        ours + b"worker_died \n",
    ]


TARGETS = (
    Target(
        "settings",
        lambda: st.dictionaries(st.one_of(_NAMES, _ANY_TEXT), st.one_of(_VALUES, _NUMBERS), max_size=12),
        _check_settings,
    ),
    Target("scenes", lambda: st.one_of(_COLLECTION.map(_as_json), damaged(_some_collections)), _check_scenes),
    Target("ini", lambda: st.tuples(_INI, _VALUE), _check_ini),
    Target("receipt", lambda: damaged(_some_receipts), _check_receipt),
    Target("log", lambda: damaged(_some_logs), _check_log),
)
