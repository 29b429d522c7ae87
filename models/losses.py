"""Compute the training loss: the mask's fit, weighted edges, and the auxiliary loss of the three classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .net import BACKGROUND, EDGE, PORTRAIT

# Classes in the edge band are few; without a weight the network would never predict them and CM would mean nothing.
EDGE_CLASS_WEIGHT = 2.0
EDGE_PIXEL_WEIGHT = 3.0  # as in SINet's recipe: the band around the outline decides what a viewer sees
AUXILIARY_WEIGHT = 0.4
# The edge class's target: "hard", 1 in the edge area; "soft", a half there, the rest by the cell's shares of portrait
# and background; "none", no cell is an edge, so portrait and background are equal on the outline.
EDGE_TARGETS = ("hard", "soft", "none")
EMPTY_LIMIT = 0.002  # a picture with less of a person counts as empty
EMPTY_SHARE = 0.05  # of an empty picture called person: half the loss


def edge_band(alpha: Tensor, kernel: int) -> Tensor:
    """Return dilate(alpha) - erode(alpha), `(n, 1, h, w)` in [0, 1]: the edge area round the mask's outline."""
    pad = kernel // 2
    dilated = F.max_pool2d(alpha, kernel, 1, pad)
    eroded = -F.max_pool2d(-alpha, kernel, 1, pad)
    return dilated - eroded


def class_targets(alpha: Tensor, stride: int, kernel: int) -> Tensor:
    """Return the class of every cell, `(n, h/stride, w/stride)` int64: portrait, edge area or background."""
    small = F.avg_pool2d(alpha, stride)
    inside = (small > 0.5).float()
    target = torch.where(inside > 0, PORTRAIT, BACKGROUND)
    return torch.where(edge_band(inside, kernel) > 0.5, EDGE, target).squeeze(1)


def class_shares(alpha: Tensor, stride: int, kernel: int, edge: str) -> Tensor:
    """Return `class_targets` as shares, `(n, 3, h/stride, w/stride)`; `edge` is one of `EDGE_TARGETS`."""
    small = F.avg_pool2d(alpha, stride)
    inside = (small > 0.5).float()
    band = edge_band(inside, kernel)
    if edge == "soft":
        inside, band = torch.where(band > 0, small, inside), 0.5 * band
    elif edge == "none":
        band = torch.zeros_like(band)
    shares = {PORTRAIT: inside * (1 - band), EDGE: band, BACKGROUND: (1 - inside) * (1 - band)}
    return torch.cat([shares[index] for index in range(len(shares))], 1)


def class_loss(f_e: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
    """Return the cross entropy of class logits and shares, both `(n, 3, h, w)`, a weighted mean over the cells."""
    weighted = shares * weights[:, None, None]
    return -(weighted * F.log_softmax(f_e, 1)).sum() / weighted.sum()


def soft_iou(logits: Tensor, alpha: Tensor) -> Tensor:
    """Return `1 - IoU` of soft masks, averaged over the pictures: the metric itself, made smooth.

    In a picture without a person any IoU is 0; there the loss is `p / (p + 0.05)` of the share p called person, so that
    even a small wrong patch counts, on which cross entropy has little effect.
    """
    p = torch.sigmoid(logits).flatten(1)
    t = alpha.flatten(1)
    intersection = (p * t).sum(1)
    union = (p + t - p * t).sum(1)
    share = p.mean(1)
    present = t.mean(1) > EMPTY_LIMIT
    return torch.where(present, 1 - intersection / union.clamp_min(1), share / (share + EMPTY_SHARE)).mean()


def lovasz_hinge(logits: Tensor, alpha: Tensor) -> Tensor:
    """Return the Lovasz hinge, the convex extension of `1 - IoU` of hard masks, averaged over pictures with a person.

    Source: M. Berman, A. Rannen Triki, M. B. Blaschko, "The Lovasz-Softmax loss", CVPR 2018, equations 8 and 9. A
    picture without a person has no IoU to extend; `soft_iou` is for those.
    """
    truth = (alpha > 0.5).flatten(1).to(logits)
    present = truth.mean(1) > EMPTY_LIMIT
    if not present.any():
        return logits.sum() * 0
    truth, scores = truth[present], logits.flatten(1)[present]
    errors, order = (1 - scores * (2 * truth - 1)).sort(dim=1, descending=True)
    sorted_truth = truth.gather(1, order)
    total = sorted_truth.sum(1, keepdim=True)
    intersection = total - sorted_truth.cumsum(1)
    union = total + (1 - sorted_truth).cumsum(1)
    jaccard = 1 - intersection / union
    gradient = torch.cat([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], 1)
    return (F.relu(errors) * gradient).sum(1).mean()


def total_loss(
    logits: Tensor, f_e8: Tensor, f_e4: Tensor, alpha: Tensor, *, lovasz: float = 0.0, edge: str = "hard"
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss and its parts. `alpha` is `(n, 1, h, w)` in [0, 1]; the first three are as Eoam returns them.

    `lovasz`, 0 to 1, is the Lovasz hinge's part in what the overlap of the masks counts, besides the soft IoU. `edge`
    is one of `EDGE_TARGETS`.
    """
    band = edge_band(F.avg_pool2d(alpha, 4), 5)  # at 1/4: the band at full size costs as much as the network
    weight = 1 + (EDGE_PIXEL_WEIGHT - 1) * F.interpolate(band, scale_factor=4.0, mode="nearest")
    mask = (F.binary_cross_entropy_with_logits(logits, alpha, reduction="none") * weight).mean()
    iou = soft_iou(logits, alpha)
    if lovasz:
        iou = (1 - lovasz) * iou + lovasz * lovasz_hinge(logits, alpha)
    classes = torch.ones(3)
    classes[EDGE] = EDGE_CLASS_WEIGHT
    classes = classes.to(logits)
    if edge == "hard":
        auxiliary = F.cross_entropy(f_e8, class_targets(alpha, 8, 3), classes) + F.cross_entropy(
            f_e4, class_targets(alpha, 4, 5), classes
        )
    else:
        auxiliary = class_loss(f_e8, class_shares(alpha, 8, 3, edge), classes) + class_loss(
            f_e4, class_shares(alpha, 4, 5, edge), classes
        )
    loss = mask + iou + AUXILIARY_WEIGHT * auxiliary
    return loss, {"mask": mask.item(), "iou": iou.item(), "auxiliary": auxiliary.item()}
