"""What the edge-optimised attention is worth: one network, trained identically, three ways of joining f_a and f_e.

    python -m evaluation.experiments.ablation --data ../shared/data --samples 200000 \\
        --seeds 1 2 3 --table FILE --figure FILE

Trains every fusion ("eoam": gated by CM, "add": ungated, "none": no skip) with every seed. Runs that are finished are
not repeated, ones that were stopped go on, so the command can be stopped and given again at any time. When all of them
are there, and not before, the averaged weights are judged on `eg1800_test`. The figure shows pictures that anybody may
publish, with every fusion's mask and the CM map, from the first seed's networks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from models import train
from models.checkpoint import load_weights
from models.data import DataError, Image, Person, read_pairs
from models.metrics import boundary_iou, foreground_iou, two_class_iou
from models.net import FUSIONS, Eoam, confidence_map
from models.validation import predict, to_input

SIZE = (224, 224)
CM_MOST = 2 / 3  # all three classes equally likely
NAMES = {"eoam": "EOAM (gated by CM)", "add": "plain addition", "none": "no skip"}


def run_name(fusion: str, seed: int, samples: int) -> str:
    """Name the folder of one run in models/runs."""
    return f"ablation-{fusion}-{seed}-{samples}"


def trained(fusion: str, seed: int, args: argparse.Namespace) -> Eoam:
    """Return the network of one run, training or finishing it first where needed. Raises DataError."""
    name = run_name(fusion, seed, args.samples)
    words = ["--data", str(args.data), "--run", name, "--samples", str(args.samples), "--seed", str(seed)]
    words += ["--fusion", fusion, "--threads", str(args.threads), "--workers", str(args.workers)]
    words += ["--device", args.device, "--every", str(args.every)]
    return load_weights(train.finish(words))


def judge(net: Eoam, people: list[Person]) -> NDArray[np.float64]:
    """Return fg, two-class and boundary IoU in per cent."""
    device = torch.device("cpu")
    scores = []
    for person in people:
        small = cv2.resize(person.bgr, SIZE[::-1], interpolation=cv2.INTER_AREA)
        h, w = person.alpha.shape
        mask = cv2.resize(predict(net, small, device), (w, h)) > 0
        truth = person.alpha > 127
        scores.append((foreground_iou(mask, truth), two_class_iou(mask, truth), boundary_iou(mask, truth)))
    return 100 * np.asarray(np.mean(scores, 0))


def make_table(scores: dict[str, NDArray[np.float64]], samples: int, count: int) -> str:
    """Return the Markdown table of `{fusion: (seeds, 3)}`: mean and, of several seeds, standard deviation."""
    seeds = len(next(iter(scores.values())))
    lines = [
        f"eg1800_test, {count} portraits, per cent; {samples} samples a run, mean ± deviation of {seeds} seeds",
        "",
        "| fusion | fg | two-class | boundary |",
        "| --- | ---: | ---: | ---: |",
    ]
    for fusion, rows in scores.items():
        spread = rows.std(0, ddof=1) if seeds > 1 else np.full(rows.shape[1], np.nan)
        cells = [f"{m:.2f} ± {s:.2f}" if seeds > 1 else f"{m:.2f}" for m, s in zip(rows.mean(0), spread, strict=True)]
        lines.append(f"| {NAMES[fusion]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def free_pictures() -> list[Image]:
    """Return pictures of people that may be published, BGR 224x224: no picture of the data sets may."""
    try:
        from skimage import data  # only the figure needs it
    except ImportError as error:
        raise DataError("--figure needs scikit-image: pip install scikit-image.") from error
    # NASA's, public domain, and a CC0 one; both come with scikit-image.
    astronaut, camera = (np.asarray(getattr(data, name)()) for name in ("astronaut", "camera"))
    found = [astronaut, astronaut[:320, 80:400], np.repeat(camera[40:424, 40:424, None], 3, 2)]
    return [
        np.asarray(cv2.resize(np.ascontiguousarray(p[..., ::-1]), SIZE[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        for p in found
    ]


def look(net: Eoam, picture: Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mask `(h, w)` and the CM map `(h/4, w/4)` of a BGR picture, in [0, 1]."""
    with torch.no_grad():
        x = net.stem(to_input(torch.from_numpy(picture)[None], torch.device("cpu")) * 4 - 2)
        _, f_e, cells = net.decode(x)
        mask = torch.sigmoid(F.pixel_shuffle(cells, 4))
    return mask[0, 0].numpy(), confidence_map(net.gate_logits(f_e))[0, 0].numpy()


def draw(nets: dict[str, Eoam], pictures: list[Image], path: Path) -> None:
    """Write pictures, masks of every fusion and the CM map of "eoam", side by side. Raises DataError."""
    from matplotlib.figure import Figure  # not pyplot: no window system is to be asked for

    columns = 2 + len(nets)
    figure = Figure(figsize=(2.2 * columns, 2.2 * len(pictures) + 0.3), layout="constrained")
    grid = figure.subplots(len(pictures), columns, squeeze=False)
    for row, (axes, picture) in enumerate(zip(grid, pictures, strict=True)):
        tiles: list[tuple[str, NDArray[np.float32] | Image, float]] = [("picture", picture[..., ::-1], 255)]
        for fusion, net in nets.items():
            mask, cm = look(net, picture)
            tiles.append((NAMES[fusion], mask, 1))
            if fusion == "eoam":
                tiles.append(("its CM", cm, CM_MOST))
        for axis, (title, tile, most) in zip(axes, tiles, strict=True):
            axis.imshow(tile, cmap="gray", vmin=0, vmax=most)
            axis.set_axis_off()
            if row == 0:
                axis.set_title(title)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:  # ValueError: a suffix that is no picture's
        raise DataError(f"{path} cannot be written ({error}).") from error


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.experiments.ablation", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints, from which a run goes on")
    parser.add_argument("--table", type=Path, help="also write the table, Markdown, here")
    parser.add_argument("--figure", type=Path, help="draw masks and CM maps side by side, PNG, here")
    args = parser.parse_args(argv)
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f"--seeds {' '.join(map(str, args.seeds))}: each seed only once, or the deviation is too small")
    try:
        cv2.setNumThreads(0)  # before the first picture: see models.train
        for path in filter(None, (args.table, args.figure)):  # now, not after hours of training
            if not path.parent.is_dir():
                raise DataError(f"{path.parent} is not a folder: make it first, or name another file to write.")
        people = read_pairs(args.data / "eg1800_test")
        pictures = free_pictures() if args.figure else []
        nets = {(f, seed): trained(f, seed, args) for seed in args.seeds for f in FUSIONS}
        scores = {
            f: np.stack([judge(nets[f, seed], people) for seed in args.seeds])
            for f in tqdm(FUSIONS, desc="judging", disable=not sys.stderr.isatty())
        }
        table = make_table(scores, args.samples, len(people))
        print(table, end="")
        if args.table:
            args.table.write_text(table)
        if args.figure:
            draw({f: nets[f, args.seeds[0]] for f in FUSIONS}, pictures, args.figure)
    except DataError as error:
        print(f"evaluation.experiments.ablation: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
