"""What a report of a problem holds, how it gets to the clipboard, and which sources are offered."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eoam_core.settings import BackgroundKind, Settings
from eoam_obs.binding import desktop
from eoam_obs.panels import diagnostics
from eoam_obs.source import sources
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from tests.obs.libobs_double import strict

linux = pytest.mark.skipif(sys.platform != "linux", reason="the programs of Linux")


def obs(version: str = "29.0.2", number: tuple[int, int, int] = (29, 0, 2)) -> Any:
    return SimpleNamespace(version=version, number=number, major=number[0])


def said_of(running: Any, texts: Texts) -> list[str]:
    return [diagnostics.line(component, texts, running) for component in diagnostics.components(running)]


def test_the_parts_are_named_with_their_versions_and_the_networks_sum() -> None:
    lines = said_of(obs(), Texts())
    assert [line.split()[0] for line in lines] == ["Python", "numpy", "onnxruntime", "opencv", "Neural", "OBS"]
    assert lines[-1] == "OBS Studio 29.0.2: OK"
    assert "sha256" in lines[4]


def test_an_obs_that_was_never_tested_is_said_to_be() -> None:
    assert "not tested" in said_of(obs("99.0", (99, 0, 0)), Texts())[-1]
    assert "custom build" not in said_of(obs("99.0", (99, 0, 0)), Texts())[-1]


@pytest.mark.parametrize("version", ["27.2.0-4566-g63206664e", "0.0.1", "unknown"])
def test_a_self_built_obs_is_judged_by_its_libobs_and_not_by_what_it_is_called(version: str) -> None:
    said = said_of(obs(version, (31, 1, 1)), Texts())[-1]
    assert said == f"OBS Studio {version}: OK (custom build with the functions of OBS 31.1.1)"
    newer = said_of(obs(version, (99, 0, 0)), Texts())[-1]
    assert "functions of OBS 99.0.0; not tested" in newer


def test_what_is_missing_comes_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    part = next(part for part in diagnostics.components(None) if part.name == "onnxruntime")
    assert part.remedy
    assert diagnostics.line(part, Texts()) == f"onnxruntime is missing. {part.remedy}"


def test_a_report_says_what_is_set_and_how_it_goes() -> None:
    running = State(
        kind="running", milliseconds=1.3, masks_per_second=30, model="eoam 1.2", width=256, height=144, delay=1
    )
    text = diagnostics.report(obs(), Settings(), [(running, Settings(threshold=0.7))])
    assert "defaults: all at their defaults" in text
    assert "filter 1: Removing the background: 1.3 ms per mask, 30 masks per second" in text
    assert "settings: threshold=0.7" in text


def test_a_report_holds_no_folder_and_nobodys_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home" / "jane"
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("LOGNAME", "jane")
    own = Settings(
        background=BackgroundKind.PICTURE, background_picture=str(home / "my flat.png"), model=str(home / "own.onnx")
    )
    failed = State(kind="problem", problem=f"{home}/models/own.onnx is damaged; jane may not read it")
    text = diagnostics.report(obs(), own, [(failed, own)])
    assert "jane" not in text
    assert "flat" not in text
    assert "background_picture=(a file)" in text
    assert "~/models/own.onnx is damaged; USER may" in text


@linux
def test_the_clipboard_gets_the_text_from_the_first_program_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copied = tmp_path / "copied"
    for name, body in (("xclip", "exit 1"), ("xsel", f"cat > {copied}")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert desktop.copy("Grüße")
    assert copied.read_text(encoding="utf-8") == "Grüße"


@linux
def test_without_a_program_it_says_that_nothing_was_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not desktop.copy("text")
    assert not desktop.show_folder(tmp_path)
    assert not desktop.show_folder(tmp_path / "none")


@strict
class SavedSources:
    """A libobs with a scene collection: numbers are handles of sources and, from 100 on, of what is saved of them."""

    kinds = (  # name, kind, output flags, type
        ("b microphone", b"pulse_input_capture", 2, 0),
        ("picture", b"image_source", 1, 0),
        ("Scene", b"scene", 1, 3),
        ("webcam", b"v4l2_input", 5, 0),
        ("gone", b"image_source", 1, 0),
    )

    def __init__(self) -> None:
        self.released: list[int] = []

    def obs_save_sources(self) -> int:
        return 99

    def obs_data_array_count(self, array: int) -> int:
        return len(self.kinds)

    def obs_data_array_item(self, array: int, index: int) -> int:
        return 100 + index

    def obs_data_get_string(self, data: int, name: str) -> bytes:
        assert name == "name"
        return self.kinds[data - 100][0].encode()

    def obs_get_source_by_name(self, name: str) -> int | None:
        return None if name == "gone" else next(number for number, kind in enumerate(self.kinds, 1) if kind[0] == name)

    def obs_source_get_unversioned_id(self, source: int) -> bytes:
        return self.kinds[source - 1][1]

    def obs_source_get_output_flags(self, source: int) -> int:
        return self.kinds[source - 1][2]

    def obs_source_get_type(self, source: int) -> int:
        return self.kinds[source - 1][3]

    def obs_source_release(self, handle: int) -> None:
        self.released.append(handle)

    obs_data_release = obs_data_array_release = obs_source_release


def test_sources_with_a_picture_are_offered_cameras_first() -> None:
    obs = SavedSources()
    assert sources.video_sources(obs) == ["webcam", "picture"]  # type: ignore[arg-type]
    assert sorted(obs.released) == [1, 2, 3, 4, 99, 100, 101, 102, 103, 104]


@strict
class Library:
    """A libobs with one source that has a filter."""

    def __init__(self) -> None:
        self.filters = ["EOAM"]
        self.held = 0

    def obs_get_source_by_name(self, name: str) -> int:
        self.held += name == "camera"
        return 5 if name == "camera" else 0

    def obs_source_get_filter_by_name(self, source: int, name: str) -> int:
        self.held += name in self.filters
        return 6 if name in self.filters else 0

    def obs_source_create(self, kind: str, name: str, settings: None, hotkeys: None) -> int:
        self.held += 1
        self.made = name
        return 7

    def obs_source_filter_add(self, source: int, added: int) -> None:
        self.filters.append(self.made)

    def obs_source_release(self, source: int) -> None:
        self.held -= 1


def test_the_filter_is_added_by_a_name_that_is_free_and_nothing_is_kept() -> None:
    library: Any = Library()
    assert sources.add_filter(library, "camera", "eoam", "EOAM")
    assert sources.add_filter(library, "camera", "eoam", "EOAM")
    assert not sources.add_filter(library, "gone", "eoam", "EOAM")
    assert library.filters == ["EOAM", "EOAM 2", "EOAM 3"]
    assert library.held == 0
