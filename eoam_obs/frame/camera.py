"""Read the source that a filter is on: its size, colour space and picture. With the graphics context held."""

from __future__ import annotations

import ctypes
from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Source, VideoInfo
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import RenderTarget
from eoam_obs.source.guard import is_guard

_DRAWS_ITSELF: Final = libobs.OBS_SOURCE_CUSTOM_DRAW | libobs.OBS_SOURCE_ASYNC
# How often the source's colour space is checked; until then libobs converts to the old one.
_SPACE_TICKS: Final = 16
_HDR_CANVASES: Final = (libobs.VIDEO_CS_2100_PQ, libobs.VIDEO_CS_2100_HLG)
# The picture is drawn in its source's space if that is one of these, as in OBS's own filters.
_SPACES: Final = (ctypes.c_int * 3)(libobs.GS_CS_SRGB, libobs.GS_CS_SRGB_16F, libobs.GS_CS_709_EXTENDED)


class Camera:
    """The source, of any kind, that the filter `source` is on."""

    def __init__(self, obs: LibObs, source: Source) -> None:
        self._obs = obs
        self._source = source
        self._linked: Source = NULL
        self._target: Source = NULL
        self._parent: Source = NULL
        self._parent_flags = 0
        self._guarded = False  # whether what comes before this filter is the privacy guard, which is stepped over
        self._ticks = 0
        self.width = self.height = 0
        self._own_space = libobs.GS_CS_SRGB
        self._is_canvas_hdr = False
        self._video = VideoInfo()
        self._video_reference = ctypes.byref(self._video)
        self.space = libobs.GS_CS_SRGB  # what the picture is drawn in

    def look(self, *, as_shown: bool = False) -> bool:
        """Update size and colour space for this tick; return False if there is nothing to draw.

        On an SDR canvas OBS tone-maps an HDR source as a whole, including what a filter has added. With `as_shown` OBS
        tone-maps the picture first, so that colours added afterwards appear as chosen.
        """
        obs = self._obs
        linked = obs.obs_filter_get_target(self._source) or NULL
        if linked != self._linked or self._ticks % _SPACE_TICKS == 0:
            self._linked = linked
            self._guarded = bool(linked) and is_guard(obs, linked)
        # What lies before the guard is looked up every time: filters may be added or removed there.
        target = self._target = (obs.obs_filter_get_target(linked) or NULL) if self._guarded else linked
        if not target:
            return False
        width, height = obs.obs_source_get_base_width(target), obs.obs_source_get_base_height(target)
        is_new = width != self.width or height != self.height
        if is_new or self._ticks % _SPACE_TICKS == 0:
            self._own_space = obs.obs_source_get_color_space(target, len(_SPACES), _SPACES)
            found = obs.obs_get_video_info(self._video_reference)
            self._is_canvas_hdr = found and self._video.colorspace in _HDR_CANVASES
        to_map = as_shown and self._own_space == libobs.GS_CS_709_EXTENDED and not self._is_canvas_hdr
        # In half floats, for canvases of 10 bits.
        self.space = libobs.GS_CS_SRGB_16F if to_map else self._own_space
        if is_new:
            self._ticks = 0
            self._parent = obs.obs_filter_get_parent(self._source) or NULL
            self._parent_flags = obs.obs_source_get_output_flags(self._parent) if self._parent else 0
            self.width, self.height = width, height
        self._ticks += 1
        return bool(width and height)

    def draw_into(self, render_target: RenderTarget) -> None:
        """Draw the source, premultiplied, at the size and in the colour space that `look` found.

        Leaves blending enabled and changed: the caller saves and restores it.

        Raises:
            GraphicsError: there is no memory for a texture of this size.
        """
        obs, target = self._obs, self._target
        render_target.begin(self.width, self.height, self.space)
        # A camera's frames are copied byte by byte: the shader that draws them decodes the sRGB, and linear light in
        # between would cost a software renderer half of the frame. Layers (scenes, other filters) are blended in linear
        # light. Either is set, not taken over: a screenshot must not see other colours than the programme.
        is_source = target == self._parent
        linear_before = obs.gs_set_linear_srgb(not (is_source and self._parent_flags & libobs.OBS_SOURCE_ASYNC))
        try:
            # Colours by their alpha, alpha as it is: premultiplied afterwards, whatever the source draws.
            obs.gs_reset_blend_state()
            if is_source and not self._parent_flags & _DRAWS_ITSELF:
                obs.obs_source_default_render(target)
            else:
                obs.obs_source_video_render(target)
        finally:
            obs.gs_set_linear_srgb(linear_before)
            render_target.end()
