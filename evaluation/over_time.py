"""Judge what is shown, over time: the raw network, the paper's fill, this project's filter and the peers' filter.

    python -m evaluation.over_time --data ../shared/data --peers ../shared/peers --people val

docs/user/masks.md says what the sequences are and what the figures mean. All methods see the same frames, and those on
one network the same masks of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from eoam_core.settings import Detail, Settings
from models.data import DataError, Image
from models.networks import Network, bgra, enlarge, own_network, peer_networks, shrink, wide_size

from . import documents
from .sequence_methods import OURS, OURS_SMALL, Method, methods
from .sequence_metrics import FIGURES, Tally, Truth, average, is_best
from .sequence_scenes import OCCLUDED, Frame
from .sequences import GROUPS, PEOPLE, Sequence, sequences

Rows = dict[str, dict[str, float]]  # method -> figure -> value
INPUT = wide_size(Settings().detail)  # the network's, (h, w)
OVERALL = "all"
OWN = "EOAM's network"
CUT = "cut masks"  # masks made of the truth: see cut_mask
CUT_GROUPS = ("gaps", "occluders")
TABLES = "sequences"  # their name in a document


def small_mask(net: Network, picture: Image) -> Image:
    """Return a network's mask of a picture at the network's own size, uint8."""
    size = net.sizes["wide"]
    return net.run(shrink(picture, size), size)


def cut_mask(frame: Frame, size: tuple[int, int] = INPUT) -> Image:
    """Return a mask made of the truth, `size` (h, w) uint8, in which every occluder and every gap is a hole.

    As from a network that takes whatever is not the person itself for room: all that is then right or wrong about holes
    is the clean-up's.
    """
    seen = np.where(frame.has(OCCLUDED), np.uint8(0), frame.alpha)
    return np.asarray(cv2.GaussianBlur(shrink(seen, size), (0, 0), 1.0), np.uint8)


class Bench:
    """Sequences with the masks of some networks; `score` any methods on them, again and again.

    `size` is the own network's input (h, w). With `keep` the frames and masks stay in memory (about 2 GB for all
    groups), and only the methods' own work is done again; without it every sequence is made anew.
    """

    def __init__(
        self,
        listed: list[Sequence],
        networks: list[Network],
        *,
        size: tuple[int, int] = INPUT,
        keep: bool = False,
    ) -> None:
        self._listed, self._networks, self._size, self._keep = listed, networks, size, keep
        self._kept: dict[int, list[tuple[Image, Image, Truth, dict[str, Image]]]] = {}

    def _shots(self, index: int) -> Iterator[tuple[Image, Image, Truth, dict[str, Image]]]:
        if index in self._kept:
            yield from self._kept[index]
            return
        made = []
        for frame in self._listed[index].frames():
            shot = self._shot(frame)
            if self._keep:
                made.append(shot)
            yield shot
        if self._keep:
            self._kept[index] = made

    def _shot(self, frame: Frame) -> tuple[Image, Image, Truth, dict[str, Image]]:
        masks = {net.name: small_mask(net, frame.bgr) for net in self._networks}
        masks[CUT] = cut_mask(frame, self._size)
        return frame.bgr, bgra(shrink(frame.bgr, self._size))[0], Truth.of(frame), masks

    def score(self, judged: list[Method]) -> dict[str, dict[str, Rows]]:
        """Return {group: {sequence: {method: {figure: value}}}}."""
        results: dict[str, dict[str, Rows]] = {}
        for index, sequence in enumerate(tqdm(self._listed, disable=not sys.stderr.isatty())):
            steps = [method.start() for method in judged]
            tallies = [Tally(sequence) for _ in judged]
            for picture, small, truth, masks in self._shots(index):
                for method, step, tally in zip(judged, steps, tallies, strict=True):
                    shown = step(small, masks[method.network], picture)
                    if shown.shape != picture.shape[:2]:
                        shown = enlarge(shown.astype(np.float32) / 255, picture)
                    tally.add(truth, shown)
            rows = {method.name: tally.figures() for method, tally in zip(judged, tallies, strict=True)}
            results.setdefault(sequence.group, {})[sequence.name] = rows
        return results


def by_group(results: dict[str, dict[str, Rows]]) -> dict[str, Rows]:
    """Return the means over each group's sequences, and over all sequences of `GROUPS` as `OVERALL`."""
    grouped = {group: list(rows.values()) for group, rows in results.items()}
    if together := [row for group, rows in grouped.items() if group in GROUPS for row in rows]:
        grouped[OVERALL] = together
    return {group: {name: average([row[name] for row in rows]) for name in rows[0]} for group, rows in grouped.items()}


def table(rows: Rows) -> str:
    """Return rows as Markdown, without columns that say nothing; the best are bold, ours is marked (!) where it is not.

    Best means best or equal, within what `FIGURES` calls equal.
    """
    columns = [figure for figure in FIGURES if not all(np.isnan(row[figure[0]]) for row in rows.values())]
    lines = [
        "| | " + " | ".join(name for name, *_ in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for method, row in rows.items():
        cells = []
        for name, *_ in columns:
            value = row[name]
            best = is_best(name, value, np.array([other[name] for other in rows.values()]))
            text = "-" if np.isnan(value) else f"{value:.2f}"
            mark = "" if best or method not in (OURS, OURS_SMALL) else " (!)"
            cells.append(f"**{text}**" if best else text + mark)
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def shortfalls(grouped: dict[str, Rows]) -> list[str]:
    """Return in words where ours is neither best nor equal."""
    found = []
    for group, rows in grouped.items():
        for name, *_ in FIGURES:
            values = {method: row[name] for method, row in rows.items() if method not in (OURS, OURS_SMALL)}
            if OURS in rows and not is_best(name, rows[OURS][name], np.array(list(values.values()))):
                best = next(m for m, v in values.items() if is_best(name, v, np.array(list(values.values()))))
                found.append(f"{group}, {name}: EOAM {rows[OURS][name]:.2f}, {best} {values[best]:.2f}")
    return found


def report(grouped: dict[str, Rows]) -> str:
    """Return all tables as Markdown: overall, by group, and where ours falls short."""
    parts = ["All sequences:\n\n" + table(grouped[OVERALL])] if OVERALL in grouped else []
    parts += [f"{group}:\n\n{table(rows)}" for group, rows in grouped.items() if group != OVERALL]
    lacking = shortfalls(grouped)
    parts.append(
        "Where EOAM is neither best nor equal to the best:\n\n"
        + "".join(f"- {line}\n" for line in lacking or ["nowhere"])
    )
    return "\n".join(parts)


def evaluate(args: argparse.Namespace) -> dict[str, dict[str, Rows]]:
    """Score the methods on the sequences that `args` asks for; returns what `Bench.score` does."""
    cv2.setNumThreads(1)
    own = own_network(args.model, Detail(args.detail), name=OWN)
    size = own.sizes["wide"]
    peers = peer_networks(args.peers) if args.peers else []
    listed = sequences(args.data, args.people, tuple(args.groups))
    ours = chosen_settings(args.ours)
    judged = methods(own.name, [peer.name for peer in peers], size, ours)
    results = Bench(listed, [own, *peers], size=size).score(judged)
    results |= score_cut_masks(Bench([s for s in listed if s.group in CUT_GROUPS], [], size=size), size, ours)
    return results


def chosen_settings(text: str) -> Settings:
    """Read our filter's settings from JSON such as `{"smoothing": 0.5}`. Raises DataError."""
    try:
        values = json.loads(text)
        if {"detail", "model"} & set(values):
            raise ValueError("detail and network have options of their own, --detail and --model")
        return Settings.validated(**values)
    except (ValueError, TypeError) as error:  # no JSON, no object, or no setting
        raise DataError(f'--ours {text}: need settings as JSON, such as {{"smoothing": 0.5}} ({error}).') from error


def score_cut_masks(
    bench: Bench, size: tuple[int, int] = INPUT, settings: Settings | None = None
) -> dict[str, dict[str, Rows]]:
    """Score the methods on masks in which every gap and every occluder is a hole, as groups of their own."""
    return {f"{CUT}, {group}": rows for group, rows in bench.score(methods(CUT, [], size, settings)).items()}


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(prog="python -m evaluation.over_time", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=root / "models" / "eoam.onnx", help="exported network")
    parser.add_argument("--detail", choices=[d.value for d in Detail], default=Settings().detail.value)
    parser.add_argument("--ours", default="{}", help='other settings of our filter as JSON, such as {"smoothing": 0.5}')
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--peers", type=Path, help="folder of the peers' ONNX files; without it they are left out")
    parser.add_argument("--people", choices=PEOPLE, default="greenscreen", help="greenscreen is for final figures only")
    parser.add_argument("--groups", default=",".join(GROUPS), help=f"comma-separated, of {', '.join(GROUPS)}")
    parser.add_argument("--table", type=Path, help="also write the tables here, as Markdown")
    parser.add_argument("--into", type=Path, help="also put the tables into this document (documents.py)")
    parser.add_argument("--json", type=Path, help="also write the figures of every sequence here")
    args = parser.parse_args(argv)
    args.groups = args.groups.split(",")
    try:
        if args.into:
            documents.check(args.into, [TABLES])
        results = evaluate(args)
        text = report(by_group(results))
        print(text)
        if args.into:
            documents.fill(args.into, {TABLES: text})
    except DataError as error:
        print(f"evaluation.over_time: {error}", file=sys.stderr)
        return 2
    if args.table:
        args.table.write_text(text)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
