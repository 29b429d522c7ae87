"""Which form of the gate lets the low-level feature through: one trained network, continued with each of them.

    python -m models.gates --data ../shared/data --samples 100000 --seeds 1 2 3 --table FILE

Every form (`FORMS`) is trained with every seed, from the same weights and on the same batches. Each is judged on the
validation portraits, as it is and with f_a set to zero: the loss is the value of the gated feature. Finished runs are
not repeated, and stopped ones continue. Differences are picture by picture, with the standard error over the pictures.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from . import train
from .checkpoint import load_weights, sha256_of
from .data import DataError, Person, read_pairs, validation_ids
from .metrics import boundary_iou, foreground_iou
from .net import Eoam
from .validation import difference, predict

SIZE = (224, 224)
AS_IT_IS = "three classes, as it is"
BASE = ("--rate", "0.002", "--small-share", "0")
FORMS: dict[str, tuple[str, ...]] = {
    AS_IT_IS: (),
    "three classes, temperature 2": ("--temperature", "2"),
    "portrait and background alone": ("--gate", "two"),
    "the same, temperature 2": ("--gate", "two", "--temperature", "2"),
    "edge class without a target": ("--edge", "none"),
    "edge class with a soft target": ("--edge", "soft"),
    "8 channels of f_a": ("--gated", "8"),
    "portrait and background, 8 channels": ("--gate", "two", "--gated", "8"),
    "plain addition": ("--fusion", "add"),
}
FIGURES = ("fg", "boundary")
Scores = NDArray[np.float64]  # (pictures, 2): fg and boundary IoU, 0 to 1


def without_detail(net: Eoam) -> Eoam:
    """Return a copy of the network in which f_a reaches only the encoder and an outline."""
    net = copy.deepcopy(net)
    if net.config.fusion != "none":
        torch.nn.init.zeros_(net.project_a.bn.weight)
        torch.nn.init.zeros_(net.project_a.bn.bias)
    return net


def judge(net: Eoam, people: list[Person]) -> Scores:
    """Return fg and boundary IoU of every picture, `(pictures, 2)`."""
    scores = []
    for person in people:
        small = cv2.resize(person.bgr, SIZE[::-1], interpolation=cv2.INTER_AREA)
        h, w = person.alpha.shape
        mask = cv2.resize(predict(net, small, torch.device("cpu")), (w, h)) > 0
        scores.append((foreground_iou(mask, person.alpha > 127), boundary_iou(mask, person.alpha > 127)))
    return np.array(scores)


def run_name(form: str, seed: int, samples: int, init: Path) -> str:
    """Return the name of a run's folder in models/runs, unique to everything that decides its outcome."""
    key = "\n".join((*BASE, *FORMS[form], str(seed), str(samples), sha256_of(init)))
    return f"gate-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def trained(form: str, seed: int, args: argparse.Namespace) -> Eoam:
    """Return the network of one run, training or finishing it first where needed. Raises DataError."""
    words = ["--data", str(args.data), "--run", run_name(form, seed, args.samples, args.init), "--init", str(args.init)]
    words += ["--samples", str(args.samples), "--seed", str(seed), "--every", str(args.every), "--device", args.device]
    words += ["--threads", str(args.threads), "--workers", str(args.workers), *BASE, *FORMS[form]]
    return load_weights(train.finish(words))


def make_table(found: dict[str, tuple[Scores, Scores]], samples: int, seeds: int) -> str:
    """Return the Markdown table of `{form: (scores, scores without f_a)}`, each the mean of the seeds."""
    base = found[AS_IT_IS][0]
    lines = [
        f"{len(base)} validation portraits, per cent; {samples} samples a run, mean of {seeds} seeds; differences "
        "picture by picture, with their standard error",
        "",
        "| form of the gate | "
        + " | ".join(f"{figure} | against as it is | f_a zeroed" for figure in FIGURES)
        + " |\n| --- |"
        + " ---: |" * 3 * len(FIGURES),
    ]
    for form, (scores, zeroed) in found.items():
        cells = []
        for i in range(len(FIGURES)):
            own, first, without = (list(values[:, i]) for values in (scores, base, zeroed))
            gain = "-" if form == AS_IT_IS else difference(first, own)
            cells.append(f"{100 * np.mean(own):.2f} | {gain} | {difference(own, without)}")
        lines.append(f"| {form} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m models.gates", description=(__doc__ or "").split("\n")[0])
    checkpoints = Path(__file__).parent / "checkpoints"
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--init", type=Path, default=checkpoints / "eoam.safetensors", help="where every run begins")
    parser.add_argument("--forms", nargs="+", choices=FORMS, help=f"only these, and {AS_IT_IS!r}")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints, from which a run goes on")
    parser.add_argument("--table", type=Path, help="also write the table, Markdown, here")
    args = parser.parse_args(argv)
    try:
        cv2.setNumThreads(0)  # before the first picture: see models.train
        if not args.init.is_file():
            raise DataError(
                f"{args.init} does not exist: name the checkpoint that every run begins with (--init FILE)."
            )
        if args.table and not args.table.parent.is_dir():  # now, not after hours of training
            raise DataError(f"{args.table.parent} is not a folder: make it first, or name another file to write.")
        people = read_pairs(args.data / "eg1800_train", keep=validation_ids(args.data))
        forms = [form for form in FORMS if form == AS_IT_IS or not args.forms or form in args.forms]
        nets = {(form, seed): trained(form, seed, args) for seed in dict.fromkeys(args.seeds) for form in forms}
        found = {}
        for form in forms:
            of_seeds = [nets[form, seed] for seed in dict.fromkeys(args.seeds)]
            as_is, zeroed = ([judge(n, people) for n in group] for group in (of_seeds, map(without_detail, of_seeds)))
            found[form] = np.mean(as_is, 0), np.mean(zeroed, 0)
        table = make_table(found, args.samples, len(dict.fromkeys(args.seeds)))
        print(table, end="")
        if args.table:
            args.table.write_text(table)
    except DataError as error:
        print(f"models.gates: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
