"""An OBS script for scripts/bench: the product's filter type without its content.

It draws the source into a texture, shrinks that and reads it back a tick later, and draws the texture through a mask
that is one everywhere. So it costs what any such filter in Python costs, without a network, a worker or numpy.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eoam_core.settings import Settings
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Data, Properties, Source, StageSurface, Texrender, Texture
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source import source_type
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from eoam_obs.source.stored import Stored

_OBS_EFFECT_DEFAULT = 0
_SMALL = (256, 144)


class EmptyFilter:
    """One such filter on `source`."""

    space = libobs.GS_CS_SRGB  # the colour space that `render` draws in
    hidden = False

    def __init__(self, obs: LibObs, source: Source) -> None:
        self._obs = obs
        self._source = source
        self._frame_time = 0
        self._turn = 0
        self._picture: Texrender = NULL
        self._small: Texrender = NULL
        self._surfaces: list[StageSurface] = []
        self._clear_color, self._clear_owner = libobs.aligned_zero_vec4()

    def update(self, _settings: Settings) -> None:
        """Do nothing: there are no settings."""

    def suspend(self) -> None:
        """Do nothing: there is no worker."""

    def resume(self) -> None:
        """Do nothing: there is no worker."""

    def state(self) -> State:
        """Say what this is."""
        return State(kind="waiting")

    def render(self) -> None:
        """Draw the source through a texture."""
        obs = self._obs
        now = obs.obs_get_video_frame_time()
        if now != self._frame_time:
            self._frame_time = now
            self._capture()
        texture = obs.gs_texrender_get_texture(self._picture) or NULL
        self._draw(_OBS_EFFECT_DEFAULT, texture, 0, 0, blending=True)

    def destroy(self) -> None:
        """Free the GPU objects."""
        obs = self._obs
        obs.obs_enter_graphics()
        try:
            for texrender in (self._picture, self._small):
                if texrender:
                    obs.gs_texrender_destroy(texrender)
            for surface in self._surfaces:
                obs.gs_stagesurface_destroy(surface)
        finally:
            obs.obs_leave_graphics()

    def _capture(self) -> None:
        obs = self._obs
        target = obs.obs_filter_get_target(self._source) or NULL
        width, height = obs.obs_source_get_base_width(target), obs.obs_source_get_base_height(target)
        if not width or not height:
            return
        if not self._picture:
            self._picture = obs.gs_texrender_create(libobs.GS_RGBA, libobs.GS_ZS_NONE) or NULL
            self._small = obs.gs_texrender_create(libobs.GS_BGRA, libobs.GS_ZS_NONE) or NULL
            self._surfaces = [obs.gs_stagesurface_create(*_SMALL, libobs.GS_BGRA) or NULL for _ in range(2)]
        else:
            self._read_back(self._surfaces[self._turn])
        self._into(self._picture, width, height, lambda: obs.obs_source_video_render(target))
        picture = obs.gs_texrender_get_texture(self._picture) or NULL
        shrink = libobs.OBS_EFFECT_BILINEAR_LOWRES
        self._into(self._small, *_SMALL, lambda: self._draw(shrink, picture, *_SMALL, blending=False))
        self._turn ^= 1
        obs.gs_stage_texture(self._surfaces[self._turn], obs.gs_texrender_get_texture(self._small) or NULL)

    def _into(self, texrender: Texrender, width: int, height: int, draw: Callable[[], None]) -> None:
        obs = self._obs
        obs.gs_texrender_reset(texrender)
        if not obs.gs_texrender_begin_with_color_space(texrender, width, height, self.space):
            raise RuntimeError(f"no texture of {width}x{height} pixels")
        try:
            obs.gs_clear(libobs.GS_CLEAR_COLOR, self._clear_color, 0.0, 0)
            obs.gs_ortho(0.0, float(width), 0.0, float(height), -100.0, 100.0)
            draw()
        finally:
            obs.gs_texrender_end(texrender)

    def _draw(self, base_effect: int, texture: Texture, width: int, height: int, *, blending: bool) -> None:
        obs = self._obs
        effect = obs.obs_get_base_effect(base_effect) or NULL
        obs.gs_effect_set_texture(obs.gs_effect_get_param_by_name(effect, "image") or NULL, texture)
        obs.gs_blend_state_push()
        try:
            obs.gs_enable_blending(blending)
            obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA)
            while obs.gs_effect_loop(effect, b"Draw"):
                obs.gs_draw_sprite(texture, 0, width, height)
        finally:
            obs.gs_blend_state_pop()

    def _read_back(self, surface: StageSurface) -> None:
        address, linesize = ctypes.c_void_p(), ctypes.c_uint32()
        if not self._obs.gs_stagesurface_map(surface, ctypes.byref(address), ctypes.byref(linesize)):
            raise RuntimeError("the staging surface cannot be mapped")
        try:
            ctypes.string_at(address.value or NULL, linesize.value * _SMALL[1])
        finally:
            self._obs.gs_stagesurface_unmap(surface)


class EmptyImplementation:
    """Implement the registered type."""

    texts = Texts()

    def prepare(self, _obs: LibObs) -> None:
        """Do nothing: an empty filter needs nothing."""

    def create(self, obs: LibObs, source: Source, _settings: Settings) -> EmptyFilter:
        """Make the filter for `source`."""
        return EmptyFilter(obs, source)

    def write_defaults(self, _obs: LibObs, _settings: Data) -> None:
        """Do nothing: there are no settings."""

    def normalise(self, _obs: LibObs, _settings: Data, _known: Settings | None) -> Stored:
        """Take nothing that is stored."""
        return Stored(settings=Settings(), effective=Settings())

    def effective(self, filter_settings: Stored) -> Settings:
        """Return unused settings."""
        return filter_settings.effective

    def reset(self, _obs: LibObs, _settings: Data) -> None:
        """Do nothing: there are no settings."""

    def properties(
        self, obs: LibObs, _filter_settings: Stored | None, _state: State | None, _callbacks: Mapping[str, Any]
    ) -> Properties:
        """Return an empty panel."""
        return obs.obs_properties_create()

    def show_relevant(self, _obs: LibObs, _properties: Properties, _settings: Data) -> bool:
        """Do nothing: the panel is empty."""
        return False

    def hide_guard(self, _obs: LibObs, _properties: Properties) -> None:
        """Do nothing: the panel is empty."""

    def show_status(self, _obs: LibObs, _properties: Properties, _state: State) -> None:
        """Do nothing: the panel is empty."""


_IMPLEMENTATION = EmptyImplementation()


def script_load(_settings: object) -> None:
    """Register the type."""
    source_type.attach(_IMPLEMENTATION)


def script_unload() -> None:
    """Draw nothing from now on."""
    source_type.detach(_IMPLEMENTATION)
