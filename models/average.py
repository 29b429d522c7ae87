"""Average the weights of two trainings with a common origin.

    python -m models.average FIRST.safetensors SECOND.safetensors OUT.safetensors [--share 0.5] [--data DATA]

Along the straight line between such networks the loss often has no barrier, and the middle is better than either end
(M. Wortsman et al., "Model soups", ICML 2022; "Robust fine-tuning of zero-shot models", CVPR 2022): the longer
training's gain without all that it forgot. It costs nothing when the network runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint import load_weights, read_header, sha256_of
from .data import DataError
from .net import NetConfig
from .validation import Validation


def average(first: Path, second: Path, target: Path, *, share: float = 0.5) -> None:
    """Write `target`: the averaged weights of `second` times `share`, of `first` times the rest.

    If only `second` has an outline (`NetConfig.half`), `target` has that one. A block's rounds that only `second` has
    count as without effect in `first`.

    Its header is that of `second`, plus a record of `first`. It can be exported and used with `--init`, but not
    resumed, because there is no optimiser state.

    Raises:
        DataError: a file is no checkpoint, they are of different networks, or `share` is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise DataError(f"--share is {share}, need 0 (the first network alone) to 1 (the second alone).")
    headers = read_header(first), read_header(second)
    configs = [NetConfig(**header["net"]) for header in headers]
    grown = replace(
        configs[0],
        half=configs[0].half or configs[1].half,
        eighth_rounds=max(configs[0].eighth_rounds, configs[1].eighth_rounds),
        sixteenth_rounds=max(configs[0].sixteenth_rounds, configs[1].sixteenth_rounds),
    )
    if grown != configs[1]:
        raise DataError(f"{first} and {second} are different networks: {headers[0]['net']} and {headers[1]['net']}.")
    ends = [load_weights(path).state_dict() for path in (first, second)]
    tensors: dict[str, Tensor] = {}
    for name, weight in ends[1].items():
        # A BatchNorm counts its batches in whole numbers.
        other = ends[0].get(name, torch.zeros_like(weight) if name.endswith(".scale") else weight)
        mixed = torch.lerp(other, weight, share) if weight.is_floating_point() else weight
        tensors[f"average.{name}"] = mixed.contiguous()
    header = {**headers[1], "averaged_with": {"sha256": sha256_of(first), "share": 1 - share, **_begun(headers[0])}}
    ancestor = header.get("initialised_from")
    if isinstance(ancestor, dict) and all(ancestor[key] == headers[0][key] for key in ("step", "train")):
        header["initialised_from"] = _begun(headers[0])  # which knows what it was begun with itself
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, target, {"eoam": json.dumps(header, sort_keys=True)})


def _begun(header: dict[str, object]) -> dict[str, object]:
    names = ("step", "train", "mix", "data_sha256", "initialised_from")
    return {name: header.get(name) for name in names}


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence if there is nothing to average."""
    parser = argparse.ArgumentParser(prog="python -m models.average", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("first", type=Path)
    parser.add_argument(
        "second", type=Path, help="begun with the first one's weights, or with ones that those are part of"
    )
    parser.add_argument("target", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="the second one's, 0 to 1")
    parser.add_argument("--data", type=Path, help="also print how all three do on the validation pictures in there")
    args = parser.parse_args(argv)
    try:
        average(args.first, args.second, args.target, share=args.share)
        if args.data is not None:
            validation = Validation(args.data)
            for path in (args.first, args.second, args.target):
                print(path, *(f"{k}={v:g}" for k, v in validation(load_weights(path), torch.device("cpu")).items()))
    except (DataError, OSError) as error:
        print(f"models.average: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
