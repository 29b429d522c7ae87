"""Choose the network's input size for a picture's shape."""

from __future__ import annotations

import math
from typing import Final

from eoam_core.settings import Detail, Settings

STRIDE: Final = 16  # the network halves four times; other sizes would not come back out as they went in
_SQUARE_SIDE: Final = 224  # the paper's input, 224x224
_WIDE_SIDE: Final = 256  # 16:9 becomes 256x144, which needs no rounding
_WIDE_ASPECT: Final = 16 / 9
# With 304x176 for 16:9 even the larger network takes no longer than MediaPipe's square one (models/MODEL_CARD.md).
_SCALES: Final = {Detail.NORMAL: 1.0, Detail.FINE: 304 / _WIDE_SIDE, Detail.FINEST: 400 / _WIDE_SIDE}
_USUAL: Final = Settings().detail
_EXTREME_ASPECT: Final = 4.0  # wider shapes are squeezed: the network finds nothing in a few rows


def network_size(width: int, height: int, detail: Detail = _USUAL) -> tuple[int, int]:
    """Return the (width, height) in pixels at which a picture of `width` x `height` enters the network.

    Both are multiples of 16 and the aspect ratio is kept as closely as that allows. With normal detail the area is at
    most 224 x 224: 16:9 gives 256x144, 4:3 gives 240x176, a square 224x224, upright pictures the same with sides
    swapped; fine detail has half as many pixels again, 304x176 for 16:9, finest nearly two and a half times as many,
    400x224. The long side grows with the logarithm of the aspect ratio, so that no shape costs much more or loses much
    more detail than another. Shapes beyond 4:1 are squeezed to the size for 4:1.

    Raises:
        ValueError: a side is smaller than 1 pixel.
    """
    if width < 1 or height < 1:
        raise ValueError(f"picture size is {width}x{height}, need at least 1x1")
    aspect = min(max(width, height) / min(width, height), _EXTREME_ASPECT)
    growth = (_WIDE_SIDE - _SQUARE_SIDE) / math.log(_WIDE_ASPECT)
    long_side = _to_stride((_SQUARE_SIDE + growth * math.log(aspect)) * _SCALES[detail])
    short_side = _to_stride(long_side / aspect)
    return (long_side, short_side) if width >= height else (short_side, long_side)


def _to_stride(length: float) -> int:
    return max(1, round(length / STRIDE)) * STRIDE
