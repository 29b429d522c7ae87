"""What a technique reads against what was set before it was drawn.

libobs forgets all values of an effect at the end of each technique (libobs/graphics/effect.c: gs_technique_end).
Direct3D refuses a draw if a uniform in the text of the pass's shaders never had a value, or has one of another size
(libobs-d3d11/d3d11-shader.cpp: UpdateParam, UploadParams). So each uniform is set before every draw, by the function
for its type, but for those with a default in the file, and for ViewProj in a vertex shader, which the renderers set.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from tests.obs.shader_check.reader import RENDERERS, read_effect

_SETTERS: Final = {
    "bool": ("gs_effect_set_bool",),
    "float": ("gs_effect_set_float",),
    "float2": ("gs_effect_set_vec2",),
    "float3": ("gs_effect_set_vec3",),
    "float4": ("gs_effect_set_vec4", "gs_effect_set_color"),
    "float4x4": ("gs_effect_set_matrix4",),
    "int": ("gs_effect_set_int",),
    "texture": ("gs_effect_set_texture", "gs_effect_set_texture_srgb"),
}
_OTHER_SETTERS: Final = ("gs_effect_set_val",)


class Draw(NamedTuple):
    """One draw: its technique, and which function set which uniform since the draw before."""

    technique: str
    given: Mapping[str, str]


class _Need(NamedTuple):
    stage: str
    type: str


@functools.lru_cache
def uniforms(file: str, text: str) -> frozenset[str]:
    """Return the names of a file's uniforms."""
    return frozenset({name for renderer in RENDERERS for name in read_effect(file, text, renderer).uniforms})


def undrawn(file: str, text: str, draws: Iterable[Draw]) -> list[str]:
    """Return the techniques that none of the draws used, a sentence each."""
    missing = sorted(set(_needs(file, text)) - {draw.technique for draw in draws})
    return [f"{file}, technique {name}: nothing draws it. Remove it, or draw it in the test." for name in missing]


def unset(file: str, text: str, draws: Iterable[Draw]) -> list[str]:
    """Return what was not set, or set by the wrong function, before a draw with the effect in `file`."""
    needs = _needs(file, text)
    found: list[str] = []
    for draw in draws:
        where = f"{file}, technique {draw.technique}"
        if draw.technique not in needs:
            found.append(f"{where}: it is drawn, but the file has none of that name. Add it, or draw another.")
        for name, need in needs.get(draw.technique, {}).items():
            found += [f"{where}: {text}" for text in _wrong(name, need, draw.given.get(name))]
    return list(dict.fromkeys(found))


def _wrong(name: str, need: _Need, setter: str | None) -> Iterator[str]:
    setters = _SETTERS.get(need.type, _OTHER_SETTERS)
    if setter is None:
        yield (
            f"the {need.stage} shader reads {name}, which is not set before the draw: Direct3D refuses it. "
            f"Call {' or '.join(setters)} before, or do not name it in that shader."
        )
    elif setter not in setters:
        yield f"{setter} sets {name}, which is a {need.type}. Call {' or '.join(setters)}."


@functools.lru_cache
def _needs(file: str, text: str) -> dict[str, dict[str, _Need]]:
    """Return by technique which uniforms have to be set."""
    found: dict[str, dict[str, _Need]] = {}
    for renderer in RENDERERS:
        effect = read_effect(file, text, renderer)
        for shader in effect.shaders():
            needs = found.setdefault(shader.technique, {})
            for name in shader.uniforms:
                uniform = effect.uniforms[name]
                if not uniform.has_default and (name, shader.stage) != ("ViewProj", "vertex"):
                    needs[name] = _Need(shader.stage, "texture" if uniform.is_texture else uniform.type)
    return found
