"""Keep a mask on the GPU and draw with it. With the graphics context held, unless stated otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from eoam_core.settings import Settings, View
from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Texture
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.compositor import Compositor, needs_compositor
from eoam_obs.frame.gpu import RenderTarget, draw_effect
from eoam_obs.frame.matte_effect import DoubleBufferedTexture, MaskTexture, MatteEffect

if TYPE_CHECKING:
    from eoam_core.pipeline import Matte


_LEVELS: Final = (View.MASK, View.CONFIDENCE)


class Drawing:
    """Draw a picture through the last uploaded mask.

    `show` sets once per tick what is drawn, and `draw` draws it as often as OBS wants. Changes take effect at the next
    `show`, so picture, mask and settings always belong together.
    """

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._mask = MaskTexture(obs)
        self._confidence = DoubleBufferedTexture(obs, libobs.GS_R16, 2)
        self._effect = MatteEffect(obs)
        self._compositor: Compositor | None = None
        self._ended: Compositor | None = None  # its thread may still read a file
        self._uploaded: object = None  # the mask that is on the GPU
        self._picture: RenderTarget | None = None
        self._settings = Settings()
        self._is_plain, self._is_mask, self._is_levels = True, False, False
        self._levels: RenderTarget | None = None  # made where it is needed
        self._size = (0, 0)
        self._is_looked = False  # whether the shader knows the settings and sizes
        self._mask_texture: Texture = NULL
        self._coefficients: Texture = NULL

    @property
    def is_shown(self) -> bool:
        """Return whether `draw` draws anything; on any thread."""
        return self._picture is not None

    @property
    def problem(self) -> str:
        """The reason why the background is not drawn, or ""; on any thread."""
        compositor = self._compositor
        return compositor.problem if compositor is not None else ""

    def upload(self, matte: Matte) -> bool:
        """Upload a mask to the GPU; return False if it is there already.

        Raises:
            GraphicsError: there is no memory for the textures.
        """
        mask: Any = matte.mask
        if mask is self._uploaded:
            return False
        self._uploaded = None
        factors = matte.coefficients
        rows, columns = (0, 0) if factors is None else factors.shape[:2]
        height, width = mask.shape
        levels_at, factors_at, confidence_at = matte.addresses
        size_before = self._mask.size
        self._mask.upload(levels_at, width, height, factors_at, columns, rows, fine=True)
        self._mask_texture, self._coefficients = self._mask.texture, self._mask.coefficients
        if self._mask.size != size_before:
            self._is_looked = False
        confidence = matte.confidence
        if confidence is not None:
            self._confidence.upload(confidence_at, confidence.shape[1], confidence.shape[0])
        elif self._confidence.texture:
            self._confidence.destroy()
        self._uploaded = mask
        return True

    def show(
        self, picture: RenderTarget | None, settings: Settings, size: tuple[int, int], now: int, number: object
    ) -> None:
        """Set what `draw` draws from now on: `picture`, or nothing.

        Args:
            picture: what is shown through the mask.
            settings: how.
            size: the picture's width and height.
            now: the tick's time in nanoseconds.
            number: identifies the picture's content, because the texture is reused.

        Raises:
            GraphicsError: the driver refused something.
        """
        self._picture = None
        if picture is None:
            if self._compositor is not None:
                self._compositor.forget()
            return
        if settings is not self._settings or size != self._size or not self._is_looked:
            self._take_look(settings, size)
        if not self._is_plain:
            self._prepare(picture, now, number)
        elif self._compositor is not None:
            self._free_compositor()
        self._picture = picture

    def clear(self) -> None:
        """Draw nothing until the next `show`; on any thread."""
        self._picture = None

    def draw(self) -> None:
        """Draw what `show` has set.

        Leaves blending and the framebuffer's encoding changed: the caller saves and restores both.
        """
        picture = self._picture
        if picture is None:
            return
        if self._is_levels and self._obs.gs_get_color_space() != libobs.GS_CS_SRGB:
            self._draw_levels(picture)
        else:
            self._draw(picture)

    def destroy(self) -> None:
        """Free everything."""
        self._picture = self._uploaded = None
        self._mask_texture = self._coefficients = NULL
        self._is_looked = False
        self._free_compositor()
        levels, self._levels = self._levels, None
        if levels is not None:
            levels.destroy()
        for part in (self._mask, self._confidence, self._effect):
            part.destroy()

    def close(self) -> None:
        """Wait for threads that still run after `destroy`; without the graphics context."""
        compositor, self._ended = self._ended, None
        if compositor is not None:
            compositor.close()

    def _draw(self, picture: RenderTarget) -> None:
        if self._is_plain:
            self._effect.draw(picture.texture, self._mask_texture, self._coefficients, show_mask=self._is_mask)
        elif self._compositor is not None:
            self._compositor.draw(self._confidence.texture or self._mask.texture)

    def _draw_levels(self, picture: RenderTarget) -> None:
        """Draw levels into a framebuffer of linear light (10-bit and HDR canvases): levels are sRGB bytes.

        They are first drawn into a texture of bytes, which is decoded when that is drawn.
        """
        obs = self._obs
        levels = self._levels
        if levels is None:
            levels = self._levels = RenderTarget(obs)
        levels.begin(*self._size)
        try:
            self._draw(picture)
        finally:
            levels.end()
        effect = obs.obs_get_base_effect(libobs.OBS_EFFECT_DEFAULT) or NULL
        obs.gs_effect_set_texture_srgb(obs.gs_effect_get_param_by_name(effect, "image") or NULL, levels.texture)
        obs.gs_enable_framebuffer_srgb(True)
        obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA)
        draw_effect(obs, effect, b"Draw", levels.texture, 0, 0)

    def _prepare(self, picture: RenderTarget, now: int, number: object) -> None:
        compositor = self._compositor
        if compositor is None:
            compositor = self._compositor = Compositor(self._obs)
        made_of = (number, self._uploaded)
        compositor.prepare(self._settings, picture, self._size, now, lambda: self._draw_alpha(picture), made_of)

    def _free_compositor(self) -> None:
        compositor, self._compositor = self._compositor, None
        if compositor is not None:
            self._ended = compositor
            compositor.destroy()

    def _take_look(self, settings: Settings, size: tuple[int, int]) -> None:
        self._settings, self._size = settings, size
        self._is_plain, self._is_mask = not needs_compositor(settings), settings.view is View.MASK
        self._is_levels = settings.view in _LEVELS
        low, high = settings.alpha_ramp
        width, height = size
        self._effect.look(
            low,
            high,
            refinement=settings.refinement,
            edge_shift=settings.edge_shift,
            width=width,
            height=height,
            mask_size=self._mask.size,
        )
        self._is_looked = True

    def _draw_alpha(self, picture: RenderTarget) -> None:
        self._effect.draw(picture.texture, self._mask_texture, self._coefficients, show_mask=True)
