"""What each lever of the training is worth: short runs on top of the same weights, identical but for the lever.

    python -m evaluation.experiments.levers --data ../shared/data --peers ../shared/peers \\
        --results docs/developer/levers.csv --table FILE

Every lever is pulled with every seed, and once more nothing is; a lever's gain is the mean of the differences between
runs of the same seed. Judged on the validation alone. A run that is finished is a row in the results, which can be
committed: it is not repeated, whoever has the file. One that was stopped goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import train
from models.checkpoint import read_header, sha256_of
from models.data import DataError

NOTHING = "nothing"
BASE = ("--rate", "0.002", "--small-share", "0.25")
# "{peers}" and "{larger}" are replaced by the command line's; what is stored in the results is what stands here.
LEVERS: dict[str, tuple[str, ...]] = {
    NOTHING: (),
    "MediaPipe's masks as the teacher": ("--teacher", "0.5", "--peers", "{peers}"),
    "our larger network as the teacher": ("--distil", "0.5", "--larger", "{larger}"),
    "Lovasz hinge": ("--lovasz", "0.5"),
    "twice as many empty rooms": ("--mix", "empty=0.22", "wide_empty=0.32"),
    "no small pictures": ("--small-share", "0"),
    "portraits before other rooms": ("--mix", "swap=0.35"),
    "no composition": ("--mix", "composite=0", "empty=0", "wide_composite=0", "wide_empty=0"),
}
FIGURES = {"val_fg": "portraits", "val_room_fg": "rooms", "val_empty": "empty"}
KEY = ("lever", "seed", "samples", "options", "init_sha256")
Rows = dict[tuple[str, ...], dict[str, str]]


def read_rows(path: Path) -> Rows:
    """Return the finished runs in a results file, none if there is no such file. Raises DataError."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != [*KEY, *FIGURES]:
            raise DataError(f"{path} is not a file of results: its first line is not {','.join([*KEY, *FIGURES])}.")
        return {tuple(row[name] for name in KEY): row for row in reader}


def add_row(path: Path, row: dict[str, str]) -> None:
    """Append a finished run to a results file. Raises DataError."""
    try:
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, [*KEY, *FIGURES], lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow(row)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}).") from error


def sum_of(init: Path) -> str:
    """Return what names a checkpoint in the results. Raises DataError if there is no such file."""
    if not init.is_file():
        raise DataError(f"{init} does not exist: name the checkpoint that every run begins with (--init FILE).")
    return sha256_of(init)[:12]


def only_sum(rows: Rows, results: Path) -> str:
    """Return the checkpoint that all rows began with; it need not be at hand. Raises DataError if there is not one."""
    sums = {key[KEY.index("init_sha256")] for key in rows}
    if len(sums) != 1:
        raise DataError(
            f"the runs in {results} began with {len(sums)} checkpoints; name the one to show (--init FILE)."
        )
    return sums.pop()


def key_of(lever: str, seed: int, samples: int, init_sum: str) -> tuple[str, ...]:
    """Return everything that decides the outcome of a run besides the data, in the order of `KEY`."""
    return (lever, str(seed), str(samples), " ".join((*BASE, *LEVERS[lever])), init_sum)


def run_name(key: tuple[str, ...]) -> str:
    """Name the folder of one run in models/runs: another one if anything in its key is another."""
    return f"lever-{hashlib.sha256(chr(10).join(key).encode()).hexdigest()[:12]}"


def run(key: tuple[str, ...], args: argparse.Namespace) -> dict[str, float]:
    """Train one run, or finish it, and return its validation figures. Raises DataError."""
    lever, seed, samples, *_ = key
    words = ["--data", str(args.data), "--run", run_name(key), "--samples", samples, "--seed", seed]
    words += ["--init", str(args.init), "--threads", str(args.threads), "--workers", str(args.workers)]
    words += ["--device", args.device, "--every", str(args.every), *BASE]
    words += [word.format(peers=args.peers, larger=args.larger) for word in LEVERS[lever]]
    header = read_header(train.finish(words))
    return {figure: float(header[figure]) for figure in FIGURES}


def make_table(scores: dict[str, dict[int, NDArray[np.float64]]], samples: int) -> str:
    """Return the Markdown table of `{lever: {seed: (3,) figures}}`: what nothing gives, and every lever's gain over it.

    A gain is the mean over the seeds that both have, with its standard deviation if there are several.
    """
    base = scores.get(NOTHING, {})
    lines = [
        f"Validation, per cent; {samples} samples a run; gains over the runs of the same seed without the lever",
        "",
        "| lever | seeds | " + " | ".join(FIGURES.values()) + " |",
        "| --- | ---: |" + " ---: |" * len(FIGURES),
    ]
    for lever, rows in scores.items():
        seeds = sorted(set(rows) & set(base))
        if not seeds:
            continue
        values = np.stack([rows[s] - (0 if lever == NOTHING else base[s]) for s in seeds])
        spread = values.std(0, ddof=1) if len(seeds) > 1 else np.full(len(FIGURES), np.nan)
        sign = "" if lever == NOTHING else "+"
        cells = [
            f"{mean:{sign}.2f}" + (f" ± {s:.2f}" if len(seeds) > 1 else "")
            for mean, s in zip(values.mean(0), spread, strict=True)
        ]
        lines.append(f"| {lever} | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def collect(rows: Rows, keys: Iterable[tuple[str, ...]]) -> dict[str, dict[int, NDArray[np.float64]]]:
    """Return the figures of those of the runs in `keys` that are finished, by lever and seed."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    for key in keys:
        if key in rows:
            values = np.array([float(rows[key][figure]) for figure in FIGURES])
            found.setdefault(key[0], {})[int(key[1])] = values
    return {lever: found[lever] for lever in LEVERS if lever in found}


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.experiments.levers", description=(__doc__ or "").split("\n")[0]
    )
    shared, checkpoints = Path(__file__).parents[3] / "shared", Path(__file__).parents[2] / "models" / "checkpoints"
    shipped = checkpoints / "eoam.safetensors"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--peers", type=Path, default=shared / "peers")
    parser.add_argument("--init", type=Path, help=f"where every run begins (default: {shipped.name}, which ships)")
    parser.add_argument("--larger", type=Path, default=checkpoints / "eoam_plus.safetensors")
    parser.add_argument("--samples", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints, from which a run goes on")
    parser.add_argument("--results", type=Path, required=True, help="CSV of the finished runs; they are not repeated")
    parser.add_argument("--table", type=Path, help="also write the table, Markdown, here")
    parser.add_argument("--only-table", action="store_true", help="train nothing: the table of what is finished")
    args = parser.parse_args(argv)
    try:
        for path in filter(None, (args.results, args.table)):  # now, not after hours of training
            if not path.parent.is_dir():
                raise DataError(f"{path.parent} is not a folder: make it first, or name another file to write.")
        rows = read_rows(args.results)
        begun_with = only_sum(rows, args.results) if args.only_table and args.init is None else None
        if begun_with is None:
            args.init = args.init or shipped
            begun_with = sum_of(args.init)
        keys = [key_of(lever, seed, args.samples, begun_with) for seed in dict.fromkeys(args.seeds) for lever in LEVERS]
        for key in () if args.only_table else keys:
            if key not in rows:
                print(f"{key[0]}, seed {key[1]}:", flush=True)
                figures = run(key, args)
                row = {**dict(zip(KEY, key, strict=True)), **{name: f"{v:g}" for name, v in figures.items()}}
                add_row(args.results, row)
                rows[key] = row
        table = make_table(collect(rows, keys), args.samples)
        print(table, end="")
        if args.table:
            args.table.write_text(table)
    except DataError as error:
        print(f"evaluation.experiments.levers: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
