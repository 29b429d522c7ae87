"""Convert HDR (PQ or HLG) and wide gamuts to usual colours (SDR, BT.709).

    light = EOTF(signal) / 203 cd/m2                    PQ: SMPTE ST 2084; HLG: BT.2100, 1000 cd/m2, gamma 1.2
    light = light * T(m) / m, m = max(R, G, B)          T: the curve of BT.2390, 5.4.1, from the video's peak to white
    RGB709 = (P709^-1 P) RGB, cut off at 0 and 1        P: RGB to XYZ
    signal = RGB709^(1 / 2.4)                           BT.1886

White is 203 cd/m2 (BT.2408), so a video that never exceeds it keeps all its colours. Brighter values are rolled off
from the recent peak of the video's pixels, not from what its header claims.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_cli.video.colour_description import HLG, PQ, UNKNOWN, ColourDescription
from eoam_core.colour import WHITE_NITS, hlg_to_light, light_to_pq, pq_to_light

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_HLG_PEAK_NITS: Final = 1000.0
_HLG_GAMMA: Final = 1.2
_LUMINANCE: Final = (0.2627, 0.6780, 0.0593)  # BT.2020, of red, green and blue
_GAMMA: Final = 2.4  # BT.1886
_BRIGHTEST: Final = 99.95  # per cent of the pixels that are not brighter than the peak: single sparks may be clipped
_FADE: Final = 0.97  # share of a higher peak that remains a frame later, so that nothing flickers
_STEPS: Final = 4096

# chromaticities of red, green, blue and white: ITU-T H.273, table 2
_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)
_BT709: Final = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_BT2020: Final = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)
_WIDE: Final = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: _BT2020,
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),  # theatres' white would tint everything
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}


class ToneMapper:
    """Convert the pictures of one video, one after the other; it remembers their recent brightness.

    Args:
        description: the colours; `is_wide`.
    """

    def __init__(self, description: ColourDescription) -> None:
        self._description = description
        # HDR without primaries is BT.2020; those of SD television are close enough to BT.709's.
        unknown = _BT2020 if description.primaries == UNKNOWN else _BT709
        primaries = _WIDE.get(description.primaries, unknown)
        to_bt709 = np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(primaries)
        self._to_bt709: Floats = to_bt709.astype(np.float32)
        self._peak = 1.0

    def converted(self, rgba: NDArray[np.uint16]) -> Bytes:
        """Return BGRA (h, w, 4) uint8 of `rgba` (h, w, 4) uint16, R'G'B' of full range."""
        light = _eotf(self._description.transfer)[rgba[..., :3]]
        if self._description.transfer == HLG:
            luminance = cv2.transform(light, np.array([_LUMINANCE], np.float32))
            light *= cv2.pow(np.maximum(luminance, np.float32(1e-6)), _HLG_GAMMA - 1)[..., None]
            light *= np.float32(_HLG_PEAK_NITS / WHITE_NITS)
        if self._description.is_hdr:
            self._roll_off(light)
        usual: Any = cv2.transform(light, self._to_bt709)
        result = np.empty(rgba.shape, np.uint8)
        steps = np.sqrt(np.clip(usual, 0, 1)) * np.float32(_STEPS - 1)  # finer in the dark
        result[..., :3] = _encoding()[np.rint(steps).astype(np.uint16)][..., ::-1]
        result[..., 3] = (rgba[..., 3] + np.uint32(128)) // 257
        return result

    def _roll_off(self, light: Floats) -> None:
        brightest = light.max(axis=2)
        found = float(np.percentile(brightest[::4, ::4], _BRIGHTEST))
        self._peak = max(1.0, found, 1 + (self._peak - 1) * _FADE)
        if self._peak <= 1.0:
            return
        levels = np.linspace(0, 1, _STEPS) ** 2 * self._peak
        gains = rolled_off(levels, self._peak) / np.maximum(levels, 1e-9)
        gains[0] = gains[1]
        places = np.sqrt(np.minimum(brightest / np.float32(self._peak), 1)) * np.float32(_STEPS - 1)
        light *= gains.astype(np.float32)[np.rint(places).astype(np.uint16)][..., None]


def rolled_off(levels: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Return levels of light from 0 to `peak`, where 1 is white, rolled off so that none is above 1.

    BT.2390-11, 5.4.1: unchanged below a knee; above it a Hermite spline to white, on PQ's scale.
    """
    if peak <= 1:
        return np.minimum(levels, 1)
    top = light_to_pq(np.array(peak))
    scaled, white = light_to_pq(levels) / top, light_to_pq(np.array(1.0)) / top
    knee = 1.5 * white - 0.5
    t = np.clip((scaled - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * white
    return np.asarray(pq_to_light(np.where(scaled < knee, scaled, spline) * top))


@lru_cache(maxsize=4)
def _eotf(transfer: int) -> Floats:
    """Return the light of each of 65536 levels, (65536,): 1 is white; of HLG, the scene's."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        return pq_to_light(signal).astype(np.float32)
    if transfer == HLG:
        return hlg_to_light(signal).astype(np.float32)
    return (signal**_GAMMA).astype(np.float32)


@lru_cache(maxsize=1)
def _encoding() -> Bytes:
    """Return the byte of each step of the square root of light, (_STEPS,)."""
    table: Bytes = np.rint((np.arange(_STEPS) / (_STEPS - 1)) ** (2 / _GAMMA) * 255).astype(np.uint8)
    return table


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ, with white at Y = 1 (SMPTE RP 177)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
