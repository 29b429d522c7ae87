"""Animated WebP, which FFmpeg does not decode, and AVIF, of which it loses the alpha: OpenCV reads both.

The pictures are handed on as a video.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError, InstallationError
from eoam_core.installation import install_command
from eoam_core.picture_decoding import silent_opencv
from eoam_core.pipe import MAX_PIXELS

_MAX_BYTES: Final = 1 << 30
_MAX_FRAMES: Final = 100_000
_TIME_BASE: Final = Fraction(1, 1000)
_BLOCK_PIXELS: Final = 1 << 26  # decoded at once
_SHORTEST_MS: Final = 11  # what is stored as less is shown for the next, as browsers do
_INSTEAD_MS: Final = 100


def animation_of(file: BinaryIO) -> str:
    """Return "webp" or "avif" if a file, which is left at its beginning, says that it is such an animation, or ""."""
    head = file.read(21)
    file.seek(0)
    if len(head) == 21 and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
        return "webp"
    return "avif" if head[4:12] == b"ftypavis" else ""


def as_container(av: Any, file: BinaryIO, source: Path) -> io.BytesIO:
    """Return the pictures of an animated WebP or AVIF as a QuickTime file in memory, compressed without loss.

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
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    else:
        place = content.find(b"ispe") + 8  # the first picture's box of its size
        width, height = (int.from_bytes(content[at : at + 4], "big") for at in (place, place + 4))
    if not width or not height:
        raise InputError(f"{source} has no pictures that can be decoded; get a complete copy of it.")
    if len(content) > _MAX_BYTES or width * height > MAX_PIXELS:
        raise InputError(f"{source} is too large to be decoded ({width}x{height} pixels); make it smaller.")
    block = max(1, _BLOCK_PIXELS // (width * height))
    result = io.BytesIO()
    with av.open(result, "w", format="mov") as output:
        stream = output.add_stream("png", rate=Fraction(1000, _INSTEAD_MS))
        stream.width, stream.height, stream.pix_fmt = width, height, "rgba"
        stream.codec_context.time_base = _TIME_BASE
        start = time = 0
        while start < _MAX_FRAMES:
            frames, durations = _block(np.frombuffer(content, np.uint8), start, block)
            for picture, duration in zip(frames, durations, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="bgra")
                frame.pts, frame.time_base = time, _TIME_BASE
                shown_for = duration if duration >= _SHORTEST_MS else _INSTEAD_MS
                time += shown_for
                for packet in stream.encode(frame):
                    packet.duration = shown_for  # else the last picture would be shown as long as the first
                    output.mux(packet)
            start += len(frames)
            if len(frames) < block:
                break
        if start == 0:
            raise InputError(f"{source} has no pictures that can be decoded; get a complete copy of it.")
        output.mux(stream.encode(None))
    result.seek(0)
    return result


def _whole_parts(content: bytes) -> bytes:
    """Return a WebP without what was cut off in the midst of a picture: WebP's decoder wants all of a file."""
    at = 12
    while at + 8 <= len(content):
        end = at + 8 + int.from_bytes(content[at + 4 : at + 8], "little")
        if end > len(content):
            break
        at = end + end % 2
    at = min(at, len(content))
    return content if at == len(content) else content[:4] + (at - 8).to_bytes(4, "little") + content[8:at]


def _block(content: NDArray[np.uint8], start: int, count: int) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Return up to `count` pictures from `start` on, BGRA, and how many milliseconds each is shown."""
    decode: Any = cv2.imdecodeanimation
    try:
        with silent_opencv():
            ok, animation = decode(content, start=start, count=count)
    except cv2.error:
        return [], []
    if not ok:
        return [], []
    pictures = [frame if frame.shape[2] == 4 else cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA) for frame in animation.frames]
    return pictures, [int(duration) for duration in animation.durations]
