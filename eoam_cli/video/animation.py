"""Read animated WebP, which FFmpeg does not decode, and AVIF, whose alpha it loses, with OpenCV.

The pictures are passed on as a video, and converted like single ones.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_cli.video.pipe import MAX_PIXELS
from eoam_core.errors import InputError, InstallationError
from eoam_core.installation import install_command
from eoam_core.pictures.decoding import examined, silent_opencv
from eoam_core.pictures.picture_file import DamagedPictureError, PictureFile
from eoam_core.pictures.pixels import developed

_MAX_BYTES: Final = 1 << 30
_MAX_FRAMES: Final = 100_000
_TIME_BASE: Final = Fraction(1, 1000)
_BLOCK_PIXELS: Final = 1 << 26  # decoded at once
_SHORTEST_MS: Final = 11  # shorter times are replaced by the next, as in browsers
_INSTEAD_MS: Final = 100


def animation_of(file: BinaryIO) -> str:
    """Return "webp" or "avif" if a file is such an animation, or ""; the file is rewound."""
    head = file.read(21)
    file.seek(0)
    if len(head) == 21 and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
        return "webp"
    return "avif" if head[4:12] == b"ftypavis" else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Animation:
    """The pictures of an animation as a QuickTime file in memory, and sentences about what is lost."""

    file: io.BytesIO
    notes: tuple[str, ...]


def as_container(av: Any, file: BinaryIO, source: Path) -> Animation:
    """Return the pictures of an animated WebP or AVIF, upright and in sRGB, compressed without loss.

    Raises:
        InputError: it is damaged from the first picture on, or too large.
        InstallationError: this OpenCV cannot decode animations.
    """
    if not hasattr(cv2, "imdecodeanimation"):
        raise InstallationError(
            f"{source} is an animation, which needs OpenCV 4.12; install it: "
            f"{install_command(['opencv-python-headless>=4.12'])}"
        )
    content = file.read(_MAX_BYTES + 1)
    if content[:4] == b"RIFF":
        content = _whole_parts(content)
    said = _said(content, source)
    if len(content) > _MAX_BYTES or said.width * said.height > MAX_PIXELS:
        raise InputError(f"{source} is too large to be decoded ({said.width}x{said.height} pixels); make it smaller.")
    block = max(1, _BLOCK_PIXELS // (said.width * said.height))
    notes: dict[str, None] = {}
    result = io.BytesIO()
    with av.open(result, "w", format="mov") as output:
        stream = output.add_stream("png", rate=Fraction(1000, _INSTEAD_MS))
        stream.width, stream.height, stream.pix_fmt = said.width, said.height, "rgba"
        if said.orientation >= 5:  # on its side
            stream.width, stream.height = said.height, said.width
        stream.codec_context.time_base = _TIME_BASE
        start = time = 0
        while start < _MAX_FRAMES:
            # One row: a one-dimensional array arrives as a column, which OpenCV 4.12 does not accept.
            pictures, durations = _block(np.frombuffer(content, np.uint8)[np.newaxis], start, block)
            for picture, duration in zip(pictures, durations, strict=True):
                found: list[str] = []
                upright = developed(picture, said, name=str(source), notes=found)
                notes |= dict.fromkeys(found)  # each once
                frame = av.VideoFrame.from_ndarray(upright, format="bgra")
                frame.pts, frame.time_base = time, _TIME_BASE
                shown_for = duration if duration >= _SHORTEST_MS else _INSTEAD_MS
                time += shown_for
                for packet in stream.encode(frame):
                    packet.duration = shown_for  # otherwise the last picture would get the first one's duration
                    output.mux(packet)
            start += len(pictures)
            if len(pictures) < block:
                break
        if start == 0:
            raise _without_pictures(source)
        output.mux(stream.encode(None))
    result.seek(0)
    return Animation(file=result, notes=tuple(notes))


def _said(content: bytes, source: Path) -> PictureFile:
    """Return what the file says of its pictures; if that makes no sense, only their size."""
    try:
        file = examined(content)
    except DamagedPictureError:
        file = None
    if file is None:
        at = content.find(b"ispe") + 8  # the first picture's box of its size
        width, height = (int.from_bytes(content[start : start + 4], "big") for start in (at, at + 4))
        file = PictureFile(kind="AVIF", width=width, height=height, end=len(content))
    if file.width <= 0 or file.height <= 0:
        raise _without_pictures(source)
    return file


def _without_pictures(source: Path) -> InputError:
    return InputError(f"{source} has no frames that can be decoded; use a complete copy.")


def _whole_parts(content: bytes) -> bytes:
    """Return a WebP without its truncated last part: WebP's decoder needs a complete file."""
    at = 12
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        if end > len(content):
            break
        at = end + end % 2
    at = min(at, len(content))
    return content if at == len(content) else content[:4] + (at - 8).to_bytes(4, "little") + content[8:at]


def _block(content: NDArray[np.uint8], start: int, count: int) -> tuple[list[NDArray[Any]], list[int]]:
    """Return up to `count` pictures from `start` on, as they are stored, and how many milliseconds each is shown."""
    decode: Any = cv2.imdecodeanimation
    try:
        with silent_opencv():
            ok, animation = decode(content, start=start, count=count)
    except cv2.error:
        return [], []
    return (list(animation.frames), [int(duration) for duration in animation.durations]) if ok else ([], [])
