"""The GPU objects of one filter: textures to draw into, the shrunken copy that is read back.

Everything here is called with the graphics context held. Each object creates what it needs when it is first used and
frees it in `destroy()`, which may be called more than once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_uint32, c_void_p
from typing import Final

from eoam_core.errors import EoamError
from eoam_obs import libobs
from eoam_obs.libobs import LibObs

_LOWRES_LIMIT: Final = 8.0  # shrinking further than this, eight taps per pixel miss too much of the picture


class GraphicsError(EoamError):
    """The graphics driver or libobs refused something."""


@contextmanager
def blending(obs: LibObs, source: int, destination: int) -> Iterator[None]:
    """Blend colour and alpha with these factors inside the block."""
    obs.gs_blend_state_push()
    try:
        obs.gs_enable_blending(True)
        obs.gs_blend_function(source, destination)
        yield
    finally:
        obs.gs_blend_state_pop()


@contextmanager
def framebuffer_srgb(obs: LibObs, enabled: bool) -> Iterator[None]:
    """Let the GPU encode what is written as sRGB, or not, inside the block."""
    before = obs.gs_framebuffer_srgb_enabled()
    obs.gs_enable_framebuffer_srgb(enabled)
    try:
        yield
    finally:
        obs.gs_enable_framebuffer_srgb(before)


def draw_effect(obs: LibObs, effect: int, technique: str, texture: int, width: int, height: int) -> None:
    """Draw `texture` with every pass of a technique. An effect left open would break all drawing in OBS."""
    while obs.gs_effect_loop(effect, technique):
        obs.gs_draw_sprite(texture, 0, width, height)


class Canvas:
    """A texture one can draw into."""

    def __init__(self, obs: LibObs, color_format: int) -> None:
        self._obs = obs
        self._color_format = color_format
        self._texrender = 0
        self._clear_color, self._clear_owner = libobs.aligned_zero_vec4()

    @contextmanager
    def drawing(self, width: int, height: int) -> Iterator[None]:
        """Draw into the texture, cleared to transparent and `width` x `height` pixels large, inside the block.

        Raises:
            GraphicsError: there is no memory for a texture of this size.
        """
        obs = self._obs
        if not self._texrender:
            self._texrender = obs.gs_texrender_create(self._color_format, libobs.GS_ZS_NONE) or 0
        obs.gs_texrender_reset(self._texrender)
        if not obs.gs_texrender_begin(self._texrender, width, height):
            raise GraphicsError(f"The graphics driver gave no texture of {width}x{height} pixels.")
        try:
            obs.gs_clear(libobs.GS_CLEAR_COLOR, self._clear_color, 0.0, 0)
            obs.gs_ortho(0.0, float(width), 0.0, float(height), -100.0, 100.0)
            yield
        finally:
            obs.gs_texrender_end(self._texrender)

    @property
    def texture(self) -> int:
        """The texture, or 0 before the first drawing."""
        return (self._obs.gs_texrender_get_texture(self._texrender) or 0) if self._texrender else 0

    def destroy(self) -> None:
        """Free the texture."""
        texrender, self._texrender = self._texrender, 0
        if texrender:
            self._obs.gs_texrender_destroy(texrender)


class PictureRing:
    """Full-size pictures that wait for their masks, found by their numbers; never more than `limit` textures."""

    def __init__(self, make_canvas: Callable[[], Canvas], *, limit: int) -> None:
        self._make_canvas = make_canvas
        self._limit = limit
        self._canvases: dict[int, Canvas] = {}

    def next(self, sequence: int, *, keep: frozenset[int]) -> Canvas:
        """Return the canvas to draw picture `sequence` into; those in `keep` are not taken."""
        free = sorted(number for number in self._canvases if number not in keep)
        if free:
            canvas = self._canvases.pop(free[0])
        elif len(self._canvases) < self._limit:
            canvas = self._make_canvas()
        else:
            raise ValueError(f"keep names {len(keep)} pictures, but the ring has {self._limit}")
        self._canvases[sequence] = canvas
        return canvas

    def find(self, sequence: int) -> Canvas | None:
        """Return the picture with this number, if it is still there."""
        return self._canvases.get(sequence)

    def destroy(self) -> None:
        """Free all pictures."""
        while self._canvases:
            self._canvases.popitem()[1].destroy()


class Shrinker:
    """Makes the network's input on the GPU and brings it to the CPU one tick later.

    Two staging surfaces take turns: the one that is mapped was filled a tick ago, so nothing waits for the GPU.
    """

    def __init__(self, obs: LibObs, width: int, height: int) -> None:
        self._obs = obs
        self._width = width
        self._height = height
        self._canvas = Canvas(obs, libobs.GS_BGRA)
        self._surfaces: list[int] = []
        self._turn = 0
        self.staged: int | None = None  # the number of the picture that can be fetched

    def stage(self, texture: int, width: int, height: int, sequence: int) -> None:
        """Shrink a `width` x `height` texture and start its way to the CPU."""
        obs = self._obs
        if not self._surfaces:
            for _ in range(2):
                surface = obs.gs_stagesurface_create(self._width, self._height, libobs.GS_BGRA)
                if not surface:
                    raise GraphicsError(f"The graphics driver gave no staging surface of {self._width}x{self._height}.")
                self._surfaces.append(surface)
        # Plain bytes, as training scaled its pictures: no conversion to linear light and back.
        with framebuffer_srgb(obs, False), self._canvas.drawing(self._width, self._height):
            obs.gs_blend_state_push()
            try:
                obs.gs_enable_blending(False)
                effect = self._effect(width, height)
                image = obs.gs_effect_get_param_by_name(effect, "image") or 0
                obs.gs_effect_set_texture(image, texture)
                draw_effect(obs, effect, "Draw", texture, self._width, self._height)
            finally:
                obs.gs_blend_state_pop()
        self._turn ^= 1
        obs.gs_stage_texture(self._surfaces[self._turn], self._canvas.texture)
        self.staged = sequence

    @contextmanager
    def fetched(self) -> Iterator[tuple[int, int]]:
        """Give the (address, bytes per row) of what was staged last, BGRA, valid inside the block only."""
        surface = self._surfaces[self._turn]
        address, linesize = c_void_p(), c_uint32()
        if not self._obs.gs_stagesurface_map(surface, ctypes.byref(address), ctypes.byref(linesize)):
            raise GraphicsError("The graphics driver did not hand out the staging surface.")
        try:
            if not address.value:
                raise GraphicsError("The graphics driver mapped the staging surface to nothing.")
            yield address.value, linesize.value
        finally:
            self._obs.gs_stagesurface_unmap(surface)
            self.staged = None

    def destroy(self) -> None:
        """Free the textures."""
        self.staged = None
        self._canvas.destroy()
        while self._surfaces:
            self._obs.gs_stagesurface_destroy(self._surfaces.pop())

    def _effect(self, width: int, height: int) -> int:
        """Choose OBS's scaler: plain bilinear would skip pixels, and what it skips flickers in the mask."""
        obs = self._obs
        if max(width / self._width, height / self._height) <= _LOWRES_LIMIT:
            return obs.obs_get_base_effect(libobs.OBS_EFFECT_BILINEAR_LOWRES) or 0
        effect = obs.obs_get_base_effect(libobs.OBS_EFFECT_AREA) or 0
        for name, size in (
            ("base_dimension", libobs.Vec2(width, height)),
            ("base_dimension_i", libobs.Vec2(1 / width, 1 / height)),
        ):
            obs.gs_effect_set_vec2(obs.gs_effect_get_param_by_name(effect, name) or 0, ctypes.byref(size))
        return effect
