"""The rules of shader_check, each on small files of its own: good ones, and one for every fault."""

from __future__ import annotations

import pytest

from tests.obs.shader_check import Draw, faults, undrawn, unset

HEAD = """
uniform float4x4 ViewProj;
uniform texture2d image;
uniform texture2d mask;
uniform float4 edge;
uniform float least;
sampler_state smooth { Filter = Linear; AddressU = Clamp; };
sampler_state blocky { Filter = Point; };
struct Vertex { float4 pos : POSITION; float2 uv : TEXCOORD0; };
Vertex VSDefault(Vertex v)
{
	Vertex result;
	result.pos = mul(float4(v.pos.xyz, 1.0), ViewProj);
	result.uv = v.uv;
	return result;
}
float4 image_at(float2 uv) { return image.Sample(smooth, uv); }
float mask_at(float2 uv) { return mask.Sample(smooth, uv).x; }
"""
TAIL = """
technique Draw
{
	pass { vertex_shader = VSDefault(v); pixel_shader = PSDraw(v); }
}
"""


def effect(body: str, *, before: str = "", head: str = HEAD) -> str:
    """Return a file whose technique Draw has this pixel shader, with `before` in front of it."""
    return f"{head}{before}\nfloat4 PSDraw(Vertex v) : TARGET\n{{\n{body}\n}}\n{TAIL}"


def found_in(text: str) -> str:
    return "\n".join(faults("some.effect", text))


GOOD = {
    "plain": effect("return image_at(v.uv) * mask_at(v.uv) * edge;"),
    "textures sampled in place": effect("return image.Sample(smooth, v.uv) * mask.Sample(smooth, v.uv).x;"),
    "a helper with two textures, in order": effect(
        "return both(v.uv);",
        before="float4 both(float2 uv) { return image.Sample(smooth, uv) * mask.Sample(smooth, uv).x; }",
    ),
    "the order of the pass, not of the file": effect(
        "return both(v.uv);",
        before="float4 both(float2 uv) { return mask.Sample(smooth, uv).x * image.Sample(smooth, uv); }",
    ),
    "comments and strings hold what code may not": effect(
        "/* float least = 1.0; if (least<1.0) clip (least); */ return image_at(v.uv); // float least;",
        before='uniform float strength<string name = "double clip (a<b)"; float least_value = 0.0;> = 0.5;',
    ),
    "several in one declaration": effect(
        "float a = max(1.0, 2.0), b[2] = {1.0, 2.0}, c; c = a; return float4(a, c, b[0], b[1]);"
    ),
    "loops and comparisons": effect(
        "float4 sum = edge; for (int i = 0; i < 8; i++) { if (sum.x > 1.0 && i >= 2) sum -= 1.0; } return sum;"
    ),
    "a macro": effect(
        "return (v.uv.x > LIMIT) ? TWICE(mask_at(v.uv)) * edge : edge;",
        before="#define LIMIT 0.5 // float least = 1.0;\n#define TWICE(value) 2.0 * value",
    ),
    "clip where Metal does not come": effect("#ifdef _D3D11\nclip(-1.0);\n#endif\nreturn edge;"),
    "a value with brackets over several lines": effect("return lerp(\n  edge,\n  image_at(v.uv),\n  0.5);"),
    "out parameters": effect(
        "float a; float b; parts(v.uv, a, b); return float4(a, b, 0.0, 1.0);",
        before="void parts(in float2 uv, out float across, inout float down) { across = uv.x; down = uv.y; }",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_file_that_all_renderers_take_has_no_faults(name: str) -> None:
    assert found_in(GOOD[name]) == ""


# name: the file, and what the message must hold.
BAD = {
    "a local": (effect("float least = 1.0; return edge * least;"), "function PSDraw: the local least", "uniform"),
    "a local behind a comma": (
        effect("float a = max(1.0, 2.0), least = 2.0; return edge * a;"),
        "PSDraw: the local least",
    ),
    "a local without a value": (effect("float a, least; return edge;"), "PSDraw: the local least"),
    "a local array": (effect("float least[2]; return edge;"), "PSDraw: the local least"),
    "a constant local": (
        effect("const float4 edge = float4(0.0, 0.0, 0.0, 0.0); return edge;"),
        "PSDraw: the local edge",
    ),
    "a local in a block of a block": (effect("{ if (v.uv.x > 0.5) { int3 least; } } return edge;"), "the local least"),
    "a variable of a loop": (
        effect("for (int least = 0; least < 4; least++) { } return edge;"),
        "PSDraw: the local least",
    ),
    "a second variable of a loop": (
        effect("for (int i = 0, edge = 1; i < 4; i++) { } return v.uv.xyxy;"),
        "local edge",
    ),
    "a local of a struct": (effect("Vertex mask; return edge;"), "PSDraw: the local mask"),
    "a local with a function's name": (effect("float mask_at = 1.0; return edge;"), "local mask_at", "function"),
    "a local with a struct's name": (effect("float Vertex = 1.0; return edge;"), "local Vertex", "struct"),
    "a local with a sampler's name": (effect("float smooth = 1.0; return edge;"), "local smooth", "sampler"),
    "a local with a technique's name": (effect("float Draw = 1.0; return edge;"), "local Draw", "technique"),
    "a local through a macro": (
        effect("float WEIGHT = 1.0; return edge;", before="#define WEIGHT least"),
        "local least",
    ),
    "a local on one renderer": (effect("#ifdef _Metal\nfloat least = 1.0;\n#endif\nreturn edge;"), "local least"),
    "a local in a helper": (
        effect("return help(v.uv);", before="float4 help(float2 uv) { float least = uv.x; return edge * least; }"),
        "function help: the local least",
        "Rename",
    ),
    "a parameter": (
        effect("return help(v.uv);", before="float4 help(float2 edge) { return edge.xyxy; }"),
        "function help: the parameter edge",
        "Rename",
    ),
    "an out parameter": (
        effect("return edge;", before="void help(out float least) { least = 1.0; }"),
        "function help: the parameter least",
    ),
    "a parameter of the pixel shader": (
        effect("return edge;").replace("Vertex v)", "Vertex mask)"),
        "the parameter mask",
    ),
    "a member": (
        effect("return edge;", before="struct Pair { float least; float b; };"),
        "struct Pair: the member least",
    ),
    "a swizzle": (effect("return v.uv.xyxy;", before="uniform float xyxy;"), "PSDraw: the member xyxy", "Rename"),
    "a function with a uniform's name": (
        effect("return edge;", before="float4 least(float2 uv) { return uv.xyxy; }"),
        "least is the name of a uniform and of a function",
    ),
    "a function with a technique's name": (
        effect("return edge;", before="float Draw(float2 uv) { return uv.x; }"),
        "Draw is the name of a function and of a technique",
    ),
    "two functions of a name": (
        effect("return edge;", before="float mask_at(float x) { return x; }"),
        "mask_at is the name of a function and of a function",
    ),
    "a technique with a uniform's name": (
        effect("return edge;") + TAIL.replace("Draw\n", "least\n", 1),
        "least is the name of a uniform and of a technique",
    ),
    "a struct with a sampler's name": (
        effect("return edge;", before="struct smooth { float a; };"),
        "smooth is the name of a sampler and of a struct",
    ),
    "a name that is translated": (effect("float lerp = 1.0; return edge * lerp;"), "PSDraw: the local lerp"),
    "textures in another order": (
        effect(
            "return help(v.uv);", before="float4 help(float2 uv) { return mask_at(uv) * image.Sample(smooth, uv); }"
        ),
        "technique Draw, function help",
        "order mask, image, but the pass declares image, mask",
        "sample one texture",
    ),
    "textures in another order in the pixel shader": (
        effect("float a = mask_at(v.uv); return a * image.Sample(smooth, v.uv);"),
        "technique Draw, function PSDraw",
    ),
    "textures swapped through two levels": (
        effect(
            "return outer(v.uv) * image.Sample(smooth, v.uv);",
            before="float4 inner(float2 uv) { return mask_at(uv) * image_at(uv); }\n"
            "float4 outer(float2 uv) { return inner(uv) * 2.0; }",
        ),
        "technique Draw, function inner",
        "function outer",
    ),
    "textures in the right order for one technique only": (
        effect(
            "return both(v.uv);",
            before="float4 both(float2 uv) { return image_at(uv) * mask_at(uv); }\n"
            "float4 PSOther(Vertex v) : TARGET { return mask_at(v.uv) * both(v.uv); }",
        )
        + TAIL.replace("Draw\n", "Other\n", 1).replace("PSDraw", "PSOther"),
        "technique Other, function both",
    ),
    "samplers in another order": (
        effect(
            "return image.Sample(blocky, v.uv) * help(v.uv);",
            before="float4 help(float2 uv) { return image.Sample(smooth, uv) + image.Sample(blocky, uv); }",
        ),
        "function help: its samplers",
    ),
    "a comparison without blanks": (
        effect("for (int i=0;i<8;i++) { } return edge;"),
        "function PSDraw: < needs a blank",
    ),
    "a comparison with one blank": (effect("return (v.uv.x <0.5) ? edge : edge;"), "PSDraw: < needs a blank"),
    "a comparison with the other blank": (effect("return (v.uv.x> 0.5) ? edge : edge;"), "PSDraw: > needs a blank"),
    "a comparison with equality": (effect("return (v.uv.x<=0.5) ? edge : edge;"), "PSDraw: <= needs a blank"),
    "a comparison in a macro": (
        effect("return IS(v.uv.x) ? edge : edge;", before="#define IS(x) (1.0>x)"),
        "> needs a blank",
    ),
    "a blank before a call": (effect("return image_at (v.uv);"), "function PSDraw: write image_at( without a blank"),
    "a line before a call": (effect("return image_at\n(v.uv);"), "write image_at("),
    "a comment before a call": (effect("return image_at/* here */(v.uv);"), "write image_at("),
    "a blank before a call of the language": (effect("return float4 (v.uv, 0.0, 1.0);"), "write float4("),
    "a call through a macro": (effect("return AT(image_at);", before="#define AT(name) name(v.uv)"), "write image_at("),
    "clip": (effect("clip(v.uv.x - 0.5); return edge;"), "function PSDraw: Metal refuses clip", "alpha 0"),
    "double": (effect("double x = 1.0; return edge;"), "function PSDraw: Metal refuses the type double"),
    "a uniform of double": (effect("return edge;", before="uniform double x;"), "x is a double"),
    "a parameter of double": (effect("return edge;", before="float f(double x) { return x; }"), "function f"),
    "a call without arguments": (
        effect("return help();", before="float4 help() { return edge; }"),
        "function help",
        "parameter",
    ),
    "a texture as an argument": (
        effect("return help(image, v.uv);", before="float4 help(texture2d t, float2 uv) { return uv.xyxy; }"),
        "function PSDraw: Metal knows the texture image only",
    ),
    "a texture in a vertex shader": (
        effect("return edge;")
        .replace("result.uv = v.uv;", "result.uv = v.uv * mask_at(v.uv);")
        .replace(
            "Vertex VSDefault", "float mask_at(float2 uv) { return mask.Sample(smooth, uv).x; }\nVertex VSDefault"
        ),
        "no textures in vertex shaders",
    ),
    "a function behind its use": (
        effect("return help(v.uv);") + "float4 help(float2 uv) { return edge; }",
        "Move help up",
    ),
    "a global": (effect("return edge * scale;", before="const float scale = 2.0;"), "the global scale", "#define"),
    "a shader that is not there": (
        effect("return edge;").replace("PSDraw(v);", "PSDrawn(v);"),
        "technique Draw: the pixel shader",
    ),
    "no vertex shader": (
        effect("return edge;").replace("vertex_shader = VSDefault(v);", ""),
        "the vertex shader is missing",
    ),
    "a value in brackets": (effect("return edge;", before="#define SCALE (2.0)"), "#define SCALE", "without"),
    "a macro of itself": (effect("return edge * A;", before="#define A A"), "the macro A names itself"),
    "an #if without an end": (effect("return edge;", before="#ifdef _Metal"), "#endif"),
    "a comment without an end": (effect("return edge; /*"), "a comment has no end"),
    "two members in one declaration": (effect("return edge;", before="struct Pair { float a, b; };"), "libobs expects"),
    "a brace too few": (effect("return edge;")[:-3], "libobs expects"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_a_renderer_takes_otherwise_is_named_with_what_to_do(name: str) -> None:
    text, *wanted = BAD[name]
    found = found_in(text)
    assert all(part in found for part in wanted), found
    assert all(line.startswith("some.effect") for line in found.splitlines())


ALL_SET = {"image": "gs_effect_set_texture_srgb", "edge": "gs_effect_set_vec4", "least": "gs_effect_set_float"}
THREE = effect("return image_at(v.uv) * edge * least;")


def test_a_technique_with_all_its_values_is_drawn_everywhere() -> None:
    assert unset("some.effect", THREE, [Draw("Draw", ALL_SET)]) == []


@pytest.mark.parametrize("name", ALL_SET)
def test_a_value_that_is_not_set_before_the_draw_is_named(name: str) -> None:
    given = {other: setter for other, setter in ALL_SET.items() if other != name}
    (found,) = unset("some.effect", THREE, [Draw("Draw", ALL_SET), Draw("Draw", given)])
    assert found.startswith(f"some.effect, technique Draw: the pixel shader reads {name}, which is not set")
    assert ALL_SET[name] in found


def test_a_uniform_that_only_a_local_names_must_be_set_all_the_same() -> None:
    text = effect("float least = 1.0; return edge * least;")
    (found,) = unset("some.effect", text, [Draw("Draw", {"edge": "gs_effect_set_vec4"})])
    assert "reads least, which is not set" in found


def test_a_uniform_of_the_vertex_shader_or_of_the_call_must_be_set() -> None:
    text = effect("return edge;").replace("result.uv = v.uv;", "result.uv = v.uv * least;")
    assert "vertex shader reads least" in unset("a.effect", text, [Draw("Draw", {"edge": "gs_effect_set_vec4"})])[0]
    text = effect("return edge;").replace("PSDraw(v);", "PSDraw(v, least);")
    assert "pixel shader reads least" in unset("a.effect", text, [Draw("Draw", {"edge": "gs_effect_set_vec4"})])[0]


def test_a_default_counts_as_set_and_so_does_the_matrix_of_a_vertex_shader() -> None:
    text = effect("return edge * scale;", before="uniform float scale<float maximum = 2.0;> = 1.0;")
    assert unset("some.effect", text, [Draw("Draw", {"edge": "gs_effect_set_vec4"})]) == []
    text = effect("return mul(edge, ViewProj);")
    (found,) = unset("some.effect", text, [Draw("Draw", {"edge": "gs_effect_set_vec4"})])
    assert "pixel shader reads ViewProj" in found


def test_a_value_of_another_size_is_refused() -> None:
    (found,) = unset("some.effect", THREE, [Draw("Draw", {**ALL_SET, "edge": "gs_effect_set_vec2"})])
    assert found == (
        "some.effect, technique Draw: gs_effect_set_vec2 sets edge, which is a float4. "
        "Call gs_effect_set_vec4 or gs_effect_set_color."
    )


def test_a_technique_that_does_not_exist_and_one_that_nobody_draws_are_named() -> None:
    (found,) = unset("some.effect", THREE, [Draw("Drawn", ALL_SET)])
    assert "technique Drawn" in found
    (found,) = undrawn("some.effect", THREE, [Draw("Drawn", ALL_SET)])
    assert found.startswith("some.effect, technique Draw: nothing draws it")
