"""Fit pictures of any shape into frames of one size, scaled and with bars."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def letterboxed(picture: Bytes, *, height: int, width: int, aspect: Fraction = Fraction(1)) -> Bytes:
    """Return `picture`, (h, w, channels) uint8, in a frame of (height, width, channels), with its aspect ratio kept.

    The bars are 0 in every channel: black, or transparent where there is alpha. A picture that is only one row or
    column smaller is not scaled; its last one is repeated.

    Args:
        picture: the picture.
        height: of the frame, in pixels.
        width: of the frame, in pixels.
        aspect: width of a pixel of the picture, relative to one of the frame.

    Raises:
        ValueError: a side of the frame is smaller than 1 pixel.
    """
    if height < 1 or width < 1:
        raise ValueError(f"the frame is {width}x{height}, need at least 1x1")
    rows, columns = picture.shape[:2]
    down, right = height - rows, width - columns
    if aspect == 1 and down in (0, 1) and right in (0, 1):
        if (down, right) == (0, 0):
            return np.ascontiguousarray(picture)
        return cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[return-value]
    scale = min(height / rows, width / (columns * float(aspect)))
    inner_height = min(height, max(1, round(rows * scale)))
    inner_width = min(width, max(1, round(columns * float(aspect) * scale)))
    frame = np.zeros((height, width, picture.shape[2]), np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame[top : top + inner_height, left : left + inner_width] = cv2.resize(
        _premultiplied(picture), (inner_width, inner_height), interpolation=method
    )
    return _straight(frame)


def _premultiplied(picture: Bytes) -> Bytes:
    # Colours of transparent pixels must not be mixed into their neighbours.
    if picture.shape[2] != 4 or picture[..., 3].min() == 255:
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    return np.concatenate([(picture[..., :3] * alpha + 127) // 255, alpha], axis=2).astype(np.uint8)


def _straight(picture: Bytes) -> Bytes:
    if picture.shape[2] != 4:
        return picture
    alpha = picture[..., 3:].astype(np.float32)
    colour = np.minimum(picture[..., :3] * (255 / np.maximum(alpha, 1)), 255)
    return np.concatenate([np.rint(colour), alpha], axis=2).astype(np.uint8)
