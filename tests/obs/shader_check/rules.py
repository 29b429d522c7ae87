"""What is wrong with an .effect file: the names in it on all renderers, and what metal.py knows.

libobs finds uniforms, functions, structs and samplers by name in a function's body, whatever the scope and even behind
a dot (libobs/graphics/effect-parser.c: ep_parse_func_contents). So a local with the name of a uniform brings the
uniform into the shader: Direct3D then refuses to draw if nobody sets it (libobs-d3d11/d3d11-shader.cpp: UpdateParam),
and Metal gets `float uniforms.name = ...` (libobs-metal/OBSShader.swift: transpileFunctionContent).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.obs.shader_check import metal
from tests.obs.shader_check.model import Effect
from tests.obs.shader_check.reader import RENDERERS, read_effect
from tests.obs.shader_check.tokens import EffectError

# What the translators write otherwise wherever it stands, or use themselves.
_TRANSLATED: Final = frozenset(
    {"atan2", "clip", "ddx", "ddy", "fmod", "frac", "lerp", "mad", "mul", "rsqrt", "saturate", "sincos"}
    | {"main", "obs_glsl_compile", "uniforms"}
)


def faults(file: str, text: str) -> list[str]:
    """Return what is wrong with the text of `file`, a sentence or two each that say where and what to do."""
    found: list[str] = []
    for renderer in RENDERERS:
        try:
            effect = read_effect(file, text, renderer)
            shaders = effect.shaders()
        except EffectError as error:
            found.append(str(error))
            continue
        found += [*_definitions(effect), *_names_inside(effect)]
        if renderer == metal.RENDERER:
            found += metal.faults(effect, shaders)
    return list(dict.fromkeys(found))


def _definitions(effect: Effect) -> Iterator[str]:
    for name in dict.fromkeys(name for _, name in effect.defined):
        kinds = effect.kinds(name)
        if len(kinds) > 1:
            several = " and of a ".join(kinds)
            yield f"{effect.file}: {name} is the name of a {several}, and libobs goes by names. Rename one."
        elif kinds != ["technique"] and name in _TRANSLATED:
            yield f"{effect.file}: the {kinds[0]} {name} has a name that the renderers translate. Rename it."
    for name in effect.globals:
        yield f"{effect.file}: the global {name} is no uniform, and libobs drops its value. Write #define {name}."
    for function in effect.functions.values():
        for word in dict.fromkeys(function.words):
            if effect.kinds(word) and effect.place(word) > function.place:
                yield (
                    f"{effect.file}, function {function.name}: {word} is defined behind it, so libobs leaves it out of "
                    f"the shader. Move {word} up."
                )


def _names_inside(effect: Effect) -> Iterator[str]:
    for struct, members in effect.structs.items():
        for member in members:
            yield from _clash(effect, f"struct {struct}", "member", member.name)
    for function in effect.functions.values():
        where = f"function {function.name}"
        for parameter in function.parameters:
            yield from _clash(effect, where, "parameter", parameter.name)
        for local in function.locals:
            yield from _clash(effect, where, "local", local)
        for name in dict.fromkeys(function.members):
            yield from _clash(effect, where, "member", name)


def _clash(effect: Effect, where: str, what: str, name: str) -> Iterator[str]:
    kinds = effect.kinds(name)
    if kinds:
        yield (
            f"{effect.file}, {where}: the {what} {name} has the name of a {kinds[0]}, and libobs goes by names, "
            f"whatever the scope. Rename one of them."
        )
    elif name in _TRANSLATED and what != "member":
        yield f"{effect.file}, {where}: the {what} {name} has a name that the renderers translate. Rename it."
