"""Draw "Without a mask: everything blurred": the whole picture, in so few cells that nothing is recognisable.

It needs only OBS's own effects, so it works if the network, a library or the project's shaders do not. With the shader,
the cells are blended until their grid is invisible. With the graphics context held.
"""

from __future__ import annotations

from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Effect, Param, Vec2
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import GraphicsError, RenderTarget, draw_effect
from eoam_obs.frame.scene_effect import SceneEffect

_CELLS: Final = 24  # of height, at most
_PIXELS: Final = 8  # at least, to each side of a cell: small pictures have fewer cells
_SOFTNESS: Final = 1 / 3  # of the shader's Gaussian of 3 texels: a cell


class Placeholder:
    """A picture reduced to a few cells, enlarged smoothly."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self.picture = RenderTarget(obs)  # to draw the source into if nothing else did
        self._cells, self._between = RenderTarget(obs), RenderTarget(obs)
        self._effect = SceneEffect(obs)
        self._size = (0, 0)
        self._area: Effect = NULL
        self._plain: Effect = NULL
        self._parameters: dict[str, Param] = {}
        self._base, self._inverse = Vec2(), Vec2()

    def take(self, picture: RenderTarget, width: int, height: int) -> None:
        """Make the cells of a picture, `width` x `height` pixels, premultiplied.

        Leaves blending and the framebuffer's encoding changed: the caller saves and restores both.

        Raises:
            GraphicsError: there is no memory for a texture.
        """
        obs = self._obs
        self.forget()
        if not self._area:
            self._look_up()
        rows = max(1, min(_CELLS, height // _PIXELS))
        columns = max(1, min(round(rows * width / height), width // _PIXELS))
        base, inverse = self._base, self._inverse
        base.x, base.y, inverse.x, inverse.y = width, height, 1 / width, 1 / height
        obs.gs_effect_set_vec2(self._parameters["base_dimension"], base)
        obs.gs_effect_set_vec2(self._parameters["base_dimension_i"], inverse)
        obs.gs_effect_set_texture_srgb(self._parameters["area"], picture.texture)
        self._pass(self._cells, self._area, columns, rows, picture.space)
        self._soften(columns, rows, picture.space)
        self._size = (width, height)

    def draw(self) -> None:
        """Draw the cells at the picture's size, or nothing."""
        if self._size == (0, 0):
            return
        obs = self._obs
        obs.gs_effect_set_texture_srgb(self._parameters["plain"], self._cells.texture)
        obs.gs_enable_framebuffer_srgb(True)
        obs.gs_enable_blending(True)
        obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA)
        draw_effect(obs, self._plain, b"Draw", self._cells.texture, *self._size)

    def forget(self) -> None:
        """Draw nothing until the next `take`."""
        self._size = (0, 0)

    def destroy(self) -> None:
        """Free the textures."""
        self.forget()
        for part in (self.picture, self._cells, self._between, self._effect):
            part.destroy()

    def _soften(self, columns: int, rows: int, space: int) -> None:
        effect = self._effect
        try:
            effect.load()
        except GraphicsError:
            return  # reported where the shader is needed; so few cells hide everything without it
        for source, target, x, y in (
            (self._cells, self._between, _SOFTNESS / columns, 0.0),
            (self._between, self._cells, 0.0, _SOFTNESS / rows),
        ):
            effect.set_colours("image", source.texture)
            effect.set_pair("along", x, y)
            self._obs.gs_enable_framebuffer_srgb(True)
            target.begin(columns, rows, space, clear=False)
            try:
                effect.draw("Smear", NULL, columns, rows)
            finally:
                target.end()

    def _pass(self, target: RenderTarget, effect: Effect, width: int, height: int, space: int) -> None:
        obs = self._obs
        obs.gs_enable_framebuffer_srgb(True)
        obs.gs_enable_blending(False)
        target.begin(width, height, space, clear=False)
        try:
            draw_effect(obs, effect, b"Draw", NULL, width, height)
        finally:
            target.end()

    def _look_up(self) -> None:
        obs = self._obs
        self._area = obs.obs_get_base_effect(libobs.OBS_EFFECT_AREA) or NULL
        self._plain = obs.obs_get_base_effect(libobs.OBS_EFFECT_DEFAULT) or NULL
        names = (("area", self._area, "image"), ("plain", self._plain, "image"))
        self._parameters = {key: obs.gs_effect_get_param_by_name(effect, name) or NULL for key, effect, name in names}
        for name in ("base_dimension", "base_dimension_i"):
            self._parameters[name] = obs.gs_effect_get_param_by_name(self._area, name) or NULL
