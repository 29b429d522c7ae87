"""Interpret a video's colour numbers (ITU-T H.273), and choose those of the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = 2
BT709: Final = 1
BT601: Final = 6  # SMPTE 170M; 5, BT.470 BG, has the same matrix
BT2020: Final = 9
RGB: Final = 0
PQ: Final = 16
HLG: Final = 18
_YCGCO: Final = 8
_FULL: Final = 2
_HD_ROWS: Final = 720  # untagged video is BT.601 below this and BT.709 from here on, as players assume
# Not supported: not a matrix, but a series of steps through non-linear colours.
_BEYOND: Final = {10: "BT.2020 with constant luminance", 13: "constant luminance", 14: "ICtCp", 15: "Dolby Vision"}
_REVERSIBLE: Final = {16: "YCgCo-Re", 17: "YCgCo-Ro"}
_SD_MATRICES: Final = (4, 5, 6)
_SDR_PRIMARIES: Final = (1, 5, 6, 7)  # those that screens show unchanged
_WIDE_PRIMARIES: Final = (4, 8, 9, 11, 12, 22)  # NTSC of 1953, film, BT.2020, theatres, Display P3, EBU 3213
_SDR_TRANSFERS: Final = (1, 4, 5, 6, 7, 13)
_DOLBY_TAGS: Final = ("dvh1", "dvhe", "dav1", "dvav", "dva1")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColourDescription:
    """Numbers of H.273: the matrix between RGB and the stored values, the primaries, the transfer; and the range.

    `matrix` is always usable: an unknown one is replaced by what players assume.
    """

    matrix: int
    primaries: int
    transfer: int
    is_full_range: bool
    caution: str = ""

    @classmethod
    def of_frame(cls, frame: Any, *contexts: Any) -> ColourDescription:
        """Return a decoded PyAV frame's description; missing values come from the first codec context that has them."""
        matrix, primaries, transfer = (int(n) for n in (frame.colorspace, frame.color_primaries, frame.color_trc))
        for context in contexts:
            matrix = _known(matrix, context.colorspace)
            primaries = _known(primaries, context.color_primaries)
            transfer = _known(transfer, context.color_trc)
        tags = [str(context.codec_tag).lower() for context in contexts]
        is_dolby = primaries == UNKNOWN and any(tag in _DOLBY_TAGS for tag in tags)
        caution = "Dolby Vision (profile 5)" if is_dolby else (_BEYOND | _REVERSIBLE).get(matrix, "")
        if _is_rgb(frame):
            matrix = RGB
        elif matrix in _BEYOND or matrix in _REVERSIBLE:
            matrix = BT2020 if matrix in _BEYOND else BT709
        elif matrix not in (1, 4, 5, 6, 7, 9, _YCGCO):
            matrix = _assumed(frame.height, primaries)
        return cls(
            matrix=matrix,
            primaries=primaries,
            transfer=transfer,
            is_full_range=frame.color_range == _FULL or frame.format.name.startswith("yuvj"),
            caution=caution,
        )

    @property
    def is_hdr(self) -> bool:
        """Return whether it can be brighter than white."""
        return self.transfer in (PQ, HLG)

    @property
    def is_wide(self) -> bool:
        """Return whether its colours differ from those of usual screens and must be converted."""
        return self.is_hdr or self.primaries in _WIDE_PRIMARIES

    @property
    def is_ycgco(self) -> bool:
        """Return whether the matrix is one that FFmpeg's scaler does not know."""
        return self.matrix == _YCGCO

    def written(self, *, height: int) -> ColourDescription:
        """Return the description to store after conversion for usual screens, at `height` rows."""
        if self.is_wide:
            return ColourDescription(matrix=BT709, primaries=BT709, transfer=BT709, is_full_range=False)
        is_small = height < _HD_ROWS if self.matrix == RGB else self.matrix in _SD_MATRICES
        matrix = BT601 if is_small else BT709
        return ColourDescription(
            matrix=matrix,
            primaries=self.primaries if self.primaries in _SDR_PRIMARIES else matrix,
            transfer=self.transfer if self.transfer in _SDR_TRANSFERS else matrix,
            is_full_range=False,
        )

    @property
    def scaler_matrix(self) -> str:
        """PyAV's name of the output's matrix."""
        return "ITU601" if self.matrix == BT601 else "ITU709"


def _known(first: int, second: int) -> int:
    return int(first) if first not in (UNKNOWN, 0) or second in (UNKNOWN, None) else int(second)


def _assumed(height: int, primaries: int) -> int:
    if primaries == BT2020:
        return BT2020
    return BT709 if height >= _HD_ROWS else BT601


def _is_rgb(frame: Any) -> bool:
    return bool(frame.format.is_rgb) or frame.format.name.startswith(("pal8", "gray", "ya"))
