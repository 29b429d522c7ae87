"""Compare pictures: the filter's with the CPU's reference, and one renderer's with another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.colour import light_to_srgb, srgb_to_light
from eoam_core.compose import compose_frame
from eoam_core.settings import Settings, View

if TYPE_CHECKING:
    from eoam_core.pipeline import Matte

Bytes = NDArray[np.uint8]

# As tests/obs_live/test_refine.py and test_scene.py have it: the renderers decode sRGB by a polynomial, which a steep
# edge multiplies (and colours, mixed in linear light, once more); lines and squares of a view have hard edges of their
# own;
# the foot of sRGB makes much of little.
_MOST_SHARE: Final = 0.005
_MOST: Final = 8
_FAINT: Final = 16
_HARD_EDGES: Final = (View.OUTLINE, View.SIDE_BY_SIDE)
# Of a smooth step, 1.5 times the mean, and a third more: what colours explain of a mask multiplies the decoder's error.
_SLOPE: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far a picture is from its reference: grey levels, and the share of pixels that differ by more than 2."""

    alpha: int
    colour: int
    share: float
    hidden: int  # the brightest colour under alpha 0
    most_alpha: float
    most_colour: float

    @property
    def is_small(self) -> bool:
        """Return whether it is within the bounds."""
        return (
            self.alpha <= self.most_alpha
            and self.colour <= self.most_colour
            and self.share < _MOST_SHARE
            and not self.hidden
        )

    def __str__(self) -> str:
        return (
            f"alpha {self.alpha} of {self.most_alpha:.0f}, colour {self.colour} of {self.most_colour:.0f}, "
            f"{self.share:.2%} of the pixels by more than 2, {self.hidden} under alpha 0"
        )


def reference(picture: Bytes, matte: Matte, settings: Settings, behind: Bytes | None) -> Bytes:
    """Return what the filter should draw of an opaque picture (h, w, 4) BGRA, premultiplied as OBS does it."""
    rgba = compose_frame(
        picture,
        matte.mask,
        settings,
        picture=behind,
        confidence=matte.confidence,
        coefficients=matte.coefficients,
    )
    return _premultiplied(np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), np.uint8))


def compare(found: Bytes, wanted: Bytes, settings: Settings) -> Difference:
    """Compare what was drawn with the reference, both (h, w, 4) uint8 BGRA."""
    difference = np.abs(found.astype(np.int16) - wanted)
    seen = wanted[..., 3] >= _FAINT
    colours = difference[..., :3][seen]
    slope = _SLOPE / max(settings.softness, 1 / 255)
    sharp = settings.view in _HARD_EDGES
    return Difference(
        alpha=int(difference[..., 3].max()),
        colour=int(colours.max()) if colours.size else 0,
        share=float((colours.max(axis=1) > 2).mean()) if colours.size else 0.0,
        hidden=int(found[found[..., 3] == 0].max(initial=0)),
        most_alpha=max(2.0, slope),
        most_colour=255.0 if sharp else max(_MOST, 2 * slope),
    )


def _premultiplied(straight: Bytes) -> Bytes:
    light = srgb_to_light(straight[..., :3] / 255) * (straight[..., 3:] / 255)
    return np.dstack([np.rint(light_to_srgb(light) * 255).astype(np.uint8), straight[..., 3]])
