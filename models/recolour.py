"""Recolour clothes and hair of a person, independently of the background.

Few photographs have people in green, lime or turquoise, so a network learns that such colours are never a person's.
Skin keeps its colour: a green face is not what a camera sees.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .data import Image
from .props import head_box

FACE_HEIGHT = 1.3  # from the forehead to the chin, in widths of the face
# The usual range of skin in Y, Cr and Cb, light and dark, in ordinary light.
SKIN = np.array([20, 135, 80], np.uint8), np.array([255, 180, 127], np.uint8)
SKIN_SPREAD = 9  # by how much Cr and Cb differ within one person's skin
# Directions in the a, b plane of CIELAB, in degrees: lime is at about 110, green at 135, turquoise at 190.
GREENS = (100.0, 200.0)


def find_face(frame: Image, alpha: Image) -> tuple[Image, tuple[float, float, float, float] | None]:
    """Return where the person has the colours of the face, `(h, w)` uint8 with soft borders, and the face's box.

    `frame` is BGR `(h, w, 3)`, `alpha` `(h, w)`. The face is taken as the largest piece of skin, down to the chin; its
    box is (left, top, width, height). Where there is none, as in a grey picture, nothing is skin and the box is None.
    """
    ycrcb = cv2.cvtColor(frame, cv2.COLOR_BGR2YCrCb)
    found = cv2.bitwise_and(cv2.inRange(ycrcb, *SKIN), cv2.inRange(alpha, 128, 255))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    largest = 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else 0
    if not largest or boxes[largest, cv2.CC_STAT_AREA] < 30:
        return np.zeros_like(alpha), None
    x, y, w, h, _ = (float(v) for v in boxes[largest])
    _, red, blue = np.median(ycrcb[labels == largest], 0)
    near = np.array([0, red - SKIN_SPREAD, blue - SKIN_SPREAD]), np.array([255, red + SKIN_SPREAD, blue + SKIN_SPREAD])
    found = cv2.morphologyEx(cv2.inRange(ycrcb, *near), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(found, (3, 3), 0), np.uint8), (x, y, w, min(h, FACE_HEIGHT * w))


def recolour(rng: Generator, frame: Image, alpha: Image) -> Image:
    """Give the person's clothes, in three of ten cases the hair as well, another colour.

    `frame` is BGR `(h, w, 3)`, `alpha` `(h, w)`. Half of the new colours lie between lime and turquoise. In a quarter
    of the cases the background gets a colour of its own as well, so that a strong colour does not come to mean a
    person.
    """
    head = head_box(alpha)
    if head is None:
        return frame
    _, top, width = head
    skin, face = find_face(frame, alpha)
    weight = alpha.astype(np.float32) * (1 - skin.astype(np.float32) / 255)
    hair = rng.random() < 0.3
    if face:  # with its highlights, eyes and lips, which do not have the colour of skin
        x, y, w, h = face
        whole = np.ones(alpha.shape, np.float32)
        cv2.ellipse(whole, (round(x + w / 2), round(y + h / 2)), (round(w / 2), round(h / 2)), 0, 0, 360, 0, -1)
        weight *= cv2.blur(whole, (5, 5))
    if not (hair and face):  # from the chin on, with a soft beginning, since nothing tells hair from a coat
        chin = min(y + h, top + 2 * FACE_HEIGHT * width) if face else top + FACE_HEIGHT * width
        rows = np.arange(len(alpha), dtype=np.float32)
        weight *= np.clip((rows - chin) / max(0.3 * width, 1.0) + 0.5, 0, 1)[:, None]
    frame = tint(rng, frame, weight.astype(np.uint8), strength=80)
    if rng.random() < 0.25:
        frame = tint(rng, frame, 255 - alpha, strength=40)
    return frame


def tint(rng: Generator, frame: Image, weight: Image, *, strength: float) -> Image:
    """Turn the hue by `weight`, 255 = fully, or dye it up to `strength` (CIELAB chroma)."""
    inside = weight > 127
    if not inside.any():
        return frame
    lab = cv2.cvtColor(frame, cv2.COLOR_BGR2LAB).astype(np.float32)
    dyed = lab.copy()
    strong = float(np.hypot(lab[..., 1] - 128, lab[..., 2] - 128)[inside].mean()) > 12  # grey has no hue to turn
    if strong and rng.random() < 0.5:  # the pattern's own colours, turned and stronger or weaker
        angle, gain = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.8)
        cos, sin = gain * np.cos(angle), gain * np.sin(angle)
        a, b = lab[..., 1] - 128, lab[..., 2] - 128
        dyed[..., 1], dyed[..., 2] = 128 + cos * a - sin * b, 128 + sin * a + cos * b
    else:
        angle = np.deg2rad(rng.uniform(*GREENS) if rng.random() < 0.5 else rng.uniform(0, 360))
        level = float(lab[..., 0][inside].mean())
        wanted = level + (rng.uniform(40, 215) - level) * rng.uniform(0, 1)
        # Black cloth has no hue to turn: it is made lighter first, keeping its folds.
        dyed[..., 0] = wanted + (lab[..., 0] - level) * rng.uniform(0.7, 1.0)
        chroma = rng.uniform(0.4, 1.0) * strength * np.clip(dyed[..., 0] / 140, 0.25, 1.0)
        keep = rng.uniform(0, 0.5)
        dyed[..., 1] = 128 + (lab[..., 1] - 128) * keep + chroma * np.cos(angle)
        dyed[..., 2] = 128 + (lab[..., 2] - 128) * keep + chroma * np.sin(angle)
    bgr = cv2.cvtColor(np.clip(dyed, 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR)
    share = (weight.astype(np.float32) / 255)[..., None]
    return np.asarray(cv2.convertScaleAbs(frame + (bgr.astype(np.float32) - frame) * share), np.uint8)
