"""Keep the mask on the GPU, and apply it to a picture with a shader.

Everything here is called with the graphics context held. Each object creates its GPU resources on first use and frees
them in `destroy()`, which may be called more than once.
"""

from __future__ import annotations

import ctypes
from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Effect, Param, Texture, Vec2, Vec4
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import GraphicsError, draw_effect
from eoam_obs.frame.shaders import MATTE, load_effect

_PARAMETERS: Final = ("image", "mask", "coefficients", "edge", "reach", "move")
_GS_RGBA16: Final = 7  # four channels of 16 bits, 0 to 1


class MaskTexture:
    """Upload every new mask, and its coefficients from `eoam_core.refine.Refiner`."""

    def __init__(self, obs: LibObs) -> None:
        self._bytes = DoubleBufferedTexture(obs, libobs.GS_R8, 1)
        self._fine = DoubleBufferedTexture(obs, libobs.GS_R16, 2)
        self._mask = self._bytes
        self._coefficients = DoubleBufferedTexture(obs, _GS_RGBA16, 8)

    @property
    def texture(self) -> Texture:
        """The newest mask, or NULL."""
        return self._mask.texture

    @property
    def coefficients(self) -> Texture:
        """The newest mask's coefficients, or NULL if it has none."""
        return self._coefficients.texture

    @property
    def size(self) -> tuple[int, int]:
        """The newest mask's (width, height) in pixels."""
        return self._mask.size

    def upload(
        self,
        address: int,
        width: int,
        height: int,
        coefficients: int = 0,
        columns: int = 0,
        rows: int = 0,
        *,
        fine: bool = False,
    ) -> None:
        """Copy a mask of `width` x `height` bytes, and `columns` x `rows` coefficients (four uint16 each) if there are.

        `address` and `coefficients` are their addresses, rows without padding. With `fine` the mask has 16 bits per
        pixel (`eoam_core.refine.fine_levels`).

        Raises:
            GraphicsError: there is no memory for the textures.
        """
        self._mask = self._fine if fine else self._bytes
        self._mask.upload(address, width, height)
        if coefficients:
            self._coefficients.upload(coefficients, columns, rows)
        else:
            self._coefficients.destroy()

    def destroy(self) -> None:
        """Free the textures."""
        self._bytes.destroy()
        self._fine.destroy()
        self._coefficients.destroy()


class DoubleBufferedTexture:
    """Two alternating textures: the one being written is not the one the GPU still reads."""

    def __init__(self, obs: LibObs, color_format: int, bytes_per_pixel: int) -> None:
        self._obs = obs
        self._color_format = color_format
        self._bytes_per_pixel = bytes_per_pixel
        self._textures: list[Texture] = [NULL, NULL]
        self.size = (0, 0)

    @property
    def texture(self) -> Texture:
        return self._textures[0]

    def upload(self, address: int, width: int, height: int) -> None:
        if self.size != (width, height):
            self.destroy()
            textures = self._textures
            for place in range(2):
                textures[place] = (
                    self._obs.gs_texture_create(width, height, self._color_format, 1, None, libobs.GS_DYNAMIC) or NULL
                )
                if not textures[place]:
                    raise GraphicsError(f"The graphics driver could not create a mask texture of {width}x{height}.")
            self.size = (width, height)
        self._textures.reverse()
        self._obs.gs_texture_set_image(self._textures[0], address, width * self._bytes_per_pixel, False)

    def destroy(self) -> None:
        self.size = (0, 0)
        for place in range(2):
            texture, self._textures[place] = self._textures[place], NULL
            if texture:
                self._obs.gs_texture_destroy(texture)


class MatteEffect:
    """The shader in effects/eoam.effect: `look` sets how edges are drawn, `draw` draws any number of times."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._effect: Effect = NULL
        self._image: Param = NULL
        self._mask: Param = NULL
        self._coefficients: Param = NULL
        self._edge: Param = NULL
        self._reach: Param = NULL
        self._move: Param = NULL
        self._edge_value, self._reach_value, self._move_value = Vec4(), Vec2(), Vec2()
        # Made once: passing the vectors themselves, ctypes would make these with every call.
        self._edge_reference = ctypes.byref(self._edge_value)
        self._reach_reference, self._move_reference = ctypes.byref(self._reach_value), ctypes.byref(self._move_value)
        self._refinement = 0.0
        self._is_moved = False

    def look(
        self,
        low: float,
        high: float,
        *,
        refinement: float = 0.0,
        edge_shift: float = 0.0,
        width: int = 0,
        height: int = 0,
        mask_size: tuple[int, int] = (0, 0),
    ) -> None:
        """Set how the edge is drawn from now on.

        Args:
            low: the level up to which alpha is 0.
            high: the level from which it is 1.
            refinement: the share of the refinement that is used, 0 to 1, if there are coefficients.
            edge_shift: how far the edge is moved outwards, in pixels of the picture.
            width: the picture's, needed for `edge_shift` only, as the next two.
            height: the picture's.
            mask_size: the mask's width and height.
        """
        edge = self._edge_value
        edge.x, edge.y = low, 1.0 / (high - low)
        self._refinement = refinement
        self._is_moved = bool(edge_shift and width and height)
        if self._is_moved:
            from eoam_core.edge import reach_pixels  # numpy is there by now: it made the mask

            pixels = reach_pixels(edge_shift, picture=(height, width), mask=(mask_size[1], mask_size[0]))
            self._reach_value.x, self._reach_value.y = pixels / width, pixels / height
            self._move_value.x, self._move_value.y = edge_shift / width, edge_shift / height

    def draw(self, picture: Texture, mask: Texture, coefficients: Texture = NULL, *, show_mask: bool = False) -> None:
        """Draw the texture `picture` at its own size through the texture `mask`.

        Leaves the blending's function and the framebuffer's encoding changed: the caller saves and restores both.
        The caller decides whether blending is on: if not, the target must be empty or meant to be replaced.

        Args:
            picture: premultiplied.
            mask: one channel.
            coefficients: the texture that belongs to the mask, or NULL: then nothing is refined.
            show_mask: draw alpha in grey, opaque, instead of the picture.

        Raises:
            GraphicsError: the shader does not compile here.
        """
        obs = self._obs
        if not self._effect:
            self._load()
        refinement = self._refinement if coefficients else 0.0
        self._edge_value.z = refinement
        obs.gs_effect_set_texture_srgb(self._image, picture)
        obs.gs_effect_set_texture(self._mask, mask)
        obs.gs_effect_set_vec4(self._edge, self._edge_reference)
        if self._is_moved:
            # The same technique also draws without refinement, but a sampler needs a texture.
            obs.gs_effect_set_texture(self._coefficients, coefficients or mask)
            obs.gs_effect_set_vec2(self._reach, self._reach_reference)
            obs.gs_effect_set_vec2(self._move, self._move_reference)
            technique = b"MovedMask" if show_mask else b"Moved"
        elif refinement:
            obs.gs_effect_set_texture(self._coefficients, coefficients)
            technique = b"RefinedMask" if show_mask else b"Refined"
        else:
            technique = b"PlainMask" if show_mask else b"Plain"
        # The picture passes through linear light, which blending needs and which reproduces the same bytes where it is
        # opaque. The mask's levels are shown unchanged.
        obs.gs_enable_framebuffer_srgb(not show_mask)
        obs.gs_blend_function(libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA)
        draw_effect(obs, self._effect, technique, picture, 0, 0)

    def destroy(self) -> None:
        """Free the shader."""
        effect, self._effect = self._effect, NULL
        if effect:
            self._obs.gs_effect_destroy(effect)

    def _load(self) -> None:
        self._effect, parameters = load_effect(self._obs, MATTE, _PARAMETERS)
        for name, parameter in parameters.items():
            setattr(self, f"_{name}", parameter)
