"""Networks and checkpoints to test with; needs torch."""

from __future__ import annotations

import copy
from pathlib import Path

import torch

from models import train
from models.checkpoint import save_checkpoint
from models.net import Eoam, NetConfig, Outline, Round


def randomised(config: NetConfig | None = None) -> Eoam:
    """Return a network, by default the one that is trained, with statistics, affines and scales that all matter."""
    torch.manual_seed(1)
    net = Eoam(config or train.VARIANTS["eoam"])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            if module.affine:
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, Round):
            torch.nn.init.uniform_(module.scale, -0.6, 0.6)
        elif isinstance(module, Outline):
            torch.nn.init.normal_(module.out.weight, std=0.1)
    net.eval()
    # From black to white: where all is one grey, a wrong statistic far inside would not be seen.
    with torch.no_grad():
        logits = net(torch.rand(1, 3, 12, 12).repeat_interleave(16, 2).repeat_interleave(16, 3))
        factor, middle = 2 / logits.std(), logits.mean()
        assert net.head.bias is not None
        net.head.weight.mul_(factor)
        net.head.bias.sub_(middle).mul_(factor)
        if net.config.half:
            net.outline.out.weight.mul_(factor)
    return net


def checkpoint_of(net: Eoam, path: Path) -> Path:
    """Write a checkpoint of `net` and return its path."""
    optimiser = train.make_optimiser(net, train.TrainConfig())
    header = {"net": net.config.to_dict(), "train": {"batch": 32}, "data_sha256": "0" * 64}
    save_checkpoint(path, net, copy.deepcopy(net), optimiser, 1, header)
    return path
