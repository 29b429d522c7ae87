"""One shot before a camera, frame by frame, with exact truth: people, where they are, what is held before them.

A frame is composed with the very alpha that is its truth, then lit and noised as a webcam does it. What is said of a
place besides (an occluder before the body, a true gap, the second person, standing still) is in `layers`, one bit each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data import Image, Person

from .sequence_props import Occluder
from .sequence_rooms import Camera, Ground

SIZE = (360, 640)  # height, width

OCCLUDED, GAP, SECOND, STILL = 1, 2, 4, 8  # bits of Frame.layers
STILL_LEVELS = 4  # a pixel stands still if no channel moves by more grey levels than this, noise aside


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: `bgr` `(360, 640, 3)`, `alpha` (the truth) and `layers`, `(360, 640)`, all uint8.

    `clean` is the frame before light and noise: exactly the alpha's composition.
    """

    bgr: Image
    alpha: Image
    layers: Image
    clean: Image

    def has(self, bit: int) -> NDArray[np.bool_]:
        """Return where one of the layers is, `(360, 640)` bool."""
        return (self.layers & bit) > 0


@dataclass(frozen=True)
class Place:
    """Where an actor is: the middle of the lower edge and the height, in frame heights and widths; lean in degrees."""

    x: float
    bottom: float
    height: float
    lean: float = 0.0


Way = Callable[[int], Place]
Actor = Callable[[int], Person]  # frame number -> person


@dataclass(frozen=True)
class Scene:
    """What one shot shows."""

    ground: Ground
    actor: Actor
    path: Way
    gap: Image | None = None  # of the actor's size
    occluder: Occluder | None = None
    second: tuple[Actor, Way] | None = None
    camera: str = "plain"


def hold(x: float = 0.5, height: float = 0.92) -> Way:
    """Hold still."""
    return lambda _: Place(x, 1.0, height)


def sway(x: float = 0.5, height: float = 0.92, reach: float = 0.01, period: float = 70.0) -> Way:
    """Sit and move a little."""
    return lambda t: Place(x + reach * np.sin(2 * np.pi * t / period), 1.0, height, 0.8 * np.sin(2 * np.pi * t / 50))


def walk(begin: float, speed: float, height: float = 0.92, wait: int = 0) -> Way:
    """Walk through the picture; `speed` in frame widths per frame, standing at `begin` for `wait` frames."""
    return lambda t: Place(
        begin + speed * max(t - wait, 0), 1.0 + 0.012 * abs(np.sin(2 * np.pi * t / 14)), height, 2 * np.sin(t / 3.0)
    )


def rise(x: float, height: float, begin: int, end: int, duration: int = 8) -> Way:
    """Stand up from below the picture's edge, at `begin`, and sit down again at `end`, in `duration` frames each."""

    def at(t: int) -> Place:
        up = min(max((t - begin) / duration, 0.0), max((end + duration - t) / duration, 0.0), 1.0)
        return Place(x, 1.0 + 1.05 * height * (1 - up), height)

    return at


def frozen(actor: Actor, number: int = 0) -> Actor:
    """Return an actor who does not move: one frame of theirs."""
    person = actor(number)
    return lambda _: person


def composite(ground: Image, colour: NDArray[np.float32], alpha: Image) -> Image:
    """Return `ground + colour`, where `colour` `(h, w, 3)` has been multiplied by alpha and ground yet has not."""
    rest = 1 - alpha.astype(np.float32)[..., None] / 255
    return np.asarray(ground * rest + colour + 0.5).astype(np.uint8)


def placed(layer: Image, place: Place, reference: tuple[int, int]) -> Image:
    """Return an actor's layer (BGRA or one channel) of size `reference` (h, w) in the frame, outside it 0."""
    scale = place.height * SIZE[0] / reference[0]
    small = cv2.resize(layer, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    height, width = small.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height), place.lean, 1.0)
    move[:, 2] += (place.x * SIZE[1] - width / 2, place.bottom * SIZE[0] - height)
    return np.asarray(cv2.warpAffine(small, move, SIZE[::-1], flags=cv2.INTER_LINEAR), np.uint8)


def cut_out(person: Person, place: Place) -> tuple[NDArray[np.float32], Image]:
    """Return a person in the frame: colour times alpha, `(360, 640, 3)` float32, and alpha, `(360, 640)` uint8."""
    weight = person.alpha.astype(np.float32)[..., None] / 255
    pure = np.asarray(person.bgr * weight + 0.5).astype(np.uint8)
    layer = placed(np.dstack([pure, person.alpha]), place, person.alpha.shape)
    return layer[..., :3].astype(np.float32), np.ascontiguousarray(layer[..., 3])


def shoot(scenes: list[tuple[int, Scene]], seed: tuple[int, ...]) -> Iterator[Frame]:
    """Yield the frames of one shot after the other, `(count, scene)`."""
    rng = np.random.default_rng(seed)
    for count, scene in scenes:
        before: Frame | None = None
        camera = Camera(scene.camera, SIZE, rng)
        for number in range(count):
            frame = _compose(scene, number)
            lit = camera.light(frame.clean, frame.alpha, number)
            layers = frame.layers
            if before is not None:
                change = np.maximum(cv2.absdiff(lit, before.bgr).max(2), cv2.absdiff(frame.alpha, before.alpha))
                # A mask pixel is 2.5 of the picture's: beside what moves it has every right to change.
                still_here = cv2.erode((change <= STILL_LEVELS).astype(np.uint8), np.ones((7, 7), np.uint8))
                layers = layers | (np.asarray(still_here, np.uint8) * np.uint8(STILL))
            before = replace(frame, bgr=lit)
            yield replace(frame, bgr=camera.shoot(lit), layers=layers)


def _compose(scene: Scene, number: int) -> Frame:
    picture = scene.ground(number)
    alpha = np.zeros(SIZE, np.uint8)
    layers = np.zeros(SIZE, np.uint8)
    if scene.second is not None:
        actor, path = scene.second
        colour, alpha = cut_out(actor(number), path(number))
        picture = composite(picture, colour, alpha)
        layers[alpha > 127] = SECOND
    place, person = scene.path(number), scene.actor(number)
    colour, body = cut_out(person, place)
    picture = composite(picture, colour, body)
    alpha = _over(body, alpha)
    layers[body > 127] = 0
    if scene.gap is not None:
        gap = placed(scene.gap, place, person.alpha.shape)
        layers[(gap > 250) & (alpha < 13)] |= GAP
    sprite = scene.occluder(number) if scene.occluder is not None else None
    if sprite is not None:
        weight = sprite.alpha.astype(np.float32)[..., None] / 255
        picture = composite(picture, np.asarray(sprite.bgr * weight, np.float32), sprite.alpha)
        layers[(sprite.alpha > 127) & (alpha > 127)] |= OCCLUDED
        layers[sprite.alpha > 0] &= ~np.uint8(GAP)
        if sprite.is_person:
            alpha = _over(sprite.alpha, alpha)
    return Frame(picture, alpha, layers, picture)


def _over(front: Image, behind: Image) -> Image:
    """Return what two alphas, one before the other, cover together."""
    rest = (255 - front.astype(np.float32)) / 255
    return np.asarray(front + behind * rest + 0.5).astype(np.uint8)
