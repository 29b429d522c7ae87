"""Read and write still pictures, and bring frames to the network's size."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.target import replacing, writing

Bytes = NDArray[np.uint8]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_COLOURS: Final = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "gray": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 255, 0),  # the green of a green screen, not the dark one of CSS
    "blue": (0, 0, 255),
}


def read_picture(path: Path) -> Bytes:
    """Read a picture as BGRA, (h, w, 4) uint8, whatever it holds: grey, 16 bit, with or without alpha.

    Raises:
        InputError: the file is missing, damaged, cut short or of an unknown kind.
    """
    try:
        content = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name on Windows
    except FileNotFoundError:
        raise InputError(f"There is no picture {path}; check the name.") from None
    except OSError as error:
        raise InputError(f"The picture {path} cannot be read: {error.strerror or error}.") from error
    if _is_cut_short(content.tobytes()):
        raise InputError(f"The picture {path} is damaged: its end is missing; get a complete copy of it.")
    with _silent_opencv():
        picture = _decoded(content)
    if picture is None:
        raise InputError(f"{path} is damaged or no picture of a known kind; use PNG, JPEG, WebP, BMP or TIFF.")
    return picture


def write_png(target: Path, rgba: Bytes, *, source: Path) -> None:
    """Write `rgba` (h, w, 4) uint8 as PNG, completely or not at all.

    Raises:
        InputError: the target's name does not end in .png, or it cannot be written.
    """
    require_png(target)
    with replacing(target, source=source) as temporary, writing(target):
        encoded, content = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
        if not encoded:
            raise InputError(f"{target} cannot be written: PNG cannot hold {rgba.shape[1]}x{rgba.shape[0]} pixels.")
        content.tofile(temporary)


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


class Background:
    """What is put behind a person: one colour, or a picture that is cropped to fill every frame.

    Args:
        text: "#rrggbb", "#rgb", a colour's name, or the path of a picture.

    Raises:
        InputError: it is neither, or the picture cannot be read.
    """

    def __init__(self, text: str) -> None:
        self._picture: Bytes | None = None
        self._fitted = np.zeros((0, 0, 3), np.uint8)
        red, green, blue = self._parse(text)
        self._colour = (blue, green, red)

    def at(self, *, height: int, width: int) -> Bytes:
        """Return it as BGR, (height, width, 3) uint8; the same array as long as the size stays. Do not write to it."""
        if self._fitted.shape[:2] != (height, width):
            if self._picture is None:
                self._fitted = np.full((height, width, 3), self._colour, np.uint8)
            else:
                self._fitted = _covering(self._picture, height=height, width=width)
        return self._fitted

    def _parse(self, text: str) -> tuple[int, int, int]:
        named = _COLOURS.get(text.lower())
        if named is not None:
            return named
        digits = text[1:]
        if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
            digits = "".join(digit * 2 for digit in digits)
        if text.startswith("#") and re.fullmatch(r"[0-9a-fA-F]{6}", digits):
            return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
        if not os.path.exists(text):
            names = ", ".join(sorted(_COLOURS))
            raise InputError(f"The background {text!r} is neither #rrggbb, nor {names}, nor a picture that exists.")
        picture = read_picture(Path(text))
        self._picture = np.ascontiguousarray(
            fit_network(picture, height=picture.shape[0], width=picture.shape[1])[..., :3]
        )
        return 0, 0, 0


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
    except cv2.error:  # a size beyond OpenCV's limit, or a header that makes no sense
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
def _silent_opencv() -> Iterator[None]:
    # It would print its own warnings about a damaged file; the caller gets one sentence instead.
    log: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 5 moved the two functions, 4 has them at the top
    level = log.getLogLevel()
    log.setLogLevel(0)  # silent
    try:
        yield
    finally:
        log.setLogLevel(level)
