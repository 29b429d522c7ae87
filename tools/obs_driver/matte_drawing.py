"""Draw a given mask on a given picture with the product's shaders inside OBS, and read the result back.

probe_script.py imports this inside OBS.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from eoam_core.pipeline import Matte, Timings
from eoam_core.refine import fine_levels
from eoam_core.settings import BackgroundKind, Settings
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import StageSurface
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.drawing import Drawing
from eoam_obs.frame.gpu import RenderTarget
from eoam_obs.frame.matte_effect import MaskTexture, MatteEffect


def draw_all(folder: str, cases: list[dict[str, float]]) -> None:
    """Draw picture.npy through mask.npy and coefficients.npy of `folder` once per case, into `<number>.npy`.

    picture is (H, W, 4) uint8 BGRA premultiplied, mask (h, w) uint8, coefficients as `Refiner` makes them, the results
    (H, W, 4) uint8 BGRA. A case holds arguments of `MatteEffect.look` and `show_mask`.
    """
    place = Path(folder)
    picture, mask, coefficients = (np.load(place / f"{name}.npy") for name in ("picture", "mask", "coefficients"))
    height, width = picture.shape[:2]
    levels = fine_levels(mask)
    obs = LibObs()
    obs.obs_enter_graphics()
    obs.gs_blend_state_push()
    encoded_before = obs.gs_framebuffer_srgb_enabled()
    canvas, textures, effect = RenderTarget(obs, libobs.GS_RGBA), MaskTexture(obs), MatteEffect(obs)
    texture = obs.gs_texture_create(width, height, libobs.GS_BGRA, 1, None, libobs.GS_DYNAMIC)
    surface = obs.gs_stagesurface_create(width, height, libobs.GS_RGBA)
    try:
        assert texture
        assert surface
        obs.gs_texture_set_image(texture, picture.ctypes.data, width * 4, False)
        textures.upload(
            levels.ctypes.data, mask.shape[1], mask.shape[0],
            coefficients.ctypes.data, coefficients.shape[1], coefficients.shape[0], fine=True,
        )  # fmt: skip
        for number, case in enumerate(cases):
            canvas.begin(width, height)
            try:
                effect.look(
                    case["low"], case["high"], refinement=case["refinement"], edge_shift=case["edge_shift"],
                    width=width, height=height, mask_size=textures.size,
                )  # fmt: skip
                effect.draw(texture, textures.texture, textures.coefficients, show_mask=bool(case["show_mask"]))
            finally:
                canvas.end()
            obs.gs_stage_texture(surface, canvas.texture)
            np.save(place / f"{number}.npy", _read(obs, surface, width, height))
    finally:
        if surface:
            obs.gs_stagesurface_destroy(surface)
        if texture:
            obs.gs_texture_destroy(texture)
        for part in (canvas, textures, effect):
            part.destroy()
        obs.gs_enable_framebuffer_srgb(encoded_before)
        obs.gs_blend_state_pop()
        obs.obs_leave_graphics()


def draw_scenes(folder: str, cases: list[dict[str, object]]) -> None:
    """Draw picture.npy with mask.npy, coefficients.npy and confidence.npy of `folder` by the product's `Drawing`.

    Once per case, into `<number>.npy`; a case holds settings. Shapes as in `draw_all`, confidence (h, w) uint16.
    """
    place = Path(folder)
    names = ("picture", "mask", "coefficients", "confidence")
    picture, mask, coefficients, confidence = (np.load(place / f"{name}.npy") for name in names)
    height, width = picture.shape[:2]
    obs = LibObs()
    canvas, drawing = RenderTarget(obs, libobs.GS_RGBA), Drawing(obs)
    obs.obs_enter_graphics()
    obs.gs_blend_state_push()
    encoded_before = obs.gs_framebuffer_srgb_enabled()
    texture = obs.gs_texture_create(width, height, libobs.GS_BGRA, 1, None, libobs.GS_DYNAMIC)
    surface = obs.gs_stagesurface_create(width, height, libobs.GS_RGBA)
    try:
        assert texture
        assert surface
        obs.gs_texture_set_image(texture, picture.ctypes.data, width * 4, False)
        levels = fine_levels(mask)
        times = Timings(inference_ms=0.0, smoothing_ms=0.0, cleanup_ms=0.0, refinement_ms=0.0, total_ms=0.0)
        levels_at, factors_at, confidence_at = (
            0 if array is None else array.ctypes.data for array in (levels, coefficients, confidence)
        )
        drawing.upload(
            Matte(
                mask=mask,
                levels=levels,
                coefficients=coefficients,
                confidence=confidence,
                sequence=0,
                timings=times,
                addresses=(levels_at, factors_at, confidence_at),
            )
        )
        shown = SimpleNamespace(texture=texture, space=libobs.GS_CS_SRGB)
        for number, case in enumerate(cases):
            settings = Settings.validated(**case)
            ends = time.monotonic() + 20
            while True:  # a background picture is read on another thread
                drawing.show(shown, settings, (width, height), time.monotonic_ns(), number)  # type: ignore[arg-type]
                compositor = drawing._compositor
                if settings.background is not BackgroundKind.PICTURE or compositor is None or compositor._behind:
                    break
                assert time.monotonic() < ends, drawing.problem
                time.sleep(0.01)
            canvas.begin(width, height)
            try:
                drawing.draw()
            finally:
                canvas.end()
            obs.gs_stage_texture(surface, canvas.texture)
            np.save(place / f"{number}.npy", _read(obs, surface, width, height))
    finally:
        if surface:
            obs.gs_stagesurface_destroy(surface)
        if texture:
            obs.gs_texture_destroy(texture)
        for part in (canvas, drawing):
            part.destroy()
        obs.gs_enable_framebuffer_srgb(encoded_before)
        obs.gs_blend_state_pop()
        obs.obs_leave_graphics()
    drawing.close()


def _read(obs: LibObs, surface: StageSurface, width: int, height: int) -> NDArray[np.uint8]:
    address, linesize = ctypes.c_void_p(), ctypes.c_uint32()
    assert obs.gs_stagesurface_map(surface, ctypes.byref(address), ctypes.byref(linesize))
    try:
        assert address.value
        rows = np.frombuffer(ctypes.string_at(address.value, height * linesize.value), np.uint8).reshape(
            height, linesize.value
        )
        pixels: NDArray[np.uint8] = rows[:, : width * 4].reshape(height, width, 4)[..., [2, 1, 0, 3]].copy()
        return pixels
    finally:
        obs.gs_stagesurface_unmap(surface)
