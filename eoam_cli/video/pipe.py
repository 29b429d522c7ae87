"""Read videos from standard input and write them to standard output, for use with FFmpeg."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Protocol

from eoam_core.errors import InputError
from eoam_core.pictures.byte_source import Readable

# A container may open nothing but itself: FFmpeg would open the files and addresses in a playlist. And no picture of an
# absurd size, for which FFmpeg would allocate memory.
MAX_PIXELS: Final = 8192 * 8192
ALONE: Final = {"protocol_whitelist": "none", "max_pixels": str(MAX_PIXELS)}
# Names and titles in old files have any encoding: invalid UTF-8 is replaced, and is no reason to refuse a video.
OF_WORDS: Final = {"metadata_errors": "replace"}
_RAW: Final = re.compile(r"(\d+x\d+)@(\d+(?:\.\d+)?(?:/\d+)?):([a-z0-9]+)")


class Writable(Protocol):
    """A target for bytes: an unbuffered standard output, io.BytesIO."""

    def write(self, data: bytes, /) -> int | None:
        """Write some of the bytes and return how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RawVideo:
    """Describe headerless video: FFmpeg's `-video_size`, `-framerate` and `-pixel_format`."""

    size: str
    rate: str
    pixel_format: str

    @classmethod
    def parsed(cls, text: str) -> RawVideo:
        """Parse a text such as "1280x720@30:rgb24"; the rate may be a fraction or a decimal.

        Raises:
            InputError: it has another form.
        """
        match = _RAW.fullmatch(text)
        if match is None or 0 in map(int, match[1].split("x")) or not _is_rate(match[2]):
            raise InputError(f"Raw video is {text!r}; use the form 1280x720@30:rgb24.")
        return cls(size=match[1], rate=match[2], pixel_format=match[3])


def standard_input() -> Readable:
    """Return the process's own standard input.

    Raises:
        InputError: it is a keyboard.
    """
    if sys.stdin.isatty():
        raise InputError("The input - is the keyboard; send a file or another program's output through a pipe.")
    return sys.stdin.buffer


def standard_output() -> Writable:
    """Return standard output, unbuffered: after the reader has closed, flushing leftover bytes would fail at exit.

    Raises:
        InputError: it is a terminal.
    """
    if sys.stdout.isatty():
        raise InputError("The output - is the terminal; send it to a file with > or to another program with |.")
    return open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)


def write_all(file: Writable, data: bytes) -> None:
    """Write all bytes; an unbuffered file may accept fewer at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(bytes(rest)) or 0 :]


class PipeInput:
    """A video from a pipe.

    Args:
        file: where the bytes come from.
        raw: its format if it is headerless; otherwise FFmpeg detects it.
    """

    def __init__(self, file: Readable, *, raw: RawVideo | None = None) -> None:
        self._file = file
        self._raw = raw

    def __str__(self) -> str:
        return "Standard input"

    def open(self, av: Any) -> Any:
        """Return PyAV's container."""
        if self._raw is None:
            return av.open(_Reading(self._file), "r", options=dict(ALONE), **OF_WORDS)
        options = {
            **ALONE,
            "video_size": self._raw.size,
            "framerate": self._raw.rate,
            "pixel_format": self._raw.pixel_format,
        }
        return av.open(_Reading(self._file), "r", format="rawvideo", options=options, **OF_WORDS)


class PipeOutput:
    """A video into a pipe.

    Args:
        file: where the bytes go; it must be unbuffered.
        form: FFmpeg's name of the format, one of `encoding.PIPED_FORMATS`.
    """

    def __init__(self, file: Writable, *, form: str = "nut") -> None:
        self._writing = _Writing(file)
        self.form = form

    @property
    def failure(self) -> OSError | None:
        """The reason why writing failed, which PyAV hides behind an error of its own."""
        return self._writing.failure

    def __str__(self) -> str:
        return "Standard output"

    def open(self, av: Any) -> Any:
        """Return PyAV's container."""
        return av.open(self._writing, "w", format=self.form)


class _Reading:
    """Offers only `read`: FFmpeg would seek in a file that seems seekable."""

    def __init__(self, file: Readable) -> None:
        self.read = file.read


class _Writing:
    """Offers only `write`."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            write_all(self._file, data)
        except OSError as error:
            self.failure = error
            raise
        return len(data)


def _is_rate(text: str) -> bool:
    try:
        return Fraction(text) > 0
    except (ValueError, ZeroDivisionError):
        return False
