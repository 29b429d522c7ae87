"""Print what an exported network is worth, and what the peers are worth on the same pictures in the same run.

    python -m evaluation.networks models/eoam.onnx --data ../shared/data --peers ../shared/peers

Sets: `portraits` (eg1800_test at the pictures' own size; the network sees 224x224, the paper's input, and with other
details what the filter gives it of an upright 3:4 picture: 224x288, 272x368), `rooms` (a person keyed from a
green screen over rooms that no training saw, 640x360; soft truth for every frame), `empty` (those rooms with nobody in
them) and `speed` (one thread, all networks interleaved, SINet also at 224x224). With `--pipeline` portraits and rooms
are judged as the filter shows them: after clean-up, smoothing and edge refinement, with the default settings.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from eoam_core.settings import Detail
from models.data import DataError, Image, list_pictures, read_cutouts, read_pairs, read_rooms
from models.graph import measure_graph
from models.metrics import boundary_iou, flicker, foreground_iou, lag_frames, mean_absolute_difference, two_class_iou
from models.networks import LANDSCAPE, Network, bgra, own_network, peer_networks, shrink, sinet_224
from models.scenarios import PER_SCENARIO, SCENARIOS, scenarios
from models.sheet import Worst

SETS = ("portraits", "rooms", "scenarios", "empty", "speed")
CANVAS = (360, 640)  # height, width of the `rooms` set
ROOM_COUNT = 12
STILL_LEVELS = 4  # a pixel stands still if no channel moves by more grey levels than this
SPEED_ROUNDS = 80


def composites(data: Path) -> Iterator[tuple[int, Image, Image]]:
    """Yield (room, frame `(360, 640, 3)`, alpha `(360, 640)`): the talking man over each of the held-out rooms."""
    height, width = CANVAS
    people = read_cutouts(data / "greenscreen_d0")
    rooms = read_rooms(data, "test")
    rng = np.random.default_rng(11)
    for index in range(ROOM_COUNT):
        room = rooms[index * len(rooms) // ROOM_COUNT]
        cover = max(height / room.shape[0], width / room.shape[1])
        ground = cv2.resize(room, None, fx=cover, fy=cover, interpolation=cv2.INTER_LINEAR)[:height, :width]
        share, x = rng.uniform(0.75, 1.1), rng.uniform(0.1, 0.9)
        for person in people:
            h, w = round(height * share), round(person.alpha.shape[1] * height * share / person.alpha.shape[0])
            colour, cover_alpha = (
                cv2.resize(p, (w, h), interpolation=cv2.INTER_AREA) for p in (person.bgr, person.alpha)
            )
            alpha = np.zeros(CANVAS, np.uint8)
            top, left = max(height - h, 0), round(x * (width - w))
            rows = slice(0, min(h, height))  # a person larger than the frame loses the lower part, not the head
            alpha[top : top + h, left : left + w] = cover_alpha[rows]
            weight = (alpha[..., None] / 255).astype(np.float32)
            placed = np.zeros((*CANVAS, 3), np.float32)
            placed[top : top + h, left : left + w] = colour[rows]
            yield index, (ground + (placed - ground) * weight + 0.5).astype(np.uint8), alpha


def judge_portraits(
    networks: list[Network], data: Path, *, pipeline: bool = False, sheets: Path | None = None
) -> dict[str, dict[str, float]]:
    """eg1800_test: fg, two-class and boundary IoU in per cent."""
    people = read_pairs(data / "eg1800_test")
    rows = {}
    for n in networks:
        size = n.portrait_size
        scores, worst = [], Worst()
        for person in tqdm(people, desc=f"portraits, {n.name}", disable=not sys.stderr.isatty()):
            matte = n.run(person.bgr, size)
            if pipeline:  # a new one for each picture: it would smooth from one to the next
                matte = filter_chain(size)(matte, person.bgr)
            mask, truth = matte > 127, person.alpha > 127
            scores.append((foreground_iou(mask, truth), two_class_iou(mask, truth), boundary_iou(mask, truth)))
            worst.show(scores[-1][0], person.bgr, matte, person.alpha)
        _save(worst, sheets, n, "portraits")
        fg, two, boundary = 100 * np.mean(scores, 0)
        rows[n.name] = {"fg": fg, "two-class": two, "boundary": boundary}
    return rows


def judge_rooms(
    networks: list[Network], data: Path, *, pipeline: bool, sheets: Path | None = None
) -> dict[str, dict[str, float]]:
    """The talking man over rooms: fg, two-class, boundary IoU, MAD x1000, flicker x1000 and lag in frames."""
    rows = {}
    for n in networks:
        scores, steady, late = [], [], []
        worst = Worst()
        masks: list[np.ndarray] = []
        truths: list[np.ndarray] = []
        chain: Callable[[Image, Image], Image] | None = None
        before, room_before = None, -1
        for room, frame, alpha in tqdm(composites(data), desc=f"rooms, {n.name}", disable=not sys.stderr.isatty()):
            if room != room_before:
                if masks:
                    late.append(lag_frames(masks, truths))
                masks, truths, before, room_before = [], [], None, room
                chain = filter_chain(n.sizes["wide"]) if pipeline else None
            matte = n.run(frame, n.sizes["wide"])
            if chain is not None:
                matte = chain(matte, frame)
            mask, truth = matte > 127, alpha > 127
            scores.append(
                (
                    foreground_iou(mask, truth),
                    two_class_iou(mask, truth),
                    boundary_iou(mask, truth),
                    mean_absolute_difference(matte, alpha),
                )
            )
            worst.show(scores[-1][0], frame, matte, alpha)
            if before is not None:
                still = (cv2.absdiff(frame, before[0]).max(2) <= STILL_LEVELS) & (cv2.absdiff(alpha, before[1]) == 0)
                steady.append(flicker(before[2], matte, still))
            before = (frame, alpha, matte)
            masks.append(mask)
            truths.append(truth)
        late.append(lag_frames(masks, truths))
        _save(worst, sheets, n, "rooms")
        fg, two, boundary, mad = np.mean(scores, 0)
        rows[n.name] = {
            "fg": 100 * fg,
            "two-class": 100 * two,
            "boundary": 100 * boundary,
            "MAD": mad,
            "flicker": float(np.nanmean(steady)),
            "lag": float(np.mean(late)),
        }
    return rows


def filter_chain(size: tuple[int, int]) -> Callable[[Image, Image], Image]:
    """Return what the filter does behind a network whose input is `size` (h, w), with its default settings.

    The function takes a matte and its frame, both of one size, in the frames' order, and returns the alpha that OBS
    would show: clean-up, smoothing, edge refinement, threshold and softness.
    """
    from eoam_core import Pipeline
    from eoam_core.edge import picture_alpha

    class Given:
        name, height, width = "given", size[0], size[1]
        mask = np.zeros(size, np.uint8)

        def segment(self, _frame: Image) -> Image:
            return self.mask

        def close(self) -> None:
            pass

    given = Given()
    chain = Pipeline(given)

    def finish(matte: Image, frame: Image) -> Image:
        given.mask = shrink(matte, size)
        result = chain.process(bgra(shrink(frame, size))[0])
        return picture_alpha(bgra(frame)[0], result.mask, chain.settings, result.coefficients)

    return finish


def judge_scenarios(networks: list[Network], data: Path, sheets: Path | None = None) -> dict[str, dict[str, float]]:
    """Foreground IoU, per cent, in each of the situations of scenarios.py, and their mean."""
    rows = {}
    for n in networks:
        scores: dict[str, list[float]] = {name: [] for name in SCENARIOS}
        worst = Worst()
        for name, frame, alpha in tqdm(scenarios(data), desc=f"scenarios, {n.name}", disable=not sys.stderr.isatty()):
            matte = n.run(frame, n.sizes["wide"])
            scores[name].append(foreground_iou(matte > 127, alpha > 127))
            worst.show(scores[name][-1], frame, matte, alpha)
        _save(worst, sheets, n, "scenarios")
        rows[n.name] = {name: 100 * float(np.mean(values)) for name, values in scores.items()}
        rows[n.name]["mean"] = float(np.mean(list(rows[n.name].values())))
    return rows


def judge_empty(networks: list[Network], data: Path, sheets: Path | None = None) -> dict[str, dict[str, float]]:
    """Rooms with nobody: mean and worst share called person, in per cent, and how many exceed 5 %."""
    rooms = [shrink(r, CANVAS) for r in read_rooms(data, "test")]
    rows = {}
    for n in networks:
        worst, found = Worst(), []
        for room in rooms:
            matte = n.run(room, n.sizes["wide"])
            found.append(100 * float((matte > 127).mean()))
            worst.show(1 - found[-1] / 100, room, matte, np.zeros_like(matte))
        _save(worst, sheets, n, "empty")
        shares = np.array(found)
        rows[n.name] = {"mean": shares.mean(), "worst": shares.max(), "over 5 %": float((shares > 5).sum())}
    return rows


def _save(worst: Worst, sheets: Path | None, network: Network, name: str) -> None:
    if sheets is not None:
        worst.save(sheets / f"{network.name.replace(' ', '_')}-{name}.png")


def judge_speed(networks: list[Network]) -> dict[str, dict[str, float]]:
    """Milliseconds of the network alone, one thread, interleaved: median, 95th percentile, ratio to the first.

    "x landscape" is how many times the time of MediaPipe landscape a network takes, if that is among them.
    """
    # One session for each size, and another order in every round: a network that runs twice in a row finds its buffers
    # in the cache, and is a third faster than it will ever be between two frames of a video.
    calls = {(n.name, size): n.infer(size) for n in networks for size in dict.fromkeys(n.sizes.values())}
    times: dict[tuple[str, tuple[int, int]], list[float]] = {key: [] for key in calls}
    keys, rng = list(calls), np.random.default_rng(0)
    for round_number in range(SPEED_ROUNDS + 5):
        for index in rng.permutation(len(keys)):
            key = keys[index]
            began = time.perf_counter()
            calls[key]()
            if round_number >= 5:
                times[key].append((time.perf_counter() - began) * 1000)
    landscape = next((statistics.median(times[n.name, n.sizes["wide"]]) for n in networks if n.name == LANDSCAPE), None)
    rows, first = {}, networks[0]
    for n in networks:
        row: dict[str, float] = {}
        for shape, (h, w) in n.sizes.items():
            row[f"{shape} ms"] = statistics.median(times[n.name, (h, w)])
            row[f"{shape} p95"] = float(np.percentile(times[n.name, (h, w)], 95))
            usual = first.sizes["wide"] if shape == "wide" else first.portrait_size
            row[f"{shape} ratio"] = row[f"{shape} ms"] / statistics.median(times[first.name, usual])
            if landscape is not None:
                row[f"{shape} x landscape"] = row[f"{shape} ms"] / landscape
            row[f"{shape} width input"], row[f"{shape} height input"] = float(w), float(h)
        rows[n.name] = row
    return rows


def posters_table(networks: list[Network], results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the table of the poster, as Markdown: frames a second, parameters, operations and mIoU, in one run."""
    lines = [
        "| network | input | FPS, one thread | M parameters | M multiply-adds | GFLOPs | mIoU (fg) |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for n in (n for n in networks if "square" in n.sizes):
        height, width = n.sizes["square"]
        size = measure_graph(n.path, height, width)
        lines.append(
            f"| {n.name} | {width}x{height} | {1000 / results['speed'][n.name]['square ms']:.0f} "
            f"| {size.parameters / 1e6:.3f} | {size.multiply_adds / 1e6:.1f} | {size.flops / 1e9:.3f} "
            f"| {results['portraits'][n.name]['fg']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print one table as Markdown."""
    columns = [c for c in next(iter(rows.values())) if not c.endswith("input")]
    print(f"\n{title}\n\n| | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[c]:.2f}' if c in row else '-' for c in columns)} |")
    sys.stdout.flush()


def evaluate(args: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Judge `args.models` and the peers on `args.sets`; returns {set: {network: {figure: value}}}."""
    cv2.setNumThreads(1)
    networks = [own_network(path, Detail(detail)) for path in args.models for detail in args.detail]
    if args.peers:
        networks += peer_networks(args.peers)
    results = {}
    after = ", as the filter shows it" if args.pipeline else ""
    if "portraits" in args.sets:
        results["portraits"] = judge_portraits(networks, args.data, pipeline=args.pipeline, sheets=args.sheets)
        count = len(list_pictures(args.data / "eg1800_test" / "images"))
        show(f"eg1800_test, {count} portraits{after}, per cent", results["portraits"])
    if "rooms" in args.sets:
        results["rooms"] = judge_rooms(networks, args.data, pipeline=args.pipeline, sheets=args.sheets)
        show(f"greenscreen_d0 over {ROOM_COUNT} held-out rooms, 16:9{after}", results["rooms"])
    if "scenarios" in args.sets:
        results["scenarios"] = judge_scenarios(networks, args.data, args.sheets)
        by_situation = {
            name: {n.name: results["scenarios"][n.name][name] for n in networks} for name in (*SCENARIOS, "mean")
        }
        show(f"situations at a webcam, {PER_SCENARIO} pictures each, fg in per cent", by_situation)
    if "empty" in args.sets:
        results["empty"] = judge_empty(networks, args.data, args.sheets)
        show("held-out rooms without people, share called person, per cent", results["empty"])
    if "speed" in args.sets:
        results["speed"] = judge_speed([*networks, sinet_224(args.peers)] if args.peers else networks)
        show(
            "one thread, network alone; EOAM square 224x224, upright (3:4) and wide by the detail; peers at their own",
            results["speed"],
        )
    if args.table:
        args.table.write_text(posters_table(networks, results))
    return results


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.networks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", type=Path, nargs="+", help="exported networks")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--peers", type=Path, help="folder of the peers' ONNX files")
    parser.add_argument("--sets", default=",".join(SETS), help=f"comma-separated, of {', '.join(SETS)}")
    details = [detail.value for detail in Detail]
    parser.add_argument(
        "--detail", nargs="+", choices=details, default=details, help="own networks' input; all if not said"
    )
    parser.add_argument("--pipeline", action="store_true", help="on portraits and rooms: what the filter makes of it")
    parser.add_argument("--sheets", type=Path, help="folder for sheets of the worst 24 pictures of each set")
    parser.add_argument("--table", type=Path, help="write the poster's table (needs the sets portraits and speed) here")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args(argv)
    args.sets = args.sets.split(",")
    if unknown := set(args.sets) - set(SETS):
        parser.error(f"--sets {','.join(sorted(unknown))}: choose from {', '.join(SETS)}")
    if args.table and not {"portraits", "speed"} <= set(args.sets):
        parser.error("--table needs the sets portraits and speed")
    try:
        results = evaluate(args)
    except DataError as error:
        print(f"evaluation.networks: {error}", file=sys.stderr)
        return 2
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
