"""Say how far from the true outline a network's wrong pixels lie, on people in the validation rooms.

    python -m evaluation.experiments.outline_errors models/eoam.onnx models/eoam_plus.onnx \\
        --data ../shared/data --peers ../shared/peers

Near the outline a network is not exact enough; far from it, it takes something for a person that is none, or loses a
part of one. The first asks for finer features, the second for context or for more varied data.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data import DataError, Person
from models.networks import Network, own_network, peer_networks
from models.validation import Validation

EDGES = (0.0, 2.0, 4.0, 8.0, np.inf)  # pixels from the outline, at 256x144
BANDS = ("within 2", "2 to 4", "4 to 8", "further")
WIDE = (144, 256)
LEAST_SHARE = 0.12  # of the picture: a person near the camera


def distance_to_outline(truth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return every pixel's distance, in pixels, to the nearest one on the other side of the outline, `(h, w)`."""
    inside, outside = (cv2.distanceTransform(np.uint8(side), cv2.DIST_L2, 5) for side in (truth, ~truth))  # type: ignore[call-overload]
    return np.asarray(np.maximum(inside, outside), np.float32)


def error_bands(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the wrong pixels in each of `BANDS`, `(4,)`, as shares of the union of mask and truth."""
    wrong = distance_to_outline(truth)[mask != truth]
    return np.histogram(wrong, EDGES)[0] / max(1, int((mask | truth).sum()))


def judge(network: Network, people: list[Person]) -> NDArray[np.float64]:
    """Return the mean of `error_bands` over the people, in per cent, `(4,)`."""
    found = [error_bands(network.run(p.bgr, network.sizes["wide"]) > 127, p.alpha > 127) for p in people]
    return np.asarray(100 * np.mean(found, 0))


def near_people(data: Path, least: float) -> list[Person]:
    """Return the validation's people in rooms that fill at least the share `least` of the picture. Raises DataError."""
    people = [p for p in Validation(data).composites if float((p.alpha > 127).mean()) >= max(least, 1e-9)]
    if not people:
        raise DataError(f"Nobody in the validation rooms fills {least} of the picture: give less with --least.")
    return people


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.experiments.outline_errors", description=(__doc__ or "").split("\n")[0]
    )
    shared = Path(__file__).parents[3] / "shared"
    parser.add_argument("models", type=Path, nargs="+", help="exported networks")
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--peers", type=Path, help="also judge the peers in this folder")
    parser.add_argument(
        "--least", type=float, default=LEAST_SHARE, help="share of the picture that a person has to fill, 0 to 1"
    )
    args = parser.parse_args(argv)
    try:
        networks = [own_network(path) for path in args.models]
        networks += [] if args.peers is None else peer_networks(args.peers)
        people = near_people(args.data, args.least)
        print(f"Wrong pixels in per cent of the union, by their distance to the outline; {len(people)} people\n")
        print("| network | " + " | ".join(BANDS) + " |")
        print("| --- |" + " ---: |" * len(BANDS))
        for network in networks:
            print(f"| {network.name} | " + " | ".join(f"{share:.2f}" for share in judge(network, people)) + " |")
    except DataError as error:
        print(f"evaluation.experiments.outline_errors: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
