"""Draw film strips of videos: what the network alone cuts out, and below it what the filter shows.

    python -m evaluation.filmstrip VIDEO... [--every 15] [--out out/filmstrips]

For videos without truth, to be looked at frame by frame. Every frame goes through the filter, every k-th is drawn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from eoam_core import OnnxSegmenter, Pipeline, Settings
from eoam_core.edge import picture_alpha
from eoam_core.geometry import network_size
from eoam_core.settings import Detail
from models.data import DataError, Image
from models.sheet import save_sheet

_COLOUR = np.array([60, 160, 40], np.float32)  # blue, green, red; no skin, hair or wall has it
_PER_SHEET = 30


def read_video(path: Path) -> Iterator[Image]:
    """Yield a video's frames, `(h, w, 3)` BGR. Raises DataError."""
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(f"{path} is not a video that OpenCV can decode.")
    try:
        while (read := video.read())[0]:
            yield np.asarray(read[1], np.uint8)
    finally:
        video.release()


class _Listening:
    """A segmenter whose last mask can be read."""

    def __init__(self, model: Path, width: int, height: int) -> None:
        self._network = OnnxSegmenter(model, width=width, height=height)
        self.width, self.height, self.name = width, height, self._network.name
        self.mask: Image = np.zeros((height, width), np.uint8)

    def segment(self, frame: Image) -> Image:
        """Return the mask of a frame and keep it."""
        self.mask = self._network.segment(frame)
        return self.mask.copy()

    def close(self) -> None:
        """Close the network."""
        self._network.close()


def before_and_after(frames: Iterator[Image], model: Path, settings: Settings) -> Iterator[tuple[Image, Image, Image]]:
    """Yield (frame, the network's alpha, the filter's alpha) of a video, all of the frame's size."""
    pipeline: Pipeline | None = None
    for frame in frames:
        height, width = frame.shape[:2]
        if pipeline is None:
            network = _Listening(model, *network_size(width, height, settings.detail))
            pipeline = Pipeline(network, settings)
        picture = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA), np.uint8)
        small = cv2.resize(picture, (network.width, network.height), interpolation=cv2.INTER_AREA)
        matte = pipeline.process(np.asarray(small, np.uint8))
        raw = cv2.resize(network.mask, (width, height), interpolation=cv2.INTER_LINEAR)
        yield frame, np.asarray(raw, np.uint8), picture_alpha(picture, matte.mask, settings, matte.coefficients)


def over_colour(frame: Image, alpha: Image) -> Image:
    """Return a picture's cut-out over one colour."""
    weight = alpha.astype(np.float32)[..., None] / 255
    return np.asarray(frame * weight + _COLOUR * (1 - weight) + 0.5).astype(np.uint8)


def draw_strips(
    path: Path, model: Path, out: Path, *, every: int, height: int = 200, settings: Settings | None = None
) -> list[Path]:
    """Write the strips of one video, thirty pictures on each; returns the files. Raises DataError."""
    tiles, written = [], []
    for number, (frame, raw, ours) in enumerate(before_and_after(read_video(path), model, settings or Settings())):
        if number % every:
            continue
        pair = np.vstack([over_colour(frame, raw), over_colour(frame, ours)])
        width = round(pair.shape[1] * 2 * height / pair.shape[0])
        tile = cv2.resize(pair, (width, 2 * height), interpolation=cv2.INTER_AREA)
        for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(tile, str(number), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)
        tiles.append(np.asarray(tile, np.uint8))
    if not tiles:
        raise DataError(f"{path} has no frames.")
    for page in range(0, len(tiles), _PER_SHEET):
        written.append(out / f"{path.stem}-{page // _PER_SHEET + 1}.png")
        save_sheet(tiles[page : page + _PER_SHEET], written[-1], columns=6)
    return written


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    root = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(prog="scripts/filmstrip", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", type=Path, nargs="*", help="default: those in ../shared/data/clips")
    parser.add_argument("--every", type=int, default=15, metavar="K", help="draw every k-th frame (default: 15)")
    parser.add_argument("--out", type=Path, default=root / "out" / "filmstrips", metavar="FOLDER")
    parser.add_argument("--model", type=Path, default=root / "models" / "eoam.onnx")
    parser.add_argument("--detail", choices=[d.value for d in Detail], default=Settings().detail.value)
    args = parser.parse_args(argv)
    settings = Settings(detail=Detail(args.detail))
    if args.every < 1:
        parser.error(f"--every {args.every}: need at least 1")
    videos = args.videos or sorted((root.parent / "shared" / "data" / "clips").glob("*.mp4"))
    if not videos:
        parser.error("name a video: there are none in ../shared/data/clips")
    try:
        for video in videos:
            for path in draw_strips(video, args.model, args.out, every=args.every, settings=settings):
                print(path)
    except DataError as error:
        print(f"scripts/filmstrip: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
