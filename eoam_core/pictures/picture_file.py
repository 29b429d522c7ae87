"""What a picture's file says of itself, read from its own structure before a decoder makes memory for it.

A PNG of a few hundred kilobytes may claim 60000x60000 pixels, which are 14 GB once they are decoded. Only the kinds
below are handed to OpenCV at all; the rarer ones of its decoders are not worth their risk. OpenCV also fills what is
missing with grey, takes no notice of colour profiles, and turns some kinds upright and others not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

KINDS: Final = "PNG, JPEG, WebP, BMP, TIFF, GIF or AVIF"


class Cicp(NamedTuple):
    """Colours by their numbers in ITU-T H.273."""

    primaries: int
    transfer: int


class Gamma(NamedTuple):
    """Colours as old PNGs give them: the exponent of the file, and x and y of white, red, green and blue (or None)."""

    exponent: float | None
    chromaticities: tuple[float, ...] | None


class Icc(NamedTuple):
    """The bytes of an ICC profile."""

    profile: bytes


Colours = Icc | Cicp | Gamma


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureFile:
    """What is known of a picture before it is decoded."""

    kind: str
    width: int  # pixels, as stored: before it is turned upright
    height: int
    end: int  # how many of the file's bytes are this picture; what follows is something else
    is_whole: bool = True
    lacks_end_mark: bool = False  # then only the decoder can tell whether anything else is missing
    missing: bytes = b""  # what its decoder wants at the end and some files leave out, with no loss
    orientation: int = 1  # EXIF's number for what is left to do after decoding
    colours: Colours | None = None  # None: sRGB, or unknown
    pictures: int = 1  # of an animation, or pages
    is_cmyk: bool = False
    bits: int = 0  # per channel, where the decoder does not scale them to its type; 0: it does
    is_premultiplied: bool = False  # what the decoder gives for it
    transparent_grey: int | None = None  # as stored; the decoder takes no notice of it
    note: str = ""  # what else is lost, to follow the file's name


class DamagedPictureError(Exception):
    """The file is of a known kind, but makes no sense."""
