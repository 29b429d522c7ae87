"""What an .effect file defines, and what each shader of a pass is made of.

The rules are those of libobs/graphics/effect-parser.c: a name in a function's body stands for what the file defines by
that name before the function, whatever the scope and even behind a dot (ep_parse_func_contents).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.obs.shader_check.tokens import BLANKS, EffectError, Token

STAGES: Final = ("vertex", "pixel")
# Words that stand before a name without declaring it.
_NO_TYPES: Final = frozenset({"return", "else", "do", "case", "in", "inout", "out", "const", "static", "uniform"})


class Variable(NamedTuple):
    """A uniform, a parameter or a struct's member."""

    type: str
    name: str
    has_default: bool = False

    @property
    def is_texture(self) -> bool:
        """Whether it is one of the texture types (get_effect_param_type)."""
        return self.type.startswith("texture")


@dataclass(frozen=True)
class Function:
    """`body` goes from "{" to "}", blanks included; `place` counts the file's definitions."""

    name: str
    type: str
    parameters: tuple[Variable, ...]
    body: tuple[Token, ...]
    place: int

    @property
    def code(self) -> list[Token]:
        """The body without blanks."""
        return [token for token in self.body if token.kind not in BLANKS]

    @property
    def words(self) -> list[str]:
        """The names in the body, in order."""
        return [token.text for token in self.body if token.kind == "name"]

    @property
    def locals(self) -> list[str]:
        """What the body declares: the second of two names in a row, and the names behind that declaration's commas."""
        code = self.code
        found: list[str] = []
        for place in range(1, len(code)):
            before, token = code[place - 1], code[place]
            if before.kind == token.kind == "name" and before.text not in _NO_TYPES:
                found += _declarators(code[place:])
        return list(dict.fromkeys(found))

    @property
    def members(self) -> list[str]:
        """The names behind a dot: members, swizzles, a texture's functions."""
        code = self.code
        return [name.text for dot, name in itertools.pairwise(code) if dot.text == "." and name.kind == "name"]


@dataclass(frozen=True)
class Shader:
    """A vertex or pixel shader as libobs writes it (ep_makeshaderstring): what it declares, in this order."""

    technique: str
    stage: str
    uniforms: list[str]
    samplers: list[str]
    functions: list[Function]  # callees first


@dataclass
class Effect:
    """Everything a file defines; `defined` holds (kind, name) in the file's order."""

    file: str
    uniforms: dict[str, Variable] = field(default_factory=dict)
    structs: dict[str, list[Variable]] = field(default_factory=dict)
    samplers: list[str] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    globals: list[str] = field(default_factory=list)  # that are no uniforms
    passes: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)  # technique, call by stage
    defined: list[tuple[str, str]] = field(default_factory=list)

    def kinds(self, name: str) -> list[str]:
        """Return what a name is defined as."""
        return [kind for kind, other in self.defined if other == name]

    def place(self, name: str) -> int:
        """Return where a name is defined first; beyond the end if nowhere."""
        return next((place for place, (_, other) in enumerate(self.defined) if other == name), len(self.defined))

    def shaders(self) -> list[Shader]:
        """Return all shaders, pass by pass.

        Raises:
            EffectError: a pass lacks one, or names a function that does not exist.
        """
        found = []
        for technique, calls in self.passes:
            for stage in STAGES:
                call = calls.get(stage, [])
                if not call or call[0] not in self.functions:
                    what = f"calls {call[0]}, which is no function" if call else "is missing"
                    raise EffectError(f"{self.file}, technique {technique}: the {stage} shader {what}.")
                found.append(self._shader(technique, stage, call))
        return found

    def _shader(self, technique: str, stage: str, call: Sequence[str]) -> Shader:
        shader = Shader(technique, stage, [word for word in dict.fromkeys(call) if word in self.uniforms], [], [])
        begun: set[str] = set()

        def write(function: Function) -> None:
            begun.add(function.name)
            words = [word for word in dict.fromkeys(function.words) if self.place(word) < function.place]
            shader.uniforms.extend(word for word in words if word in self.uniforms and word not in shader.uniforms)
            shader.samplers.extend(word for word in words if word in self.samplers and word not in shader.samplers)
            for word in words:
                if word in self.functions and word not in begun:
                    write(self.functions[word])
            shader.functions.append(function)

        write(self.functions[call[0]])
        return shader


def _declarators(tokens: Iterable[Token]) -> Iterator[str]:
    """Give the first name, and the names behind the commas of the same declaration."""
    depth, is_due = 0, True
    for token in tokens:
        if is_due and token.kind == "name":
            yield token.text
        is_due = token.text == "," and depth == 0
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if depth < 0 or (token.text == ";" and depth == 0):
            return
