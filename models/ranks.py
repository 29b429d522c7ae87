"""Train one network in several processes, started by PyTorch's `torchrun`, or in one process without it.

    torchrun --nproc-per-node 4 -m models.train --data DIR --name NAME --batch 128

Each process makes and learns from its own part of a batch; gradients and BatchNorm's running statistics are averaged
after every step, so that all of them hold the same network. The first one judges it and writes the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from .data import DataError


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is; `local` counts within one machine, for its GPUs."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process judges the network and writes the files."""
        return self.rank == 0

    def device(self, wanted: str) -> torch.device:
        """Return the device for `wanted` ("auto", "cpu", "cuda"): each process on a machine has a GPU of its own."""
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
        return torch.device("cuda", self.local) if kind == "cuda" else torch.device(kind)

    def share(self, batch: int) -> int:
        """Return how many samples of a batch are this process's. Raises DataError if it cannot be shared out evenly."""
        if batch % self.count:
            raise DataError(
                f"--batch is {batch}, but {self.count} processes share it: give a multiple of {self.count}."
            )
        return batch // self.count

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace every floating-point tensor by its mean over all processes, which give the same shapes in order."""
        if self.count == 1:
            return
        found = [t for t in tensors if t.is_floating_point()]
        flat = torch.cat([t.detach().reshape(-1) for t in found])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, part in zip(found, torch.split(flat, [t.numel() for t in found]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def drift(self, tensors: Iterable[Tensor]) -> float:
        """Return how far this process's tensors are from the mean of all, at most; 0 for one process."""
        own = [t.detach().clone() for t in tensors if t.is_floating_point()]
        mean = [t.clone() for t in own]
        self.average(mean)
        return max(float((a - b).abs().max()) for a, b in zip(own, mean, strict=True))

    def together(self) -> None:
        """Wait until every process has reached this point."""
        if self.count > 1:
            dist.barrier()


def join(wanted: str) -> Ranks:
    """Return this process's place among those that torchrun started for a device ("auto", "cpu", "cuda")."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Ranks()
    ranks = Ranks(int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", "0")))
    device = ranks.device(wanted)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ranks


def leave(ranks: Ranks) -> None:
    """End what `join` began."""
    if ranks.count > 1 and dist.is_initialized():
        dist.destroy_process_group()
