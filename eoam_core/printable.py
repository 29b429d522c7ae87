"""Make one harmless line of an untrusted text: a file's name, a network's metadata, a log.

A line break in a file's name would make two lines of a sentence, an escape sequence would colour, clear or retitle the
terminal that shows it, and a mark that turns the direction of writing makes `gpj.exe` look like `exe.jpg`.
"""

from __future__ import annotations

from typing import Final

_ELLIPSIS: Final = "…"


def printable(text: str, limit: int | None = None) -> str:
    r"""Return `text` with everything that is no visible character or plain blank written out (`\n`, `\x1b`, `\u202e`).

    With `limit` a longer text is cut to so many characters, the last an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + _ELLIPSIS
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _written_out(char) for char in text)


def _written_out(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")
