"""What the edge-optimised attention is worth: one network, trained identically, three ways of joining f_a and f_e.

    python -m models.ablation --data ../shared/data --samples 200000 --seeds 1 2 3

Trains every fusion ("eoam": gated by CM, "add": ungated, "none": no skip) with every seed (runs that are finished are
not repeated, ones that were stopped go on), judges the averaged weights on the validation portraits and prints a
Markdown table of mean and standard deviation. `--figure FILE` also draws portraits, masks and CM maps side by side.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from . import train
from .data import DataError, Person, read_pairs, validation_ids
from .metrics import boundary_iou, foreground_iou, two_class_iou
from .net import FUSIONS, Eoam, confidence_map

SIZE = (224, 224)
FIGURE_ROWS = 6


def run_name(fusion: str, seed: int, samples: int) -> str:
    """Name the folder of one run in models/runs."""
    return f"ablation-{fusion}-{seed}-{samples}"


def trained(fusion: str, seed: int, args: argparse.Namespace) -> Eoam:
    """Return the network of one run, training or finishing it first where needed."""
    name = run_name(fusion, seed, args.samples)
    last = train.RUNS / name / "last.safetensors"
    words = ["--data", str(args.data), "--run", name, "--samples", str(args.samples), "--seed", str(seed)]
    words += ["--fusion", fusion, "--threads", str(args.threads), "--workers", str(args.workers)]
    if last.is_file():
        words.append("--resume")
    train.train(train.make_parser().parse_args(words))
    return train.load_weights(last)


def judge(net: Eoam, people: list[Person]) -> np.ndarray:
    """Return fg, two-class and boundary IoU in per cent."""
    device = torch.device("cpu")
    scores = []
    for person in people:
        small = cv2.resize(person.bgr, SIZE[::-1], interpolation=cv2.INTER_AREA)
        h, w = person.alpha.shape
        mask = cv2.resize(train.predict(net, small, device), (w, h)) > 0
        truth = person.alpha > 127
        scores.append((foreground_iou(mask, truth), two_class_iou(mask, truth), boundary_iou(mask, truth)))
    return 100 * np.mean(scores, 0)


def draw(nets: dict[str, Eoam], people: list[Person], path: Path) -> None:
    """Write portraits, masks of every fusion and the CM map of "eoam", side by side."""
    rows = []
    for person in people[:: max(1, len(people) // FIGURE_ROWS)][:FIGURE_ROWS]:
        small = cv2.resize(person.bgr, SIZE[::-1], interpolation=cv2.INTER_AREA)
        tiles = [small]
        for fusion, net in nets.items():
            with torch.no_grad():
                x = net.stem(train.to_input(torch.from_numpy(small)[None], torch.device("cpu")) * 4 - 2)
                _, f_e, logits = net.decode(x)
            maps = [torch.sigmoid(logits)[0, 0].numpy()]
            if fusion == "eoam":
                maps.append(cv2.resize(confidence_map(f_e)[0, 0].numpy() * 1.5, SIZE[::-1]))  # CM is at most 2/3
            tiles += [cv2.cvtColor((255 * m).clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR) for m in maps]
        rows.append(np.hstack(tiles))
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise DataError(f"{path} cannot be written.")


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m models.ablation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args(argv)
    try:
        cv2.setNumThreads(0)  # before the first picture: see models.train
        people = read_pairs(args.data / "eg1800_train", keep=validation_ids(args.data))
        nets = {(f, seed): trained(f, seed, args) for seed in args.seeds for f in FUSIONS}
        print("| fusion | fg | two-class | boundary |\n| --- | ---: | ---: | ---: |")
        for fusion in FUSIONS:
            scores = np.array([judge(nets[fusion, seed], people) for seed in args.seeds])
            cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(scores.mean(0), scores.std(0), strict=True)]
            print(f"| {fusion} | {' | '.join(cells)} |")
        if args.figure:
            draw({f: nets[f, args.seeds[0]] for f in FUSIONS}, people, args.figure)
    except DataError as error:
        print(f"models.ablation: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
