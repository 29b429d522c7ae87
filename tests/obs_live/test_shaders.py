"""The shaders are compiled when the script is loaded: with a libobs that takes notes, and in a real OBS."""

from __future__ import annotations

import ast
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eoam_obs
from eoam_core.settings import Settings
from eoam_obs.binding import log
from eoam_obs.frame import shaders
from eoam_obs.implementation import _NEEDED_BY_FRAMES, FilterImplementation
from eoam_obs.source import hotkeys, source_type
from tests.obs.test_parts import NoteTaking
from tests.obs_live.obs_helpers import PLAIN, Starter, crash_report, disc, is_drawn, save_picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import CAMERA, FILTER, REPOSITORY, ObsSession, filter_entry, image_entry

FILES = sorted(file.name for file in (Path(eoam_obs.__file__).parent / "effects").glob("*.effect"))

NOT_DRAWING = ("background_file",)  # which has a thread of its own


class Contextual(NoteTaking):
    """Knows whether the graphics context is held, and notes what was compiled in it."""

    def __init__(self, *, has_video: bool = True) -> None:
        super().__init__()
        self.has_video = has_video
        self.compiled: list[str] = []
        self.broken = ""

    def obs_enter_graphics(self) -> None:
        if self.has_video:
            super().obs_enter_graphics()

    @property
    def held(self) -> int:
        return len(self._holders)

    def gs_effect_create_from_file(self, path: str, problem: Any) -> int:
        assert self.held == 1
        self.compiled.append(Path(path).name)
        return 0 if Path(path).name == self.broken else super().gs_effect_create_from_file(path, problem)


def test_every_shader_is_compiled_in_the_graphics_context_and_given_back() -> None:
    obs = Contextual()
    shaders.compile_all(obs)  # type: ignore[arg-type]
    assert sorted(obs.compiled) == FILES
    assert obs.held == 0
    assert not obs.alive


def test_without_video_nothing_is_compiled_and_the_first_draw_does_it() -> None:
    obs = Contextual(has_video=False)
    shaders.compile_all(obs)  # type: ignore[arg-type]
    assert not obs.compiled
    assert obs.held == 0


@pytest.mark.parametrize("broken", FILES)
def test_a_shader_that_does_not_compile_is_named_and_the_other_is_compiled(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    obs = Contextual()
    obs.broken = broken
    with caplog.at_level(logging.INFO, "eoam"):
        shaders.compile_all(obs)  # type: ignore[arg-type]
    assert sorted(obs.compiled) == FILES
    assert obs.held == 0
    assert not obs.alive
    (error,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert broken in error.getMessage()


def test_the_script_compiles_them_when_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    obs = Contextual()
    for name, value in (("_obs", obs), ("_implementation", None), ("_watch", object())):
        monkeypatch.setattr(source_type, name, value)
    monkeypatch.setattr(log, "install", lambda _: None)
    monkeypatch.setattr(hotkeys, "attach", lambda *_: None)
    source_type.attach(FilterImplementation(Settings()))
    assert sorted(obs.compiled) == FILES
    assert not obs.alive


def test_what_the_first_frame_imports_is_imported_before_it() -> None:
    imports = [
        node.module
        for file in Path(eoam_obs.__file__).parent.rglob("*.py")
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and file.stem not in NOT_DRAWING
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    ]
    assert imports
    assert set(imports) == set(_NEEDED_BY_FRAMES)


def test_a_library_that_is_missing_keeps_nothing_else_from_being_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    obs = Contextual()
    monkeypatch.setitem(sys.modules, "eoam_obs.frame.matting", None)
    monkeypatch.setitem(sys.modules, "eoam_core.compositing", None)
    FilterImplementation(Settings()).prepare(obs)  # type: ignore[arg-type]
    assert sorted(obs.compiled) == FILES


@pytest.fixture(scope="module")
def obs(start_obs: Starter, brightness_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ObsSession:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    sources = [image_entry(file, filter_entry(**PLAIN)), image_entry(file, filter_entry(**PLAIN), name="second")]
    session = start_obs({"Test": sources}, environment={"EOAM_MODEL": str(brightness_model)})
    for source in (CAMERA, "second"):
        session.wait_for_picture(is_drawn, "the person", source=source)
    return session


@pytest.fixture(scope="module")
def probe(obs: ObsSession) -> Probe:
    return Probe(obs, obs.folder)


def test_obs_has_them_before_it_loads_a_scene(obs: ObsSession) -> None:
    assert obs.log.count("shaders_compiled eoam_ms=") == 1
    assert 0 < obs.log.index("shaders_compiled") < obs.log.index(f"source '{CAMERA}' (image_source) created")


def test_all_filters_draw_with_what_was_compiled_then(obs: ObsSession, probe: Probe) -> None:
    first = probe("shaders")
    for source in (CAMERA, "second"):
        obs.set_filter(source=source, name=FILTER, background="blur")
    obs.wait(lambda: all(scene for _, scene in probe("shaders")["filters"]), "the blurred backgrounds")
    probe("reload")
    for source in (CAMERA, "second"):
        obs.wait_for_picture(is_drawn, "the person", source=source)

    def all_shaders() -> Any:
        now = probe("shaders")
        return now if now["filters"] and all(map(all, now["filters"])) else None

    found = obs.wait(all_shaders, "the filters")
    matte, scene = (found[name] for name in (shaders.MATTE, shaders.SCENE))
    assert (matte, scene) == tuple(first[name] for name in (shaders.MATTE, shaders.SCENE))
    assert found["filters"] == [[matte, scene]] * 2


def test_what_holds_the_graphics_thread_up_is_the_longest_tick(obs: ObsSession, probe: Probe) -> None:
    probe("ticks")
    obs.wait_frames(3)
    assert probe("ticks")[0] > 0
    probe("hold_graphics", seconds=2.0)
    obs.wait_frames(3)
    ticks, longest_ms = probe("ticks")
    probe("stop_ticks")
    assert ticks > 0
    assert longest_ms >= 2000 - 2 * 1000 / obs.fps  # a tick may have begun just before


@pytest.mark.parametrize("more", [[], ["--late"]])
def test_first_use_measures_what_is_done_for_the_first_time(display: str, tmp_path: Path, more: list[str]) -> None:
    command = [sys.executable, "-m", "tools.libobs_host.first_use", str(tmp_path), "--renderer", "libobs-opengl", *more]
    environment = {**os.environ, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["late"] is bool(more)
    assert all(found[what] > 0 for what in ("idle", "script", "filter", "background", "view"))


def test_obs_ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
