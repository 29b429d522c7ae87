"""Judge the colours of the edge: how far they are from the person's own, with and without `decontamination`.

    python -m evaluation.colour models/eoam.onnx --data ../shared/data [--every 3]

Validation portraits, put with a soft edge over rooms that no training has seen, are cut out as the filter does it. The
person's true colours are known there: inside the hand-made mask those of the portrait, and beyond it a continuation of
the nearest ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from eoam_core.colour import encoded, linear_light
from eoam_core.compose import cut_out
from eoam_core.errors import EoamError
from eoam_core.geometry import network_size
from eoam_core.pictures.picture import BackgroundPicture, fit_network
from eoam_core.pipeline import Pipeline
from eoam_core.segmenter import OnnxSegmenter
from eoam_core.settings import Settings
from models.data import DataError, Image, Person, read_pairs, room_paths, validation_ids

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

STRENGTHS = (0.0, 0.5, 1.0)
GROUNDS = {"green": (0, 255, 0), "white": (255, 255, 255), "black": (0, 0, 0)}  # BGR
FIGURES = ("edge colour", *(f"over {name}" for name in GROUNDS))
_ENLARGED = 2  # the masks are cut hard; at twice the size a soft edge fits inside their pixels
_SOFT = 2.0  # pixels: the standard deviation of the edge
_CONTINUED = 0.005  # of the height: how far the person's colours are averaged beyond the mask
_FEWEST = 50  # pixels of edge, or a portrait says nothing
_FAR = 37  # step between the rooms of successive portraits; neighbours in name order are similar


@dataclass(frozen=True)
class Scene:
    """A person in a room: `frame` (h, w, 3) uint8 BGR, `colours` (h, w, 3) uint8 the person's own, `alpha` (h, w)."""

    frame: Image
    colours: Image
    alpha: Floats  # 0 to 1


def compose(person: Person, room: Image) -> Scene:
    """Put a person with a hard mask, enlarged and with a soft edge, over a room (h, w, 3) of the enlarged size."""
    height, width = room.shape[:2]
    bgr = np.asarray(cv2.resize(person.bgr, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    hard = np.asarray(cv2.resize(person.alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    own = continued(linear_light(bgr), hard)
    alpha = np.asarray(cv2.GaussianBlur(hard, (0, 0), _SOFT), np.float32) / np.float32(255)
    mixed = own * alpha[..., None] + linear_light(room) * (1 - alpha[..., None])
    return Scene(encoded(mixed), encoded(own), alpha)


def continued(light: Floats, hard: Image) -> Floats:
    """Return linear colours (h, w, 3) that beyond a mask (h, w) are the mean of the mask's nearest."""
    # The outermost pixels of a hand-made mask are half room already.
    core = cv2.erode(hard, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE) > 128
    weight = core.astype(np.float32)[..., None]
    result = light.copy()
    spread, unknown = _CONTINUED * len(hard), ~core
    while unknown.any():
        sums = cv2.GaussianBlur(np.dstack([light * weight, weight]), (0, 0), spread, borderType=cv2.BORDER_REPLICATE)
        found = unknown & (sums[..., 3] > 1e-3)
        result[found] = sums[found][:, :3] / sums[found][:, 3:]
        unknown &= ~found
        spread *= 2  # far from the person the colour does not matter, but needs some value
        if not core.any() or spread > 2 * len(hard):
            break
    return result


def edge_errors(scene: Scene, shown: Image) -> list[float] | None:
    """Return the mean error, in levels of 0 to 255, of each of `FIGURES` in the edge band of `shown` (h, w, 4) RGBA.

    The band is where something is shown, something is there, and one of the two is not all of it. Both are mixed over a
    colour with the shown alpha, so only the colours' error counts, not the mask's. None if there is no edge.
    """
    alpha = shown[..., 3].astype(np.float32) / np.float32(255)
    band: Mask = (alpha > 0.03) & (scene.alpha > 0.02) & ((alpha < 0.97) | (scene.alpha < 0.97))
    if np.count_nonzero(band) < _FEWEST:
        return None
    share = alpha[band][:, None]
    seen, true = shown[band][:, 2::-1], scene.colours[band]
    found = [_difference(seen, true)]
    for colour in GROUNDS.values():
        ground = linear_light(np.array(colour, np.uint8)) * (1 - share)
        found.append(_difference(*(encoded(linear_light(own) * share + ground) for own in (seen, true))))
    return found


def _difference(first: Image, second: Image) -> float:
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


class Cutter:
    """Cut scenes out as the filter does; one network per size."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._networks: dict[tuple[int, int], OnnxSegmenter] = {}

    def cut(self, frame: Image, strengths: Iterable[float]) -> list[Image]:
        """Return the cut-out, (h, w, 4) RGBA, of (h, w, 3) BGR at each strength of the cleaning. Raises EoamError."""
        width, height = network_size(frame.shape[1], frame.shape[0])
        if (height, width) not in self._networks:
            self._networks[height, width] = OnnxSegmenter(self._model, height=height, width=width)
        picture = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA), np.uint8)
        small = fit_network(picture, height=height, width=width)
        mask = Pipeline(self._networks[height, width]).process(small).mask
        return [cut_out(picture, mask, Settings(decontamination=strength)) for strength in strengths]


def judge(model: Path, data: Path, every: int) -> dict[float, list[float]]:
    """Return {strength: [mean error of each of `FIGURES`]} over every `every`-th validation portrait.

    Raises:
        DataError: the data folder is not laid out as it must be, or no portrait has an edge to judge.
        EoamError: the network does not open or does not run.
    """
    if every < 1:
        raise DataError(f"--every {every}: need at least 1, which takes all portraits.")
    names = sorted(validation_ids(data))[::every]
    cutter, rooms = Cutter(model), room_paths(data, "val")
    rows: dict[float, list[list[float]]] = {strength: [] for strength in STRENGTHS}
    people = read_pairs(data / "eg1800_train", keep=set(names))
    for number, person in enumerate(tqdm(people, disable=not sys.stderr.isatty())):
        height, width = (side * _ENLARGED for side in person.alpha.shape)
        room = BackgroundPicture(rooms[number * _FAR % len(rooms)]).at(height=height, width=width)
        scene = compose(person, room)
        for strength, shown in zip(STRENGTHS, cutter.cut(scene.frame, STRENGTHS), strict=True):
            if errors := edge_errors(scene, shown):
                rows[strength].append(errors)
    if not rows[STRENGTHS[0]]:
        raise DataError(f"In none of {len(people)} portraits of {data} does the network find a person with an edge.")
    return {strength: np.mean(found, 0).tolist() for strength, found in rows.items()}


def table(errors: dict[float, list[float]]) -> str:
    """Return the figures as Markdown."""
    lines = ["| colour cleaning | " + " | ".join(FIGURES) + " |", "| --- |" + " ---: |" * len(FIGURES)]
    for strength, row in errors.items():
        lines.append(f"| {f'{strength:.1f}' if strength else 'none'} | " + " | ".join(f"{e:.1f}" for e in row) + " |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(prog="python -m evaluation.colour", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path, help="exported network")
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    parser.add_argument("--every", type=int, default=3, metavar="K", help="take every k-th portrait (default: 3)")
    args = parser.parse_args(argv)
    cv2.setNumThreads(1)
    try:
        print(table(judge(args.model, args.data, args.every)))
    except (DataError, EoamError) as error:
        print(f"evaluation.colour: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
