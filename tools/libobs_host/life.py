"""Test a filter's life in libobs: a missing network, panels, the guard, repeated loading of the script."""

from __future__ import annotations

import sys
from ctypes import c_bool, c_char_p
from ctypes import c_void_p as Pointer
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.settings import describe_settings
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import Source
from eoam_obs.source import guard, source_type
from tools.libobs_host.results import Results
from tools.libobs_host.stage import Stage

Bytes = NDArray[np.uint8]

MISSING: Final = "no such network.onnx"
_RELOADS: Final = 3
_MOST_DETAIL: Final = 0.25


def live(stage: Stage, results: Results, picture: Bytes) -> None:
    """Go through it all; the filter runs again at the end."""
    stage.give(picture)
    if not stage.filter:
        stage.host.wait_frames(60)
        for _ in range(_RELOADS):
            stage.script.unload()
            stage.host.wait_frames(5)
            stage.script.load()
        return
    _break_the_network(stage, results, picture)
    _show_the_panels(stage, results)
    _add_the_guard(stage, results)
    _reload(stage, results)


def _kind(stage: Stage) -> str:
    return source_type.states()[0][1].kind


def _break_the_network(stage: Stage, results: Results, picture: Bytes) -> None:
    host = stage.host
    stage.choose({})
    host.wait(lambda: _kind(stage) == "running", "the first masks")
    missing = str(stage.folder / MISSING)
    stage.choose({"model": missing})
    host.wait(lambda: _kind(stage) == "problem", "the missing network's being noticed")
    problem = source_type.states()[0][1].problem
    results.check(MISSING in problem, f"a missing network: {problem!r}")
    host.wait_frames(5)
    empty, _ = stage.drawn()
    results.check(not empty.any(), "a missing network: something is drawn")
    stage.choose({"model": missing, "no_mask": "blur"})
    host.wait(lambda: bool(stage.drawn()[0].any()), "the cover, everything blurred")
    covered, _ = stage.drawn()
    results.check(bool((covered[..., 3] == 255).all()), "the cover: not opaque")
    left = _detail(covered) / _detail(picture)
    results.check(left < _MOST_DETAIL, f"the cover: {left:.0%} of the picture's detail is left")
    results.save("cover", covered)
    stage.choose({})
    stage.settle()
    results.check(bool(stage.drawn()[0].any()), "after the network came back: nothing is drawn")


def _detail(picture: Bytes) -> float:
    return float(np.abs(cv2.Laplacian(picture[..., :3], cv2.CV_32F)).mean())


def _show_the_panels(stage: Stage, results: Results) -> None:
    f = stage.host.function
    names = stage.property_names(f("obs_source_properties", Pointer, Pointer)(stage.filter))
    top = [info.name for info in describe_settings() if info.group != "advanced"]
    missing = [name for name in top if name not in names]
    results.check(not missing, f"the filter's panel lacks {missing}")
    names = stage.property_names(stage.script.module.script_properties())
    results.check("add_to" in names, f"the script's panel: {names}")


def _add_the_guard(stage: Stage, results: Results) -> None:
    f, host = stage.host.function, stage.host
    obs = libobs.LibObs()
    if not obs.obs_source_get_display_name("color_filter"):
        # pylibobs has no modules for macOS; elsewhere one that is missing must not pass for a guard that works.
        results.check(sys.platform == "darwin", "the guard was not tried: there is no module with the colour filter")
        return
    properties = f("obs_source_properties", Pointer, Pointer)(stage.filter)
    button = f("obs_properties_get", Pointer, Pointer, c_char_p)(properties, b"guard")
    f("obs_property_button_clicked", c_bool, Pointer, Pointer)(button, stage.filter)
    f("obs_properties_destroy", None, Pointer)(properties)
    host.wait(lambda: guard.has_guard(obs, Source(stage.filter)), "the guard before the filter")
    host.wait(lambda: _kind(stage) == "running" and bool(stage.drawn()[0].any()), "the person, guard and filter")
    f("obs_source_set_enabled", None, Pointer, c_bool)(stage.filter, False)
    host.wait_frames(3)
    hidden, _ = stage.drawn()
    results.check(not hidden[..., 3].any(), "with the filter switched off the guard shows the camera")
    f("obs_source_set_enabled", None, Pointer, c_bool)(stage.filter, True)
    host.wait(lambda: bool(stage.drawn()[0].any()), "the person again")


def _reload(stage: Stage, results: Results) -> None:
    host = stage.host
    for number in range(1, _RELOADS + 1):
        stage.script.unload()
        for _ in range(3):
            detached, _ = stage.drawn()
            results.check(not detached.any(), f"reload {number}: something is drawn while the script is unloaded")
            host.wait_frames(1)
        stage.script.load()
        host.wait(lambda: _kind(stage) == "running", f"masks after reload {number}")
        host.wait(lambda: bool(stage.drawn()[0].any()), f"the person after reload {number}")
