"""Reads an .effect file as libobs/graphics/effect-parser.c does; what that refuses is refused here."""

from __future__ import annotations

from typing import Final

from tests.obs.shader_check.macros import Macros
from tests.obs.shader_check.model import Effect, Function, Variable
from tests.obs.shader_check.tokens import BLANKS, EffectError, Token, tokens_of

# What a renderer defines while a file is read (device_preprocessor_name).
RENDERERS: Final = ("_OPENGL", "_D3D11", "_Metal")
_SPECIFIERS: Final = ("property", "const", "uniform")
_DIRECTIONS: Final = ("in", "inout", "out", "uniform")
_STAGE_OF: Final = {
    "vertex_shader": "vertex",
    "vertex_program": "vertex",
    "pixel_shader": "pixel",
    "pixel_program": "pixel",
}


def read_effect(file: str, text: str, renderer: str) -> Effect:
    """Read the text of `file` as it is where the macro `renderer` is defined.

    Raises:
        EffectError: libobs would refuse it.
    """
    return _Reader(file, Macros(file, renderer).expand(tokens_of(file, text))).read()


class _Reader:
    """Takes the tokens from the first to the last."""

    def __init__(self, file: str, tokens: list[Token]) -> None:
        self._effect = Effect(file)
        self._tokens = tokens
        self._place = 0

    def read(self) -> Effect:
        """Read everything (ep_parse)."""
        parts = {"struct": self._struct, "sampler_state": self._sampler, "technique": self._technique}
        while (token := self._peek()).kind != "end":
            if token.text == ";":
                self._take()
            elif token.text in parts:
                self._take()
                parts[token.text]()
            else:
                self._other()
        return self._effect

    def _peek(self) -> Token:
        while self._place < len(self._tokens) and self._tokens[self._place].kind in BLANKS:
            self._place += 1
        return self._tokens[self._place] if self._place < len(self._tokens) else Token("end", "the end of the file")

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if token.kind == "end" or (wanted and token.text not in wanted):
            expected = " or ".join(repr(text) for text in wanted) or "more"
            behind = f", behind {self._effect.defined[-1][1]}" if self._effect.defined else ""
            raise EffectError(f"{self._effect.file}{behind}: libobs expects {expected}, not {token.text!r}.")
        self._place += 1
        return token.text

    def _name(self) -> str:
        return self._take() if self._peek().kind == "name" else self._take("a name")

    def _until(self, end: str) -> list[Token]:
        """Take everything up to `end` at this depth of brackets, blanks included, and `end`, which is not returned."""
        found: list[Token] = []
        depth = 0
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            self._place += 1
            if token.kind == "other":
                if token.text == end and depth == 0:
                    return found
                depth += (token.text in "([{") - (token.text in ")]}")
            found.append(token)
        self._take(end)
        return found

    def _define(self, kind: str, name: str) -> str:
        self._effect.defined.append((kind, name))
        return name

    def _struct(self) -> None:
        members = self._effect.structs.setdefault(self._define("struct", self._name()), [])
        self._take("{")
        while self._peek().text != "}":
            members.append(Variable(self._name(), self._name()))
            if self._take(":", ";") == ":":
                self._name()
                self._take(";")
        self._take("}")
        self._take(";")

    def _sampler(self) -> None:
        self._effect.samplers.append(self._define("sampler", self._name()))
        self._take("{")
        self._until("}")
        self._take(";")

    def _technique(self) -> None:
        name = self._define("technique", self._name())
        self._take("{")
        while self._take("pass", "}") == "pass":
            if self._peek().text != "{":
                self._name()
            self._take("{")
            calls: dict[str, list[str]] = {}
            while (word := self._take(*_STAGE_OF, "}")) != "}":
                self._take("=")
                call = [token.text for token in self._until(";") if token.kind not in BLANKS]
                calls[_STAGE_OF[word]] = call[1:] if call[:1] == ["compile"] else call
            self._effect.passes.append((name, calls))

    def _other(self) -> None:
        """Read a uniform, another global, or a function (ep_parse_other)."""
        specifiers = []
        while self._peek().text in _SPECIFIERS:
            specifiers.append(self._take())
        kind, name = self._name(), self._name()
        if self._peek().text == "(":
            self._function(kind, name)
            return
        ends = {"[": "]", "<": ">", "=": ";"}  # an array's size, annotations, a default
        has_default = False
        while (word := self._take(*ends, ";")) != ";":
            self._until(ends[word])
            if word == "[":
                kind += "[]"
            elif word == "=":
                has_default = True
                break
        if "uniform" in specifiers:
            self._effect.uniforms.setdefault(self._define("uniform", name), Variable(kind, name, has_default))
        else:
            self._effect.globals.append(self._define("global", name))

    def _function(self, kind: str, name: str) -> None:
        self._take("(")
        parameters: list[Variable] = []
        while self._peek().text != ")":
            if parameters:
                self._take(",")
            if self._peek().text in _DIRECTIONS:
                self._take()
            parameters.append(Variable(self._name(), self._name()))
            self._mapping()
        self._take(")")
        self._mapping()
        self._take("{")
        body = (Token("other", "{"), *self._until("}"), Token("other", "}"))
        function = Function(name, kind, tuple(parameters), body, len(self._effect.defined))
        self._effect.functions.setdefault(self._define("function", name), function)

    def _mapping(self) -> None:
        if self._peek().text == ":":
            self._take()
            self._name()
