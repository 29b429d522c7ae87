"""Convert between stored values and light: sRGB, and the curves of HDR pictures and videos."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

WHITE_NITS: Final = 203.0  # of paper in an HDR picture (ITU-R BT.2408)


def srgb_to_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return linear light for sRGB values, both 0 to 1 (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def light_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB values for linear light, both 0 to 1."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def pq_to_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return light in parts of white for a PQ signal from 0 to 1 (SMPTE ST 2084)."""
    power = np.maximum(signal, 0) ** (1 / _PQ_M2)
    light = (np.maximum(power - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * power)) ** (1 / _PQ_M1)
    return np.asarray(light * 10_000 / WHITE_NITS)


def light_to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ signal for light in parts of white."""
    power = (np.maximum(light, 0) * WHITE_NITS / 10_000) ** _PQ_M1
    return np.asarray(((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2)


def hlg_to_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scene's light, 0 to 1, for an HLG signal from 0 to 1 (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


_PQ_M1, _PQ_M2 = 2610 / 16384, 2523 / 32
_PQ_C1, _PQ_C2, _PQ_C3 = 3424 / 4096, 2413 / 128, 2392 / 128

LINEAR: Final[Floats] = srgb_to_light(np.arange(256) / 255).astype(np.float32)  # (256,), for each byte of sRGB
_STEPS: Final = np.arange(65536, dtype=np.float64) / 65535
_ENCODED: Final[Bytes] = np.rint(light_to_srgb(_STEPS**2) * 255).astype(np.uint8)  # squared: finer steps in the dark


def linear_light(colours: Bytes) -> Floats:
    """Return sRGB bytes of any shape as linear light, 0 to 1."""
    result: Floats = LINEAR[colours]
    return result


def encoded(light: NDArray[Any]) -> Bytes:
    """Return linear light of any shape as sRGB bytes; what is beyond 0 to 1 is cut off."""
    steps = np.sqrt(np.clip(light, 0, 1)) * np.float32(65535)
    result: Bytes = _ENCODED[np.rint(steps).astype(np.uint16)]
    return result
