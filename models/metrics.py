"""Compute the figures for masks (foreground IoU: per picture, averaged, at the picture's own size)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Matte = NDArray[np.uint8]

BOUNDARY_SHARE = 0.02  # of the diagonal, as in Cheng et al., "Boundary IoU", CVPR 2021


def foreground_iou(predicted: Mask, truth: Mask) -> float:
    """Return |A and B| / |A or B| of two `(h, w)` masks; 1 if both are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def two_class_iou(predicted: Mask, truth: Mask) -> float:
    """Return the mean of foreground and background IoU."""
    return (foreground_iou(predicted, truth) + foreground_iou(~predicted, ~truth)) / 2


def boundary_iou(predicted: Mask, truth: Mask) -> float:
    """Return the IoU of the two masks' inner rims, each 2 % of the diagonal wide (Cheng et al., 2021)."""
    return foreground_iou(inner_rim(predicted), inner_rim(truth))


def inner_rim(mask: Mask) -> Mask:
    """Return the part of a `(h, w)` mask within 2 % of the diagonal from its outline."""
    width = max(1, round(BOUNDARY_SHARE * float(np.hypot(*mask.shape))))
    # The picture's border is not an outline of the person: pad with the mask's own values, not with background.
    binary = mask.astype(np.uint8)
    eroded = cv2.erode(binary, np.ones((3, 3), np.uint8), iterations=width, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mask & (np.asarray(eroded) == 0))


def mean_absolute_difference(predicted: Matte, truth: Matte) -> float:
    """Return mean |alpha - truth| x 1000 of two uint8 mattes (255 = person), the usual unit of matting papers."""
    return float(cv2.absdiff(predicted, truth).mean()) / 255 * 1000


def flicker(previous: Matte, current: Matte, still: Mask) -> float:
    """Return mean |mask_t - mask_(t-1)| x 1000 over the pixels that stand still; NaN if there are none."""
    return float(cv2.absdiff(previous, current)[still].mean()) / 255 * 1000 if still.any() else float("nan")


def lag_frames(predicted: list[Mask], truth: list[Mask], longest: int = 4) -> int:
    """Return by how many frames the truth must be delayed to fit the masks best: 0 for masks that are on time."""
    scores = []
    for lag in range(longest + 1):
        pairs = zip(predicted[longest:], truth[longest - lag :], strict=False)
        scores.append(float(np.mean([foreground_iou(p, t) for p, t in pairs])))
    return int(np.argmax(scores))
