"""Make the clips for the demonstration and the tests; nothing is downloaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Places in scikit-image's astronaut (512x512), (x, y): some on the person, some in the background.
ASTRONAUT_PERSON: Final = {"face": (222, 110), "shoulder": (305, 275)}
ASTRONAUT_ROOM: Final = {"upper left": (115, 12), "upper right": (330, 15), "flag": (25, 60), "shuttle": (430, 200)}


def astronaut_window(width: int, height: int, phase: float = 0.0) -> tuple[float, float, float]:
    """Return the (left, top, scale) of the part of the astronaut picture that fills `width` x `height` pixels.

    `scale` is pixels of the clip per pixel of the picture. `phase` runs from 0 to 1 over the clip and joins up.
    """
    turn = 2 * math.pi * phase
    # The upper part of the picture, as a camera on a screen sees somebody, a little closer and further.
    zoom = 1.06 - 0.06 * math.cos(turn)
    side_x, side_y = (512.0, 512.0 * height / width) if width >= height else (400.0, 400.0 * height / width)
    if side_y > 512:
        side_x, side_y = 512.0 * width / height, 512.0
    side_x, side_y = side_x / zoom, side_y / zoom
    left = min(max(225 - side_x / 2 + 10 * math.sin(turn), 0.0), 512 - side_x)
    return left, 0.0, width / side_x


def astronaut_point(point: tuple[int, int], width: int, height: int, phase: float = 0.0) -> tuple[int, int]:
    """Return where a (x, y) of the astronaut picture lies in the clip, in pixels."""
    left, top, scale = astronaut_window(width, height, phase)
    return round((point[0] - left) * scale), round((point[1] - top) * scale)


def astronaut_frames(width: int, height: int, count: int) -> Iterator[Picture]:
    """Yield `count` frames (height, width, 3) uint8 BGR of scikit-image's public-domain astronaut, moved and zoomed."""
    from skimage import data

    astronaut: Any = data.astronaut
    picture = cv2.cvtColor(np.asarray(astronaut()), cv2.COLOR_RGB2BGR)
    for number in range(count):
        left, top, scale = astronaut_window(width, height, number / count)
        move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
        frame = cv2.warpAffine(picture, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(frame, np.uint8)


def disc_frames(width: int, height: int, count: int) -> Iterator[Picture]:
    """Yield frames with a white disc that moves quickly to and fro over a dark ground."""
    radius = height // 5
    reach = width // 2 - radius - 4
    for number in range(count):
        frame = np.full((height, width, 3), 20, np.uint8)
        x = width // 2 + round(reach * math.sin(2 * math.pi * number / count))
        cv2.circle(frame, (x, height // 2), radius, (255, 255, 255), -1)
        yield frame


def write_video(file: Path, frames: Iterable[Picture], fps: int, *, lossless: bool = False) -> None:
    """Write frames (h, w, 3) uint8 BGR, all of one even size; lossless keeps every byte (FFV1 in RGB)."""
    import av

    codec, pixels = ("ffv1", "bgr0") if lossless else ("mpeg4", "yuv420p")
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = pixels
        if not lossless:
            stream.bit_rate = 8_000_000
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode())
