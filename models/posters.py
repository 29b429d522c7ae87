"""Add photographs of people on walls and screens, labelled background although they look like people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .data import Image, Person
from .props import head_box


def add_poster(rng: Generator, room: Image, person: Person) -> Image:
    """Add a photograph of a person to a room, framed or on a screen. All of it is background.

    `room` is BGR `(h, w, 3)`. People are composited afterwards, in front of it.
    """
    height, width = room.shape[:2]
    picture = crop(rng, person)
    high = rng.uniform(0.12, 0.42) * min(height, width)
    wide = high * picture.shape[1] / picture.shape[0]
    rim = int(rng.uniform(0, 0.08) * min(picture.shape[:2])) if rng.random() < 0.7 else 0
    if rim:
        shade = (0, 30, 245)[rng.integers(3)] if rng.random() < 0.8 else int(rng.integers(256))
        framed = cv2.copyMakeBorder(picture, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(shade,) * 3)
        picture = np.asarray(framed, np.uint8)
    if rng.random() < 0.5:  # lit differently from the room, like a screen or a print behind glass
        lit = cv2.convertScaleAbs(picture, alpha=rng.uniform(0.5, 1.15), beta=rng.uniform(0, 40))
        picture = np.asarray(lit, np.uint8)
    x, y = rng.uniform(0, width - wide), rng.uniform(0, 0.75 * height - 0.5 * high)
    corners = np.array([(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)], np.float32)
    corners += rng.normal(0, 0.02 * high, corners.shape)  # seen a little from the side
    # Shrunk first: a perspective warp alone would alias.
    small = cv2.resize(picture, (max(2, round(wide)), max(2, round(high))), interpolation=cv2.INTER_AREA)
    h, w = small.shape[:2]
    matrix = cv2.getPerspectiveTransform(np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32), corners)
    cover = np.zeros((height, width), np.uint8)
    cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    hung = cv2.warpPerspective(small, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    weight = (cover.astype(np.float32) / 255)[..., None]
    return np.asarray(cv2.convertScaleAbs(room + (hung.astype(np.float32) - room) * weight), np.uint8)


def crop(rng: Generator, person: Person) -> Image:
    """Return the photograph, all of it or a part around the head, at least 8 pixels high and wide."""
    head = head_box(person.alpha)
    height, width = person.alpha.shape
    if head is None or rng.random() < 0.4:
        return person.bgr
    x, top, face = head
    half = face * rng.uniform(0.8, 2.0)
    tall = 2 * half * rng.uniform(0.6, 1.4)
    upper = int(np.clip(top - face * rng.uniform(0.1, 0.8), 0, height - 8))
    left = int(np.clip(x - half, 0, width - 8))
    return person.bgr[upper : int(max(upper + 8, upper + tall)), left : int(max(left + 8, x + half))]
