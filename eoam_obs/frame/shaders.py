"""Compile the project's shaders, effects/*.effect, before the first frame needs them.

Direct3D takes up to a few frames to compile a file the first time after an installation, and OBS's graphics thread
draws nothing meanwhile. So they are compiled while the script loads: OBS loads its scripts before its scenes.

libobs caches the effect compiled from a file until its graphics end (libobs/graphics/graphics.c:
gs_effect_create_from_file). So all filters share it, loading it again is cheap, and `gs_effect_destroy` does not free
it.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Sequence
from ctypes import c_void_p
from pathlib import Path
from typing import Final

from eoam_obs.binding.functions import NULL, Effect, Param
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import GraphicsError

MATTE: Final = "eoam.effect"
SCENE: Final = "scene.effect"

_FOLDER: Final = Path(__file__).resolve().parents[1] / "effects"
_LOG: Final = logging.getLogger("eoam")


def load_effect(obs: LibObs, name: str, parameters: Sequence[str]) -> tuple[Effect, dict[str, Param]]:
    """Return the effect in `effects/<name>` and its parameters by name; with the graphics context held.

    Raises:
        GraphicsError: it does not compile here.
    """
    problem = c_void_p()
    effect = obs.gs_effect_create_from_file(str(_FOLDER / name), ctypes.byref(problem))
    text = "see the log"
    if problem.value:
        text = ctypes.string_at(problem.value).decode(errors="replace").strip() or text
        obs.bfree(problem.value)
    if not effect:
        raise GraphicsError(f"The shader {_FOLDER / name} does not compile: {text}")
    try:
        return effect, {
            parameter: obs.gs_effect_get_param_by_name(effect, parameter) or NULL for parameter in parameters
        }
    except BaseException:
        obs.gs_effect_destroy(effect)
        raise


def compile_all(obs: LibObs) -> None:
    """Compile all shaders, without the graphics context held; failures are tried again when they are drawn.

    The context is left between two files, so that OBS's graphics thread waits for one file at most.
    """
    times = []
    for name in (MATTE, SCENE):
        try:
            milliseconds = _compile(obs, name)
        except GraphicsError as error:
            _LOG.error("shader_failed error=%r", error)
            continue
        if milliseconds is None:
            _LOG.info("shaders_not_compiled reason=obs_has_no_video_yet")
            return
        times.append(f"{name.partition('.')[0]}_ms={milliseconds:.1f}")
    if times:
        _LOG.info("shaders_compiled %s", " ".join(times))


def _compile(obs: LibObs, name: str) -> float | None:
    """Compile one and return the milliseconds it took; None if OBS has no graphics yet."""
    obs.obs_enter_graphics()
    try:
        if not obs.gs_get_context():
            return None
        began = time.perf_counter()
        effect, _ = load_effect(obs, name, ())
        obs.gs_effect_destroy(effect)
        return (time.perf_counter() - began) * 1000
    finally:
        obs.obs_leave_graphics()
