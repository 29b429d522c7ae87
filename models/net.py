"""The EOAM portrait network: a light encoder and the edge-optimised attention decoder, smallest block first.

Sources. X. Zhang, G. Wang, L. Yang, C. Chen, "Lightweight Portrait Segmentation via Edge-Optimized Attention", ICASSP
2023, gives the decoder (`f_a`, `f_e`, `cm`, the three classes). Its gate is the information-blocking decoder of H.
Park, L. Sjosund, Y. Yoo, N. Monet, J. Bang, N. Kwak, "SINet: Extreme Lightweight Portrait Segmentation Networks with
Spatial Squeeze Modules and Information Blocking Decoder", WACV 2020. The encoder is this project's own: channels in
multiples of 16, ReLU and few operators, because those decide the time onnxruntime takes (see MODEL_CARD.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# The order of the three classes of f_e; losses.py makes its targets in this order.
PORTRAIT, EDGE, BACKGROUND = 0, 1, 2
CLASSES = 3
FUSIONS = ("eoam", "add", "none")
GATES = ("three", "two")


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
    # How often the residual blocks run, each time on a twice, three times... wider neighbourhood with the same weights:
    # context for a few parameters. `eighth_rounds` is for the blocks at 1/8, the fusing one included.
    eighth_rounds: int = 1
    sixteenth_rounds: int = 1
    # Channels of the outline's refinement at 1/2; 0 is none.
    half: int = 0
    # How f_a meets f_e: "eoam" (gated by CM), "add" (ungated) or "none" (no skip); the last two are for comparison.
    fusion: str = "eoam"
    # The classes that CM is made of: "three", as in the paper, or "two", portrait and background alone. On the outline
    # itself the edge class is sure, which closes the gate of "three" there; "two" is open where these are equal.
    gate: str = "three"
    temperature: float = 1.0  # f_e is divided by it before CM: above 1 the gate opens earlier
    gated: int = CLASSES  # channels of f_a that CM gates; of more than three a 1x1 convolution makes three afterwards

    def __post_init__(self) -> None:
        if self.fusion not in FUSIONS:
            raise ValueError(f"fusion is {self.fusion!r}, need one of {', '.join(FUSIONS)}")
        if self.gate not in GATES:
            raise ValueError(f"gate is {self.gate!r}, need one of {', '.join(GATES)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}, need more than 0")
        if self.gated < CLASSES:
            raise ValueError(f"gated is {self.gated}, need at least {CLASSES} channels")

    def to_dict(self) -> dict[str, int | float | str]:
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


class Round(nn.Module):
    """The own parts of a block's further round: the statistics of both BatchNorms, and a scale, initially zero.

    With the scale at zero a round changes nothing, so rounds can be added to a trained network.
    """

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.depthwise = nn.BatchNorm2d(channels, affine=False)
        self.pointwise = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Parameter(torch.zeros(channels))


class SeparableBlock(nn.Module):
    """Depthwise then pointwise convolution, with a residual where the shape allows one; run `rounds` times."""

    def __init__(self, c_in: int, c_out: int, *, kernel: int = 3, stride: int = 1, rounds: int = 1):
        super().__init__()
        self.depthwise = ConvBN(c_in, c_in, kernel, stride=stride, groups=c_in)
        self.residual = stride == 1 and c_in == c_out
        self.pointwise = ConvBN(c_in, c_out, 1, relu=False)
        if rounds > 1 and not self.residual:
            raise ValueError(f"rounds is {rounds}, but only a block that keeps its shape can run more than once")
        self.rounds = nn.ModuleList(Round(c_in, dilation) for dilation in range(2, rounds + 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(x))
        x = F.relu(x + y if self.residual else y)
        for step in self.rounds:
            x = F.relu(x + self.again(x, step))  # type: ignore[arg-type]
        return x

    def again(self, x: Tensor, step: Round) -> Tensor:
        """Return what one more round adds, `(n, c, h, w)`."""
        conv, bn = self.depthwise.conv, self.depthwise.bn
        pad = conv.kernel_size[0] // 2 * step.dilation
        y = F.conv2d(x, conv.weight, None, 1, pad, step.dilation, conv.groups)
        y = F.relu(step.depthwise(y) * bn.weight[:, None, None] + bn.bias[:, None, None])
        added: Tensor = step.pointwise(F.conv2d(y, self.pointwise.conv.weight)) * step.scale[:, None, None]
        return added


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
        y: Tensor = self.project(x * torch.sigmoid(self.gate(x)))
        return y


class Outline(nn.Module):
    """Refine the outline from finer features: the coarse feature guides those at 1/4, and both guide those at 1/2.

    The decoder gets 1/4 and finer through three channels only, so its outline is a pixel or two off. The output is
    initially zero, so this can be added to a trained network without changing its masks.
    """

    def __init__(self, c: NetConfig):
        super().__init__()
        self.coarse = ConvBN(c.eighth, c.quarter, 1, relu=False)
        self.at_quarter = SeparableBlock(c.quarter, c.quarter)
        self.lead = ConvBN(c.quarter, c.half, 1, relu=False)
        self.fine = ConvBN(c.stem, c.half, 1, relu=False)
        self.at_half = SeparableBlock(c.half, c.half)
        self.out = nn.Conv2d(c.half, 16, 2, stride=2)  # one channel per pixel of a 4x4 cell
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, fine: Tensor, f_a: Tensor, coarse: Tensor) -> Tensor:
        """Return the addition to the logits, `(n, 16, h/4, w/4)`, from the features at 1/2, 1/4 and 1/8."""
        x = self.at_quarter(F.relu(f_a + up2(self.coarse(coarse))))
        x = self.at_half(F.relu(self.fine(fine) + up2(self.lead(x))))
        y: Tensor = self.out(x)
        return y


def confidence_map(f_e: Tensor) -> Tensor:
    """Return `CM = 1 - max_k softmax(f_e)`, `(n, 1, h, w)`: high where the coarse prediction is unsure."""
    # max_k softmax = 1 / sum exp(f - max f): onnxruntime takes its softmax over channels apart into slow transposes.
    highest = f_e.amax(dim=1, keepdim=True)
    return 1 - 1 / torch.exp(f_e - highest).sum(dim=1, keepdim=True)


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
            *(SeparableBlock(c.eighth, c.eighth, rounds=c.eighth_rounds) for _ in range(c.eighth_blocks)),
        )
        self.edge = EdgeBranch(c.eighth)
        self.sixteenth = nn.Sequential(
            SeparableBlock(c.eighth, c.sixteenth, stride=2),
            *(
                SeparableBlock(c.sixteenth, c.sixteenth, kernel=5, rounds=c.sixteenth_rounds)
                for _ in range(c.sixteenth_blocks)
            ),
        )
        self.lateral = ConvBN(c.sixteenth, c.eighth, 1, relu=False)
        self.fuse = SeparableBlock(c.eighth, c.eighth, rounds=c.eighth_rounds)
        self.classify = nn.Conv2d(c.eighth, CLASSES, 1, bias=False)  # BN follows
        self.bn_e = nn.BatchNorm2d(CLASSES)
        if c.fusion != "none":
            self.project_a = ConvBN(c.quarter, c.gated, 1)
            if c.gated > CLASSES:
                self.mix_a = nn.Conv2d(c.gated, CLASSES, 1, bias=False)
                # The first three channels unchanged, so weights of a network without the others give the same masks.
                nn.init.zeros_(self.mix_a.weight)
                nn.init.ones_(self.mix_a.weight.data.view(CLASSES, c.gated).diagonal())
        self.bn_f = nn.BatchNorm2d(CLASSES)
        self.head = nn.Conv2d(CLASSES, 1, 3)
        if c.half:
            self.outline = Outline(c)
        self.register_buffer("enlargement", fourfold_taps(), persistent=False)

    def forward(self, frame: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        # An affine centre instead of per-channel statistics: it costs nothing (exported into the first convolution's
        # input scaling) and keeps the input's zero, which the padding also is, at mid grey.
        x = self.stem(frame * 4 - 2)  # (n, stem, h/2, w/2)
        f_e8, f_e, cells = self.decode(x)
        logits = F.pixel_shuffle(cells, 4)
        return (logits, f_e8, f_e) if self.training else logits

    def decode(
        self, x: Tensor, *, confidence: Callable[[Tensor], Tensor] = confidence_map
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute (f_e at 1/8, f_e at 1/4, mask logits) from the stem's output `(n, stem, h/2, w/2)`.

        The mask's logits are `(n, 16, h/4, w/4)`, one channel per pixel of a 4x4 cell, row by row. `confidence`
        replaces `confidence_map`.
        """
        f_a = self.quarter(x)  # (n, quarter, h/4, w/4)
        x8 = self.eighth(f_a)  # (n, eighth, h/8, w/8)
        x16 = self.lateral(self.sixteenth(x8))  # (n, eighth, h/16, w/16)
        x8 = F.relu(up2(x16) + x8 + self.edge(x8))
        # f_e: coarse logits, bilinear x2, BatchNorm. Resizing commutes with a per-channel affine, so normalising at 1/8
        # gives the same values at a quarter of the work and folds into the 1x1 convolution on export.
        x8 = self.fuse(x8)
        f_e8 = self.bn_e(self.classify(x8))  # (n, 3, h/8, w/8)
        f_e = up2(f_e8)  # (n, 3, h/4, w/4)
        # F~_e = F_bcr(f_a (x) CM (+) f_e, 2), then BatchNorm (before the resize, with which it commutes), upsampling
        # and a 3x3 convolution. The second upsampling follows the first at once, so the two are one exact chain here.
        f = f_e
        if self.config.fusion != "none":
            detail = self.project_a(f_a)  # (n, gated, h/4, w/4)
            if self.config.fusion == "eoam":
                detail = detail * confidence(self.gate_logits(f_e))
            f = (self.mix_a(detail) if self.config.gated > CLASSES else detail) + f_e
        cells = self.enlarge(self.bn_f(f))
        return f_e8, f_e, cells + self.outline(x, f_a, x8) if self.config.half else cells

    def gate_logits(self, f_e: Tensor) -> Tensor:
        """Return the logits that CM is made of, `(n, 3 or 2, h, w)`."""
        chosen = f_e if self.config.gate == "three" else f_e[:, PORTRAIT :: BACKGROUND - PORTRAIT]
        return chosen if self.config.temperature == 1 else chosen / self.config.temperature

    def enlarge(self, f: Tensor) -> Tensor:
        """Return `head(up2(up2(f)))`, borders repeated, as 16 channels at f's size: one per pixel of a 4x4 cell.

        Enlarging twice and convolving is linear and the same in every cell, so it is one 3x3 convolution at 1/4; at
        full size and with 3 channels it took more than half of the network's time.
        """
        weight = torch.einsum("ict,pst->pcs", self.head.weight.flatten(2), self.enlargement)
        weight = weight.unflatten(2, (3, 3))  # type: ignore[no-untyped-call]
        bias = self.head.bias
        assert bias is not None
        return F.conv2d(F.pad(f, (1, 1, 1, 1), mode="replicate"), weight, bias.expand(16))


def up2(x: Tensor) -> Tensor:
    """Enlarge `(n, c, h, w)` to `(n, c, 2h, 2w)` bilinearly, half-pixel centres."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def fourfold_taps() -> Tensor:
    """Return `(16, 9, 9)`: the weight of each of the 3x3 cells (second index) around a cell in the value that each of
    the 3x3 taps (third) of a convolution at four times the size sees at each of the cell's 4x4 pixels (first).
    """
    cells = torch.eye(9).reshape(9, 1, 3, 3)
    # 12x12 pixels; the centre cell's, and one around them, are far enough from the border to be as in the middle.
    pixels = up2(up2(F.pad(cells, (1, 1, 1, 1))))[..., 4:-4, 4:-4]
    patches = F.unfold(pixels[..., 3:9, 3:9], 3)  # (9 cells, 9 taps, 16 pixels)
    return patches.permute(2, 0, 1).contiguous()


def count_parameters(net: nn.Module) -> int:
    """Return the number of trained parameters: weights, biases and the affine of every BatchNorm."""
    return sum(p.numel() for p in net.parameters())
