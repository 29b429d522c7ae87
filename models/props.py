"""Draw things around a person at a desk: headphones, a microphone on its arm, a chair, things on the wall.

What is worn belongs to the person. An object in front of the person leaves the truth unchanged: the mask should be
whole, because viewers want the microphone and the hand with the person, not a hole. What extends beyond the person's
outline is background.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .data import Image

_SHIFT = 4  # sub-pixel bits of OpenCV's drawing, for smooth outlines on small pictures


def head_box(alpha: Image) -> tuple[float, float, float] | None:
    """Guess the head from a mask: (centre x, top y, width), in pixels, or None if nobody is in the picture.

    The head is taken as the top of the person down to where the outline widens to the shoulders.
    """
    rows = np.nonzero((alpha > 127).any(1))[0]
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    widths = (alpha[top:bottom] > 127).sum(1)
    probe = widths[: max(3, len(widths) // 4)]
    width = float(np.median(probe[len(probe) // 3 :])) if len(probe) > 3 else float(widths.mean())
    columns = np.nonzero((alpha[top : top + len(probe)] > 127).any(0))[0]
    return float((columns[0] + columns[-1]) / 2), float(top), max(width, 3.0)


def _dark(rng: Generator) -> tuple[float, float, float]:
    level = rng.uniform(8, 70)
    return tuple(float(v) for v in np.clip(level + rng.normal(0, 8, 3), 0, 255))  # type: ignore[return-value]


def _layer(shape: tuple[int, ...]) -> Image:
    return np.zeros(shape[:2], np.uint8)


def _fixed(*values: float) -> tuple[int, ...]:
    return tuple(round(v * (1 << _SHIFT)) for v in values)


def _paint(frame: Image, layer: Image, colour: tuple[float, float, float]) -> Image:
    weight = cv2.GaussianBlur(layer, (3, 3), 0).astype(np.float32)[..., None] / 255
    return (frame + (np.array(colour, np.float32) - frame) * weight + 0.5).astype(np.uint8)


def add_headphones(rng: Generator, frame: Image, alpha: Image) -> tuple[Image, Image]:
    """Draw headphones on the head: a band over it and a cup on each side; they belong to the person."""
    head = head_box(alpha)
    if head is None:
        return frame, alpha
    x, top, width = head
    layer = _layer(alpha.shape)
    radius = width * rng.uniform(0.50, 0.58)
    middle = top + width * rng.uniform(0.55, 0.70)
    thickness = max(1, round(width * rng.uniform(0.06, 0.11)))
    axes = _fixed(radius, middle - top + thickness * 0.4)
    cv2.ellipse(layer, _fixed(x, middle), axes, 0, 180, 360, 255, thickness, cv2.LINE_AA, _SHIFT)
    cup = _fixed(width * rng.uniform(0.09, 0.14), width * rng.uniform(0.17, 0.25))
    for side in (-1, 1):
        cv2.ellipse(layer, _fixed(x + side * radius, middle), cup, 0, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)
    return _paint(frame, layer, _dark(rng)), np.maximum(alpha, layer)


def add_microphone(rng: Generator, frame: Image, alpha: Image) -> tuple[Image, Image]:
    """Draw a microphone on its arm in front of chest or chin; the truth stays the person's outline."""
    head = head_box(alpha)
    if head is None:
        return frame, alpha
    x, top, width = head
    layer = _layer(alpha.shape)
    side = rng.choice((-1.0, 1.0))
    tip = (x + side * width * rng.uniform(0.0, 0.5), top + width * rng.uniform(1.15, 1.7))
    body = _fixed(width * rng.uniform(0.10, 0.18), width * rng.uniform(0.20, 0.34))
    cv2.ellipse(layer, _fixed(*tip), body, float(side * rng.uniform(-20, 40)), 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)
    elbow = (tip[0] + side * width * rng.uniform(0.8, 1.6), tip[1] + width * rng.uniform(-0.3, 0.6))
    foot = (tip[0] + side * width * rng.uniform(1.5, 3.0), float(alpha.shape[0] + 2))
    thickness = max(1, round(width * rng.uniform(0.04, 0.08)))
    for start, end in ((tip, elbow), (elbow, foot)):
        cv2.line(layer, _fixed(*start), _fixed(*end), 255, thickness, cv2.LINE_AA, _SHIFT)
    return _paint(frame, layer, _dark(rng)), alpha


def add_chair(rng: Generator, frame: Image, alpha: Image) -> Image:
    """Draw a chair's back behind the person, higher or wider than the shoulders; it is background.

    `frame` is the room with the person in it, `alpha` the person: the chair is painted beside the person only.
    """
    head = head_box(alpha)
    if head is None:
        return frame
    x, top, width = head
    layer = _layer(alpha.shape)
    half = width * rng.uniform(0.8, 1.3)
    upper = top + width * rng.uniform(0.1, 1.1)
    corner = width * rng.uniform(0.1, 0.3)
    _rounded(layer, x - half + rng.normal(0, 0.1) * width, upper, x + half, corner)
    colour = _dark(rng) if rng.random() < 0.7 else tuple(rng.uniform(40, 220, 3))
    return _paint(frame, np.minimum(layer, 255 - alpha), colour)


def add_lookalike(rng: Generator, frame: Image, alpha: Image) -> Image:
    """Draw a door, a wardrobe or a wooden wall in the person's own colours behind the head; it is background.

    `frame` is the room with the person in it, `alpha` the person: it is painted beside the person only. Without such
    pictures a network takes skin-coloured things above a head for part of the person.
    """
    head = head_box(alpha)
    inside = np.argwhere(alpha > 250)
    if head is None or not len(inside):
        return frame
    x, top, width = head
    if rng.random() < 0.7:  # the face, else anything the person wears
        middle = np.array([top + 0.6 * width, x])
        inside = inside[np.argsort(np.abs(inside - middle).max(1))[: max(1, len(inside) // 12)]]
    row, column = inside[rng.integers(len(inside))]
    around = frame[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].reshape(-1, 3)
    colour = np.median(around, 0) * rng.uniform(0.75, 1.2) + rng.normal(0, 8, 3)
    height, columns = alpha.shape
    layer = _layer(alpha.shape)
    half, middle_x = width * rng.uniform(0.3, 2.2), x + width * rng.normal(0, 0.8)
    upper = 0.0 if rng.random() < 0.6 else top - width * rng.uniform(-0.5, 1.0)
    lower = float(height) if rng.random() < 0.6 else top + width * rng.uniform(0.5, 2.0)
    tilt = width * rng.normal(0, 0.08)
    corners = [
        (middle_x - half, upper),
        (middle_x + half, upper),
        (middle_x + half + tilt, lower),
        (middle_x - half + tilt, lower),
    ]
    cv2.fillPoly(layer, [np.array([_fixed(*c) for c in corners], np.int32)], 255, cv2.LINE_AA, _SHIFT)
    grid_y, grid_x = np.mgrid[0:height, 0:columns].astype(np.float32)
    shade = 1 + rng.normal(0, 0.15) * (grid_y / height - 0.5) + rng.normal(0, 0.15) * (grid_x / columns - 0.5)
    if rng.random() < 0.5:  # planks, grain, folds
        period = rng.uniform(0.03, 0.4) * width
        shade += rng.uniform(0.02, 0.15) * np.sin(grid_x * (6.28 / max(period, 2.0)) + rng.uniform(0, 6))
    fill = np.clip(colour.astype(np.float32) * shade[..., None], 0, 255)
    room = np.minimum(cv2.GaussianBlur(layer, (3, 3), 0), 255 - alpha)
    weight = room.astype(np.float32)[..., None] / 255
    return np.asarray(frame + (fill - frame) * weight + 0.5).astype(np.uint8)


def add_furniture(rng: Generator, room: Image, texture: Image) -> Image:
    """Draw a sofa, a headboard or a pillar into a room: dark or brown, round, as large as a person. It is background.

    People are composited afterwards, in front of or beside it. `texture` is any picture without people, used as its
    grain.
    """
    height, width = room.shape[:2]
    layer = _layer(room.shape)
    kind = rng.random()
    x, half = rng.uniform(0, 1) * width, rng.uniform(0.08, 0.4) * height
    if kind < 0.6:  # a sofa or a bed from the side, with cushions
        half *= rng.uniform(1.0, 2.2)
        upper, corner = height * rng.uniform(0.35, 0.9), half * rng.uniform(0.1, 0.6)
        _rounded(layer, x - half, upper, x + half, corner)
        for _ in range(int(rng.integers(0, 3))):
            middle = (x + half * rng.uniform(-1, 1), upper + half * rng.uniform(-0.2, 0.5))
            axes = _fixed(half * rng.uniform(0.2, 0.6), half * rng.uniform(0.15, 0.5))
            cv2.ellipse(layer, _fixed(*middle), axes, rng.normal(0, 20), 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)
    elif kind < 0.8:  # a round back, a headboard, a lamp on a chest: about a head on shoulders
        upper = height * rng.uniform(0.1, 0.7)
        axes = _fixed(half * rng.uniform(0.5, 1.0), half * rng.uniform(0.5, 1.2))
        cv2.ellipse(layer, _fixed(x, upper + axes[1] / (1 << _SHIFT)), axes, 0, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT)
        _rounded(layer, x - half * rng.uniform(0.8, 1.6), upper + half, x + half * rng.uniform(0.8, 1.6), half * 0.4)
    else:  # a pillar, a wardrobe's or a fridge's side
        upper = 0.0 if rng.random() < 0.6 else height * rng.uniform(0.0, 0.5)
        _rounded(layer, x - half / 2, upper, x + half / 2, half * rng.uniform(0.01, 0.2))
    pick = rng.random()
    if pick < 0.45:
        colour = np.array(_dark(rng))
    elif pick < 0.7:
        colour = skin_or_wood(rng) * rng.uniform(0.3, 1.0)
    elif pick < 0.85:  # red and brown leather
        colour = np.array([rng.uniform(5, 60), rng.uniform(10, 70), rng.uniform(50, 150)])
    else:
        colour = rng.uniform(0, 255, 3)
    grain = cv2.resize(cv2.cvtColor(texture, cv2.COLOR_BGR2GRAY), (width, height), interpolation=cv2.INTER_LINEAR)
    shade = 1 + rng.uniform(0, 0.6) * (grain.astype(np.float32) / max(float(grain.mean()), 1.0) - 1)
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    # Lit from above or from one side, and darker where it turns away, as an arm or a shoulder is.
    shade *= (
        1
        + rng.normal(0, 0.3) * ((grid_x - x) / max(half, 1.0)).clip(-1.5, 1.5)
        - rng.uniform(0, 0.5) * ((grid_y - upper) / height)
    )
    filled = np.clip(colour.astype(np.float32) * shade[..., None], 0, 255)
    weight = cv2.GaussianBlur(layer, (3, 3), 0).astype(np.float32)[..., None] / 255
    return np.asarray(room + (filled - room) * weight + 0.5).astype(np.uint8)


def add_bars(rng: Generator, frame: Image, alpha: Image) -> None:
    """Draw, in place, the bars with which players and cameras fill up a picture of another shape."""
    height, width = alpha.shape
    upright = rng.random() < (0.8 if width > 1.2 * height else 0.5)
    length = width if upright else height
    thick = int(length * rng.uniform(0.03, 0.3 if upright and width > height else 0.15))
    sides = ((0, thick), (length - thick, length))[: 1 + (rng.random() < 0.7)]
    shade = 0 if rng.random() < 0.6 else 255 if rng.random() < 0.6 else int(rng.integers(256))
    for begin, end in sides:
        part = (slice(None), slice(begin, end)) if upright else (slice(begin, end), slice(None))
        frame[part], alpha[part] = shade, 0


def _rounded(layer: Image, left: float, top: float, right: float, corner: float) -> None:
    """Draw a shape on the lower edge: a rectangle whose upper corners are round."""
    corner = max(1.0, min(corner, (right - left) / 2))
    bottom = float(layer.shape[0] + 2)
    cv2.rectangle(layer, _fixed(left, top + corner), _fixed(right, bottom), 255, -1, cv2.LINE_AA, _SHIFT)
    cv2.rectangle(layer, _fixed(left + corner, top), _fixed(right - corner, bottom), 255, -1, cv2.LINE_AA, _SHIFT)
    for centre in (left + corner, right - corner):
        cv2.ellipse(
            layer, _fixed(centre, top + corner), _fixed(corner, corner), 0, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT
        )


def skin_or_wood(rng: Generator) -> np.ndarray:
    """Return a BGR colour, float in 0 to 255, of skin or wood: colours that rooms share with people."""
    hue, saturation, value = rng.uniform(3, 22), rng.uniform(40, 170), rng.uniform(50, 250)
    return np.asarray(cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0], float)


def add_clutter(rng: Generator, room: Image, texture: Image) -> Image:
    """Draw something that photographs of tidy rooms lack onto a wall: a flag, a curtain, a poster.

    A tilted band or a disc, filled with stripes of strong colours, with one colour, or with a piece of `texture` (any
    picture without people), in soft folds of light and shade. All of it is background.
    """
    height, width = room.shape[:2]
    layer = _layer(room.shape)
    x, y = rng.uniform(-0.05, 1.05) * width, rng.uniform(-0.1, 0.9) * height
    w, h = rng.uniform(0.06, 0.3) * width, rng.uniform(0.2, 1.1) * height
    if rng.random() < 0.75:
        tilt, taper = rng.normal(0, 0.25) * w, rng.uniform(-0.3, 0.3) * w
        corners = [(x - w / 2, y), (x + w / 2, y), (x + w / 2 + tilt + taper, y + h), (x - w / 2 + tilt - taper, y + h)]
        cv2.fillPoly(layer, [np.array([_fixed(*c) for c in corners], np.int32)], 255, cv2.LINE_AA, _SHIFT)
    else:
        cv2.ellipse(
            layer, _fixed(x, y), _fixed(w / 2, w / 2 * rng.uniform(0.6, 1.6)), 0, 0, 360, 255, -1, cv2.LINE_AA, _SHIFT
        )
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = grid_x * np.cos(angle) + grid_y * np.sin(angle)
    kind = rng.random()
    if kind < 0.45:
        colours = rng.uniform(0, 255, (rng.integers(2, 5), 3)).astype(np.float32)
        fill = colours[(along / rng.uniform(0.02, 0.15) / height).astype(np.int32) % len(colours)]
    elif kind < 0.75:
        part = texture[: max(2, texture.shape[0] // 2), : max(2, texture.shape[1] // 2)]
        fill = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    else:
        colour = skin_or_wood(rng) if rng.random() < 0.4 else rng.uniform(0, 255, 3)
        fill = np.broadcast_to(colour.astype(np.float32), room.shape)
    fold = rng.uniform(0.05, 0.3) * height
    shade = 1 + rng.uniform(0, 0.4) * np.sin(grid_x * (6.28 / fold) + grid_y * (rng.uniform(-3, 3) / fold))
    weight = cv2.GaussianBlur(layer, (3, 3), 0).astype(np.float32)[..., None] / 255
    filled = np.clip(fill * shade[..., None], 0, 255)
    return np.asarray(room + (filled - room) * weight + 0.5).astype(np.uint8)
