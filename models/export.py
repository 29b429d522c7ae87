"""Write a trained network as the ONNX file that the filter runs: bytes in, bytes out, one call.

    python -m models.export models/checkpoints/eoam.safetensors models/eoam.onnx

Contract: input `frame` uint8 `(1, height, width, 4)`, BGRA as in OBS, height and width free multiples of 16; output
`mask` uint8 `(1, height, width)`, 255 = person. Refuses to write if onnxruntime and torch differ by more than one grey
level.
"""

from __future__ import annotations

import argparse
import copy
import functools
import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .checkpoint import load_weights, read_header
from .data import DataError
from .graph import measure_graph
from .net import ConvBN, Eoam, Round, SeparableBlock

OPSET = 17
VERSION = "1.7"
SUMS = "SHA256SUMS"  # beside the networks that ship
ZERO = 128  # the grey level that becomes the network's zero
LOGIT_ERROR = 1e-3  # relative; folding rounds, and rounding alone makes about 1e-6
LICENCE_NOTE = (
    "Weights trained by the EOAM for OBS project, MIT like the code. The training pictures are research data sets, "
    "some without a stated licence; see MODEL_CARD.md before any use that depends on it."
)


class ExportError(Exception):
    """The exported graph is not the trained network; the message says by how much."""


def mean(bn: nn.BatchNorm2d) -> Tensor:
    """Return a BatchNorm's running mean; a network of this project always tracks one."""
    assert bn.running_mean is not None
    return bn.running_mean


def variance(bn: nn.BatchNorm2d) -> Tensor:
    """Return a BatchNorm's running variance."""
    assert bn.running_var is not None
    return bn.running_var


def deviation(bn: nn.BatchNorm2d) -> Tensor:
    """Return a BatchNorm's divisor."""
    return torch.sqrt(variance(bn) + bn.eps)


class FoldedRound(nn.Module):
    """A `Round` with its statistics folded: per channel a factor on the block's folded weights, and a bias."""

    def __init__(self, block: SeparableBlock, step: Round, scales: tuple[Tensor, Tensor]):
        super().__init__()
        self.dilation = step.dilation
        first = block.depthwise.bn
        depthwise = first.weight / deviation(step.depthwise)
        self.depthwise_bias = nn.Parameter(first.bias - mean(step.depthwise) * depthwise)
        pointwise = step.scale / deviation(step.pointwise)
        self.pointwise_bias = nn.Parameter(-mean(step.pointwise) * pointwise)
        # The block's weights get the first round's factors folded in; what is kept is the quotient, so that the file
        # holds the weights once, as they were trained, and onnxruntime multiplies them out when it loads the file.
        self.depthwise_factor = nn.Parameter((depthwise / scales[0])[:, None, None, None])
        self.pointwise_factor = nn.Parameter((pointwise / scales[1])[:, None, None, None])

    def run(self, x: Tensor, depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> Tensor:
        """Return what this round of the block adds, `(n, c, h, w)`."""
        pad = depthwise.kernel_size[0] // 2 * self.dilation
        weight = depthwise.weight * self.depthwise_factor
        y = F.conv2d(x, weight, self.depthwise_bias, 1, pad, self.dilation, depthwise.groups)
        return F.conv2d(torch.relu(y), pointwise.weight * self.pointwise_factor, self.pointwise_bias)


class FoldedBlock(nn.Module):
    """A `SeparableBlock` that runs more than once, BatchNorm folded."""

    def __init__(self, block: SeparableBlock):
        super().__init__()
        first, second = (layer.bn.weight / deviation(layer.bn) for layer in (block.depthwise, block.pointwise))
        if any(bool((scale.abs() < 1e-12).any()) for scale in (first, second)):
            raise ExportError("A channel of a block that runs several times is switched off: its weights are lost.")
        steps = [step for step in block.rounds if isinstance(step, Round)]
        self.rounds = nn.ModuleList(FoldedRound(block, step, (first, second)) for step in steps)
        self.depthwise = fuse_conv_bn_eval(block.depthwise.conv, block.depthwise.bn)
        self.pointwise = fuse_conv_bn_eval(block.pointwise.conv, block.pointwise.bn)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x + self.pointwise(torch.relu(self.depthwise(x))))
        for step in self.rounds:
            assert isinstance(step, FoldedRound)
            x = torch.relu(x + step.run(x, self.depthwise, self.pointwise))
        return x


class Deployed(nn.Module):
    """The network as it is run: BatchNorm folded, channel order and scaling inside; `quantise` adds the bytes.

    Input `(1, 1, h, 4w)` float, the bytes of BGRA less `ZERO` as they lie in memory; output `(1, h/4, w/4, 16)`: the
    mask in [0, 1], the 16 pixels of a 4x4 cell row by row.
    """

    def __init__(self, net: Eoam):
        super().__init__()
        net = copy.deepcopy(net).eval()
        for parent in list(net.modules()):
            for name, module in list(parent.named_children()):
                if isinstance(module, SeparableBlock) and len(module.rounds):
                    setattr(parent, name, FoldedBlock(module))
        for module in net.modules():
            if isinstance(module, ConvBN):
                module.conv = fuse_conv_bn_eval(module.conv, module.bn)
                module.bn = nn.Identity()  # type: ignore[assignment]
        net.classify = fuse_conv_bn_eval(net.classify, net.bn_e)
        net.bn_e = nn.Identity()  # type: ignore[assignment]
        # The head's convolution sees repeated borders, not zeros, so the affine before it folds in exactly.
        factor = net.bn_f.weight / deviation(net.bn_f)
        shift = net.bn_f.bias - mean(net.bn_f) * factor
        assert net.head.bias is not None
        net.head.bias.data = net.head.bias + (net.head.weight * shift[:, None, None]).sum()
        net.head.weight.data = net.head.weight * factor[:, None, None]
        net.bn_f = nn.Identity()  # type: ignore[assignment]
        # frame * 4 - 2 on [0, 1] is (byte - 127.5) * 4 / 255: the factor goes into the weights, half a grey level into
        # the bias; the rest of the shift must stay, as the zero that the convolution pads with is mid grey. The order
        # of the channels goes into the weights too.
        weight = net.stem.conv.weight.data * (4 / 255)  # (stem, 3, 3, 3) RGB
        stem = nn.Conv2d(3, weight.shape[0], 3, 2, 1)
        stem.weight.data = weight.flip(1)
        assert stem.bias is not None
        assert net.stem.conv.bias is not None
        stem.bias.data = net.stem.conv.bias.data + (ZERO - 127.5) * weight.sum((1, 2, 3))
        net.stem.conv = stem
        self.net = net

    def forward(self, frame: Tensor) -> Tensor:
        # Channels last costs nothing here, it is how onnxruntime computes; the bytes then move four at a time.
        return torch.sigmoid(self.logits(frame)).permute(0, 2, 3, 1)

    def logits(self, frame: Tensor) -> Tensor:
        """Return the mask's logits, `(1, 16, h/4, w/4)`."""
        # The stem sees a pixel as four neighbours in one long row, so nothing has to be put into planes before, which
        # would take longer than its multiplications by the zeros that stand for alpha.
        stem = self.net.stem.conv
        weight = F.pad(stem.weight.permute(0, 2, 3, 1), (0, 1)).flatten(2)[..., :-1]
        weight = weight.reshape(stem.out_channels, 1, 3, 11)  # in numbers, which torch's exporter needs
        x = torch.relu(F.conv2d(frame, weight, stem.bias, (2, 8), (1, 4)))
        return self.net.decode(x, confidence=quick_confidence_map)[2]


def quick_confidence_map(f_e: Tensor) -> Tensor:
    """Return `net.confidence_map`, one class after the other: onnxruntime is slow where it reduces over channels."""
    highest = functools.reduce(torch.maximum, torch.split(f_e, 1, dim=1))
    return 1 - 1 / functools.reduce(torch.add, torch.split(torch.exp(f_e - highest), 1, dim=1))


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add the byte conversions to a graph of `Deployed`: `frame` in, `mask` out.

    Uses only operators that the oldest supported onnxruntime has for bytes: its DepthToSpace takes only floats.
    """
    graph = model.graph
    constants: dict[str, NDArray[Any]] = {
        "one": np.array(1, np.float32),
        "zero": np.array(ZERO, np.uint8),
        "channels": np.array([1], np.int64),
        "row": np.array([0, 0, 0, -1], np.int64),  # in a Reshape 0 keeps the dimension
        "level": np.array(1 / 255, np.float32),
        "nothing": np.array(0, np.uint8),
        "cell": np.array([0, 0, 0, 4, 4], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    source, result = graph.input[0].name, graph.output[0].name
    before = [
        helper.make_node("Unsqueeze", ["frame", "channels"], ["pixels"], "pixels"),
        helper.make_node("Reshape", ["pixels", "row"], ["long_rows"], "long_rows"),  # (1, 1, h, 4w)
        helper.make_node("DequantizeLinear", ["long_rows", "one", "zero"], [source], "centre"),
    ]
    after = [
        helper.make_node("QuantizeLinear", [result, "level", "nothing"], ["bytes"], "bytes"),
        helper.make_node("Reshape", ["bytes", "cell"], ["cells"], "cells"),  # (1, h/4, w/4, 4, 4)
        helper.make_node("Transpose", ["cells"], ["rows"], "rows", perm=[0, 1, 3, 2, 4]),
        helper.make_node("Shape", ["frame"], ["size"], "size", end=3),
        helper.make_node("Reshape", ["rows", "size"], ["mask"], "mask"),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4]))
    graph.output.append(helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"]))
    return model


def export(checkpoint: Path, target: Path, *, name: str = "eoam") -> None:
    """Export a checkpoint's averaged weights. Raises ExportError and leaves `target` as it was if the graph differs."""
    if not target.parent.is_dir():
        raise ExportError(f"{target.parent} is not a folder: make it first, or name another file to write.")
    header = read_header(checkpoint)
    net = load_weights(checkpoint)
    deployed = Deployed(net).eval()
    check_folding(net, deployed)
    handle, partial_name = tempfile.mkstemp(suffix=".onnx", dir=target.parent)
    os.close(handle)
    partial = Path(partial_name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the TorchScript exporter announces its own retirement
            torch.onnx.export(
                deployed,
                (torch.zeros(1, 1, 224, 4 * 224),),
                str(partial),
                input_names=["bytes_centred"],
                output_names=["cells_01"],
                dynamic_axes={"bytes_centred": {2: "height", 3: "row_bytes"}},
                opset_version=OPSET,
                dynamo=False,
                do_constant_folding=False,  # it would write out the shared weights once per round
            )
        describe(partial, name, header)
        worst = compare(net, partial)
        if worst > 1:
            raise ExportError(
                f"onnxruntime and torch differ by {worst} grey levels (at most 1 is allowed): not exported."
            )
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def check_folding(net: Eoam, deployed: Deployed) -> None:
    """Raise ExportError if the folded network's logits are not the trained one's.

    On noise a trained network's mask is nearly all background, where bytes hide a wrong statistic and logits do not.
    """
    frame = torch.randint(0, 256, (1, 96, 160, 4), generator=torch.Generator().manual_seed(0)).float()  # BGRA
    with torch.no_grad():
        expected = net(frame[..., [2, 1, 0]].permute(0, 3, 1, 2) / 255)
        found = F.pixel_shuffle(deployed.logits(frame.flatten(2)[:, None] - ZERO), 4)
    worst, most = float((found - expected).abs().max()), LOGIT_ERROR * float(expected.abs().max() + 1)
    if not worst <= most:  # also if it is not a number
        raise ExportError(f"Folding changes the logits by {worst:.2g} (at most {most:.2g} is allowed): not exported.")


def samples_seen(header: dict[str, Any]) -> int:
    """Return how many samples made the weights, those of the run it was started from included."""
    before = header.get("initialised_from")
    return int(header["step"]) * int(header["train"]["batch"]) + (samples_seen(before) if before else 0)


def describe(path: Path, name: str, header: dict[str, object]) -> None:
    """Put the metadata into the file that the filter, its panel and issue reports show."""
    model = quantise(onnx.load(str(path)))
    model.doc_string = "EOAM portrait segmentation; frame: BGRA bytes, mask: bytes, 255 = person."
    metadata = {
        "name": name,
        "version": VERSION,
        "training_data_sha256": str(header["data_sha256"]),
        "training_samples": str(samples_seen(header)),
        "licence": LICENCE_NOTE,
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def compare(net: Eoam, path: Path) -> int:
    """Return the largest difference, in grey levels, between torch's network as trained and the file in onnxruntime."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0
    for size in ((224, 224), (144, 256), (256, 144), (16, 16)):
        # Coarse noise enlarged, fine noise added: flat grey fields would leave most of the network unused.
        coarse = rng.integers(0, 256, (size[0] // 16, size[1] // 16, 4)).repeat(16, 0).repeat(16, 1)
        frame = np.clip(coarse + rng.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8)
        rgb = torch.from_numpy(frame[None, ..., 2::-1].copy()).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            expected = torch.sigmoid(net(rgb))[:, 0].numpy() * 255
        (mask,) = session.run(None, {"frame": frame[None]})
        worst = max(worst, int(np.abs(np.round(expected) - mask.astype(np.float32)).max()))
    return worst


def write_sums(folder: Path) -> None:
    """Bring `folder`/SHA256SUMS up to date, if there is one: what installs a network compares it with that."""
    sums = folder / SUMS
    if sums.is_file():
        lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(folder.glob("*.onnx"))]
        sums.write_text("".join(lines), encoding="ascii")


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence if the network cannot be exported."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--name", default="eoam")
    args = parser.parse_args(argv)
    try:
        export(args.checkpoint, args.target, name=args.name)
    except (DataError, ExportError, OSError) as error:
        print(f"models.export: {error}", file=sys.stderr)
        return 2
    write_sums(args.target.parent)
    size = measure_graph(args.target)
    print(
        f"{args.target}: {size.parameters} parameters, {size.multiply_adds / 1e6:.2f} M multiply-adds "
        f"({size.flops / 1e9:.4f} GFLOPs) at 224x224, {args.target.stat().st_size / 1024:.0f} KiB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
