"""The EOAM portrait network: a light encoder and the edge-optimised attention decoder, smallest block first.

Sources. X. Zhang, G. Wang, L. Yang, C. Chen, "Lightweight Portrait Segmentation via Edge-Optimized Attention", ICASSP
2023, gives the decoder (`f_a`, `f_e`, `cm`, the three classes). Its gate is the information-blocking decoder of H.
Park, L. Sjosund, Y. Yoo, N. Monet, J. Bang, N. Kwak, "SINet: Extreme Lightweight Portrait Segmentation Networks with
Spatial Squeeze Modules and Information Blocking Decoder", WACV 2020. The encoder is this project's own: channels in
multiples of 16, ReLU and few operators, because those decide the time onnxruntime takes (see MODEL_CARD.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The order of the three classes of f_e; losses.py makes its targets in this order.
PORTRAIT, EDGE, BACKGROUND = 0, 1, 2
CLASSES = 3
FUSIONS = ("eoam", "add", "none")


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Widths and depths of the network; saved in every checkpoint."""

    stem: int = 16  # channels at 1/2
    quarter: int = 32  # channels at 1/4, where f_a is taken
    eighth: int = 32  # channels at 1/8, where f_e is computed
    sixteenth: int = 48  # channels at 1/16, the context
    quarter_blocks: int = 2
    eighth_blocks: int = 1
    sixteenth_blocks: int = 2
    # How f_a meets f_e: "eoam" (gated by CM), "add" (ungated) or "none" (no skip); the last two are for comparison.
    fusion: str = "eoam"

    def __post_init__(self) -> None:
        if self.fusion not in FUSIONS:
            raise ValueError(f"fusion is {self.fusion!r}, need one of {', '.join(FUSIONS)}")

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields as a plain dictionary, for a checkpoint's metadata."""
        return asdict(self)


class ConvBN(nn.Module):
    """Convolution, BatchNorm and, unless told otherwise, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1, relu: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:  # (n, c_in, h, w) -> (n, c_out, h/stride, w/stride)
        x = self.bn(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class SeparableBlock(nn.Module):
    """Depthwise then pointwise convolution, with a residual where the shape allows one."""

    def __init__(self, c_in: int, c_out: int, *, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.depthwise = ConvBN(c_in, c_in, kernel, stride=stride, groups=c_in)
        self.residual = stride == 1 and c_in == c_out
        self.pointwise = ConvBN(c_in, c_out, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(x))
        return F.relu(x + y if self.residual else y)


class EdgeBranch(nn.Module):
    """The paper's independent edge feature enhancement: `x * sigmoid(conv(x))`, projected and added to the trunk.

    The released code gates with two dense 3x3 convolutions (64 % of its parameters); here the gate is depthwise and the
    projection pointwise, about eleven times cheaper.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gate = ConvBN(channels, channels, 3, groups=channels, relu=False)
        self.project = ConvBN(channels, channels, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(x * torch.sigmoid(self.gate(x)))


class Eoam(nn.Module):
    """The whole network.

    Input: `(n, 3, h, w)` float RGB in [0, 1]; h and w multiples of 16.
    Output in eval mode: mask logits `(n, 1, h, w)`; in train mode a tuple `(logits, f_e at 1/8, f_e at 1/4)`, the last
    two being the three-class logits `(n, 3, h/8, w/8)` and `(n, 3, h/4, w/4)` that the auxiliary loss supervises.
    """

    def __init__(self, config: NetConfig | None = None):
        super().__init__()
        c = self.config = config or NetConfig()
        self.stem = ConvBN(3, c.stem, 3, stride=2)
        self.quarter = nn.Sequential(
            SeparableBlock(c.stem, c.quarter, stride=2),
            *(SeparableBlock(c.quarter, c.quarter) for _ in range(c.quarter_blocks)),
        )
        self.eighth = nn.Sequential(
            SeparableBlock(c.quarter, c.eighth, stride=2),
            *(SeparableBlock(c.eighth, c.eighth) for _ in range(c.eighth_blocks)),
        )
        self.edge = EdgeBranch(c.eighth)
        self.sixteenth = nn.Sequential(
            SeparableBlock(c.eighth, c.sixteenth, stride=2),
            *(SeparableBlock(c.sixteenth, c.sixteenth, kernel=5) for _ in range(c.sixteenth_blocks)),
        )
        self.lateral = ConvBN(c.sixteenth, c.eighth, 1, relu=False)
        self.fuse = SeparableBlock(c.eighth, c.eighth)
        self.classify = nn.Conv2d(c.eighth, CLASSES, 1, bias=False)  # BN follows
        self.bn_e = nn.BatchNorm2d(CLASSES)
        if c.fusion != "none":
            self.project_a = ConvBN(c.quarter, CLASSES, 1)
        self.bn_f = nn.BatchNorm2d(CLASSES)
        self.head = nn.Conv2d(CLASSES, 1, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        # An affine centre instead of per-channel statistics: it costs nothing (exported into the first convolution's
        # input scaling) and keeps the input's zero, which the padding also is, at mid grey.
        x = self.stem(frame * 4 - 2)  # (n, stem, h/2, w/2)
        f_e8, f_e, logits = self.decode(x)
        return (logits, f_e8, f_e) if self.training else logits

    def decode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Lead the stem's output `(n, stem, h/2, w/2)` on to (f_e at 1/8, f_e at 1/4, mask logits)."""
        f_a = self.quarter(x)  # (n, quarter, h/4, w/4)
        x8 = self.eighth(f_a)  # (n, eighth, h/8, w/8)
        x16 = self.lateral(self.sixteenth(x8))  # (n, eighth, h/16, w/16)
        x8 = F.relu(up2(x16) + x8 + self.edge(x8))
        # f_e: coarse logits, bilinear x2, BatchNorm. Resizing commutes with a per-channel affine, so normalising at 1/8
        # gives the same values at a quarter of the work and folds into the 1x1 convolution on export.
        f_e8 = self.bn_e(self.classify(self.fuse(x8)))  # (n, 3, h/8, w/8)
        f_e = up2(f_e8)  # (n, 3, h/4, w/4)
        # F~_e = F_bcr(f_a (x) CM (+) f_e, 2), then BatchNorm (before the resize, with which it commutes), upsampling
        # and a 3x3 convolution. The second upsampling follows the first at once, so the two are one exact chain here.
        f = f_e
        if self.config.fusion != "none":
            detail = self.project_a(f_a)  # (n, 3, h/4, w/4)
            f = (detail * confidence_map(f_e) if self.config.fusion == "eoam" else detail) + f_e
        return f_e8, f_e, self.head(up2(up2(self.bn_f(f))))  # logits (n, 1, h, w)


def confidence_map(f_e: Tensor) -> Tensor:
    """Return `CM = 1 - max_k softmax(f_e)`, `(n, 1, h, w)`: high where the coarse prediction is unsure."""
    return 1 - torch.softmax(f_e, dim=1).amax(dim=1, keepdim=True)


def up2(x: Tensor) -> Tensor:
    """Enlarge `(n, c, h, w)` to `(n, c, 2h, 2w)` bilinearly, half-pixel centres."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def count_parameters(net: nn.Module) -> int:
    """Return the number of trained parameters: weights, biases and the affine of every BatchNorm."""
    return sum(p.numel() for p in net.parameters())
