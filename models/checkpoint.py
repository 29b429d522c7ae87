"""Read and write checkpoints: safetensors with weights, their average, the optimiser's state and a JSON header."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .data import DataError
from .net import Eoam, NetConfig

KEPT_BYTES = 1_000_000  # size limit of a checkpoint in the repository


def save_checkpoint(
    path: Path, net: Eoam, average: Eoam, optimiser: torch.optim.AdamW, step: int, header: dict[str, object]
) -> None:
    """Write everything a run needs to continue; through a temporary file, so that a stop keeps the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tensors = _everything(net, average, optimiser)
    save_file(tensors, partial, {"eoam": json.dumps({**header, "step": step}, sort_keys=True)})
    partial.replace(path)


def keep_checkpoint(last: Path, kept: Path) -> None:
    """Copy a checkpoint to a place from which it can be committed, in at most `KEPT_BYTES`.

    A larger one is written without the optimiser's first moments, and with its second ones and the weights (not their
    average) in half the bits: a run resumed from it behaves as before within a few steps, but not bit for bit.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    if last.stat().st_size <= KEPT_BYTES:
        shutil.copyfile(last, partial)
    else:
        with safe_open(last, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys() if not name.endswith(".exp_avg")}  # noqa: SIM118
        squares = {n: t.bfloat16() for n, t in tensors.items() if n.endswith(".exp_avg_sq")}  # tiny: their range counts
        weights = {n: t.half() for n, t in tensors.items() if n.startswith("net.") and t.is_floating_point()}
        save_file(tensors | squares | weights, partial, metadata)
    partial.replace(kept)


def _everything(net: Eoam, average: Eoam, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    tensors = {f"net.{k}": v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
    tensors |= {f"average.{k}": v.detach().cpu().contiguous() for k, v in average.state_dict().items()}
    for i, p in enumerate(q for group in optimiser.param_groups for q in group["params"]):
        state = optimiser.state.get(p, {})
        tensors |= {f"adam.{i}.{k}": v.detach().cpu().contiguous() for k, v in state.items()}
    return tensors


def read_header(path: Path) -> dict[str, Any]:
    """Return a checkpoint's JSON header. Raises DataError if the file is missing or no checkpoint."""
    try:
        with safe_open(path, "pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {}).get("eoam", "{}"))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read as a checkpoint ({error}): name a .safetensors file.") from error
    if "net" not in header:
        raise DataError(f"{path} is not a checkpoint of this project (its header has no network configuration).")
    return header


def load_weights(path: Path, *, prefix: str = "average") -> Eoam:
    """Return the network of a checkpoint in eval mode; `prefix` "average" (the moving average) or "net"."""
    net = Eoam(NetConfig(**read_header(path)["net"]))
    with safe_open(path, "pt") as file:
        keys = file.keys()
        names = [n for n in keys if n.startswith(prefix + ".")]
        if not names:
            raise DataError(
                f"{path} has no {prefix!r} weights: an averaged network can be begun from (--init), not resumed."
            )
        net.load_state_dict({n[len(prefix) + 1 :]: file.get_tensor(n) for n in names})
    return net.eval()


def start_from(net: Eoam, path: Path) -> None:
    """Give `net` a checkpoint's weights, so that its masks are the checkpoint's until it is trained.

    Rounds and the outline, if missing in the checkpoint, keep their initial state, without effect. So do additional
    channels of an outline or of a gated f_a that is wider than the checkpoint's (`widened`). Raises DataError if
    anything else differs.
    """
    weights, own = load_weights(path).state_dict(), net.state_dict()
    for name, old in weights.items():
        new = own.get(name)
        if name.startswith(("outline.", "project_a.")) and new is not None and is_wider(new, old):
            weights[name] = widened(new, old)
    added = (".rounds.", "outline.", "mix_a.")
    lacking = [n for n in own if n not in weights and not any(part in n for part in added)]
    strange = [n for n, w in weights.items() if n not in own or own[n].shape != w.shape]
    if lacking or strange:
        raise DataError(
            f"{path} is of another network (it differs in {(lacking + strange)[0]}): start without --init, or name the "
            "--variant it was made with."
        )
    net.load_state_dict(weights, strict=False)


def is_wider(new: Tensor, old: Tensor) -> bool:
    """Return whether a weight has more channels than another and is otherwise of its shape."""
    pairs = list(zip(new.shape, old.shape, strict=False))
    return (
        new.ndim == old.ndim
        and new.shape != old.shape
        and all(a >= b for a, b in pairs[:2])
        and new.shape[2:] == old.shape[2:]
    )


def widened(new: Tensor, old: Tensor) -> Tensor:
    """Return `new`, the weight of a wider layer as made, with `old` in its first channels.

    The first channels' weights for the additional ones are zero, so their results do not change. The additional
    channels keep their initial weights, or they could not learn.
    """
    result = new.clone()
    if old.ndim > 1:
        result[: len(old)] = 0
        result[: len(old), : old.shape[1]] = old
    else:
        result[: len(old)] = old
    return result


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_optimiser(path: Path, optimiser: torch.optim.AdamW) -> None:
    """Put a checkpoint's optimiser state back."""
    with safe_open(path, "pt") as file:
        keys = file.keys()
        for i, p in enumerate(q for group in optimiser.param_groups for q in group["params"]):
            names = [n for n in keys if n.startswith(f"adam.{i}.")]
            state = {n.split(".", 2)[2]: file.get_tensor(n).to(p.device, torch.float32) for n in names}
            if state:
                state.setdefault("exp_avg", torch.zeros_like(p))  # keep_checkpoint leaves it out of large ones
            optimiser.state[p] = state
            if "step" in optimiser.state[p]:
                optimiser.state[p]["step"] = optimiser.state[p]["step"].cpu()
