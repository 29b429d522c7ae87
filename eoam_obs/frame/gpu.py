"""Manage the GPU objects of one filter: render targets, and the downscaled copy that is read back.

Everything here is called with the graphics context held, unless stated otherwise. Each object creates its GPU resources
on first use and frees them in `destroy()`, which may be called more than once.

This runs for every frame, so it creates no objects: ctypes values are made once, and begin/end pairs replace context
managers, which would create a generator.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from ctypes import c_uint32, c_void_p
from typing import Final, NamedTuple

from eoam_core.errors import EoamError
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Effect, Param, StageSurface, Texrender, Texture, Vec2
from eoam_obs.binding.libobs import LibObs

_LOWRES_LIMIT: Final = 8.0  # beyond this factor, eight taps per pixel miss too much of the picture


# Without releasing Python's lock: retaking it while holding the graphics context would make OBS wait as well.
_copy_bytes: Final = ctypes.PYFUNCTYPE(c_void_p, c_void_p, c_void_p, ctypes.c_size_t)(
    ctypes.cast(ctypes.memmove, c_void_p).value or NULL
)


class GraphicsError(EoamError):
    """The graphics driver or libobs refused something."""


def draw_effect(obs: LibObs, effect: Effect, technique: bytes, texture: Texture, width: int, height: int) -> None:
    """Draw `texture` with every pass of a technique."""
    try:
        while obs.gs_effect_loop(effect, technique):
            obs.gs_draw_sprite(texture, 0, width, height)
    except BaseException:
        # An effect that is not ended draws nothing the next time, for any user: with one of OBS's own, the network
        # would then get an old picture.
        while obs.gs_effect_loop(effect, technique):
            pass
        raise


class RenderTarget:
    """A texture to draw into, in the colour space (`libobs.GS_CS_...`) last requested."""

    def __init__(self, obs: LibObs, color_format: int | None = None) -> None:
        self._obs = obs
        self._color_format = color_format  # None: as the colour space requires
        self._made_for = (-1, 0, 0)
        self._texrender: Texrender = NULL
        self.texture: Texture = NULL  # what was drawn last, 0 before
        self._is_open = False  # between `begin` and `end`
        self._clear_color, self._clear_owner = libobs.aligned_zero_vec4()
        self.space = libobs.GS_CS_SRGB

    def begin(self, width: int, height: int, space: int = libobs.GS_CS_SRGB, *, clear: bool = True) -> None:
        """Draw into the texture, `width` x `height` pixels, initially transparent, until `end()`.

        Raises:
            GraphicsError: there is no memory for a texture of this size.
        """
        obs = self._obs
        is_new = self._made_for != (space, width, height)
        if is_new or not self._texrender:
            self.destroy()
            color_format = self._color_format
            if color_format is None:
                color_format = libobs.GS_RGBA if space == libobs.GS_CS_SRGB else libobs.GS_RGBA16F
            self._texrender = obs.gs_texrender_create(color_format, libobs.GS_ZS_NONE) or NULL
            self._made_for = (space, width, height)
        self.space = space
        obs.gs_texrender_reset(self._texrender)
        if not obs.gs_texrender_begin_with_color_space(self._texrender, width, height, space):
            raise GraphicsError(f"The graphics driver could not create a texture of {width}x{height} pixels.")
        self._is_open = True
        if clear:
            obs.gs_clear(libobs.GS_CLEAR_COLOR, self._clear_color, 0.0, 0)
        obs.gs_ortho(0.0, width, 0.0, height, -100.0, 100.0)

    def end(self) -> None:
        """Stop drawing into the texture."""
        self._is_open = False
        self._obs.gs_texrender_end(self._texrender)
        if not self.texture:  # the same until the size changes
            self.texture = self._obs.gs_texrender_get_texture(self._texrender) or NULL

    def destroy(self) -> None:
        """Free the texture; if drawing failed between `begin` and `end`, end it first."""
        if self._is_open:
            # Otherwise OBS would keep drawing into freed memory.
            self.end()
        self.texture = NULL
        texrender, self._texrender = self._texrender, NULL
        if texrender:
            self._obs.gs_texrender_destroy(texrender)


class PictureRing:
    """Full-size pictures that wait for their masks, by number; never more than `limit` textures."""

    def __init__(self, make_target: Callable[[], RenderTarget], *, limit: int) -> None:
        self._make_target = make_target
        self._limit = limit
        self._targets: dict[int, RenderTarget] = {}

    def next(self, sequence: int, *keep: int | None) -> RenderTarget:
        """Return the target to draw picture `sequence` into: the oldest one whose number is not in `keep`."""
        oldest = -1
        for number in self._targets:
            if number not in keep and (oldest < 0 or number < oldest):
                oldest = number
        if oldest >= 0:
            target = self._targets.pop(oldest)
        elif len(self._targets) < self._limit:
            target = self._make_target()
        else:
            raise ValueError(f"keep names {len(keep)} pictures, but the ring has {self._limit}")
        self._targets[sequence] = target
        return target

    def find(self, sequence: int) -> RenderTarget | None:
        """Return the picture with this number, if it is still there."""
        return self._targets.get(sequence)

    def destroy(self) -> None:
        """Free all pictures."""
        while self._targets:
            self._targets.popitem()[1].destroy()


class Readback:
    """Decide when to read a picture back, as a share of the time between two ticks after it was drawn.

    It should be early enough for the mask to be ready at the next tick. If the GPU is too busy to finish the picture by
    then, the reader waits while holding the graphics context, and OBS waits for that. So after a few such waits the
    picture is read just before the next tick, and after a while early again.
    """

    EARLY: Final = 0.35
    LATE: Final = 0.9
    _SLOW_S: Final = 0.003
    _IN_A_ROW: Final = 3
    _LATE_READS: Final = 600

    def __init__(self) -> None:
        self.after = self.EARLY
        self._slow = 0  # in a row
        self._left = 0

    def note(self, waited_s: float) -> None:
        """Record how long reading one picture's pixels took.

        That includes waiting for Python's lock; if that takes as long, reading later does no harm either.
        """
        if self._left:
            self._left -= 1
            if not self._left:
                self.after = self.EARLY
            return
        self._slow = self._slow + 1 if waited_s >= self._SLOW_S else 0
        if self._slow >= self._IN_A_ROW:
            self._slow, self._left, self.after = 0, self._LATE_READS, self.LATE


class Pixels(NamedTuple):
    """A copy of the pixels read back, its bytes per row, and the picture's number."""

    copy: ctypes.Array[ctypes.c_char]
    linesize: int
    sequence: int


class Downscaler:
    """Make the network's input frame on the GPU, for the CPU to read later."""

    def __init__(self, obs: LibObs, width: int, height: int, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._obs = obs
        self._clock = clock
        self._width = width
        self._height = height
        self._target = RenderTarget(obs, libobs.GS_BGRA)
        self._surface: StageSurface = NULL
        self._address = c_void_p()
        self._linesize = c_uint32()
        self._address_reference = ctypes.byref(self._address)
        self._linesize_reference = ctypes.byref(self._linesize)
        self._lowres: Effect = NULL
        self._area: Effect = NULL
        self._lowres_image: Param = NULL
        self._area_image: Param = NULL
        self._area_parameters: tuple[Param, Param] = (NULL, NULL)
        self._base, self._base_inverse = Vec2(), Vec2()
        self._copies: list[ctypes.Array[ctypes.c_char]] = []
        self.readback = Readback()
        self.staged: int | None = None  # the number of the picture that can be read

    def stage(self, texture: Texture, width: int, height: int, sequence: int) -> None:
        """Shrink a `width` x `height` texture and start its transfer to the CPU.

        The caller sets the framebuffer's encoding: off for bytes, which are scaled as bytes, as in training; on for
        linear light. Leaves blending changed: the caller saves and restores it.
        """
        obs = self._obs
        if not self._surface:
            self._begin()
        # Every pixel is written, so nothing needs clearing.
        obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_ZERO)
        self._target.begin(self._width, self._height, clear=False)
        try:
            if max(width / self._width, height / self._height) <= _LOWRES_LIMIT:
                effect, image = self._lowres, self._lowres_image
            else:
                effect, image = self._area, self._area_image
                base, inverse = self._base, self._base_inverse
                base.x, base.y, inverse.x, inverse.y = width, height, 1 / width, 1 / height
                obs.gs_effect_set_vec2(self._area_parameters[0], base)
                obs.gs_effect_set_vec2(self._area_parameters[1], inverse)
            obs.gs_effect_set_texture(image, texture)
            draw_effect(obs, effect, b"Draw", texture, self._width, self._height)
        finally:
            self._target.end()
        obs.gs_stage_texture(self._surface, self._target.texture)
        self.staged = sequence

    def read(self) -> Pixels | None:
        """Return a copy of the last staged frame, BGRA, which stays valid until the next read but one; or None.

        May be called on any thread. It holds the graphics context until the driver has mapped the pixels and they are
        copied, so that nothing is staged meanwhile. OBS cannot draw during that time, which `readback` keeps short.
        Reading the older of two surfaces would shorten it with a busy GPU, but would show every picture a frame later,
        even with an idle one.

        Raises:
            GraphicsError: the driver did not map the pixels.
        """
        obs = self._obs
        try:
            # Inside the `try`: an exception set by another thread is raised when a call returns, and a graphics context
            # that is never left stops OBS for good. Leaving without having entered does nothing.
            obs.obs_enter_graphics()
            sequence = self.staged
            if sequence is None or not self._surface:
                return None
            self.staged = None
            began = self._clock()
            if not obs.gs_stagesurface_map(self._surface, self._address_reference, self._linesize_reference):
                raise GraphicsError("The graphics driver could not map the staging surface.")
            try:
                self.readback.note(self._clock() - began)
                if not self._address.value:
                    raise GraphicsError("The graphics driver mapped the staging surface to a null pointer.")
                linesize = self._linesize.value
                copy = self._next_copy(linesize * self._height)
                _copy_bytes(ctypes.addressof(copy), self._address.value, linesize * self._height)
            finally:
                obs.gs_stagesurface_unmap(self._surface)
            return Pixels(copy, linesize, sequence)
        finally:
            obs.obs_leave_graphics()

    def _next_copy(self, size: int) -> ctypes.Array[ctypes.c_char]:
        """Return the buffer that was not written to last."""
        if not self._copies or len(self._copies[0]) != size:
            self._copies = [ctypes.create_string_buffer(size) for _ in range(2)]
        self._copies.reverse()
        return self._copies[0]

    def destroy(self) -> None:
        """Free the textures."""
        self.staged = None
        self._target.destroy()
        surface, self._surface = self._surface, NULL
        if surface:
            self._obs.gs_stagesurface_destroy(surface)

    def _begin(self) -> None:
        """Make the surface and look up OBS's scalers; plain bilinear scaling would skip pixels and flicker."""
        obs = self._obs
        self._surface = obs.gs_stagesurface_create(self._width, self._height, libobs.GS_BGRA) or NULL
        if not self._surface:
            raise GraphicsError(
                f"The graphics driver could not create a staging surface of {self._width}x{self._height}."
            )
        self._lowres = obs.obs_get_base_effect(libobs.OBS_EFFECT_BILINEAR_LOWRES) or NULL
        self._area = obs.obs_get_base_effect(libobs.OBS_EFFECT_AREA) or NULL
        self._lowres_image = obs.gs_effect_get_param_by_name(self._lowres, "image") or NULL
        self._area_image = obs.gs_effect_get_param_by_name(self._area, "image") or NULL
        self._area_parameters = (
            obs.gs_effect_get_param_by_name(self._area, "base_dimension") or NULL,
            obs.gs_effect_get_param_by_name(self._area, "base_dimension_i") or NULL,
        )
