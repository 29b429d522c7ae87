"""Make what OpenCV decodes a picture as screens show it: BGRA, upright, in 8 bits and in sRGB."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError
from eoam_core.pictures.colour_profile import UnknownProfileError, conversion
from eoam_core.pictures.orientation import oriented
from eoam_core.pictures.picture_file import PictureFile

Bytes = NDArray[np.uint8]


def developed(raw: NDArray[Any], file: PictureFile, *, name: str, notes: list[str]) -> Bytes:
    """Return what was decoded, (h, w) or (h, w, c), as BGRA, (h, w, 4) uint8, or (w, h, 4) if it lay on its side.

    Args:
        raw: what OpenCV made of a picture of the file.
        file: what the file says of itself.
        name: stands in messages.
        notes: gets what cannot be converted, or not without loss.

    Raises:
        InputError: its numbers are of a kind that is not supported.
    """
    return oriented(_in_srgb(_bgra(raw, file, name), file, name, notes), file.orientation)


def _bgra(raw: NDArray[Any], file: PictureFile, name: str) -> NDArray[Any]:
    """Return (h, w, 4) uint8 or uint16 of what OpenCV decodes to."""
    raw = _whole_numbers(raw, file, name)
    white = _white(raw, file)
    shown = None
    if file.transparent_grey is not None and raw.ndim == 2:
        shown = raw != file.transparent_grey
    if raw.ndim == 3 and raw.shape[2] not in (3, 4):
        raw = raw[..., 0]
    if raw.ndim == 2:
        raw = cv2.cvtColor(raw, cv2.COLOR_GRAY2BGR)
    if raw.shape[2] == 3:
        alpha = np.full(raw.shape[:2], white, raw.dtype)
        if shown is not None:
            alpha *= shown.astype(raw.dtype)
        raw = cv2.merge([raw, alpha])
    elif file.is_premultiplied:
        alpha = np.maximum(raw[..., 3:], 1).astype(np.float32)
        colour = np.rint(np.minimum(raw[..., :3] * (white / alpha), white)).astype(raw.dtype)
        raw = np.concatenate([colour, raw[..., 3:]], axis=2)
    return raw


def _whole_numbers(raw: NDArray[Any], file: PictureFile, name: str) -> NDArray[Any]:
    if raw.dtype in (np.uint8, np.uint16):
        return raw
    if raw.dtype.kind != "f":
        raise InputError(
            f"The {file.kind} {name} has {raw.dtype} samples, which are not supported; save it with 8 or 16 bits."
        )
    low, high = float(raw.min()), float(raw.max())
    if not -0.01 <= low <= high <= 1.01:  # nor where one is no number; what interpolation left over is no harm
        raise InputError(
            f"The {file.kind} {name} has floating-point samples from {low:g} to {high:g}, and only 0 to 1 is "
            "supported; save it with 8 or 16 bits."
        )
    whole: NDArray[Any] = np.rint(np.clip(raw, 0, 1) * 65535).astype(np.uint16)
    return whole


def _white(raw: NDArray[Any], file: PictureFile) -> int:
    """Return the number that is white, and opaque."""
    if raw.dtype == np.uint8:
        return 255
    return (1 << file.bits) - 1 if file.bits > 8 else 65535


def _in_srgb(bgra: NDArray[Any], file: PictureFile, name: str, notes: list[str]) -> Bytes:
    """Return (h, w, 4) uint8 in sRGB; adds to the notes what cannot be converted."""
    white = _white(bgra, file)
    colours = None
    if file.colours is not None and not file.is_cmyk:
        try:
            colours = conversion(file.colours)
            if not colours.is_needed():
                colours = None
            elif colours.is_grey and not _is_grey(bgra):
                raise UnknownProfileError("is for greyscale images")
        except UnknownProfileError as error:
            colours = None
            notes.append(f"{name} has a colour profile that {error}; its colours may look different.")
    if colours is None:
        return bgra if bgra.dtype == np.uint8 else _to_8_bit(bgra, white)
    if colours.hdr_peak:
        notes.append(f"{name} is an HDR image; its highlights are darkened to fit.")
    alpha = bgra[..., 3] if bgra.dtype == np.uint8 else _to_8_bit(bgra[..., 3], white)
    return cv2.merge([colours.apply(bgra[..., :3], white=white), alpha])  # type: ignore[return-value]


def _is_grey(bgra: NDArray[Any]) -> bool:
    return bool((bgra[..., 0] == bgra[..., 1]).all() and (bgra[..., 1] == bgra[..., 2]).all())


def _to_8_bit(values: NDArray[Any], white: int) -> Bytes:
    return cv2.convertScaleAbs(values, alpha=255 / white)  # type: ignore[return-value]
