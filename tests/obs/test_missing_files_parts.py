"""Which files a filter needs, when the disk is looked at, and what is freed; without OBS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eoam_core.model_path import expanded, is_network_file
from eoam_core.settings import BackgroundKind, Settings, View
from eoam_obs.binding.functions import Event, Source, WeakSource
from eoam_obs.source import missing_files
from eoam_obs.source.instances import INSTANCES, Instance
from eoam_obs.source.stored import Stored
from tests.obs.libobs_double import LibobsDouble

HANDLE, SOURCE, SETTINGS = Event(5), Source(7), 70


class Libobs(LibobsDouble):
    """A libobs with one filter and private sources; the settings of each are texts by name."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: list[int] = []
        self.values: dict[int, dict[str, str]] = {SOURCE: {}}
        self.released: list[int] = []
        self.updated: list[int] = []
        self.labels: list[str] = []
        self.can_make = True

    def obs_queue_task(self, kind: int, task: Any, handle: int, wait: bool) -> None:
        self.queued.append(handle)

    def obs_weak_source_get_source(self, weak: int) -> int:
        return SOURCE

    def obs_source_get_settings(self, source: int) -> int:
        return source  # as good as any number

    def obs_data_create(self) -> int:
        self.values[1] = {}
        return 1

    def obs_source_create_private(self, kind: str, name: str, settings: int) -> int:
        if not self.can_make:
            return 0
        self.labels.append(name)
        made = 100 + len(self.labels)
        self.values[made] = {}
        return made

    def obs_source_get_name(self, source: int) -> bytes:
        return b"EOAM" if source == SOURCE else b"Kamera \xc3\xa4"

    def obs_filter_get_parent(self, source: int) -> int:
        return 8

    def obs_data_get_string(self, data: int, name: str) -> bytes:
        return self.values[data].get(name, "").encode()

    def obs_data_set_string(self, data: int, name: str, value: str) -> None:
        self.values[data][name] = value

    def obs_source_update(self, source: int, settings: int | None) -> None:
        self.updated.append(source)

    def obs_source_release(self, source: int) -> None:
        if source != SOURCE:
            self.released.append(source)


@pytest.fixture
def obs() -> Iterator[Any]:
    made: Any = Libobs()
    assert not INSTANCES
    yield made
    missing_files.let_go(made, HANDLE)
    INSTANCES.clear()
    assert not made.faults


def add(**settings: Any) -> Instance:
    INSTANCES[HANDLE] = Instance(HANDLE, SOURCE, weak=WeakSource(9), stored=stored(**settings))
    return INSTANCES[HANDLE]


def stored(*, follows: bool = False, **settings: Any) -> Stored:
    chosen = Settings(**settings)
    return Stored(settings=chosen, effective=chosen, follows=follows)


def lost(tmp_path: Path, name: str = "lost.png") -> dict[str, Any]:
    return {"background": BackgroundKind.PICTURE, "background_picture": str(tmp_path / name)}


def look(obs: Any, instance: Instance, now: float) -> None:
    """Do what the watch does, and then what it has queued for the UI thread."""
    missing_files.look_soon(obs, instance, now)
    while obs.queued:
        missing_files._renew_now(obs.queued.pop())


def files(obs: Any) -> list[str]:
    """Return what OBS would list, were it not there."""
    return [values["file"] for source, values in obs.values.items() if source > 100 and values.get("file")]


@pytest.mark.parametrize(
    ("name", "is_file"),
    [
        ("eoam", False),
        ("eoam_plus", False),
        ("", False),
        ("mine.onnx", True),
        ("MINE.ONNX", True),
        ("folder/net", True),
        ("~/net.onnx", True),
    ],
)
def test_a_network_is_a_file_by_its_ending_or_its_folder(name: str, is_file: bool) -> None:
    assert is_network_file(name) is is_file


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, {}),
        ({"background_picture": "/a.png"}, {}),
        ({"background": BackgroundKind.PICTURE}, {}),
        ({"background": BackgroundKind.PICTURE, "background_picture": "/a.png"}, {"background_picture": "/a.png"}),
        ({"model": "~/n.onnx", "view": View.MASK}, {"model": str(expanded("~/n.onnx"))}),
        ({"model": "eoam_plus"}, {}),
        ({"model": "/n.onnx", "follows": True}, {}),
    ],
)
def test_the_files_are_those_that_the_filter_uses_itself(settings: dict[str, Any], found: dict[str, str]) -> None:
    assert missing_files.used_files(stored(**settings)) == {name: str(Path(file)) for name, file in found.items()}


def test_as_long_as_nothing_is_missing_the_ui_thread_is_left_alone(obs: Any, tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"")
    instance = add(**lost(tmp_path, "there.png"))
    for now in range(20):
        missing_files.look_soon(obs, instance, now)
    assert obs.queued == []
    assert obs.labels == []


def test_a_filter_whose_settings_were_not_read_yet_is_let_be(obs: Any) -> None:
    instance = Instance(HANDLE, SOURCE, weak=WeakSource(9))
    missing_files.look_soon(obs, instance, 0.0)
    assert obs.queued == []


def test_a_missing_file_gets_one_source_with_our_name_that_never_reads_it(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    for now in range(20):
        look(obs, instance, now)
    assert files(obs) == [str(tmp_path / "lost.png")]
    assert obs.labels == ["Kamera ä: EOAM"]


def test_the_disk_is_looked_at_every_few_seconds_and_after_a_change(
    obs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(missing_files, "_is_there", lambda file: bool(looks.append(file)))
    instance = add(**lost(tmp_path))
    for tenths in range(100):
        look(obs, instance, tenths / 10)
    assert len(looks) == 2
    instance.stored = stored(**lost(tmp_path, "other.png"))
    look(obs, instance, 9.95)
    assert looks[2:] == [str(tmp_path / "other.png")]
    assert files(obs) == [str(tmp_path / "other.png")]


def test_what_was_chosen_is_stored_and_the_filter_told(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    look(obs, instance, 0.0)
    obs.values[101]["file"] = "/new.png"  # as OBS's dialog does it
    look(obs, instance, 0.5)
    assert obs.values[SOURCE] == {"background_picture": "/new.png"}
    assert SOURCE in obs.updated
    assert files(obs) == []


@pytest.mark.parametrize(("setting", "value"), [("background_picture", ""), ("model", "eoam")])
def test_what_was_cleared_is_as_if_it_had_never_been_chosen(obs: Any, tmp_path: Path, setting: str, value: str) -> None:
    chosen = lost(tmp_path) if setting == "background_picture" else {"model": str(tmp_path / "lost.onnx")}
    instance = add(**chosen)
    look(obs, instance, 0.0)
    obs.values[101]["file"] = ""
    look(obs, instance, 0.5)
    assert obs.values[SOURCE] == {setting: value}


def test_a_source_that_the_dialog_may_know_stays_until_the_filter_ends(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    look(obs, instance, 0.0)
    (tmp_path / "lost.png").write_bytes(b"")
    look(obs, instance, 6.0)
    assert files(obs) == []
    assert obs.released == []
    (tmp_path / "lost.png").unlink()
    look(obs, instance, 12.0)
    assert files(obs) == [str(tmp_path / "lost.png")]
    assert len(obs.labels) == 1
    missing_files.let_go(obs, HANDLE)
    missing_files.let_go(obs, HANDLE)
    assert obs.released == [101]


def test_what_is_chosen_after_the_file_came_back_counts_all_the_same(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    look(obs, instance, 0.0)
    (tmp_path / "lost.png").write_bytes(b"")
    look(obs, instance, 6.0)
    obs.values[101]["file"] = "/new.png"
    look(obs, instance, 6.5)
    assert obs.values[SOURCE] == {"background_picture": "/new.png"}


def test_an_obs_that_cannot_make_the_source_is_asked_again(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    obs.can_make = False
    look(obs, instance, 0.0)
    assert files(obs) == []
    obs.can_make = True
    look(obs, instance, 0.5)
    assert files(obs) == [str(tmp_path / "lost.png")]


def test_a_paused_script_lists_nothing_and_looks_anew_afterwards(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    look(obs, instance, 0.0)
    missing_files.pause(obs)
    assert files(obs) == []
    look(obs, instance, 0.5)
    assert files(obs) == [str(tmp_path / "lost.png")]


def test_a_task_that_comes_after_the_filter_s_end_does_nothing(obs: Any, tmp_path: Path) -> None:
    instance = add(**lost(tmp_path))
    missing_files.look_soon(obs, instance, 0.0)
    INSTANCES.clear()
    missing_files._renew_now(HANDLE)
    assert obs.labels == []


def test_a_file_of_which_the_system_does_not_tell_is_not_listed(
    obs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    look(obs, add(**lost(tmp_path)), 0.0)
    assert files(obs) == []


def test_a_slow_drive_is_looked_at_less_often(obs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    looks: list[float] = []

    def slow(file: str) -> bool:
        looks.append(clock[0])
        clock[0] += 10.0
        return True

    monkeypatch.setattr(missing_files, "_is_there", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    instance = add(**lost(tmp_path))
    for _ in range(500):
        look(obs, instance, clock[0])
        clock[0] += 0.5
    assert looks == [0.0, 210.0]
