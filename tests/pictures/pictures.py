"""Make pictures as phones, cameras and editors do: with profiles, orientations, and things behind their end."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

LOSSLESS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

_D65 = (0.3127, 0.3290)
DISPLAY_P3 = (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_RGB = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)


def colours(width: int = 40, height: int = 20, alpha: int | None = None) -> Bytes:
    """Return a picture of four fields, (h, w, 3) RGB, or with `alpha` on the right half (h, w, 4) RGBA."""
    picture = np.zeros((height, width, 4), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left] = (230, 30, 20, 255)
    picture[:top, left:] = (40, 220, 60, 255)
    picture[top:, :left] = (30, 50, 210, 255)
    picture[top:, left:] = (200, 150, 90, 255)
    if alpha is None:
        return picture[..., :3]
    picture[:, left:, 3] = alpha
    return picture


def noise(width: int = 80, height: int = 60) -> Bytes:
    """Return noise, (h, w, 3), whose files have many bytes in every part."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def saved(picture: NDArray[Any], form: str, **options: Any) -> bytes:
    """Return the file of an RGB, RGBA or grey picture in one of Pillow's formats, with little loss."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, form, **{**LOSSLESS.get(form, {}), **options})
    return file.getvalue()


def animated(form: str, count: int = 3) -> bytes:
    """Return an animation, or pages, of pictures that differ; the first is red."""
    shades = [(230, 20 * number, 20) for number in range(count)]
    first, *others = [Image.fromarray(np.full((20, 40, 3), shade, np.uint8)) for shade in shades]
    file = io.BytesIO()
    first.save(file, form, save_all=True, append_images=others, **LOSSLESS.get(form, {}))
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """Return EXIF data with one entry."""
    made = Image.Exif()
    made[0x112] = orientation
    return made.tobytes()


def curve(*values: float) -> bytes:
    """Return a profile's curve: an exponent, or the points of a table, 0 to 1."""
    if len(values) == 1:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(values[0] * 256))
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *(round(v * 65535) for v in values))


def srgb_curve() -> bytes:
    """Return the curve of sRGB as a formula."""
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in numbers))


def profile(chromaticities: tuple[float, ...] | None, shape: bytes) -> bytes:
    """Return an ICC profile with the primaries and one curve for all, or for grey pictures if there are none."""
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\5test\0" + bytes(78), b"cprt": b"text\0\0\0\0-\0", b"wtpt": _xyz(_D50)}
    if chromaticities is None:
        tags[b"kTRC"] = shape
    else:
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, _columns(chromaticities)), strict=True))
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), shape)
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content
    body = struct.pack(">I", len(tags)) + table + data
    header = bytearray(128)
    header[:4] = struct.pack(">I", 128 + len(body))
    header[8:10] = b"\2\x40"
    header[12:24] = b"mntr" + (b"GRAY" if chromaticities is None else b"RGB ") + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = _xyz(_D50)[8:]
    return bytes(header) + body


_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _columns(chromaticities: tuple[float, ...]) -> list[NDArray[np.float64]]:
    points = np.array(chromaticities).reshape(4, 2)
    white, *primaries = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in points)
    matrix = np.stack(primaries, axis=1)
    matrix = matrix * np.linalg.solve(matrix, white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD @ matrix
    return list(adapted.T)


def png_with(picture: Bytes, *chunks: tuple[bytes, bytes], of: bytes = b"IHDR") -> bytes:
    """Return a PNG file of an RGB picture with further chunks behind the one that is named."""
    encoded, array = cv2.imencode(".png", picture[..., ::-1])
    assert encoded
    content = array.tobytes()
    at = content.index(of) - 4
    at += 12 + int.from_bytes(content[at : at + 4], "big")
    return content[:at] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[at:]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file with its sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
