"""The stand-in for libobs: what a real one would crash on, or draw wrongly, it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eoam_obs.binding import libobs
from tests.obs.libobs_double import PROTOTYPES, LibobsDouble, LibobsFault, checked, strict


@pytest.fixture
def obs() -> Any:
    made = LibobsDouble()
    made.obs_enter_graphics()
    return made


def _draw_with(kind: str) -> Callable[[Any], None]:
    return lambda obs: obs.gs_draw_sprite(obs.handle(kind), 0, 1, 1)


def _parameter(obs: Any) -> int:
    handle: int = obs.gs_effect_get_param_by_name(obs.obs_get_base_effect(0), "image")
    return handle


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda obs: obs.gs_stage_texure(1, 2), "gs_stage_texure is in no table"),
        (lambda obs: obs.gs_clear(1, None), "gs_clear takes 4 arguments, got 2"),
        (lambda obs: obs.gs_ortho(0.0, 1.0, 0.0, 1.0, -1.0, "1"), "gs_ortho: argument 6 is '1'"),
        (lambda obs: obs.gs_texture_create(1.0, 1, 1, 1, None, 0), "argument 1 is 1.0, the prototype says"),
        (lambda obs: obs.gs_texture_create(-1, 1, 1, 1, None, 0), "argument 1 is -1"),
        (lambda obs: obs.obs_get_source_by_name(7), "argument 1 is 7, the prototype says Text"),
        (lambda obs: obs.bfree("text"), "argument 1 is 'text'"),
        (lambda obs: obs.gs_effect_loop(obs.obs_get_base_effect(0), "Draw"), "argument 2 is 'Draw'"),
        (lambda obs: obs.gs_enable_blending(1), "argument 1 is 1, the prototype says c_bool"),
        (
            lambda obs: obs.gs_effect_set_vec2(obs.gs_effect_get_param_by_name(obs.obs_get_base_effect(0), "image"), 5),
            "argument 2",
        ),
        (_draw_with("effect"), "wants a handle of kind texture"),
        (_draw_with("texrender"), "wants a handle of kind texture"),
        (lambda obs: obs.gs_stage_texture(obs.handle("texture"), obs.handle("stagesurface")), "of kind stagesurface"),
        (lambda obs: obs.gs_effect_loop(0, b"Draw"), "got 0"),
        (lambda obs: obs.gs_texrender_end(obs.gs_texrender_create(3, 0)), "without a beginning"),
        (lambda obs: obs.gs_blend_state_pop(), "nothing to pop"),
        (lambda obs: (obs.obs_leave_graphics(), obs.gs_blend_state_push()), "without the graphics context"),
    ],
)
def test_what_is_called_wrongly_is_a_fault_that_stays(obs: Any, wrong: Callable[[Any], object], said: str) -> None:
    with pytest.raises(LibobsFault, match=said.replace("(", r"\(")):
        wrong(obs)
    assert said in obs.faults[0]


def test_a_handle_that_was_freed_is_none_any_more(obs: Any) -> None:
    texture = obs.gs_texture_create(1, 1, libobs.GS_R8, 1, None, 0)
    obs.gs_draw_sprite(texture, 0, 1, 1)
    obs.gs_texture_destroy(texture)
    for use in (lambda: obs.gs_draw_sprite(texture, 0, 1, 1), lambda: obs.gs_texture_destroy(texture)):
        with pytest.raises(LibobsFault, match="no handle that lives"):
            use()


@pytest.mark.parametrize(
    "change",
    [
        lambda obs: obs.gs_set_linear_srgb(True),
        lambda obs: obs.gs_enable_framebuffer_srgb(True),
        lambda obs: obs.gs_blend_state_push(),
        lambda obs: obs.obs_enter_graphics(),
    ],
)
def test_a_state_of_the_graphics_that_is_not_restored_is_a_fault(change: Callable[[Any], object]) -> None:
    obs: Any = LibobsDouble()
    with pytest.raises(LibobsFault, match="was left at"), obs.graphics():
        change(obs)


def test_every_function_of_the_table_is_answered_by_its_type(obs: Any) -> None:
    for name, (result, arguments) in PROTOTYPES.items():
        if arguments == () and not name.startswith(("gs_blend", "obs_leave", "obs_enter")):
            answer = getattr(obs, name)()
            assert answer is None or isinstance(answer, int | bytes), name
            assert result is not None or answer is None, name


def test_a_stand_in_with_a_function_that_libobs_does_not_have_cannot_be_made() -> None:
    with pytest.raises(LibobsFault, match="obs_source_get_nmae"):

        @strict
        class Wrong:
            def obs_source_get_nmae(self, source: int) -> bytes:
                return b""


def test_a_stand_ins_functions_check_their_arguments() -> None:
    @strict
    class Small:
        def obs_source_release(self, source: int) -> None:
            pass

    Small().obs_source_release(7)
    with pytest.raises(LibobsFault, match="takes 1 arguments"):
        Small().obs_source_release()  # type: ignore[call-arg]


def test_a_variadic_function_takes_more_than_it_declares() -> None:
    assert checked("blog", lambda *given: len(given))(300, "%s", b"text") == 3
    with pytest.raises(LibobsFault, match="takes 2"):
        checked("blog", lambda *given: len(given))(300)
