"""What the sequences need round a person: a body with arms on the hips, a microphone, a mug, a hand.

The people of the data sets end at the chest or above. A body is drawn under them in the cloth that they wear, so that
there is a chest to hold things before, and a true gap between arm and torso through which the room is seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data import Image, Person

Colour = NDArray[np.float32]  # (3,) blue, green, red
Point = tuple[float, float]

_SHIFT = 4  # sub-pixel bits of OpenCV's drawing


@dataclass(frozen=True)
class Sprite:
    """Something to lay over a picture: `bgr` `(h, w, 3)` and `alpha` `(h, w)`, uint8, of the picture's size.

    `is_person` says whether what sticks out beyond the body belongs to the person (a hand) or to the room (a
    microphone's arm); before the body both belong to the person.
    """

    bgr: Image
    alpha: Image
    is_person: bool


def _fixed(*values: float) -> tuple[int, ...]:
    return tuple(round(v * (1 << _SHIFT)) for v in values)


def _fill(layer: Image, points: list[Point]) -> None:
    cv2.fillPoly(layer, [np.array([_fixed(*p) for p in points], np.int32)], 255, cv2.LINE_AA, _SHIFT)


def _stroke(layer: Image, points: list[Point], thickness: float) -> None:
    for start, end in itertools.pairwise(points):
        cv2.line(layer, _fixed(*start), _fixed(*end), 255, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def _disc(layer: Image, centre: Point, axes: Point, angle: float = 0.0) -> None:
    cv2.ellipse(layer, _fixed(*centre), _fixed(*axes), angle, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)


def skin_colour(person: Person) -> Colour:
    """Return the median colour of the middle of the upper half of a person: the face."""
    rows, columns = np.nonzero(person.alpha > 250)
    top, middle = rows.min(), rows.min() + 0.45 * (rows.max() - rows.min())
    head = (rows > top + 0.5 * (middle - top)) & (rows < middle)
    centre = np.median(columns[head])
    near = head & (np.abs(columns - centre) < 0.06 * person.alpha.shape[1])
    return np.asarray(np.median(person.bgr[rows[near], columns[near]], 0), np.float32)


def cloth(person: Person, size: tuple[int, int]) -> Image:
    """Return `(h, w, 3)` of the cloth at a person's lower edge, a patch repeated and mirrored."""
    height = person.alpha.shape[0]
    side = max(6, round(0.07 * height))
    band = person.alpha[height - side :] > 250
    columns = np.nonzero(band.all(0))[0]
    # A jacket lies at the sides of the chest, skin and shirts in the middle.
    left = int(columns[len(columns) // 8]) if len(columns) > side else int(columns[0] if len(columns) else 0)
    left = min(left, person.alpha.shape[1] - side)
    patch = person.bgr[height - side :, left : left + side]
    patch = np.hstack([patch, patch[:, ::-1]])
    patch = np.vstack([patch, patch[::-1]])
    repeats = (size[0] // patch.shape[0] + 1, size[1] // patch.shape[1] + 1, 1)
    return np.asarray(np.tile(patch, repeats)[: size[0], : size[1]], np.uint8)


@dataclass(frozen=True)
class Body:
    """A person with a drawn body: where the picture lies in the larger one, what lies behind it, and the gaps.

    `behind` is the body alone, `gap` `(h, w)` uint8 the room between arms and torso, 255 inside.
    """

    behind: Person
    left: int
    gap: Image

    def dressed(self, person: Person) -> Person:
        """Return one frame of the person with the body under it."""
        height, width = person.alpha.shape
        piece = slice(0, height), slice(self.left, self.left + width)
        bgr, alpha = self.behind.bgr.copy(), self.behind.alpha.copy()
        weight = person.alpha.astype(np.float32)[..., None] / 255
        # Where the body is not, the person's own colour must stay pure: it is weighted by its alpha later.
        solid = np.maximum(weight, (alpha[piece] == 0)[..., None].astype(np.float32))
        bgr[piece] = (bgr[piece] + (person.bgr.astype(np.float32) - bgr[piece]) * solid + 0.5).astype(np.uint8)
        alpha[piece] = np.maximum(alpha[piece], person.alpha)
        return Person(bgr, alpha)


def draw_body(person: Person, *, elbows: float = 0.0) -> Body:
    """Draw a torso under a person: with hanging arms, or, if `elbows` is not 0, with hands on the hips.

    `elbows` is how far they stick out, in widths of the person at the picture's lower edge.
    """
    arms_on_hips = elbows > 0
    height, width = person.alpha.shape
    columns = np.nonzero((person.alpha[-max(3, height // 40) :] > 127).all(0))[0]
    edge_l, edge_r = float(columns[0]), float(columns[-1])
    span = edge_r - edge_l
    pad = round((0.14 + max(elbows, 0.3)) * span)
    edge_l, edge_r = edge_l + pad, edge_r + pad
    shoulder = float(height - 0.02 * span)  # the body's shoulders lie under what the picture shows of them
    size = (round(shoulder + (1.12 if arms_on_hips else 0.9) * span), width + 2 * pad)
    layer, arms, hands = (np.zeros(size, np.uint8) for _ in range(3))
    bottom = float(size[0] + 4)
    waist = 0.08 if arms_on_hips else 0.02
    _fill(
        layer,
        [
            (edge_l + 0.06 * span, shoulder - 0.12 * span),
            (edge_r - 0.06 * span, shoulder - 0.12 * span),
            (edge_r + 0.06 * span, shoulder + 0.1 * span),
            (edge_r - 0.02 * span, shoulder + 0.4 * span),
            (edge_r - waist * span, bottom),
            (edge_l + waist * span, bottom),
            (edge_l + 0.02 * span, shoulder + 0.4 * span),
            (edge_l - 0.06 * span, shoulder + 0.1 * span),
        ],
    )
    for edge, out in ((edge_l, -1.0), (edge_r, 1.0)):
        start = (edge - out * 0.01 * span, shoulder + 0.1 * span)
        if arms_on_hips:
            elbow = (edge + out * elbows * span, shoulder + 0.6 * span)
            hip = (edge - out * 0.06 * span, shoulder + 0.98 * span)
            _stroke(arms, [start, elbow, hip], 0.17 * span)
            _disc(hands, hip, (0.1 * span, 0.07 * span), out * 20)
        else:
            _stroke(arms, [start, (edge + out * 0.08 * span, bottom)], 0.19 * span)
    picture = cloth(person, size).astype(np.float32)
    # Half of the cloth's pattern: repeated at full strength it looks like wallpaper.
    picture = (picture + picture.mean((0, 1))) / 2
    grid = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    folds = 1 + 0.06 * np.sin(grid[1] / (0.05 * span) + 2 * np.sin(grid[0] / (0.2 * span)))
    shade = folds * (1 - 0.12 * np.abs(grid[1] - (edge_l + edge_r) / 2) / span)
    # The arms are a little lighter with a dark seam: two pieces of cloth, not one.
    seam = cv2.GaussianBlur(arms, (0, 0), 0.03 * span).astype(np.float32) / 255
    shade = shade * np.where(arms > 127, 1.08, 1 - 0.25 * seam)
    picture = np.clip(picture * shade[..., None], 0, 255)
    weight = hands.astype(np.float32)[..., None] / 255
    picture = picture + (skin_colour(person) * 0.92 - picture) * weight
    alpha = np.maximum(np.maximum(layer, arms), hands)
    whole = alpha.copy()
    whole[:height, pad : pad + width] = np.maximum(whole[:height, pad : pad + width], person.alpha)
    gap = np.zeros(size, np.uint8)
    if arms_on_hips:
        # Closed at the sides by the arms and below by the hands: what no way from outside leads to.
        outlines, _ = cv2.findContours((whole > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(gap, outlines, -1, 255, cv2.FILLED)
        gap[whole > 0] = 0
        gap[:height] = 0  # holes in the picture's own alpha are none that we made
    return Body(Person(np.asarray(picture + 0.5).astype(np.uint8), alpha), pad, gap)


Occluder = Callable[[int], Sprite | None]  # frame number -> what is held before the camera then


def _painted(alpha: Image, colour: Colour, light: NDArray[np.float32], *, is_person: bool) -> Sprite:
    bgr = np.clip(colour * light[..., None], 0, 255).astype(np.uint8)
    return Sprite(np.ascontiguousarray(bgr), alpha, is_person)


def _light(shape: tuple[int, int], rng: Generator, depth: float) -> NDArray[np.float32]:
    """Return soft light and shade round 1, `(h, w)`."""
    coarse = rng.normal(0, depth, (shape[0] // 12 + 2, shape[1] // 12 + 2)).astype(np.float32)
    return 1 + np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def microphone(rng: Generator, shape: tuple[int, int], chin: Point, head: float) -> Occluder:
    """A dark microphone on its arm that stands before the chest, the whole time."""
    alpha = np.zeros(shape, np.uint8)
    side = float(rng.choice((-1.0, 1.0)))
    tip = (chin[0] + side * 0.25 * head, chin[1] + 0.45 * head)
    elbow = (tip[0] + side * 1.2 * head, tip[1] + 0.25 * head)
    foot = (tip[0] + side * 2.2 * head, shape[0] + 4.0)
    _stroke(alpha, [tip, elbow, foot], 0.1 * head)
    _disc(alpha, tip, (0.16 * head, 0.27 * head), side * 15)
    sprite = _painted(alpha, np.array([34, 30, 28], np.float32), _light(shape, rng, 0.25), is_person=False)
    return lambda _: sprite


def mug(rng: Generator, shape: tuple[int, int], chin: Point, head: float, skin: Colour, count: int) -> Occluder:
    """A mug in a hand, lifted before the chest, held there, and put down again."""
    colour = np.array([(60, 60, 190), (200, 200, 205), (150, 90, 40)][int(rng.integers(3))], np.float32)
    light = _light(shape, rng, 0.1)

    def at(number: int) -> Sprite | None:
        place = min(number / (0.25 * count), (count - 1 - number) / (0.25 * count), 1.0)
        y = chin[1] + 0.55 * head + (1 - place) * (shape[0] - chin[1])
        cup, hand = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        half = 0.3 * head
        x = chin[0]
        _fill(cup, [(x - half, y - half), (x + half, y - half), (x + 0.9 * half, y + half), (x - 0.9 * half, y + half)])
        _disc(cup, (x, y - half), (half, 0.2 * half))
        for step in range(4):
            _disc(hand, (x + half, y - 0.5 * half + step * 0.36 * half), (0.4 * half, 0.2 * half))
        _disc(hand, (x + 1.35 * half, y + 0.2 * half), (0.5 * half, 0.75 * half))
        alpha = np.maximum(cup, hand)
        if not alpha.any():
            return None
        weight = hand.astype(np.float32)[..., None] / 255
        tint = colour + (skin - colour) * weight
        return Sprite(np.clip(tint * light[..., None], 0, 255).astype(np.uint8), alpha, True)

    return at


def hand(rng: Generator, shape: tuple[int, int], chin: Point, head: float, skin: Colour, count: int) -> Occluder:
    """An open hand on its forearm that comes up from below and waves before the chest and beside it."""
    light = _light(shape, rng, 0.08)
    side = float(rng.choice((-1.0, 1.0)))

    def at(number: int) -> Sprite | None:
        place = min(number / (0.2 * count), (count - 1 - number) / (0.2 * count), 1.0)
        swing = np.sin(2 * np.pi * number / 24)
        wrist = (
            chin[0] + side * (0.45 + 0.35 * swing) * head,
            chin[1] + 0.95 * head + (1 - place) * (shape[0] - chin[1]),
        )
        alpha = np.zeros(shape, np.uint8)
        size = 0.32 * head
        lean = side * 0.3 * swing
        palm = (wrist[0] + lean * size, wrist[1] - 0.9 * size)
        _disc(alpha, palm, (0.62 * size, 0.8 * size), float(np.degrees(lean)))
        for finger in range(4):
            spread = lean + (finger - 1.5) * 0.17
            root = (palm[0] + (finger - 1.5) * 0.33 * size, palm[1] - 0.5 * size)
            tip = (root[0] + np.sin(spread) * size, root[1] - np.cos(spread) * (1.0 - 0.1 * abs(finger - 1.5)) * size)
            _stroke(alpha, [root, tip], 0.3 * size)
        _stroke(alpha, [palm, (palm[0] - side * 1.0 * size, palm[1] - 0.4 * size)], 0.3 * size)
        foot = (wrist[0] - side * 0.4 * head, wrist[1] + 2.0 * head + shape[0])
        _stroke(alpha, [palm, wrist, foot], 0.75 * size)
        return _painted(alpha, skin, light, is_person=True) if alpha.any() else None

    return at
