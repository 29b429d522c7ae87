"""Measure what ships, and its peers, and put the figures into the documents that state them.

    python -m evaluation.card --data ../shared/data --peers ../shared/peers [--figures FILE]

Judges `models/eoam.onnx` and `models/eoam_plus.onnx` with every detail on every set of `evaluation.networks`, bare
and as the filter shows them, in one run, and replaces the tables of README.md, docs/user/figures.md and
models/MODEL_CARD.md (documents.py). No figure is copied by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from eoam_core.settings import Detail, Settings
from models.data import DataError
from models.networks import wide_size
from models.scenarios import SCENARIOS

from . import documents
from .networks import SETS, evaluate

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "user" / "figures.md", ROOT / "models" / "MODEL_CARD.md")
OURS = {"eoam": "EOAM", "eoam_plus": "EOAM plus"}
PORTRAIT = ("fg", "two-class", "boundary")

Rows = dict[str, dict[str, float]]
Figures = dict[str, dict[str, Rows]]  # "bare" or "shown" -> set -> network -> figure


def measure(data: Path, peers: Path) -> Figures:
    """Judge the shipped networks and the peers. Raises DataError."""
    args = argparse.Namespace(
        models=[ROOT / "models" / f"{name}.onnx" for name in OURS],
        data=data,
        peers=peers,
        sets=list(SETS),
        detail=[detail.value for detail in Detail],
        pipeline=False,
        sheets=None,
        table=None,
    )
    bare = evaluate(args)
    args.sets, args.pipeline, args.peers = ["portraits", "rooms"], True, None
    return {"bare": bare, "shown": evaluate(args)}


def label(name: str) -> str:
    """Return a network's name in the tables: ours in bold, with the input for 16:9."""
    stem, _, detail = name.partition(", ")
    if stem not in OURS:
        return name
    chosen = Detail(detail or Detail.NORMAL.value)
    height, width = wide_size(chosen)
    usual = Settings()
    is_default = usual.model == stem and usual.detail is chosen
    return f"**{OURS[stem]}** {width}x{height}{' (default)' if is_default else ''}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns but the first are numbers."""
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def short(figures: Figures) -> str:
    """Return the README's table: one row for each network, ours with the default detail."""
    bare, usual = figures["bare"], Settings().detail
    rows = []
    for name, room in bare["rooms"].items():
        stem, _, detail = name.partition(", ")
        if stem not in OURS or Detail(detail or Detail.NORMAL.value) is usual:
            accuracy = f"{bare['portraits'][name]['fg']:.2f}", *_cells(room, ("fg", "flicker"))
            rows.append([label(name), *accuracy, f"{bare['speed'][name]['wide ms']:.2f}"])
    return table(["network", "portraits", "in a room", "flicker", "ms, one thread"], rows)


def summary(figures: Figures) -> str:
    """Every set in one row a network, the networks alone."""
    bare = figures["bare"]
    head = ["network", "portraits: fg", "two-class", "boundary", "in a room: fg", "boundary", "MAD", "flicker"]
    rows = [
        [
            label(name),
            *_cells(bare["portraits"][name], PORTRAIT),
            *_cells(room, ("fg", "boundary", "MAD", "flicker")),
            *_cells(bare["scenarios"][name], ("mean",)),
            *_cells(bare["empty"][name], ("mean",)),
        ]
        for name, room in bare["rooms"].items()
    ]
    return table([*head, "situations: fg", "empty room: person"], rows)


def networks(figures: Figures, part: str = "bare") -> str:
    """Portraits and rooms; of `part` "shown" what the filter makes of them."""
    sets = figures[part]
    head = ["network", "portraits: fg", "two-class", "boundary"]
    columns = ("fg", "two-class", "boundary", "MAD", "flicker")
    rows = [
        [label(name), *_cells(sets["portraits"][name], PORTRAIT), *_cells(room, columns)]
        for name, room in sets["rooms"].items()
    ]
    return table([*head, "room: fg", *columns[1:]], rows)


def shown(figures: Figures) -> str:
    """Portraits and rooms as the filter shows them."""
    return networks(figures, "shown")


def situations(figures: Figures) -> str:
    """One row a situation, one column a network."""
    scores = figures["bare"]["scenarios"]
    rows = [[name, *(f"{row[name]:.2f}" for row in scores.values())] for name in (*SCENARIOS, "mean")]
    return table(["situation", *map(label, scores)], rows)


def empty(figures: Figures) -> str:
    """Rooms with nobody in them."""
    found = figures["bare"]["empty"]
    rows = [[label(n), f"{r['mean']:.2f}", f"{r['worst']:.2f}", f"{r['over 5 %']:.0f}"] for n, r in found.items()]
    return table(["network", "mean", "worst", "over 5 %"], rows)


def speed(figures: Figures) -> str:
    """Times on one thread, and as multiples of the first network's, which is the default one with normal detail."""
    rows = []
    for name, row in figures["bare"]["speed"].items():
        cells = [label(name)]
        for shape in ("upright" if "upright ms" in row else "square", "wide"):
            width, height = (round(row[f"{shape} {side} input"]) for side in ("width", "height"))
            ms = f"{row[f'{shape} ms']:.2f} ({row[f'{shape} p95']:.2f})"
            cells += [f"{width}x{height}", ms, f"{row[f'{shape} ratio']:.1f}"]
        rows.append(cells)
    columns = ["input", "ms, median (p95)", f"times {OURS['eoam']}"]
    return table(["network", f"portrait's {columns[0]}", *columns[1:], f"wide {columns[0]}", *columns[1:]], rows)


TABLES: dict[str, Callable[[Figures], str]] = {
    "short": short,
    "summary": summary,
    "networks": networks,
    "shown": shown,
    "situations": situations,
    "empty": empty,
    "speed": speed,
}


def _cells(row: dict[str, float], columns: Sequence[str]) -> list[str]:
    return [f"{row[column]:.2f}" for column in columns]


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.card", description=(__doc__ or "").split("\n")[0])
    shared = ROOT.parent / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--peers", type=Path, default=shared / "peers")
    parser.add_argument(
        "--figures", type=Path, help="JSON: read from here if it exists, else written here once measured"
    )
    parser.add_argument("--into", type=Path, nargs="+", default=list(DOCUMENTS), help="documents with marked tables")
    args = parser.parse_args(argv)
    try:
        for path in args.into:
            documents.check(path, TABLES)
        if args.figures and args.figures.is_file():
            figures: Figures = json.loads(args.figures.read_text())
        else:
            figures = measure(args.data, args.peers)
            if args.figures:
                args.figures.write_text(json.dumps(figures, indent=1) + "\n")
        tables = {name: make(figures) for name, make in TABLES.items()}
        for path in args.into:
            documents.fill(path, tables)
    except (DataError, json.JSONDecodeError, OSError) as error:
        print(f"evaluation.card: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
