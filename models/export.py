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
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .graph import measure_graph
from .net import ConvBN, Eoam
from .train import load_weights, read_header

OPSET = 17
VERSION = "1.0"
LICENCE_NOTE = (
    "Weights trained by the EOAM for OBS project, MIT like the code. The training pictures are research data sets, "
    "some without a stated licence; see MODEL_CARD.md before any use that depends on it."
)


class ExportError(Exception):
    """The exported graph is not the trained network; the message says by how much."""


class Deployed(nn.Module):
    """The network as it is run: BatchNorm folded, casting, channel order and scaling inside."""

    def __init__(self, net: Eoam):
        super().__init__()
        net = copy.deepcopy(net).eval()
        for module in net.modules():
            if isinstance(module, ConvBN):
                module.conv = fuse_conv_bn_eval(module.conv, module.bn)
                module.bn = nn.Identity()  # type: ignore[assignment]
        net.classify = fuse_conv_bn_eval(net.classify, net.bn_e)
        net.bn_e = nn.Identity()  # type: ignore[assignment]
        # frame * 4 - 2 on [0, 1] is (byte - 127.5) * 4 / 255: the factor goes into the weights, the shift must stay, as
        # the zero that the convolution pads with is mid grey. BGRA order goes into the weights too; alpha's are zero,
        # which is cheaper than a slice.
        weight = net.stem.conv.weight.data * (4 / 255)  # (stem, 3, 3, 3) RGB
        stem = nn.Conv2d(4, weight.shape[0], 3, 2, 1)
        stem.weight.data = torch.cat([weight.flip(1), torch.zeros_like(weight[:, :1])], 1)
        stem.bias.data = net.stem.conv.bias.data  # type: ignore[union-attr]
        net.stem.conv = stem
        self.net = net

    def forward(self, frame: Tensor) -> Tensor:  # (1, h, w, 4) uint8 -> (1, h, w) uint8
        _, _, logits = self.net.decode(self.net.stem((frame.float() - 127.5).permute(0, 3, 1, 2)))
        # A cast cuts the fraction off, so half a grey level is added first.
        return (torch.sigmoid(logits) * 255 + 0.5).to(torch.uint8).squeeze(1)


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
                (torch.zeros(1, 224, 224, 4, dtype=torch.uint8),),
                str(partial),
                input_names=["frame"],
                output_names=["mask"],
                dynamic_axes={"frame": {1: "height", 2: "width"}, "mask": {1: "height", 2: "width"}},
                opset_version=OPSET,
                dynamo=False,
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
    model = onnx.load(str(path))
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
