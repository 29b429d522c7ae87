"""The mask on the GPU and the shader that puts it on a picture.

Everything here is called with the graphics context held. Each object creates what it needs when it is first used and
frees it in `destroy()`, which may be called more than once.
"""

from __future__ import annotations

import ctypes
from ctypes import c_void_p
from pathlib import Path
from typing import Final

from eoam_obs import libobs
from eoam_obs.gpu import GraphicsError, blending, draw_effect, framebuffer_srgb
from eoam_obs.libobs import LibObs

_EFFECT_FILE: Final = Path(__file__).resolve().parent / "effects" / "eoam.effect"


class MaskTexture:
    """Takes every new mask. Two small textures in turn: the one being written is not the one the GPU still reads."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._size = (0, 0)
        self._textures: list[int] = []

    @property
    def texture(self) -> int:
        """The newest mask, or 0."""
        return self._textures[0] if self._textures else 0

    def upload(self, address: int, width: int, height: int) -> None:
        """Copy a mask of `width` x `height` bytes, rows without padding.

        Raises:
            GraphicsError: there is no memory for the textures.
        """
        if self._size != (width, height):
            self.destroy()
            for _ in range(2):
                texture = self._obs.gs_texture_create(width, height, libobs.GS_R8, 1, None, libobs.GS_DYNAMIC)
                if not texture:
                    raise GraphicsError(f"The graphics driver gave no mask texture of {width}x{height}.")
                self._textures.append(texture)
            self._size = (width, height)
        self._textures.reverse()
        self._obs.gs_texture_set_image(self._textures[0], address, width, False)

    def destroy(self) -> None:
        """Free the textures."""
        self._size = (0, 0)
        while self._textures:
            self._obs.gs_texture_destroy(self._textures.pop())


class MatteEffect:
    """The shader in effects/eoam.effect."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._effect = 0
        self._parameters: dict[str, int] = {}

    def draw(self, picture: int, mask: int, low: float, high: float, *, show_mask: bool) -> None:
        """Draw `picture` at its own size through `mask`; alpha rises from 0 to 1 between the levels low and high.

        Raises:
            GraphicsError: the shader does not compile here.
        """
        obs = self._obs
        if not self._effect:
            self._load()
        parameters = self._parameters
        obs.gs_effect_set_texture_srgb(parameters["image"], picture)
        obs.gs_effect_set_texture(parameters["mask"], mask)
        obs.gs_effect_set_float(parameters["low"], low)
        obs.gs_effect_set_float(parameters["high"], high)
        # The picture passes through linear light, which blending needs and which gives back the very same bytes where
        # it is opaque. The mask's levels are to be seen as they are.
        with (
            framebuffer_srgb(obs, not show_mask),
            blending(obs, libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA),
        ):
            draw_effect(obs, self._effect, "DrawMask" if show_mask else "Draw", picture, 0, 0)

    def destroy(self) -> None:
        """Free the shader."""
        effect, self._effect = self._effect, 0
        if effect:
            self._obs.gs_effect_destroy(effect)

    def _load(self) -> None:
        obs, problem = self._obs, c_void_p()
        effect = obs.gs_effect_create_from_file(str(_EFFECT_FILE), ctypes.byref(problem))
        text = "see the log"
        if problem.value:
            text = ctypes.string_at(problem.value).decode(errors="replace").strip() or text
            obs.bfree(problem.value)
        if not effect:
            raise GraphicsError(f"The shader {_EFFECT_FILE} does not compile: {text}")
        self._effect = effect
        self._parameters = {
            name: obs.gs_effect_get_param_by_name(effect, name) or 0 for name in ("image", "mask", "low", "high")
        }
