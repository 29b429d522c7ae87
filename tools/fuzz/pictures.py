"""Fuzz pictures: those of the command line, and the filter's background."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from eoam_core.errors import InputError
from eoam_core.pictures.colour_profile import UnknownProfileError, conversion
from eoam_core.pictures.decoding import MAX_PIXELS
from eoam_core.pictures.picture import BackgroundPicture, read_picture
from eoam_core.pictures.picture_file import Icc
from tools.fuzz.mutations import damaged, require_sentence
from tools.fuzz.target import Target


def samples() -> list[bytes]:
    """Return a small picture of each kind, depth, turn and colour space that there is, some with more behind it."""
    dice = np.random.default_rng(0)
    colour = cv2.resize(dice.integers(0, 256, (6, 8, 4), np.uint8), (40, 30))
    made = []
    for ending, picture in (
        (".png", colour),
        (".png", colour[..., 0].astype(np.uint16) * 257),
        (".jpg", colour[..., :3]),
        (".webp", colour),
        (".bmp", colour[..., :3]),
        (".tiff", colour),
        (".tiff", colour[..., :3].astype(np.float32) / 255),
        (".gif", colour[..., :3]),
        (".avif", colour[..., :3]),
    ):
        done, content = cv2.imencode(ending, picture)
        assert done
        made.append(content.tobytes())
    return made + _from_phones_and_editors(np.asarray(colour, np.uint8))


def profiles() -> list[bytes]:
    """Return colour profiles: three primaries with a formula, an exponent and a table; for grey; of tables only."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    formula = srgb[srgb.index(b"para") :][:32]
    exponent = b"curv\0\0\0\0\0\0\0\1\2\x33"
    table = b"curv\0\0\0\0\0\0\0\4\0\0\x20\0\x80\0\xff\xff"
    return [
        srgb,
        srgb.replace(formula, exponent.ljust(32, b"\0")),
        srgb.replace(formula, table.ljust(32, b"\0")),
        srgb.replace(b"RGB XYZ", b"GRAYXYZ").replace(b"rTRC", b"kTRC"),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ]


def _from_phones_and_editors(colour: NDArray[np.uint8]) -> list[bytes]:
    image, opaque = Image.fromarray(colour), Image.fromarray(colour[..., :3])
    exif = Image.Exif()
    exif[0x112] = 6
    wide = {"exif": exif.tobytes(), "icc_profile": profiles()[1]}
    jpeg = _saved(opaque, "JPEG", **wide)
    png = _saved(image, "PNG", **wide)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"gAMA", struct.pack(">I", 100_000)),
            (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
        )
    )
    made = [
        jpeg,
        jpeg + png,  # as behind a phone's picture
        jpeg[:-2],
        _saved(opaque, "JPEG", progressive=True, restart_marker_blocks=2),
        _saved(opaque.convert("CMYK"), "JPEG"),
        png,
        png + jpeg,
        _saved(opaque, "PNG")[:33] + chunks + _saved(opaque, "PNG")[33:],
        _saved(opaque, "PNG")[:33] + b"\0\0\0\4cICP\t\x10\0\1\xc7\0\0\0" + _saved(opaque, "PNG")[33:],
        _saved(image.convert("L"), "PNG", transparency=9),
        _saved(image, "WEBP", **wide),
        _saved(image, "AVIF", **wide),
        _saved(opaque, "AVIF", exif=exif.tobytes()) + jpeg,
        _saved(image, "TIFF", tiffinfo={274: 3}, icc_profile=profiles()[0]),
    ]
    others = [opaque.rotate(angle) for angle in (90, 180)]
    made += [
        _saved(opaque, form, save_all=True, append_images=others) for form in ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
    ]
    return made


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _check_profile(content: bytes, folder: Path) -> None:
    try:
        found = conversion(Icc(content))
    except UnknownProfileError as error:
        if not str(error).isprintable():
            raise
        return
    found.is_needed()
    grey = np.repeat(np.arange(256, dtype=np.uint16)[None, :, None] * 257, 3, axis=2)
    assert found.apply(grey, white=65535).shape == (1, 256, 3)


def _check(content: bytes, folder: Path) -> None:
    path = folder / "picture"
    path.write_bytes(content)
    try:
        picture = read_picture(path)
    except InputError as error:
        require_sentence(error, path)
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 4
    assert 0 < picture.shape[0] * picture.shape[1] <= MAX_PIXELS
    assert BackgroundPicture(path).with_alpha(height=36, width=64).shape == (36, 64, 4)


TARGETS = (
    Target("pictures", lambda: damaged(samples), _check),
    Target("profiles", lambda: damaged(profiles), _check_profile),
)
