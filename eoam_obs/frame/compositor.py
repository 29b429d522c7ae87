"""Draw everything beyond the plain cut-out: backgrounds, colour cleaning, and the views of them.

The passes run once per tick, however often OBS draws the source; `draw` is one pass. A filter whose settings need none
of this has no `Compositor`. With the graphics context held, unless stated otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eoam_core.settings import BackgroundKind, Settings, View
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Texture
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.background_file import BackgroundFile
from eoam_obs.frame.gpu import RenderTarget
from eoam_obs.frame.scene_effect import SceneEffect, SpreadColours

_WITH_RESULT: Final = (View.RESULT, View.SIDE_BY_SIDE)


def needs_compositor(settings: Settings) -> bool:
    """Return whether these settings need more than the picture through its mask, or the mask."""
    if settings.view is View.RESULT:
        return settings.background is not BackgroundKind.TRANSPARENT or settings.decontamination > 0
    return settings.view is not View.MASK


def has_chosen_colours(settings: Settings) -> bool:
    """Return whether the output has colours that are not the source's and must arrive unchanged."""
    return settings.view is not View.RESULT or settings.background in (BackgroundKind.COLOR, BackgroundKind.PICTURE)


class Compositor:
    """Draw one picture and its alpha with the settings last given to `prepare`."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._effect = SceneEffect(obs)
        self._alpha = RenderTarget(obs, libobs.GS_R8)
        self._result = RenderTarget(obs)
        self._room, self._wide = SpreadColours(obs), SpreadColours(obs)
        self._front, self._around = SpreadColours(obs), SpreadColours(obs)
        self._file = BackgroundFile(obs)
        self._settings = Settings()
        self._picture: RenderTarget | None = None
        self._behind: Texture = NULL
        self._beyond: Texture = NULL
        self._size = (0, 0)
        self._made_of: tuple[object, ...] = ()

    @property
    def problem(self) -> str:
        """The background's problem, or ""; on any thread."""
        return self._file.problem if self._settings.background is BackgroundKind.PICTURE else ""

    def prepare(
        self,
        settings: Settings,
        picture: RenderTarget,
        size: tuple[int, int],
        now: int,
        draw_alpha: Callable[[], None],
        made_of: tuple[object, ...],
    ) -> None:
        """Run the passes that `draw` needs.

        Args:
            settings: what is wanted.
            picture: premultiplied.
            size: its width and height.
            now: the tick's time in nanoseconds.
            draw_alpha: draws its alpha as grey.
            made_of: identifies picture and mask: nothing is repeated for the same ones.

        Raises:
            GraphicsError: the driver refused something.
        """
        width, height = size
        self._effect.load()
        behind: Texture = NULL
        is_behind = settings.background is BackgroundKind.PICTURE and settings.view in _WITH_RESULT
        if is_behind:
            behind = self._file.texture(settings.background_picture, width, height, now)
        made_of = (*made_of, settings, picture, behind)
        same = len(made_of) == len(self._made_of) and all(a is b for a, b in zip(made_of, self._made_of, strict=True))
        if same and self._picture is not None:
            return
        self._picture = None
        self._settings, self._size = settings, size
        self._behind = self._beyond = behind
        if settings.view is not View.CONFIDENCE:
            self._alpha.begin(width, height)
            try:
                draw_alpha()
            finally:
                self._alpha.end()
        if settings.view in _WITH_RESULT:
            self._spread(settings, picture, width, height)
        self._picture = picture
        if settings.view is View.SIDE_BY_SIDE:
            self._result.begin(width, height, picture.space)
            try:
                self._draw_result(picture)
            finally:
                self._result.end()
        self._made_of = made_of

    def draw(self, confidence: Texture) -> None:
        """Draw what was prepared, or nothing; `confidence` is the texture of the network's output, or NULL.

        Leaves blending and the framebuffer's encoding changed: the caller saves and restores both.
        """
        picture, view, effect = self._picture, self._settings.view, self._effect
        if picture is None:
            return
        if view is View.RESULT:
            self._draw_result(picture)
            return
        if view is View.CONFIDENCE:
            effect.set_levels("alpha", confidence)
            self._draw("Confidence", encode=False)
            return
        effect.set_colours("image", picture.texture)
        if view is View.OUTLINE:
            effect.set_levels("alpha", self._alpha.texture)
            self._draw("Outline")
        else:
            effect.set_colours("behind", self._result.texture)
            effect.set_pair("size", *self._size)
            self._draw("Sides")

    def forget(self) -> None:
        """Draw nothing until the next `prepare`."""
        self._picture = None
        self._made_of = ()

    def destroy(self) -> None:
        """Free everything; `close` must follow."""
        self.forget()
        for spread in (self._room, self._wide, self._front, self._around):
            spread.destroy()
        for part in (self._alpha, self._result, self._file, self._effect):
            part.destroy()

    def close(self) -> None:
        """Wait for running threads; without the graphics context."""
        self._file.join()

    def _spread(self, settings: Settings, picture: RenderTarget, width: int, height: int) -> None:
        from eoam_core.compositing import cleaning_percent, guard_size, wide_percent

        effect, texture, alpha = self._effect, picture.texture, self._alpha.texture
        if settings.background is BackgroundKind.BLUR:
            guard, strength = guard_size(height=height, width=width), settings.blur_strength
            wide = wide_percent(strength)
            self._room.make(effect, "Room", texture, alpha, width, height, strength, guard, is_alone=not wide)
            self._behind = self._beyond = self._room.texture
            if wide:
                self._wide.make(effect, "Room", texture, alpha, width, height, wide, guard)
                self._beyond = self._wide.texture
            else:
                self._wide.destroy()
        else:
            self._room.destroy()
            self._wide.destroy()
        if settings.decontamination:
            self._front.make(effect, "Front", texture, alpha, width, height, cleaning_percent())
            self._around.make(effect, "Around", texture, alpha, width, height, cleaning_percent())
        else:
            self._front.destroy()
            self._around.destroy()

    def _draw_result(self, picture: RenderTarget) -> None:
        effect, settings = self._effect, self._settings
        technique = "Plain"
        if settings.background is BackgroundKind.COLOR:
            effect.set_colour("colour", *_linear_light(settings.background_color))
            technique = "OnColour"
        elif self._behind:
            # A blurred background is in linear light already, a picture is not; the shader handles both.
            effect.set_colours("behind", self._behind)
            effect.set_colours("beyond", self._beyond)
            technique = "OnPicture"
        if settings.decontamination:
            effect.set_levels("front", self._front.texture)
            effect.set_levels("around", self._around.texture)
            effect.set_number("clean", settings.decontamination)
            technique += "Cleaned"
        effect.set_colours("image", picture.texture)
        effect.set_levels("alpha", self._alpha.texture)
        self._draw(technique)

    def _draw(self, technique: str, *, encode: bool = True) -> None:
        obs = self._obs
        obs.gs_enable_framebuffer_srgb(encode)
        obs.gs_enable_blending(True)
        obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA)
        self._effect.draw(technique, NULL, *self._size)


def _linear_light(stored: int) -> list[float]:
    """Return red, green and blue of a colour as OBS stores it, 0xAABBGGRR in sRGB, as linear light."""
    from eoam_core.colour import LINEAR  # numpy is there by now: it made the mask

    return [float(LINEAR[stored >> shift & 255]) for shift in (0, 8, 16)]
