"""Draw what the network gets wrong, from pictures that anybody may publish, as one contact sheet.

    python -m evaluation.failures models/eoam.onnx docs/pictures/failures.jpg

NASA's portrait of Eileen Collins (public domain) and three CC0 pictures, all from scikit-image, brought into the
situations in which MODEL_CARD.md says the network is weak. Beside each picture is its cut-out over green, by the
network's mask alone, without clean-up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from eoam_core.errors import EoamError
from eoam_core.geometry import network_size
from eoam_core.segmenter import OnnxSegmenter
from models.data import DataError, Image
from models.sheet import save_sheet, tile

HEIGHT, WIDTH = 360, 640
ROWS = 120  # of a tile


def astronaut_in(room: Image, share: float, *, centre: float = 0.5) -> Image:
    """Return the photograph, `share` of the frame high, at the lower edge of `room`, with its own background."""
    portrait = _bgr("astronaut")
    side = round(HEIGHT * share)
    small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    frame = room.copy()
    left = round(WIDTH * centre - side / 2)
    frame[HEIGHT - side :, left : left + side] = small
    return frame


def situations() -> Iterator[tuple[str, Image]]:
    """Yield (what it shows, BGR picture `(360, 640, 3)`)."""
    wall = np.full((HEIGHT, WIDTH, 3), (150, 160, 165), np.uint8)
    whole = astronaut_in(wall, 1.0)
    yield "as photographed", whole
    yield "half the height", astronaut_in(wall, 0.5)
    yield "a quarter of the height", astronaut_in(wall, 0.25)
    ramp = (255 * (np.arange(256) / 255) ** 1.6 * 0.18).astype(np.uint8)
    yield "very dark", np.asarray(cv2.LUT(whole, ramp), np.uint8)
    noise = np.random.default_rng(0).normal(0, 35, whole.shape)
    yield "very noisy", np.clip(whole + noise, 0, 255).astype(np.uint8)
    yield "on her side", _fitted(np.ascontiguousarray(np.rot90(_bgr("astronaut"))))
    hidden = whole.copy()
    cv2.ellipse(hidden, (310, 190), (60, 75), 0, 0, 360, (120, 150, 200), -1, cv2.LINE_AA)
    yield "a disc of skin colour before the face", hidden
    yield "a poster of a cat", _pasted(whole, _bgr("chelsea"), (20, 20, 200, 140))
    yield "a man in profile", _fitted(_bgr("camera"))
    yield "nobody: a cat", _fitted(_bgr("chelsea"))
    yield "nobody: a cup", _fitted(_bgr("coffee"))
    yield "nobody: bricks", _fitted(_bgr("brick"))


def masks(model: Path, pictures: list[Image]) -> Iterator[Image]:
    """Yield the network's mask of each picture at the picture's size, `(h, w)` uint8. Raises EoamError."""
    for picture in pictures:
        columns, rows = network_size(picture.shape[1], picture.shape[0])
        with_alpha = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        segmenter = OnnxSegmenter(model, height=rows, width=columns)
        mask = segmenter.segment(np.asarray(cv2.resize(with_alpha, (columns, rows), interpolation=cv2.INTER_AREA)))
        yield np.asarray(cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _bgr(name: str) -> Image:
    from skimage import data

    picture = np.asarray(getattr(data, name)())
    code = cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(picture, code), np.uint8)


def _fitted(picture: Image) -> Image:
    """Enlarge or shrink until the frame is covered, and cut the middle out."""
    scale = max(HEIGHT / picture.shape[0], WIDTH / picture.shape[1])
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
    return np.asarray(large[top : top + HEIGHT, left : left + WIDTH], np.uint8)


def _pasted(frame: Image, picture: Image, box: tuple[int, int, int, int]) -> Image:
    left, top, width, height = box
    result = frame.copy()
    result[top : top + height, left : left + width] = cv2.resize(picture, (width, height))
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.failures", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path, metavar="OUT.jpg")
    args = parser.parse_args(argv)
    try:
        names, pictures = zip(*situations(), strict=True)
        found = masks(args.model, list(pictures))
        tiles = [tile(p, m, height=ROWS, label=n) for n, p, m in zip(names, pictures, found, strict=True)]
        save_sheet(tiles, args.output, columns=2)
    except ImportError:
        print("evaluation.failures: its pictures come with scikit-image: pip install scikit-image.", file=sys.stderr)
        return 2
    except (DataError, EoamError) as error:
        print(f"evaluation.failures: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
