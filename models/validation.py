"""How a run is judged while it goes on: figures, curves and a sheet of masks from pictures that training never sees.

    python -m models.validation models/checkpoints/eoam.safetensors --data ../shared/data --wide 256 304 336

prints the figures of kept checkpoints, with inputs of so many columns for 16:9 (`--portrait 192x256`: portraits at that
size instead of 224x224). Of several checkpoints it also says by how much they differ from the first, and that
difference's standard error, without which noise looks like a gain.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from eoam_core.geometry import STRIDE

from .augment import MixConfig, SampleMaker
from .checkpoint import load_weights
from .data import (
    PLACES,
    DataError,
    Image,
    Person,
    TrainingSet,
    read_kept_out_places,
    read_pairs,
    read_rooms,
    validation_ids,
)
from .metrics import foreground_iou
from .net import Eoam
from .sheet import tile


def to_input(bgr: Tensor, device: torch.device) -> Tensor:
    """Turn `(n, h, w, 3)` uint8 BGR into `(n, 3, h, w)` float RGB in [0, 1], channels last."""
    return bgr.to(device).permute(0, 3, 1, 2).flip(1).float().div_(255).contiguous(memory_format=torch.channels_last)


PLACES_SIZE = (224, 224)  # (height, width) of the input for the kept-out places, whatever the run's is


class Validation:
    """Portraits that training never sees, as they are and in rooms that it never sees, and those rooms empty.

    So are the kept-out pictures of `rooms_places`, if the data folder has it.

    `wide` is the (height, width) of the input for 16:9. Figures of networks with different ones are not of the same
    pictures: the rooms are composed at that size. `count` is how many times somebody is put into a room. `portrait` is
    the (height, width) of the input for portraits.
    """

    def __init__(
        self,
        data: Path,
        *,
        wide: tuple[int, int] = (144, 256),
        count: int = 96,
        portrait: tuple[int, int] = (224, 224),
    ):
        self.wide, self.portrait = wide, portrait
        people = read_pairs(data / "eg1800_train", keep=validation_ids(data))
        rooms = read_rooms(data, "val")
        self.portraits = people
        maker = SampleMaker(TrainingSet(people, people, people, people, rooms, ""), MixConfig())
        rng = np.random.default_rng(7)
        self.composites: list[Person] = []
        for _ in range(count):
            empty = np.zeros(wide, np.uint8)
            self.composites.append(Person(*maker.add_person(rng, maker.room(rng, wide), empty)))
        self.rooms = [cv2.resize(r, wide[::-1], interpolation=cv2.INTER_AREA) for r in rooms]
        kept_out = read_kept_out_places(data)
        self.places = [cv2.resize(r, PLACES_SIZE[::-1], interpolation=cv2.INTER_AREA) for r in kept_out]

    def __call__(self, net: Eoam, device: torch.device) -> dict[str, float]:
        """Return fg (portraits at `portrait`), fg in rooms (at `wide`) and the mean share of a room called person.

        `val_places` is that share for the kept-out places, if there are any.
        """
        net.eval()
        portrait, room, empty = self.of_portraits(net, device), self.in_rooms(net, device), self.of_empty(net, device)
        figures = {"val_fg": mean100(portrait), "val_room_fg": mean100(room), "val_empty": mean100(empty)}
        return figures | ({"val_places": mean100(self.of_places(net, device))} if self.places else {})

    def of_portraits(self, net: Eoam, device: torch.device) -> list[float]:
        """Return the fg, 0 to 1, of each portrait."""
        net.eval()
        return [score(net, p, self.portrait, device) for p in self.portraits]

    def of_empty(self, net: Eoam, device: torch.device) -> list[float]:
        """Return the share, 0 to 1, of each empty room that is called person."""
        net.eval()
        return [float((predict(net, r, device) > 0).mean()) for r in self.rooms]

    def of_places(self, net: Eoam, device: torch.device) -> list[float]:
        """Return the share, 0 to 1, of each kept-out place that is called person; nobody is in any of them."""
        net.eval()
        return [float((predict(net, r, device) > 0).mean()) for r in self.places]

    def in_rooms(self, net: Eoam, device: torch.device) -> list[float]:
        """Return the fg, 0 to 1, of each picture of somebody in a room.

        Their mean depends on two people of little more than a hundredth of the frame: missing one costs a point.
        """
        net.eval()
        return [score(net, p, self.wide, device) for p in self.composites if p.alpha.max() > 127]

    def tiles(self, net: Eoam, device: torch.device) -> list[Image]:
        """Return a few validation pictures beside their cut-outs, to judge a run by eye while it goes on."""
        net.eval()
        found = []
        for person in [*self.portraits[::15], *self.composites[::12]]:
            h, w = person.alpha.shape
            size = self.wide if w > h else self.portrait
            logits = predict(net, cv2.resize(person.bgr, size[::-1], interpolation=cv2.INTER_AREA), device)
            matte = cv2.resize(1 / (1 + np.exp(-logits)), (w, h)) * 255
            found.append(tile(person.bgr, matte.astype(np.uint8), person.alpha))
        return found


def record(folder: Path, row: dict[str, float]) -> None:
    """Append a row to the run's curves.csv and draw all of it as curves.png."""
    from matplotlib.figure import Figure  # not pyplot: no window system is to be asked for

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "curves.csv"
    written: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="") as file:
            written = list(csv.DictReader(file))
    written.append({name: str(value) for name, value in row.items()})
    # A run that is resumed may be judged by more than it was before: every row has every column.
    columns = list(dict.fromkeys(name for r in written for name in r))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="nan")
        writer.writeheader()
        writer.writerows(written)
    rows = [{name: float(value) for name, value in r.items()} for r in written]
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    steps = [r["step"] for r in rows]
    axes[0].plot(steps, [r["loss"] for r in rows])
    axes[0].set(title="loss", xlabel="step")
    for name in ("val_fg", "val_room_fg"):
        axes[1].plot(steps, [r[name] for r in rows], label=name)
    axes[1].set(title="validation, foreground IoU, per cent", xlabel="step")
    axes[1].legend()
    figure.savefig(folder / "curves.png")


def mean100(values: list[float]) -> float:
    """Mean, in per cent, to two places."""
    return round(100 * float(np.mean(values)), 2)


def difference(first: list[float], second: list[float]) -> str:
    """Return by how much the second exceed the first, figures of the same pictures: mean, standard error, per cent."""
    gain = 100 * (np.array(second) - np.array(first))
    error = f" ± {gain.std(ddof=1) / len(gain) ** 0.5:.2f}" if len(gain) > 1 else ""
    return f"{gain.mean():+.2f}{error}"


def predict(net: Eoam, bgr: np.ndarray, device: torch.device) -> np.ndarray:
    """Return the mask logits `(h, w)` of one BGR picture whose size the network takes."""
    with torch.no_grad():
        logits = net(to_input(torch.from_numpy(bgr)[None], device))
    return np.asarray(logits[0, 0].cpu().numpy())


def score(net: Eoam, person: Person, size: tuple[int, int], device: torch.device) -> float:
    """Foreground IoU at the picture's own size of the network run at `size` (h, w)."""
    small = cv2.resize(person.bgr, size[::-1], interpolation=cv2.INTER_AREA)
    h, w = person.alpha.shape
    logits = cv2.resize(predict(net, small, device), (w, h), interpolation=cv2.INTER_LINEAR)
    return foreground_iou(logits > 0, person.alpha > 127)


def sixteen_to_nine(columns: float) -> tuple[int, int]:
    """Return (height, width) nearest to a 16:9 input of `columns`, both multiples of the network's stride."""
    height, width = (max(1, round(side / STRIDE)) * STRIDE for side in (columns * 9 / 16, columns))
    return height, width


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m models.validation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--wide", type=int, nargs="+", default=[256], help="columns of the input for 16:9")
    parser.add_argument(
        "--count", type=int, default=96, help="pictures of somebody in a room; what a run prints has 96"
    )
    parser.add_argument(
        "--portrait", default="224x224", metavar="COLUMNSxROWS", help="input for portraits, such as 192x256"
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        if wrong := [columns for columns in args.wide if columns < STRIDE or columns % STRIDE]:
            raise DataError(f"--wide is {wrong[0]}, need a positive multiple of {STRIDE}.")
        sides = [int(side) if side.isdigit() else 0 for side in args.portrait.split("x")]
        if len(sides) != 2 or any(side < STRIDE or side % STRIDE for side in sides):
            raise DataError(f"--portrait is {args.portrait}, need COLUMNSxROWS, both positive multiples of {STRIDE}.")
        if args.count < 1:
            raise DataError(f"--count is {args.count}, need at least 1.")
        nets = [load_weights(path) for path in args.checkpoints]
        first: list[list[float]] = []
        differences: list[str] = []
        places = (args.data / PLACES).is_dir()
        head = "| checkpoint | wide input | portraits | rooms | rooms, median | empty |" + places * " places |"
        print(f"{head}\n| --- |" + " ---: |" * (5 + places))
        for columns in args.wide:
            height, width = sixteen_to_nine(columns)
            judge = Validation(args.data, wide=(height, width), count=args.count, portrait=(sides[1], sides[0]))
            for index, (path, net) in enumerate(zip(args.checkpoints, nets, strict=True)):
                device = torch.device("cpu")
                found = [judge.of_portraits(net, device), judge.in_rooms(net, device), judge.of_empty(net, device)]
                found += [judge.of_places(net, device)] if places else []
                portraits, rooms, *nobody = map(mean100, found)
                median = 100 * float(np.median(found[1]))
                size = f"{width}x{height}"
                cells = " | ".join(f"{value:.2f}" for value in (portraits, rooms, median, *nobody))
                print(f"| {path.stem} | {size} | {cells} |", flush=True)
                if not index:
                    first = found
                else:
                    gains = [difference(*pair) for pair in zip(first, found, strict=True)]
                    differences.append(f"| {path.stem} | {size} | {' | '.join(gains)} |")
        if differences:
            print(f"\nAgainst {args.checkpoints[0].stem}, picture by picture: mean difference and its standard error\n")
            head = "| checkpoint | wide input | portraits | rooms | empty |" + places * " places |"
            print(f"{head}\n| --- |" + " ---: |" * (4 + places))
            print("\n".join(differences))
    except DataError as error:
        print(f"models.validation: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
