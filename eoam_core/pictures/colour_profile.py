"""Bring a picture's colours to sRGB, whatever its file says that its numbers mean.

Only what numpy can do: profiles of three primaries and a curve each, or of one curve for grey (ICC.1:2022, 8.3 and
8.4), which is what cameras, phones and screens have, the numbers of ITU-T H.273, and PNG's gamma and primaries.
Profiles that are tables, as printers and scanners have them, are left to the caller to name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.colour import WHITE_NITS, hlg_to_light, light_to_srgb, pq_to_light, srgb_to_light
from eoam_core.pictures.picture_file import Cicp, Colours, Gamma, Icc

Bytes = NDArray[np.uint8]
_Floats = NDArray[np.float64]
_Curve = Callable[[_Floats], _Floats]  # from the file's numbers to light, both 0 to 1

_D65: Final = (0.3127, 0.3290)
_SRGB_PRIMARIES: Final = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
# White, red, green and blue, x and y each, by their numbers in ITU-T H.273, table 2.
_PRIMARIES: Final = {
    1: (*_D65, *_SRGB_PRIMARIES),
    2: (*_D65, *_SRGB_PRIMARIES),  # unspecified
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50_XYZ: Final = np.array([0.9642, 1.0, 0.8249])
_LUMINANCE_2020: Final = np.array([0.0593, 0.6780, 0.2627], np.float32)  # of blue, green and red
_KNEE: Final = 0.7  # of white; what is darker stays as it is when an HDR picture is fitted in
_MAX_LIGHT: Final = 64.0  # parts of white, in what no damaged profile exceeds; the brightest HDR has 49
_MAX_FACTOR: Final = 1000.0
_LEVELS: Final = 1 << 16
_PIXELS_AT_ONCE: Final = 1 << 18  # so that a large picture needs little memory beside itself
_MAX_TABLE: Final = 1 << 16


class UnknownProfileError(Exception):
    """The colours cannot be converted; the text says why, to follow "its colour profile"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """How one picture's colours become sRGB."""

    curves: tuple[_Curve, ...]  # of red, green and blue
    matrix: _Floats  # (3, 3), from the file's linear red, green and blue to those of sRGB
    is_grey: bool = False
    hdr_peak: float = 0.0  # the brightest light in parts of white; 0: not HDR
    is_hlg: bool = False

    def apply(self, bgr: NDArray[Any], *, white: int) -> Bytes:
        """Return `bgr` (h, w, 3) uint8 or uint16 as sRGB, (h, w, 3) uint8; `white` is its largest number."""
        values = np.arange(white + 1) / white
        light_of = [np.clip(np.nan_to_num(curve(values)), 0, _MAX_LIGHT).astype(np.float32) for curve in self.curves]
        matrix = self.matrix[::-1, ::-1].astype(np.float32)  # OpenCV's order
        result = np.empty(bgr.shape, np.uint8)
        step = max(1, _PIXELS_AT_ONCE // bgr.shape[1])
        for top in range(0, bgr.shape[0], step):
            band = np.minimum(bgr[top : top + step], white)
            light = np.stack([light_of[2 - n][band[..., n]] for n in range(3)], axis=-1)
            if self.is_hlg:
                brightness = np.maximum(light @ _LUMINANCE_2020, 1e-6)[..., None]
                light = light * brightness ** np.float32(0.2) * np.float32(self.hdr_peak)
            light = cv2.transform(light, matrix)
            if self.hdr_peak:
                light = _fitted(light, self.hdr_peak)
            levels = np.clip(light * (_LEVELS - 1) + 0.5, 0, _LEVELS - 1).astype(np.uint16)
            result[top : top + step] = _encoded()[levels]
        return result

    def is_needed(self) -> bool:
        """Whether it changes an 8-bit picture by more than rounding does."""
        grid = np.arange(0, 256, 15, dtype=np.uint8)  # (18,)
        colours = np.stack(np.meshgrid(grid, grid, grid), axis=-1).reshape(1, -1, 3)
        greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, -1, 3)
        samples = greys if self.is_grey else np.concatenate([colours, greys], axis=1)
        return int(np.abs(self.apply(samples, white=255).astype(np.int16) - samples).max()) > 1


def conversion(colours: Colours) -> Conversion:
    """Return how colours become sRGB.

    Raises:
        UnknownProfileError: they are of a kind that is not known, or the profile is damaged.
    """
    if isinstance(colours, Icc):
        return _of_profile(colours.profile)
    if isinstance(colours, Cicp):
        return _of_numbers(colours)
    return _of_gamma(colours)


def _of_gamma(colours: Gamma) -> Conversion:
    curve: _Curve = srgb_to_light
    if colours.exponent is not None and abs(colours.exponent - 1 / 2.2) > 0.005:  # that is how sRGB was written once
        curve = _power(1 / max(colours.exponent, 0.01))
    return Conversion(curves=(curve,) * 3, matrix=_from_primaries(colours.chromaticities or _PRIMARIES[1]))


def _of_numbers(colours: Cicp) -> Conversion:
    primaries = _PRIMARIES.get(colours.primaries)
    if primaries is None:
        raise UnknownProfileError(f"has unknown primaries ({colours.primaries})")
    matrix = _from_primaries(primaries)
    # Screens show what was filmed by these curves as sRGB, so pictures of the first kinds are that, too.
    curves: dict[int, _Curve] = dict.fromkeys((1, 2, 6, 11, 13, 14, 15), srgb_to_light)
    curves |= {4: _power(2.2), 5: _power(2.8), 8: _power(1.0)}
    if colours.transfer == 16:
        return Conversion(curves=(pq_to_light,) * 3, matrix=matrix, hdr_peak=10_000 / WHITE_NITS)
    if colours.transfer == 18:
        return Conversion(curves=(hlg_to_light,) * 3, matrix=matrix, hdr_peak=1000 / WHITE_NITS, is_hlg=True)
    if colours.transfer not in curves:
        raise UnknownProfileError(f"has an unknown tone curve ({colours.transfer})")
    return Conversion(curves=(curves[colours.transfer],) * 3, matrix=matrix)


def _of_profile(profile: bytes) -> Conversion:
    try:
        if profile[36:40] != b"acsp":
            raise UnknownProfileError("is damaged")
        space, count = profile[16:20], struct.unpack_from(">I", profile, 128)[0]
        tags: dict[bytes, bytes] = {}
        for number in range(min(count, 256)):
            name, at, length = struct.unpack_from(">4sII", profile, 132 + 12 * number)
            tags.setdefault(name, profile[at : at + length])
        if space == b"GRAY" and b"kTRC" in tags:
            return Conversion(curves=(_curve(tags[b"kTRC"]),) * 3, matrix=np.eye(3), is_grey=True)
        if space != b"RGB ":
            name = space.decode("ascii", "replace").strip()
            raise UnknownProfileError(f"is for {name if name.isprintable() and name else 'other'} colours")
        numbers = tags.get(b"cicp", b"")
        if len(numbers) >= 10 and numbers[8 + 1] in (16, 18):  # the curves beside it are a guess at HDR
            return _of_numbers(Cicp(*numbers[8:10]))
        if not all(name in tags for name in (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")):
            raise UnknownProfileError("is a table, which is not supported")
        columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) / 65536 for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    except struct.error:
        raise UnknownProfileError("is damaged") from None
    return Conversion(curves=curves, matrix=_to_srgb(np.stack(columns, axis=1)))


def _curve(tag: bytes) -> _Curve:
    """Read a curve: a table or an exponent ("curv"), or one of five formulas ("para")."""
    kind = tag[:4]
    if kind == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return _power(1.0)
        if count == 1:
            return _power(struct.unpack_from(">H", tag, 12)[0] / 256)
        if count > _MAX_TABLE:
            raise UnknownProfileError("is damaged")
        table = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
        places = np.linspace(0, 1, count)
        return lambda values: np.interp(values, places, table)
    if kind == b"para":
        form = struct.unpack_from(">H", tag, 8)[0]
        if form > 4:
            raise UnknownProfileError("has an unknown tone curve")
        given = [value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[form]}i", tag, 12)]
        return _formula(form, given)
    raise UnknownProfileError("has an unknown tone curve")


def _formula(form: int, given: list[float]) -> _Curve:
    """Return the function of ICC.1:2022, table 68: (a x + b)^g + e from d on, c x + f before."""
    g, a, b = [*given, 1.0, 0.0][:3] if form == 0 else given[:3]
    c = d = e = f = 0.0
    if form in (1, 2):
        d = -b / a if a else 0.0
        e = f = given[3] if form == 2 else 0.0
    elif form >= 3:
        c, d = given[3:5]
        e, f = given[5:7] if form == 4 else (0.0, 0.0)

    def light(values: _Floats) -> _Floats:
        with np.errstate(all="ignore"):  # of a damaged profile
            return np.where(values >= d, np.maximum(a * values + b, 0) ** g + e, c * values + f)

    return light


def _power(exponent: float) -> _Curve:
    return lambda values: values**exponent


def _fitted(light: NDArray[Any], peak: float) -> NDArray[Any]:
    """Bring light up to `peak` below 1, each pixel as a whole so that its hue stays; what is darker is untouched."""
    brightest = np.maximum(light.max(axis=-1), 1e-6)
    above = np.maximum(brightest - _KNEE, 0) / (1 - _KNEE)
    most = (peak - _KNEE) / (1 - _KNEE)
    fitted = _KNEE + (1 - _KNEE) * above / (1 + above) * (1 + 1 / most)
    result: NDArray[Any] = light * np.where(brightest > _KNEE, fitted / brightest, 1)[..., None]
    return result


def _from_primaries(chromaticities: tuple[float, ...]) -> _Floats:
    """Return the matrix from linear colours of these primaries (white, red, green, blue: x and y each) to sRGB's."""
    try:
        with np.errstate(all="ignore"):
            return _to_srgb(_to_d50(chromaticities))
    except (np.linalg.LinAlgError, ZeroDivisionError):
        raise UnknownProfileError("has invalid primaries") from None


def _to_srgb(to_d50: _Floats) -> _Floats:
    matrix: _Floats = np.linalg.inv(_to_d50((*_D65, *_SRGB_PRIMARIES))) @ to_d50
    if not np.abs(matrix).max() < _MAX_FACTOR:  # nor is it where that cannot be said
        raise UnknownProfileError("has invalid primaries")
    return matrix


def _to_d50(chromaticities: tuple[float, ...]) -> _Floats:
    """Return the matrix from linear colours to XYZ with the white of ICC profiles, adapted as Bradford's is."""
    white, *primaries = (
        np.array([x / y, 1, (1 - x - y) / y]) for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)
    )
    columns = np.stack(primaries, axis=1)
    to_xyz = columns * np.linalg.solve(columns, white)
    scale = (_BRADFORD @ _D50_XYZ) / (_BRADFORD @ white)
    adapted: _Floats = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ to_xyz
    return adapted


_encoding: Bytes | None = None


def _encoded() -> Bytes:
    """Return sRGB's number for each of the levels of light, (65536,) uint8."""
    global _encoding
    if _encoding is None:
        light = np.arange(_LEVELS) / (_LEVELS - 1)
        _encoding = np.rint(light_to_srgb(light) * 255).astype(np.uint8)
    return _encoding
