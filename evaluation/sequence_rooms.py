"""The rooms of the sequences: still, moving, of the person's colours, dark, noisy, back-lit."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data import Image

Ground = Callable[[int], Image]  # frame number -> the room, (h, w, 3) uint8


def fit(room: Image, size: tuple[int, int], zoom: float = 1.0) -> Image:
    """Enlarge a room so that it covers `size` (h, w), `zoom` times more than it must, and cut its middle out."""
    height, width = round(size[0] * zoom), round(size[1] * zoom)
    cover = max(height / room.shape[0], width / room.shape[1])
    large = cv2.resize(room, None, fx=cover, fy=cover, interpolation=cv2.INTER_LINEAR)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.asarray(large[top : top + height, left : left + width], np.uint8)


def still(room: Image, size: tuple[int, int]) -> Ground:
    """A room that stands still."""
    picture = fit(room, size)
    return lambda _: picture


def panned(room: Image, size: tuple[int, int], speed: float, count: int) -> Ground:
    """A camera that pans, `speed` pixels per frame (the person stays where they are: a phone held before the face)."""
    large = fit(room, size, 1 + 1.05 * abs(speed) * count / size[1])
    reach = large.shape[1] - size[1]
    begin = 0.0 if speed > 0 else float(reach)
    return lambda number: _window(large, begin + speed * number, (large.shape[0] - size[0]) / 2, size)


def shaken(room: Image, size: tuple[int, int], rng: Generator, count: int, reach: float = 5.0) -> Ground:
    """A camera held in the hand."""
    large = fit(room, size, 1.1)
    steps = rng.normal(0, 1, (count + 2, 2)).astype(np.float32)
    path = np.asarray(cv2.GaussianBlur(steps, (1, 7), 1.2), np.float32)
    path = path / max(float(np.abs(path).max()), 1e-6) * reach
    x, y = (large.shape[1] - size[1]) / 2, (large.shape[0] - size[0]) / 2
    return lambda number: _window(large, x + float(path[number, 0]), y + float(path[number, 1]), size)


def with_screen(room: Image, other: Image, size: tuple[int, int], count: int) -> Ground:
    """A still room with a screen in it, on which another picture runs past."""
    picture = fit(room, size)
    height, width = round(0.36 * size[0]), round(0.3 * size[1])
    top, left = round(0.1 * size[0]), round(0.66 * size[1])
    film = panned(other, (height, width), 5.0, count)

    def at(number: int) -> Image:
        ground = picture.copy()
        ground[top : top + height, left : left + width] = film(number)
        return ground

    return at


def tinted(room: Image, size: tuple[int, int], colour: NDArray[np.float32], share: float = 0.7) -> Ground:
    """A still room whose colours have been drawn towards `colour` (blue, green, red): that of the person."""
    grey = fit(room, size).mean(2, keepdims=True)
    light = 1 + (grey / max(float(grey.mean()), 1.0) - 1) * (1 - share)  # the room's light without its colour
    picture = np.clip(colour * light, 0, 255).astype(np.uint8)
    return lambda _: picture


def _window(large: Image, x: float, y: float, size: tuple[int, int]) -> Image:
    move = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    return np.asarray(
        cv2.warpAffine(large, move, size[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8
    )


# Standard deviation of the noise, grey levels. A good webcam by day has about one.
_NOISE = {"plain": 1.5, "dark": 3.5, "noisy": 15.0, "back-lit": 2.0, "exposure": 1.5, "compressed": 2.0}


class Camera:
    """What a webcam does to a picture: light, noise, compression. The noise is new in every frame.

    Args:
        kind: "plain", "dark", "noisy", "back-lit", "exposure" (its automatic gain hunts) or "compressed".
        size: (h, w) of the frames.
        rng: draws the noise.
    """

    def __init__(self, kind: str, size: tuple[int, int], rng: Generator) -> None:
        self._kind, self._rng = kind, rng
        # One field, seen through another window in every frame: drawing noise anew would take most of the time.
        self._field = rng.normal(0, _NOISE[kind], (size[0] + 64, size[1] + 64, 3)).astype(np.float32)

    def light(self, frame: Image, alpha: Image, number: int) -> Image:
        """Return the frame as it is lit, without noise."""
        values: NDArray[np.floating] = frame.astype(np.float32)
        if self._kind == "dark":
            values = 255 * (values / 255) ** 1.5 * 0.24
        elif self._kind == "back-lit":
            weight = alpha.astype(np.float32)[..., None] / 255
            bright = 255 - (255 - values) * 0.45
            values = bright + (values * 0.4 - bright) * weight
        elif self._kind == "exposure":
            values = values * (1 + 0.12 * np.sin(number / 4.0))
        else:
            return frame
        return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)

    def shoot(self, frame: Image) -> Image:
        """Return a lit frame as it comes out of the camera."""
        height, width = frame.shape[:2]
        y, x = (int(v) for v in self._rng.integers(0, 64, 2))
        noisy = cv2.add(frame, self._field[y : y + height, x : x + width], dtype=cv2.CV_8U)
        if self._kind == "compressed":
            small = cv2.resize(noisy, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 22])
            decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
            assert decoded is not None  # it was encoded a line above
            noisy = cv2.resize(decoded, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(noisy, np.uint8)
