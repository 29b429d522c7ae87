"""Tell a slope from a sawtooth: how fast something that goes up and down all the time grows underneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NORMAL_95: Final = 1.96
_WINDOWS: Final = 24
_FEWEST: Final = 4  # of windows, or an interval means nothing

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Trend:
    """A slope per hour, and the interval that holds it with 95 % confidence."""

    per_hour: float
    low: float
    high: float

    def text(self, unit: str) -> str:
        """Return it for a table."""
        return f"{self.per_hour:+.2f} ({self.low:+.2f} to {self.high:+.2f}) {unit} an hour"


def trend(times_s: ArrayLike, values: ArrayLike, *, windows: int = _WINDOWS) -> Trend:
    """Return the slope of the line under a sawtooth.

    An allocator that keeps what was freed makes teeth upwards, never downwards: so the samples, (n,) each, are cut into
    windows of equal length, and only the smallest of each counts. Through those the slope is the median of the slopes
    of all pairs (Theil 1950), which a few odd ones do not move, and its interval is Sen's (1968), from Kendall's tau.

    Raises:
        ValueError: there are fewer than 4 windows with a sample.
    """
    times, found = np.asarray(times_s, float), np.asarray(values, float)
    x, y = _minima(times, found, windows)
    if len(x) < _FEWEST:
        raise ValueError(f"{len(found)} samples fill {len(x)} windows, need {_FEWEST}")
    first, second = np.triu_indices(len(x), 1)
    slopes = np.sort((y[second] - y[first]) / (x[second] - x[first])) * 3600
    n = len(x)
    width = _NORMAL_95 * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(int((len(slopes) - width) / 2), 0)
    high = min(int(np.ceil((len(slopes) + width) / 2)), len(slopes) - 1)
    return Trend(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def _minima(times: Floats, values: Floats, windows: int) -> tuple[Floats, Floats]:
    """Return time and value of the smallest sample of each window that has one."""
    edges = np.linspace(times[0], times[-1], windows + 1) if len(times) else np.zeros(1)
    which = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, windows - 1)
    lowest = [np.flatnonzero(which == window) for window in range(windows)]
    places = [found[np.argmin(values[found])] for found in lowest if len(found)]
    return times[places], values[places]
