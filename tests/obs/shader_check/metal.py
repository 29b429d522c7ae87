"""What libobs-metal/OBSShader.swift makes of a shader, where that goes wrong.

* Order. Metal has no globals: a function gets its textures and samplers as parameters. They are declared in the order
  of the shader's declarations (transpileFunctions) and passed in the order in which the function's body names them
  (analyzeFunction, generateAdditionalArguments). Where these differ, textures are swapped without a word.
* Spelling. A name with `<` or `>` directly behind it becomes all(...) and is written twice (convertToMTLComparison).
  What a call has to pass is added only if the parenthesis stands directly behind the function's name; a call without
  arguments becomes `f(, uniforms)`. `clip` and some types are refused (convertToMTLIntrinsic, convertToMTLType). A
  texture must be followed by its function (createSampler), and only pixel shaders get textures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.obs.shader_check.model import Effect, Function, Shader
from tests.obs.shader_check.tokens import BLANKS

RENDERER: Final = "_Metal"
_REFUSED: Final = frozenset({"double", "min10float", "min13int", "texture_rect"})
_STATEMENTS: Final = frozenset({"if", "for", "while", "switch", "return", "else", "do", "case"})
_TEXTURE_FUNCTIONS: Final = frozenset({"Load", "Sample", "SampleBias", "SampleGrad", "SampleLevel"})


def faults(effect: Effect, shaders: list[Shader]) -> list[str]:
    """Return what Metal would make of this otherwise than the others, or refuse."""
    found = list(_types(effect))
    for function in effect.functions.values():
        found += [f"{effect.file}, function {function.name}: {text}" for text in _spelling(function)]
    for shader in shaders:
        for function in shader.functions:
            where = f"{effect.file}, technique {shader.technique}, function {function.name}"
            found += [f"{where}: {text}" for text in (*_order(effect, shader, function), *_calls(shader, function))]
            found += [f"{where}: {text}" for text in _textures(effect, shader, function)]
    return found


def _types(effect: Effect) -> Iterator[str]:
    variables = [*effect.uniforms.values(), *(member for members in effect.structs.values() for member in members)]
    for variable in variables:
        if variable.type in _REFUSED:
            yield f"{effect.file}: {variable.name} is a {variable.type}, which Metal refuses. Use another type."


def _spelling(function: Function) -> Iterator[str]:
    types = {function.type, *(parameter.type for parameter in function.parameters)}
    for word in sorted({*function.words, *types} & _REFUSED):
        yield f"Metal refuses the type {word}. Use another."
    if "clip" in function.words:
        yield "Metal refuses clip. Return alpha 0 instead."
    body = function.body
    for place, token in enumerate(body[1:-1], start=1):
        before, behind = body[place - 1], body[place + 1]
        if token.text in ("<", ">") and before.text not in ("<", ">"):
            end = place + 1
            while body[end].text in ("<", ">", "="):
                end += 1
            sign = "".join(part.text for part in body[place:end])
            if before.kind not in BLANKS or body[end].kind not in BLANKS:
                yield f"{sign} needs a blank on either side behind {_before(function, place)}: Metal writes it twice."
        elif token.kind == "name" and token.text not in _STATEMENTS and behind.kind in BLANKS:
            following = next(part for part in body[place + 1 :] if part.kind not in BLANKS)
            if following.text == "(":
                yield f"write {token.text}( without a blank: Metal loses what it has to pass there."


def _before(function: Function, place: int) -> str:
    """Return the last tokens before a place of the body."""
    return "".join(token.text for token in function.body[:place] if token.kind not in BLANKS)[-12:]


def _order(effect: Effect, shader: Shader, function: Function) -> Iterator[str]:
    if shader.stage != "pixel":
        return
    textures = [name for name in shader.uniforms if effect.uniforms[name].is_texture]
    for what, declared in (("textures", textures), ("samplers", shader.samplers)):
        named = _passed(shader, declared)[function.name]
        if named != [name for name in declared if name in named]:
            order = [name for name in declared if name in named]
            yield (
                f"its {what} are named in the order {', '.join(named)}, but the pass declares {', '.join(order)}: "
                f"Metal swaps them. Let each function sample one texture only, or name them as they are declared."
            )


def _passed(shader: Shader, declared: list[str]) -> dict[str, list[str]]:
    """Return which of the `declared` each function of a shader needs, in the order in which Metal passes them."""
    found: dict[str, list[str]] = {}
    for function in shader.functions:
        needed: list[str] = []
        for word in function.words:
            needed += found.get(word, []) + [word] * (word in declared)
        found[function.name] = list(dict.fromkeys(needed))
    return found


def _calls(shader: Shader, function: Function) -> Iterator[str]:
    if not function.parameters and _passed(shader, shader.uniforms + shader.samplers)[function.name]:
        yield f"it reads uniforms, but Metal writes {function.name}(, ...) where it is called. Give it a parameter."


def _textures(effect: Effect, shader: Shader, function: Function) -> Iterator[str]:
    textures = [name for name in shader.uniforms if effect.uniforms[name].is_texture]
    code = function.code
    for place, token in enumerate(code):
        if token.kind != "name" or token.text not in textures:
            continue
        if shader.stage == "vertex":
            yield f"Metal has no textures in vertex shaders. Sample {token.text} in the pixel shader."
        elif code[place + 1].text != "." or code[place + 2].text not in _TEXTURE_FUNCTIONS:
            yield f"Metal knows the texture {token.text} only as {token.text}.Sample(...) and the like. Sample it here."
