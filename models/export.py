"""Write a trained network as the ONNX file that the filter runs: bytes in, bytes out, one call.

    python -m models.export models/checkpoints/eoam.safetensors models/eoam.onnx

Contract: input `frame` uint8 `(1, height, width, 4)`, BGRA as OBS lays it out, height and width free multiples of 16;
output `mask` uint8 `(1, height, width)`, 255 = person. Refuses to write if onnxruntime and torch differ by more than
one grey level.
"""

from __future__ import annotations

import argparse
import copy
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
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .graph import measure_graph
from .net import ConvBN, Eoam, Round, SeparableBlock
from .train import load_weights, read_header

OPSET = 17
VERSION = "1.1"
ZERO = 128  # the grey level that becomes the network's zero
LICENCE_NOTE = (
    "Weights trained by the EOAM for OBS project, MIT like the code. The training pictures are research data sets, "
    "some without a stated licence; see MODEL_CARD.md before any use that depends on it."
)


class ExportError(Exception):
    """The exported graph is not the trained network; the message says by how much."""


class FoldedRound(nn.Module):
    """A `Round` with its statistics folded: per channel a factor on the block's folded weights, and a bias."""

    def __init__(self, block: SeparableBlock, step: Round, scales: tuple[Tensor, Tensor]):
        super().__init__()
        self.dilation = step.dilation
        first = block.depthwise.bn
        deviation = torch.sqrt(step.depthwise.running_var + step.depthwise.eps)  # type: ignore[operator]
        depthwise = first.weight / deviation
        self.depthwise_bias = nn.Parameter(first.bias - step.depthwise.running_mean * depthwise)  # type: ignore[operator]
        deviation = torch.sqrt(step.pointwise.running_var + step.pointwise.eps)  # type: ignore[operator]
        pointwise = step.scale / deviation
        self.pointwise_bias = nn.Parameter(-step.pointwise.running_mean * pointwise)  # type: ignore[operator]
        # The block's weights get the first round's factors folded in; what is kept is the quotient, so that the file
        # holds the weights once, as they were trained, and onnxruntime multiplies them out when it loads the file.
        self.depthwise_factor = nn.Parameter((depthwise / scales[0])[:, None, None, None])
        self.pointwise_factor = nn.Parameter((pointwise / scales[1])[:, None, None, None])


class FoldedBlock(nn.Module):
    """A `SeparableBlock` that runs more than once, BatchNorm folded."""

    def __init__(self, block: SeparableBlock):
        super().__init__()
        scales = tuple(
            layer.bn.weight / torch.sqrt(layer.bn.running_var + layer.bn.eps)  # type: ignore[operator]
            for layer in (block.depthwise, block.pointwise)
        )
        if any(bool((scale.abs() < 1e-12).any()) for scale in scales):
            raise ExportError("A channel of a block that runs several times is switched off: its weights are lost.")
        self.rounds = nn.ModuleList(FoldedRound(block, step, scales) for step in block.rounds)  # type: ignore[arg-type]
        self.depthwise = fuse_conv_bn_eval(block.depthwise.conv, block.depthwise.bn)
        self.pointwise = fuse_conv_bn_eval(block.pointwise.conv, block.pointwise.bn)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(x + self.pointwise(torch.relu(self.depthwise(x))))
        for step in self.rounds:
            pad = self.depthwise.kernel_size[0] // 2 * step.dilation
            weight = self.depthwise.weight * step.depthwise_factor
            y = F.conv2d(x, weight, step.depthwise_bias, 1, pad, step.dilation, self.depthwise.groups)
            y = F.conv2d(torch.relu(y), self.pointwise.weight * step.pointwise_factor, step.pointwise_bias)
            x = torch.relu(x + y)
        return x


class Deployed(nn.Module):
    """The network as it is run: BatchNorm folded, channel order and scaling inside; `quantise` adds the bytes.

    Input `(1, 4, h, w)` float BGRA, bytes less `ZERO`; output `(1, 16, h/4, w/4)`: the mask in [0, 1], one channel per
    pixel of a 4x4 cell.
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
        # frame * 4 - 2 on [0, 1] is (byte - 127.5) * 4 / 255: the factor goes into the weights, half a grey level into
        # the bias; the rest of the shift must stay, as the zero that the convolution pads with is mid grey. BGRA order
        # goes into the weights too; alpha's are zero, which is cheaper than a slice.
        weight = net.stem.conv.weight.data * (4 / 255)  # (stem, 3, 3, 3) RGB
        stem = nn.Conv2d(4, weight.shape[0], 3, 2, 1)
        stem.weight.data = torch.cat([weight.flip(1), torch.zeros_like(weight[:, :1])], 1)
        stem.bias.data = net.stem.conv.bias.data + (ZERO - 127.5) * weight.sum((1, 2, 3))  # type: ignore[union-attr]
        net.stem.conv = stem
        self.net = net

    def forward(self, frame: Tensor) -> Tensor:
        return torch.sigmoid(self.net.decode(self.net.stem(frame))[2])


def quantise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put the bytes round a graph of `Deployed`: `frame` in, `mask` out, each by one operator without a copy to spare."""
    graph = model.graph
    constants = {
        "one": np.array(1, np.float32),
        "zero": np.array(ZERO, np.uint8),
        "level": np.array(1 / 255, np.float32),
        "nothing": np.array(0, np.uint8),
        "channel": np.array([1], np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    source, result = graph.input[0].name, graph.output[0].name
    before = [
        # Transposed as bytes: a quarter of the memory that floats would move.
        helper.make_node("Transpose", ["frame"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["planes", "one", "zero"], [source], "centre"),
    ]
    after = [
        helper.make_node("QuantizeLinear", [result, "level", "nothing"], ["cells"], "bytes"),
        helper.make_node("DepthToSpace", ["cells"], ["plane"], "unfold", blocksize=4, mode="CRD"),
        helper.make_node("Squeeze", ["plane", "channel"], ["mask"], "squeeze"),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4]))
    graph.output.append(helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"]))
    return model


def export(checkpoint: Path, target: Path, *, name: str = "eoam") -> None:
    """Export a checkpoint's averaged weights. Raises ExportError and leaves `target` as it was if the graph differs."""
    header = read_header(checkpoint)
    net = load_weights(checkpoint)
    deployed = Deployed(net).eval()
    handle, partial_name = tempfile.mkstemp(suffix=".onnx", dir=target.parent)
    os.close(handle)
    partial = Path(partial_name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the TorchScript exporter announces its own retirement
            torch.onnx.export(
                deployed,
                (torch.zeros(1, 4, 224, 224),),
                str(partial),
                input_names=["planes_centred"],
                output_names=["cells_01"],
                dynamic_axes={"planes_centred": {2: "height", 3: "width"}},
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


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence if the network cannot be exported."""
    parser = argparse.ArgumentParser(prog="python -m models.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--name", default="eoam")
    args = parser.parse_args(argv)
    try:
        export(args.checkpoint, args.target, name=args.name)
    except (ExportError, OSError) as error:
        print(f"models.export: {error}", file=sys.stderr)
        return 2
    size = measure_graph(args.target)
    print(
        f"{args.target}: {size.parameters} parameters, {size.multiply_adds / 1e6:.2f} M multiply-adds "
        f"({size.flops / 1e9:.4f} GFLOPs) at 224x224, {args.target.stat().st_size / 1024:.0f} KiB"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
