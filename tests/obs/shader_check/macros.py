"""The preprocessor of .effect files, as libobs/util/cf-lexer.c of obs-studio has it (f86e9c1d, 32.2).

It differs from C's where a shader may trip: what is put in for a macro begins with a blank, an argument has one on
either side, and a parenthesis behind the name of a `#define` begins the parameters even after a blank.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from tests.obs.shader_check.tokens import BLANKS, EffectError, Token

_BLANK: Final = Token("blank", " ")
_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Macro(NamedTuple):
    parameters: list[str] | None  # None: it takes none
    body: list[Token]


class _Branch(NamedTuple):
    is_read: bool
    was_read: bool  # this branch or one before it


class Macros:
    """Expands the tokens of one file for a renderer, whose name is defined."""

    def __init__(self, file: str, renderer: str) -> None:
        self._file = file
        self._macros = {renderer: _Macro(None, [])}
        self._branches: list[_Branch] = []

    def expand(self, tokens: Sequence[Token]) -> list[Token]:
        """Follow the directives and put in what the macros stand for.

        Raises:
            EffectError: libobs would refuse a directive, or this reader does not know it.
        """
        found: list[Token] = []
        place, is_at_start = 0, True
        while place < len(tokens):
            token = tokens[place]
            if is_at_start and (token.kind, token.text) == ("other", "#"):
                line = [*itertools.takewhile(lambda other: other.kind != "newline", tokens[place + 1 :])]
                self._directive(line)
                place += 1 + len(line)
                continue
            is_at_start = token.kind == "newline" or (is_at_start and token.kind == "blank")
            if self._is_read or token.kind == "newline":
                place = self._put(tokens, place, found, ())
            else:
                place += 1
        if self._branches:
            self._refuse("an #if has no #endif")
        return found

    @property
    def _is_read(self) -> bool:
        return all(branch.is_read for branch in self._branches)

    def _refuse(self, what: str) -> NoReturn:
        raise EffectError(f"{self._file}: {what}.")

    def _directive(self, line: list[Token]) -> None:
        words = [token for token in line if token.kind != "blank"]
        name = words[0].text if words else ""
        if name in ("ifdef", "ifndef", "if"):
            is_true = self._is_read and self._holds(name, words[1:])
            self._branches.append(_Branch(is_true, is_true))
        elif name in ("elif", "else", "endif"):
            if not self._branches:
                self._refuse(f"#{name} without #if")
            was_read = self._branches.pop().was_read
            if name != "endif":
                is_true = self._is_read and not was_read and (name == "else" or self._holds("if", words[1:]))
                self._branches.append(_Branch(is_true, was_read or is_true))
        elif not self._is_read:
            return
        elif name == "undef" and len(words) == 2:
            self._macros.pop(words[1].text, None)
        elif name == "define" and len(words) > 1 and words[1].kind == "name":
            self._define(words[1].text, line[line.index(words[1]) + 1 :])
        else:
            self._refuse(f"#{' '.join(word.text for word in words)} is not a directive that this check can follow")

    def _define(self, name: str, body: list[Token]) -> None:
        body = [*itertools.dropwhile(lambda token: token.kind == "blank", body)]
        parameters = None
        if body and body[0].text == "(":
            end = next((place for place, token in enumerate(body) if token.text == ")"), len(body))
            inside = [token for token in body[1:end] if token.kind != "blank"]
            parameters = [token.text for token in inside[::2]]
            if not inside or any(t.kind != "name" for t in inside[::2]) or any(t.text != "," for t in inside[1::2]):
                self._refuse(
                    f"libobs takes the parenthesis behind #define {name} for parameters, even after a blank; "
                    "write the value without"
                )
            body = body[end + 1 :]
        self._macros[name] = _Macro(parameters, body)

    def _holds(self, kind: str, words: list[Token]) -> bool:
        if not words:
            self._refuse(f"#{kind} of nothing")
        if kind != "if":
            return (words[0].text in self._macros) is (kind == "ifdef")
        if len(words) == 1:
            return bool(self._value(words[0]))
        compare = _COMPARISONS.get("".join(word.text for word in words[1:-1]))
        if compare is None:
            self._refuse(f"libobs cannot evaluate #if {' '.join(word.text for word in words)}")
        return compare(self._value(words[0]), self._value(words[-1]))

    def _value(self, word: Token) -> int:
        if word.kind == "number" and word.text.isdigit():
            return int(word.text)
        macro = self._macros.get(word.text)
        body = [token for token in macro.body if token.kind not in BLANKS] if macro is not None else []
        if not body or body[0].text == word.text:
            self._refuse(f"{word.text} in an #if is no number; libobs refuses that")
        return self._value(body[0])

    def _put(self, tokens: Sequence[Token], place: int, found: list[Token], busy: tuple[str, ...]) -> int:
        """Append what one token stands for; return the place behind it and its arguments."""
        token = tokens[place]
        macro = self._macros.get(token.text) if token.kind == "name" else None
        place += 1
        if macro is None:
            found.append(token)
            return place
        if token.text in busy:
            self._refuse(f"the macro {token.text} names itself, which libobs expands for ever")
        arguments: dict[str, list[Token]] = {}
        if macro.parameters is not None:
            place, values = self._arguments(token.text, tokens, place, busy)
            if len(values) != len(macro.parameters):
                self._refuse(f"the macro {token.text} takes {len(macro.parameters)} arguments, not {len(values)}")
            arguments = dict(zip(macro.parameters, values, strict=True))
        body = [_BLANK]
        for part in macro.body:
            body += arguments.get(part.text, [part]) if part.kind == "name" else [part]
        inner = 0
        while inner < len(body):
            inner = self._put(body, inner, found, (*busy, token.text))
        return place

    def _arguments(
        self, name: str, tokens: Sequence[Token], place: int, busy: tuple[str, ...]
    ) -> tuple[int, list[list[Token]]]:
        if place >= len(tokens) or tokens[place].text != "(":
            self._refuse(f"the macro {name} takes arguments: write {name}(...), without a blank")
        values: list[list[Token]] = [[_BLANK]]
        depth = 0
        place += 1
        while place < len(tokens) and (depth or tokens[place].text != ")"):
            text = tokens[place].text
            if depth == 0 and text == ",":
                values[-1].append(_BLANK)
                values.append([_BLANK])
                place += 1
            else:
                depth += (text == "(") - (text == ")")
                place = self._put(tokens, place, values[-1], busy)
        if place == len(tokens):
            self._refuse(f"the macro {name} has no closing parenthesis")
        values[-1].append(_BLANK)
        return place + 1, values
