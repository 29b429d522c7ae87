"""Read and write still pictures, and bring frames to the network's size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.model_path import expanded
from eoam_core.pictures.byte_source import Readable
from eoam_core.pictures.decoding import Picture, decode
from eoam_core.target import replacing, writing

Bytes = NDArray[np.uint8]

_MAX_BYTES: Final = 1 << 30
_COLOURS: Final = {
    "black": "#000000",
    "white": "#ffffff",
    "grey": "#808080",
    "gray": "#808080",
    "red": "#ff0000",
    "green": "#00ff00",  # the green of a green screen, not the dark one of CSS
    "blue": "#0000ff",
}


def read_picture(path: Path | str) -> Bytes:
    """Read a picture as BGRA, (h, w, 4) uint8, upright and in sRGB, whatever it holds: grey, 16 bit, alpha or none.

    Raises:
        InputError: the file is missing, damaged, cut short or of an unknown kind.
    """
    return open_picture(path).pixels


def open_picture(path: Path | str, *, hint: str = "") -> Picture:
    """Read a picture as `read_picture` does, with what has to be said of it; `hint` as for `decode`."""
    try:
        # Not cv2.imread, which cannot open every name on Windows.
        with open(path, "rb") as file:
            return decode_stream(file, name=str(path), hint=hint)
    except FileNotFoundError:
        raise InputError(f"There is no image {path}; check the name.") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The image {path} cannot be read: {reason}.") from error


def decode_stream(file: Readable, *, name: str, hint: str = "") -> Picture:
    """Return the picture that `file` holds up to its end; `name` stands in messages, `hint` as for `decode`.

    Raises:
        InputError: it is damaged, cut short, of an unknown kind or too large.
    """
    parts, total = [], 0
    while part := file.read(1 << 20):
        total += len(part)
        if total > _MAX_BYTES:  # such as a device that never ends
            raise InputError(f"The image {name} is larger than {_MAX_BYTES >> 20} MiB; make it smaller.")
        parts.append(part)
    return decode(b"".join(parts), name=name, hint=hint)


def write_png(target: Path, rgba: Bytes, *, source: Path) -> None:
    """Write `rgba` (h, w, 4) uint8 as PNG, completely or not at all.

    Raises:
        InputError: the target's name does not end in .png, or it cannot be written.
    """
    require_png(target)
    with replacing(target, source=source) as temporary, writing(target):
        temporary.write_bytes(encode_png(rgba, name=str(target)))


def encode_png(rgba: Bytes, *, name: str) -> bytes:
    """Return `rgba` (h, w, 4) uint8 as the bytes of a PNG file; `name` stands in messages.

    Raises:
        InputError: PNG cannot hold a picture of this size.
    """
    encoded, content = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    if not encoded:
        raise InputError(f"{name} cannot be written: PNG cannot hold {rgba.shape[1]}x{rgba.shape[0]} pixels.")
    return content.tobytes()


def require_png(target: Path) -> None:
    """Raise InputError if `target` is not named like a PNG file."""
    if target.suffix.lower() != ".png":
        found = f"ends in {target.suffix!r}" if target.suffix else "has no extension"
        raise InputError(f"The output {target} {found}; use .png, which supports transparency.")


def fit_network(frame: Bytes, *, height: int, width: int) -> Bytes:
    """Return `frame` (h, w, 4) uint8 BGRA at the network's size, as OBS would hand it over: colour times alpha.

    Shrinks by area, as the filter does on the GPU; plain bilinear sampling would alias.
    """
    if frame[..., 3].min() < 255:
        # What a transparent pixel's colour is says nothing; OBS's textures are premultiplied, too.
        frame = frame.copy()
        alpha = cv2.merge([frame[..., 3]] * 3)
        frame[..., :3] = cv2.multiply(frame[..., :3], alpha, scale=1 / 255)
    if frame.shape[:2] == (height, width):
        return np.ascontiguousarray(frame)
    shrinks = frame.shape[0] >= height and frame.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(frame, (width, height), interpolation=method)  # type: ignore[return-value]


def parse_colour(text: str) -> str | None:
    """Return "#rrggbb" of "#rrggbb", "#rgb" or a colour's name; None if it is not one of the choices."""
    named = _COLOURS.get(text.lower())
    if named is not None:
        return named
    if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
        return "#" + "".join(digit * 2 for digit in text[1:]).lower()
    return text.lower() if re.fullmatch(r"#[0-9a-fA-F]{6}", text) else None


def colour_names() -> tuple[str, ...]:
    """Return the names that `parse_colour` knows."""
    return tuple(sorted(_COLOURS))


class BackgroundPicture:
    """A picture that is cropped to fill every frame.

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        opened = open_picture(path)
        picture = opened.pixels
        self.notes = opened.notes  # sentences about what is not shown as the file has it
        # What shows through a transparent part is black.
        self._picture = np.ascontiguousarray(
            fit_network(picture, height=picture.shape[0], width=picture.shape[1])[..., :3]
        )
        self._fitted = np.zeros((0, 0, 3), np.uint8)

    @classmethod
    def chosen(cls, text: str) -> BackgroundPicture:
        """Return the picture that a setting names.

        Raises:
            InputError: it names none, or the picture cannot be read.
        """
        if not text:
            raise InputError("No background image is chosen; choose one, or another kind of background.")
        return cls(expanded(text))

    def at(self, *, height: int, width: int) -> Bytes:
        """Return it as BGR, (height, width, 3) uint8; the same array as long as the size stays. Do not write to it."""
        if self._fitted.shape[:2] != (height, width):
            self._fitted = _covering(self._picture, height=height, width=width)
        return self._fitted

    def with_alpha(self, *, height: int, width: int) -> Bytes:
        """Return it as opaque BGRA, (height, width, 4) uint8, rows without padding."""
        return cv2.cvtColor(self.at(height=height, width=width), cv2.COLOR_BGR2BGRA)  # type: ignore[return-value]


def _covering(picture: Bytes, *, height: int, width: int) -> Bytes:
    """Crop the middle of `picture` (h, w, 3) to the shape wanted and bring it to (height, width, 3)."""
    rows, columns = picture.shape[:2]
    scale = min(rows / height, columns / width)
    kept_rows, kept_columns = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    crop = picture[top : top + kept_rows, left : left + kept_columns]
    method = cv2.INTER_AREA if scale >= 1 else cv2.INTER_LINEAR
    return cv2.resize(crop, (width, height), interpolation=method)  # type: ignore[return-value]
