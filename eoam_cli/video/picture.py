"""Convert a decoded frame to a picture: upright, BGRA, with the colours of usual screens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoam_cli.video.colour_description import BT709, UNKNOWN, ColourDescription
from eoam_cli.video.display_matrix import Orientation
from eoam_cli.video.tone_mapping import ToneMapper

Bytes = NDArray[np.uint8]


class Development:
    """Convert the frames of one video to pictures, one after the other."""

    def __init__(self) -> None:
        self._description: ColourDescription | None = None
        self._mapper: ToneMapper | None = None
        self._cautions: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return tuple(
            f"The video's colours are {kind}, which is not supported: they will look wrong. "
            "Convert the video to HDR10 or SDR first."
            for kind in self._cautions
        )

    def picture(self, frame: Any, description: ColourDescription, default: Orientation | None = None) -> Bytes:
        """Return a decoded PyAV frame as BGRA, (h, w, 4) uint8, upright; transparent pixels are black.

        `default` is the orientation if the frame has none.
        """
        if description.caution:
            self._cautions[description.caution] = None
        if description != self._description:
            self._description = description
            self._mapper = ToneMapper(description) if description.is_wide else None
        orientation = Orientation.of_frame(frame, default)
        if self._mapper is not None:
            picture = self._mapper.converted(_deep(frame, description))
        else:
            picture = _plain(frame, description)
        picture = orientation.applied(picture)
        if picture[..., 3].min() == 0:
            picture[picture[..., 3] == 0] = 0  # hidden colours must not reappear, whatever is done to the picture
        return picture


def _plain(frame: Any, description: ColourDescription) -> Bytes:
    if description.is_ycgco:
        deep = _deep(frame, description)
        return np.ascontiguousarray(((deep + np.uint32(128)) // 257).astype(np.uint8)[..., [2, 1, 0, 3]])
    picture: Bytes = _named(frame, description).to_ndarray(format="bgra")
    return picture


def _deep(frame: Any, description: ColourDescription) -> NDArray[np.uint16]:
    """Return a frame as RGBA, (h, w, 4) uint16, still with its own primaries and transfer."""
    if not description.is_ycgco:
        deep: NDArray[np.uint16] = _named(frame, description).to_ndarray(format="rgba64le")
        return deep
    planes: NDArray[np.uint16] = _named(frame, description).to_ndarray(format="yuva444p16le")
    y, g, o, alpha = (planes[..., channel].astype(np.float32) / 65535 for channel in range(4))
    if not description.is_full_range:
        y, g, o = (y - 16 / 256) * (256 / 219), (g - 0.5) * (256 / 224) + 0.5, (o - 0.5) * (256 / 224) + 0.5
    green, orange = g - 0.5, o - 0.5
    rest = y - green
    rgba = np.clip(np.stack([rest + orange, y + green, rest - orange, alpha], axis=2), 0, 1)
    return (rgba * np.float32(65535) + np.float32(0.5)).astype(np.uint16)


def _named(frame: Any, description: ColourDescription) -> Any:
    """Set what FFmpeg's scaler knows; it would refuse anything it has no name for."""
    frame.color_primaries = frame.color_trc = UNKNOWN
    if description.is_ycgco:
        frame.colorspace = BT709  # it stays YUV, so the matrix does not matter
    elif description.matrix == 0:
        frame.colorspace = UNKNOWN
    else:
        frame.colorspace = description.matrix
    return frame
