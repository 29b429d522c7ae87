"""Use the shader in effects/scene.effect, and make small blurred copies of a picture with it.

Everything here is called with the graphics context held. Each object creates its GPU resources on first use and frees
them in `destroy()`, which may be called more than once.
"""

from __future__ import annotations

from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Effect, Param, Texture, Vec2, Vec4
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import RenderTarget, draw_effect
from eoam_obs.frame.shaders import SCENE, load_effect

_TEXTURES: Final = ("image", "alpha", "behind", "beyond", "front", "around")
_NUMBERS: Final = ("cell", "least", "guard", "along", "colour", "clean", "size")


class SceneEffect:
    """The shader: set what a technique reads, then draw."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._effect: Effect = NULL
        self._parameters: dict[str, Param] = {}
        self._pair, self._four = Vec2(), Vec4()

    def load(self) -> None:
        """Load it unless it is loaded.

        Raises:
            GraphicsError: it does not compile here.
        """
        if not self._effect:
            self._effect, self._parameters = load_effect(self._obs, SCENE, (*_TEXTURES, *_NUMBERS))

    def set_colours(self, name: str, texture: Texture) -> None:
        """Set a texture to be sampled as linear light, whatever it holds."""
        self._obs.gs_effect_set_texture_srgb(self._parameters[name], texture)

    def set_levels(self, name: str, texture: Texture) -> None:
        """Set a texture to be sampled without conversion."""
        self._obs.gs_effect_set_texture(self._parameters[name], texture)

    def set_number(self, name: str, value: float) -> None:
        """Set one number."""
        self._obs.gs_effect_set_float(self._parameters[name], value)

    def set_pair(self, name: str, x: float, y: float) -> None:
        """Set two numbers."""
        self._pair.x, self._pair.y = x, y
        self._obs.gs_effect_set_vec2(self._parameters[name], self._pair)

    def set_colour(self, name: str, red: float, green: float, blue: float) -> None:
        """Set an opaque colour in linear light."""
        value = self._four
        value.x, value.y, value.z, value.w = red, green, blue, 1.0
        self._obs.gs_effect_set_vec4(self._parameters[name], value)

    def draw(self, technique: str, texture: Texture, width: int = 0, height: int = 0) -> None:
        """Draw `width` x `height` pixels, or the size of `texture` if 0; `texture` has no other use."""
        draw_effect(self._obs, self._effect, technique.encode(), texture, width, height)

    def destroy(self) -> None:
        """Free the shader."""
        effect, self._effect = self._effect, NULL
        if effect:
            self._obs.gs_effect_destroy(effect)


class SpreadColours:
    """A small copy of a picture, each pixel a weighted mean of its surroundings, as `eoam_core.compositing._spread`.

    The first pass weighs and shrinks; more shrinking passes follow if the copy is much smaller; two passes blur. All of
    them draw few pixels, in half floats, which can hold sums of small weights.
    """

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._steps: list[RenderTarget] = []
        self._between = RenderTarget(obs, libobs.GS_RGBA16F)

    @property
    def texture(self) -> Texture:
        """The last copy, or NULL."""
        return self._steps[-1].texture if self._steps else NULL

    def make(
        self,
        effect: SceneEffect,
        technique: str,
        picture: Texture,
        alpha: Texture,
        width: int,
        height: int,
        percent: float,
        guard: tuple[float, float] = (0.0, 0.0),
        *,
        is_alone: bool = True,
    ) -> None:
        """Make the copy of `picture`, `width` x `height` large.

        Args:
            effect: the shader, loaded.
            technique: "Room", "Around" or "Front", which sets the weights.
            picture: premultiplied.
            alpha: one channel, of the same size.
            width: in pixels.
            height: in pixels.
            percent: the blur's standard deviation, in per cent of the height.
            guard: the distance from the person at which "Room" starts, as shares of width and height.
            is_alone: excluded pixels get a tiny weight, so that there is a colour everywhere.

        Raises:
            GraphicsError: there is no memory for a texture.
        """
        from eoam_core.compositing import LEAST, copy_size, copy_steps  # numpy is there by now: it made the mask

        sizes = copy_steps(percent, height=height, width=width)
        rows, columns, deviation = copy_size(percent, height=height, width=width)
        while len(self._steps) < len(sizes):
            self._steps.append(RenderTarget(self._obs, libobs.GS_RGBA16F))
        while len(self._steps) > len(sizes):
            self._steps.pop().destroy()
        effect.set_colours("image", picture)
        effect.set_levels("alpha", alpha)
        effect.set_pair("guard", *guard)
        effect.set_number("least", LEAST if is_alone else 0.0)
        for target, (down, across) in zip(self._steps, sizes, strict=True):
            effect.set_pair("cell", 1 / across, 1 / down)
            self._pass(effect, technique, target, across, down)
            technique = "Shrink"
            effect.set_levels("image", target.texture)
        scale = deviation / 3.0  # the shader's Gaussian has 3 texels
        effect.set_pair("along", scale / columns, 0.0)
        self._pass(effect, "Smear", self._between, columns, rows)
        effect.set_levels("image", self._between.texture)
        effect.set_pair("along", 0.0, scale / rows)
        self._pass(effect, "Smear", self._steps[-1], columns, rows)

    def destroy(self) -> None:
        """Free the textures."""
        self._between.destroy()
        while self._steps:
            self._steps.pop().destroy()

    def _pass(self, effect: SceneEffect, technique: str, target: RenderTarget, width: int, height: int) -> None:
        self._obs.gs_enable_framebuffer_srgb(False)
        self._obs.gs_enable_blending(False)
        target.begin(width, height, libobs.GS_CS_SRGB_16F, clear=False)
        try:
            effect.draw(technique, NULL, width, height)
        finally:
            target.end()
