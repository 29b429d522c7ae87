"""Write and read a clip whose frames carry their number, as a picture and as the shape of the mask.

Grey cells that every mask keeps tell which picture is seen; cells whose brightness is the mask tell which mask cut it.
The network must be one whose mask is the picture's brightness, and whatever shows through must be green.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from tools.obs_driver.clips import Picture

FRAMES: Final = 240
_BITS: Final = 8
_ROWS: Final = {"kept": (0.02, 0.08), "picture": (0.12, 0.40), "mask": (0.55, 0.85)}  # shares of the height


class Seen(NamedTuple):
    """What one picture shows: the number of the camera beside, of the filtered picture, of its mask; or nothing."""

    raw: int
    picture: int
    mask: int
    is_drawn: bool


def frames(width: int, height: int) -> Iterator[Picture]:
    """Yield the clip, (height, width, 3) uint8 BGR."""
    for number in range(FRAMES):
        frame = np.zeros((height, width, 3), np.uint8)
        frame[_rows("kept", height)] = 255
        for bit in range(_BITS):
            is_set = number >> bit & 1
            frame[_rows("picture", height), _cell(bit, width)] = 255 if is_set else 150  # bright enough for every mask
            frame[_rows("mask", height), _cell(bit, width)] = 255 if is_set else 0
        yield frame


def read(frame: Picture) -> Seen:
    """Read (h, 2 w, 3) uint8 RGB: the camera itself on the left, the filtered one on the right."""
    width = frame.shape[1] // 2
    raw, cut = frame[:, :width], frame[:, width:]
    return Seen(
        raw=_number([_middle(raw, "mask", bit)[0] > 128 for bit in range(_BITS)]),
        picture=_number([_middle(cut, "picture", bit)[0] > 200 for bit in range(_BITS)]),
        # A cell that the mask keeps shows the picture's own brightness, black or white, and never the green.
        mask=_number([not _is_green(_middle(cut, "mask", bit)) for bit in range(_BITS)]),
        is_drawn=not _is_green(_middle(cut, "kept", _BITS // 2)),
    )


def behind(late: int, early: int) -> int:
    """Return the number of frames by which one number lags the other, up to half of the clip."""
    return (early - late) % FRAMES


def _rows(name: str, height: int) -> slice:
    first, last = _ROWS[name]
    return slice(round(first * height), round(last * height))


def _cell(bit: int, width: int) -> slice:
    step = width / (_BITS + 0.5)
    return slice(round((bit + 0.25) * step), round((bit + 1.05) * step))


def _middle(picture: Picture, name: str, bit: int) -> Picture:
    rows, columns = _rows(name, picture.shape[0]), _cell(bit, picture.shape[1])
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    part = picture[rows.start + high // 3 : rows.stop - high // 3, columns.start + wide // 3 : columns.stop - wide // 3]
    return np.asarray(part.mean(axis=(0, 1)))


def _number(bits: list[bool]) -> int:
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set)


def _is_green(colour: Picture) -> bool:
    return bool(colour[1] > 100 and colour[0] < 100)
