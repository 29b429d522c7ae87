"""Make the moving picture at the top of README.md: the astronaut before and after, with a line that sweeps across.

Public-domain material only (scikit-image's astronaut, NASA), through the core's own pipeline; no OBS is needed.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eoam_core import Cutter, Settings
from eoam_core.presets import effective
from tools.obs_driver import clips

Picture = NDArray[np.uint8]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_WIDTH, _HEIGHT = 640, 360
_SOURCE: Final = (1280, 720)  # what the pipeline sees, as from a camera
_FRAMES: Final = 48
_MS: Final = 80  # that each is shown
_QUALITY: Final = 70
_CLEANING: Final = 0.8  # *Spill reduction*: a bright old background leaves a light rim before a dark new one
_MOST_BYTES: Final = 1_000_000
_TOP, _BOTTOM = (86, 51, 35), (176, 120, 60)  # of the new background, blue, green, red


def background(width: int, height: int) -> Picture:
    """Return a calm gradient, (height, width, 3) uint8 BGR."""
    share = np.linspace(0, 1, height)[:, None, None]
    column = np.array(_TOP) * (1 - share) + np.array(_BOTTOM) * share
    return np.rint(np.broadcast_to(column, (height, width, 3))).astype(np.uint8)


def before_and_after() -> list[tuple[Picture, Picture]]:
    """Return each frame of the clip as it is and with its background replaced, (h, w, 3) uint8 BGR."""
    width, height = _SOURCE
    behind = background(width, height).astype(np.float32)
    pairs = []
    with Cutter(effective(Settings(advanced=False, decontamination=_CLEANING))) as cutter:
        for frame in clips.astronaut_frames(width, height, _FRAMES):
            rgba = cutter.cut(frame)
            alpha = rgba[..., 3:].astype(np.float32) / 255
            cut = rgba[..., 2::-1] * alpha + behind * (1 - alpha)
            pairs.append((frame, np.rint(cut).astype(np.uint8)))
    return pairs


def swept(before: Picture, after: Picture, phase: float) -> Picture:
    """Return one frame: left of a line the picture as it is, right of it the result; RGB."""
    size = (_WIDTH, _HEIGHT)
    left, right = (cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (before, after))
    line = round(_WIDTH * (0.5 - 0.38 * math.cos(2 * math.pi * phase)))
    shown = np.where(np.arange(_WIDTH)[None, :, None] < line, left, right)
    shown[:, max(line - 1, 0) : line + 1] = 255
    return np.ascontiguousarray(shown[..., ::-1]).astype(np.uint8)


def main() -> int:
    """Write the picture; exit code 1 if it is too large for a page that has to load quickly."""
    parser = argparse.ArgumentParser(prog="scripts/moving-picture", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "pictures" / "moving.webp", metavar="FILE")
    target = parser.parse_args().out
    pairs = before_and_after()
    frames = [Image.fromarray(swept(*pair, number / len(pairs))) for number, pair in enumerate(pairs)]
    frames[0].save(
        target,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=_MS,
        loop=0,
        quality=_QUALITY,
        method=6,
        kmax=1,
    )
    size = target.stat().st_size
    print(f"{target}: {len(frames)} frames, {size / 1000:.0f} KB")
    if size > _MOST_BYTES:
        print(f"That is more than {_MOST_BYTES / 1000:.0f} KB.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
