"""Draw the situations for judging a webcam filter, each a small set of pictures with exact truth.

People: the keyed man of greenscreen_d0 (soft alpha) and those validation portraits that the photograph does not cut;
rooms: the test rooms. No training sees the man, these portraits or these rooms. Everything is drawn from fixed seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .data import Image, Person, is_uncut, read_cutouts, read_pairs, read_rooms, validation_ids
from .props import add_chair, add_headphones, add_lookalike, add_microphone

CANVAS = (360, 640)  # height, width
PER_SCENARIO = 48

# name: (height of the person in frame heights, centre x in frame widths, sunk below the lower edge in person heights)
PLACES = {
    "seated": ((0.75, 1.0), (0.4, 0.6), (0.0, 0.1)),
    "close": ((1.1, 1.5), (0.4, 0.6), (0.2, 0.4)),
    "small": ((0.25, 0.4), (0.2, 0.8), (0.0, 0.0)),
    "seated far": ((0.4, 0.6), (0.35, 0.65), (0.0, 0.1)),
    "off-centre": ((0.7, 1.0), (0.12, 0.25), (0.0, 0.1)),
    "cropped": ((0.8, 1.2), (0.0, 0.06), (0.1, 0.3)),
}
DRAWN = ("headphones", "microphone", "chair")
DEGRADED = ("dark", "noisy", "back-lit", "compressed", "blurred")
# Added last, so that the others' pictures do not change.
SCENARIOS = (*PLACES, "two people", *DRAWN, *DEGRADED, "own colours")


def scenarios(data: Path) -> Iterator[tuple[str, Image, Image]]:
    """Yield (scenario, frame `(360, 640, 3)` BGR uint8, alpha `(360, 640)` uint8), `PER_SCENARIO` of each."""
    man = read_cutouts(data / "greenscreen_d0")[::3]
    portraits = [p for p in read_pairs(data / "eg1800_train", keep=validation_ids(data)) if is_uncut(p)]
    rooms = read_rooms(data, "test")
    for number, name in enumerate(SCENARIOS):
        rng = np.random.default_rng((23, number))
        for i in range(PER_SCENARIO):
            group = man if i % 2 else portraits
            person = group[(i // 2) % len(group)]
            frame, alpha = place(rng, rooms[rng.integers(len(rooms))], person, name)
            if name == "two people":
                other = portraits[rng.integers(len(portraits))]
                frame, second = place(rng, frame, other, "two people", right=True)
                alpha = np.maximum(alpha, second)
            elif name == "headphones":
                frame, alpha = add_headphones(rng, frame, alpha)
            elif name == "microphone":
                frame, alpha = add_microphone(rng, frame, alpha)
            elif name == "chair":
                frame = add_chair(rng, frame, alpha)
            elif name == "own colours":
                frame = add_lookalike(rng, frame, alpha)
            yield name, degrade(rng, frame, alpha, name), alpha


def place(rng: Generator, room: Image, person: Person, name: str, *, right: bool = False) -> tuple[Image, Image]:
    """Composite a person into a room as the scenario requires; return frame and alpha."""
    height, width = CANVAS
    heights, centres, sinks = PLACES.get(name, PLACES["seated"])
    if name == "two people":
        heights, centres = (0.6, 0.9), ((0.65, 0.8) if right else (0.2, 0.35))
    cover = max(height / room.shape[0], width / room.shape[1])
    ground = cv2.resize(room, None, fx=cover, fy=cover, interpolation=cv2.INTER_LINEAR)[:height, :width]
    rows, columns = np.nonzero(person.alpha.max(1) > 127)[0], np.nonzero(person.alpha.max(0) > 127)[0]
    top, bottom, left, right_edge = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    scale = rng.uniform(*heights) * height / (bottom - top)
    x = rng.uniform(*centres) * width - (left + right_edge) / 2 * scale
    y = height - bottom * scale + rng.uniform(*sinks) * (bottom - top) * scale
    matrix = np.array([[scale, 0, x], [0, scale, y]], np.float32)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    h, w = person.alpha.shape
    size = (max(round(w * scale), 1), max(round(h * scale), 1))
    colour, cover_alpha = (cv2.resize(p, size, interpolation=flags) for p in (person.bgr, person.alpha))
    shift = np.array([[1, 0, matrix[0, 2]], [0, 1, matrix[1, 2]]], np.float32)
    placed = cv2.warpAffine(colour, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(cover_alpha, shift, (width, height))
    if person.bgr.shape[0] != 480:  # hard masks carry a rim of their old background; the keyed man does not
        alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (3, 3), 0)
    weight = alpha.astype(np.float32)[..., None] / 255
    return (ground + (placed.astype(np.float32) - ground) * weight + 0.5).astype(np.uint8), np.asarray(alpha, np.uint8)


def degrade(rng: Generator, frame: Image, alpha: Image, name: str) -> Image:
    """Degrade a frame as the scenario requires; other frames are returned unchanged."""
    values: NDArray[np.floating] = frame.astype(np.float32)
    if name == "dark":
        values = 255 * (values / 255) ** 1.6 * rng.uniform(0.15, 0.3) + rng.normal(0, 3, frame.shape)
    elif name == "noisy":
        values = values + rng.normal(0, rng.uniform(12, 22), frame.shape)
    elif name == "back-lit":  # a window behind: the room bright, the person dark
        weight = alpha.astype(np.float32)[..., None] / 255
        bright = 255 - (255 - values) * rng.uniform(0.3, 0.6)
        values = bright + (values * rng.uniform(0.3, 0.5) - bright) * weight
    elif name == "compressed":
        small = cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)
        _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 18])
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None  # it was encoded a line above
        values = cv2.resize(decoded, CANVAS[::-1]).astype(np.float32)
    elif name == "blurred":
        values = cv2.GaussianBlur(frame, (0, 0), rng.uniform(2.5, 4.5)).astype(np.float32)
    return np.asarray(np.clip(values, 0, 255), np.uint8)
