"""Decode a picture's bytes: whole, upright, in 8 bits and in sRGB, or with a sentence about what is lost."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.installation import update_command
from eoam_core.pictures.avif import brand, examine_avif
from eoam_core.pictures.jpeg import endings, examine_jpeg
from eoam_core.pictures.picture_file import KINDS, DamagedPictureError, PictureFile
from eoam_core.pictures.pixels import developed
from eoam_core.pictures.plain import examine_bmp, examine_gif, examine_webp
from eoam_core.pictures.png import examine_png, pixels_only
from eoam_core.pictures.tiff import examine_tiff

Bytes = NDArray[np.uint8]

MAX_PIXELS: Final = 200_000_000  # of the largest cameras; with all that follows some 3 GB
_MAX_SIDE: Final = 65_535
_SAVE_AS: Final = "open it in an image editor and save it as JPEG or PNG"
_HEIC: Final = (
    "export it as JPEG in Photos or Preview; iPhones take JPEGs with Settings > Camera > Formats > Most Compatible"
)
_OTHERS: Final = (
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document, such as an SVG drawing"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A decoded picture, and sentences about what is not in it as the file has it."""

    pixels: Bytes  # (h, w, 4) BGRA
    notes: tuple[str, ...]


def examined(content: bytes) -> PictureFile | None:
    """Return what a file of a known kind says of itself, or None if it is of no known kind.

    Raises:
        DamagedPictureError: it is of a known kind, but ends early or makes no sense.
    """
    for is_kind, read in _READERS:
        if is_kind(content):
            try:
                file = read(content)
            except (struct.error, IndexError, ValueError) as error:
                raise DamagedPictureError(str(error)) from error
            if file.width <= 0 or file.height <= 0:
                raise DamagedPictureError("no size")
            return file
    return None


def decode(content: bytes, *, name: str, hint: str = "") -> Picture:
    """Decode the picture in the bytes of a file, whatever follows it there.

    Args:
        content: of the file.
        name: stands in messages.
        hint: what to add, behind a comma, where only the first of several pictures of an animation is used.

    Raises:
        InputError: it is damaged, cut short, of an unknown kind or too large.
    """
    try:
        file = examined(content)
    except DamagedPictureError as error:
        raise InputError(f"The image {name} is damaged: parts are missing or invalid; use a complete copy.") from error
    if file is None:
        raise InputError(_unknown(content, name))
    if file.kind == "DNG":
        raise InputError(f"{name} is a raw camera image (DNG), which is not supported; {_SAVE_AS}.")
    if file.width * file.height > MAX_PIXELS or max(file.width, file.height) > _MAX_SIDE:
        raise InputError(
            f"The image {name} has {file.width}x{file.height} pixels, more than {MAX_PIXELS // 1_000_000} million or "
            f"{_MAX_SIDE} on a side; make it smaller."
        )
    raw = _raw(content, file) if file.is_whole or file.lacks_end_mark else None
    if raw is None and not file.is_whole:
        raise InputError(f"The image {name} is damaged: its end is missing; use a complete copy.")
    if raw is None:
        raise InputError(_undecodable(file, name))
    notes = list(_notes(file, name, hint))
    return Picture(pixels=developed(raw, file, name=name, notes=notes), notes=tuple(notes))


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


def _unknown(content: bytes, name: str) -> str:
    if brand(content) == "HEIC":
        return f"{name} is a HEIC image (the iPhone format), which is not supported; {_HEIC}."
    for start, kind in _OTHERS:
        if content.startswith(start):
            return f"{name} is {kind}, which is not supported; {_SAVE_AS}."
    return f"{name} is damaged or not a supported image; use {KINDS}."


def _undecodable(file: PictureFile, name: str) -> str:
    if file.kind in ("GIF", "AVIF"):
        built = re.search(rf"^\s*{file.kind}:\s*(?!NO\b)\S", cv2.getBuildInformation(), re.MULTILINE)
        if built is None:
            return (
                f"This OpenCV ({cv2.__version__}) has no {file.kind} support, which {name} needs; {_SAVE_AS}, "
                f"or update it: {update_command()}"
            )
    return f"The {file.kind} {name} is damaged or of an unsupported kind; {_SAVE_AS}."


def _notes(file: PictureFile, name: str, hint: str) -> Iterator[str]:
    if file.pictures > 1:
        rest = f", {hint}" if hint and file.kind in ("GIF", "PNG", "WebP") else ""  # those that FFmpeg reads
        unit = "pages" if file.kind == "TIFF" else "frames"
        yield f"{name} has {file.pictures} {unit}; only the first is used{rest}."
    if file.is_cmyk:
        yield f"{name} has CMYK (print) colours, which are converted without a profile and may look different."
    if file.lacks_end_mark:
        yield f"{name} has no end marker, but the image is complete."
    if file.note:
        yield f"{name} {file.note}"


def _raw(content: bytes, file: PictureFile) -> NDArray[Any] | None:
    """Return what OpenCV makes of the file, (h, w) or (h, w, c), or None if it cannot read it, or not all of it."""
    if file.kind == "PNG":
        return _decoded(pixels_only(content[: file.end]))
    if not file.lacks_end_mark:
        return _decoded(content[: file.end] + file.missing)
    # A zero alone at the end is the picture's last byte; many are what an interrupted copy was filled up with.
    starts = [content[: file.end], content] if content[file.end :] == b"\0" else [content[: file.end]]
    for start in starts:
        first, second = (_decoded(version) for version in endings(start, file.width))
        if first is not None and second is not None and np.array_equal(first, second):
            return first
    return None


def _decoded(content: bytes) -> NDArray[Any] | None:
    try:
        with silent_opencv():
            picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError):  # a size beyond OpenCV's limit, or a header that makes no sense
        return None
    return picture if picture is not None and picture.size else None


_READERS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[bytes], PictureFile]], ...]] = (
    (lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"), examine_png),
    (lambda content: content.startswith(b"\xff\xd8\xff"), examine_jpeg),
    (lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP", examine_webp),
    (lambda content: content.startswith(b"BM"), examine_bmp),
    (lambda content: content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), examine_tiff),
    (lambda content: content[:6] in (b"GIF87a", b"GIF89a"), examine_gif),
    (lambda content: brand(content) == "AVIF", examine_avif),
)
