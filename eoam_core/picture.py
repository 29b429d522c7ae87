"""Read and write still pictures, and bring frames to the network's size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.model_path import expanded
from eoam_core.picture_size import KINDS, claimed_size
from eoam_core.pipe import Readable
from eoam_core.target import replacing, writing

Bytes = NDArray[np.uint8]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
MAX_PIXELS: Final = 200_000_000  # of the largest cameras; with all that follows some 3 GB
_MAX_SIDE: Final = 65_535
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
    """Read a picture as BGRA, (h, w, 4) uint8, whatever it holds: grey, 16 bit, with or without alpha.

    Raises:
        InputError: the file is missing, damaged, cut short or of an unknown kind.
    """
    try:
        # Not cv2.imread, which cannot open every name on Windows.
        with open(path, "rb") as file:
            return decode_stream(file, name=str(path))
    except FileNotFoundError:
        raise InputError(f"There is no picture {path}; check the name.") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The picture {path} cannot be read: {reason}.") from error


def decode_stream(file: Readable, *, name: str) -> Bytes:
    """Return the picture that `file` holds up to its end as BGRA, (h, w, 4) uint8; `name` stands in messages.

    Raises:
        InputError: it is damaged, cut short, of an unknown kind or too large.
    """
    parts, total = [], 0
    while part := file.read(1 << 20):
        total += len(part)
        if total > _MAX_BYTES:  # such as a device that never ends
            raise InputError(f"The picture {name} has more than {_MAX_BYTES >> 20} MiB; make it smaller.")
        parts.append(part)
    return decode_picture(np.frombuffer(b"".join(parts), np.uint8), name=name)


def decode_picture(content: Bytes, *, name: str) -> Bytes:
    """Return the picture in the bytes of a file, (n,) uint8, as BGRA, (h, w, 4) uint8; `name` stands in messages.

    Raises:
        InputError: it is damaged, cut short, of an unknown kind or too large.
    """
    whole = content.tobytes()
    size = claimed_size(whole)
    if size is None:
        raise InputError(f"{name} is damaged or no picture of a known kind; use {KINDS}.")
    if size.width * size.height > MAX_PIXELS or max(size) > _MAX_SIDE:
        raise InputError(
            f"The picture {name} has {size.width}x{size.height} pixels, more than {MAX_PIXELS // 1_000_000} million or "
            f"{_MAX_SIDE} on a side; make it smaller."
        )
    if _is_cut_short(whole):
        raise InputError(f"The picture {name} is damaged: its end is missing; get a complete copy of it.")
    with silent_opencv():
        picture = _decoded(content)
    if picture is None:
        raise InputError(f"{name} is damaged or no picture of a known kind; use {KINDS}.")
    return picture


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
        found = f"ends in {target.suffix!r}" if target.suffix else "has no ending"
        raise InputError(f"The output {target} {found}; name it .png, which can hold transparency.")


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
    """Return "#rrggbb" of "#rrggbb", "#rgb" or a colour's name; None if it is none of them."""
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
        picture = read_picture(path)
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
            raise InputError("No background picture is chosen; choose one, or another background.")
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


def _decoded(content: Bytes) -> Bytes | None:
    """Return BGRA, (h, w, 4) uint8, or None if OpenCV cannot read it."""
    if not content.size:
        return None
    try:
        raw = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
            return _to_8_bit(raw)
        # Anything without alpha is read again in this mode, which turns it upright and makes it 8-bit colour.
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except (cv2.error, MemoryError):  # a size beyond OpenCV's limit, or a header that makes no sense
        return None
    if picture is None or picture.size == 0:
        return None
    return cv2.cvtColor(_to_8_bit(picture), cv2.COLOR_BGR2BGRA)  # type: ignore[return-value]


def _to_8_bit(picture: NDArray[np.integer[Any] | np.floating[Any]]) -> Bytes:
    if picture.dtype == np.uint8:
        return picture  # type: ignore[return-value]
    if picture.dtype == np.uint16:
        return cv2.convertScaleAbs(picture, alpha=1 / 257)  # type: ignore[return-value]
    values = np.nan_to_num(picture.astype(np.float32))
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _is_cut_short(content: bytes) -> bool:
    # OpenCV fills what is missing with grey and says nothing, so the formats' own end marks are looked for.
    if content.startswith(_PNG):
        return b"IEND" not in content[-4096:]
    if content.startswith(_JPEG):
        return content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")  # the end of the image after its last scan
    return False


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from printing its own warnings about what it cannot open; the caller gets one sentence instead."""
    log: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 5 moved the two functions, 4 has them at the top
    level = log.getLogLevel()
    log.setLogLevel(0)  # silent
    try:
        yield
    finally:
        log.setLogLevel(level)
