"""The tokens of an .effect file, as libobs/util/cf-lexer.c of obs-studio cuts them (f86e9c1d, 32.2)."""

from __future__ import annotations

import itertools
import re
from typing import Final, NamedTuple

BLANKS: Final = ("blank", "newline")
_SPLICE: Final = re.compile(r"\\(?:\r\n|\n|\r)")
# A comment counts as a blank even if it is longer than a line. Operators are one character each: "<=" is two tokens.
_TOKEN: Final = re.compile(
    r"""(?P<blank>(?:[ \t\f\v]|//[^\r\n]*|/\*.*?\*/)+)
    |(?P<newline>\r\n|\n|\r)
    |(?P<string>"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*')
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>\.?\d[\w.]*)
    |(?P<other>.)""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)


class EffectError(ValueError):
    """libobs would refuse this file."""


class Token(NamedTuple):
    """`kind` is blank, newline, string, name, number, other or end."""

    kind: str
    text: str


def tokens_of(file: str, text: str) -> list[Token]:
    """Cut a text into tokens.

    Raises:
        EffectError: a comment has no end.
    """
    tokens = [Token(str(found.lastgroup), found[0]) for found in _TOKEN.finditer(_SPLICE.sub("", text))]
    for token, following in itertools.pairwise(tokens):
        if (token.text, following.text) == ("/", "*"):
            raise EffectError(f"{file}: a comment has no end; close it with */.")
    return tokens
