"""The filter's type without an OBS: which thread draws, which copy of the script answers, who else registered it."""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eoam_core.errors import InstallationError
from eoam_obs.binding import libobs, log
from eoam_obs.binding.functions import Event
from eoam_obs.source import source_type
from eoam_obs.source.instances import INSTANCES
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from tests.obs.instances import instance
from tests.obs.libobs_double import LibobsDouble

DRAWS = source_type._DRAWS_IN_A_ROW


class Kept:
    """Counts how often a thread's Python state was kept."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def __call__(self) -> int:
        self.threads.append(threading.current_thread().name)
        return 0


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    counter = Kept()
    monkeypatch.setattr(ctypes.pythonapi, "PyGILState_Ensure", counter)
    monkeypatch.setattr(source_type, "_drawing_thread", 0)
    monkeypatch.setattr(source_type, "_drawn", 0)
    return counter


def _draw_in_a_thread(name: str, count: int) -> None:
    thread = threading.Thread(target=lambda: [source_type._video_render(1, None) for _ in range(count)], name=name)
    thread.start()
    thread.join(60)


def test_the_thread_that_draws_keeps_its_state_once(kept: Kept) -> None:
    _draw_in_a_thread("graphics", 5 * DRAWS)
    assert kept.threads == ["graphics"]


def test_a_thread_that_draws_now_and_then_does_not(kept: Kept) -> None:
    for number in range(5):
        _draw_in_a_thread(f"screenshot {number}", DRAWS - 1)
    assert kept.threads == []


@pytest.mark.parametrize("has_the_same_number", [False, True])
def test_after_a_change_of_the_video_settings_the_new_thread_keeps_its_own(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, has_the_same_number: bool
) -> None:
    if has_the_same_number:  # as the system likes to give it
        monkeypatch.setattr(threading, "get_native_id", lambda: 4711)
    for name in ("first", "second", "third"):
        _draw_in_a_thread(name, 2 * DRAWS)
    assert kept.threads == ["first", "second", "third"]


class Registry(LibobsDouble):
    """A libobs that keeps books of types, and nothing else."""

    def __init__(self, *, known: bool = False, takes: bool = True) -> None:
        super().__init__()
        self.known, self.takes = known, takes
        self.os_event_signal = libobs.Update(lambda *_: None)  # its address goes into the struct
        self.registered = 0
        self.enabled: list[bool] = []

    def obs_source_get_display_name(self, kind: str) -> bytes | None:
        return b"EOAM" if self.known else None

    def obs_register_source_s(self, info: int, size: int) -> None:
        self.registered += 1
        self.known = self.takes

    def obs_enable_source_type(self, kind: str, enabled: bool) -> None:
        self.enabled.append(enabled)

    def obs_weak_source_get_source(self, weak: int) -> int:
        return 7

    def obs_source_get_settings(self, source: int) -> int:
        return 8


class Copy:
    """One copy of the script's implementation."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.prepared = 0
        self.settled = 0

    def prepare(self, obs: Any) -> None:
        self.prepared += 1

    def normalise(self, obs: Any, settings: int, known: Any) -> Any:
        self.settled += 1
        return type("Stored", (), {"changed": False, "follows": False, "settings": None})()

    def effective(self, stored: Any) -> Any:
        return type("Acting", (), {"to_mapping": lambda self: {}})()


class Alive:
    """A filter that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.told.append(name) or State(kind="waiting")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    obs = Registry()
    for name, value in (("_obs", None), ("_implementation", None), ("_watch", None)):
        monkeypatch.setattr(source_type, name, value)
    monkeypatch.setattr(source_type, "_attached", [])
    monkeypatch.setattr(libobs, "LibObs", lambda: obs)
    monkeypatch.setattr(log, "install", lambda _: None)
    monkeypatch.setattr(atexit, "register", lambda _: None)
    yield obs
    for implementation in [*source_type._attached]:
        source_type.detach(implementation)
    INSTANCES.clear()
    assert not obs.faults


def answering() -> Any:
    return source_type._implementation


def _filter() -> Alive:
    alive = Alive()
    INSTANCES[Event(5)] = instance(5, 7, weak=6, video_filter=alive)
    return alive


def test_the_last_copy_answers_and_gives_back(registry: Registry) -> None:
    first: Any = Copy()
    second: Any = Copy()
    alive = _filter()
    source_type.attach(first)
    source_type.attach(second)
    assert answering() is second
    assert registry.registered == 1
    source_type.detach(second)
    assert answering() is first
    assert "suspend" not in alive.told
    assert registry.enabled[-1] is True
    source_type.detach(second)
    assert answering() is first
    source_type.detach(first)
    assert answering() is None
    assert alive.told[-1] == "suspend"
    assert registry.enabled[-1] is False
    source_type.detach(first)
    assert alive.told.count("suspend") == 1


def test_a_copy_that_does_not_answer_goes_without_a_trace(registry: Registry) -> None:
    first: Any = Copy()
    second: Any = Copy()
    alive = _filter()
    source_type.attach(first)
    source_type.attach(second)
    told = len(alive.told)
    source_type.detach(first)
    assert answering() is second
    assert len(alive.told) == told


@pytest.mark.parametrize(
    ("known", "takes", "said"), [(True, True, "Another copy of EOAM"), (False, False, "rejected the filter")]
)
def test_a_type_that_is_not_ours_is_an_error_and_nothing_goes_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, known: bool, takes: bool, said: str
) -> None:
    registry.known, registry.takes = known, takes
    monkeypatch.setattr(registry, "obs_get_version_string", lambda: b"32.0.0")
    copy: Any = Copy()
    with pytest.raises(InstallationError, match=said):
        source_type.attach(copy)
    assert answering() is None
    assert source_type._attached == []
    assert source_type._watch is None
    assert not copy.prepared
    assert registry.registered == (0 if known else 1)
