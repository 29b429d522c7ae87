"""Choose how pictures are encoded in each container, with alpha and without."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eoam_core.errors import InputError, InstallationError
from eoam_core.installation import install_command


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """FFmpeg's names of a codec, of a pixel format, and of the codec's options."""

    codec: str
    pixel_format: str
    options: dict[str, str]

    @property
    def is_rgb(self) -> bool:
        """Return whether it stores red, green and blue, without a colour matrix."""
        return self.pixel_format.startswith("rgb")


_VP9: Final = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
# libvpx keeps alpha in a second stream, which has to run in step with the first: no alternate reference frames.
_VP9_ALPHA: Final = Encoding(codec="libvpx-vp9", pixel_format="yuva420p", options={**_VP9, "auto-alt-ref": "0"})
_VP9_PLAIN: Final = Encoding(codec="libvpx-vp9", pixel_format="yuv420p", options=_VP9)
_PRORES_ALPHA: Final = Encoding(codec="prores_ks", pixel_format="yuva444p10le", options={"profile": "4444"})
_H264_PLAIN: Final = Encoding(codec="libx264", pixel_format="yuv420p", options={"crf": "18", "preset": "veryfast"})

# Piped output is read once and immediately: it is lossless and not compressed much.
_RAW_ALPHA: Final = Encoding(codec="rawvideo", pixel_format="rgba", options={})
_RAW_PLAIN: Final = Encoding(codec="rawvideo", pixel_format="rgb24", options={})

# suffix -> (with alpha, without)
_ENCODINGS: Final[dict[str, tuple[Encoding | None, Encoding]]] = {
    ".webm": (_VP9_ALPHA, _VP9_PLAIN),
    ".mkv": (_VP9_ALPHA, _H264_PLAIN),
    ".mov": (_PRORES_ALPHA, _H264_PLAIN),
    ".mp4": (None, _H264_PLAIN),
}
# formats that need no seeking, so they can be piped
_PIPED: Final[dict[str, tuple[Encoding, Encoding]]] = {
    "nut": (_RAW_ALPHA, _RAW_PLAIN),
    "rawvideo": (_RAW_ALPHA, _RAW_PLAIN),
    "matroska": (_VP9_ALPHA, _H264_PLAIN),
    "webm": (_VP9_ALPHA, _VP9_PLAIN),
}
PIPED_FORMATS: Final = tuple(_PIPED)
VIDEO_SUFFIXES: Final = tuple(_ENCODINGS)


def encoding_for(target: Path, *, with_alpha: bool) -> Encoding:
    """Return how to encode for the target's ending.

    Raises:
        InputError: the ending is unknown, or its container cannot hold alpha.
    """
    known = ", ".join(_ENCODINGS)
    suffix = target.suffix.lower()
    if suffix not in _ENCODINGS:
        found = f"ends in {target.suffix!r}" if target.suffix else "has no extension"
        raise InputError(f"The output {target} {found}; use one of {known}.")
    alpha, plain = _ENCODINGS[suffix]
    if not with_alpha:
        return plain
    if alpha is None:
        raise InputError(f"The output {target} cannot store transparency; use .webm or .mov, or add --background.")
    return alpha


def piped_encoding(form: str, *, with_alpha: bool) -> Encoding:
    """Return how to encode for a pipe; `form` is one of PIPED_FORMATS.

    Raises:
        InputError: it is another.
    """
    if form not in _PIPED:
        raise InputError(f"{form!r} cannot come out of a pipe; choose one of {', '.join(_PIPED)}.")
    return _PIPED[form][0 if with_alpha else 1]


def import_av() -> Any:
    """Return PyAV, imported with the first video because nothing else needs it.

    Raises:
        InstallationError: it is missing or does not load.
    """
    try:
        return importlib.import_module("av")
    except Exception as error:
        command = install_command(["av>=17.1", "tqdm>=4.66"])
        raise InstallationError(f"Videos need PyAV, which does not load ({error}); install it: {command}") from error


def require_encoder(av: Any, encoding: Encoding) -> None:
    """Raise InstallationError if this build of PyAV does not have the encoder."""
    try:
        av.codec.Codec(encoding.codec, "w")
    except Exception as error:
        command = install_command(["av>=17.1"])
        raise InstallationError(
            f"This build of PyAV has no encoder {encoding.codec}; install the one from the package index: {command}"
        ) from error
