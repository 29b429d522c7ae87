"""The GPU objects call by call: what libobs is told, in which order, with which figures."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from eoam_obs.binding import functions, libobs
from eoam_obs.frame.gpu import Downscaler, GraphicsError, PictureRing, Readback, RenderTarget, draw_effect
from tests.obs.libobs_double import LibobsDouble


class Calls(LibobsDouble):
    """Remembers every call, vectors by their values; draws two passes where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.passes_left = 0
        for name in [*vars(self)]:
            if name.startswith(("gs_", "obs_")):
                setattr(self, name, self._noted(name, getattr(self, name)))

    def _noted(self, name: str, function: Any) -> Any:
        def call(*given: Any) -> Any:
            self.calls.append((name, *map(self._value, given)))
            return function(*given)

        return call

    @staticmethod
    def _value(value: Any) -> Any:
        if isinstance(value, functions.Vec2):
            return (value.x, value.y)
        return value

    def gs_effect_loop(self, effect: int, technique: bytes) -> bool:
        if self.passes_left == 0:
            self.passes_left = 2
            return False
        self.passes_left -= 1
        return True

    def gs_stagesurface_map(self, surface: int, address: Any, linesize: Any) -> bool:
        return False

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of every call of a function."""
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture
def obs() -> Iterator[Any]:
    made = Calls()
    made.passes_left = 2
    with made.graphics():
        yield made
    assert not made.faults


@pytest.fixture
def canvas(obs: Any) -> Iterator[RenderTarget]:
    made = RenderTarget(obs)
    yield made
    made.destroy()
    assert not obs.alive


def test_a_canvas_has_nothing_before_it_is_drawn_into(obs: Any, canvas: RenderTarget) -> None:
    assert (canvas.texture, canvas.space) == (0, libobs.GS_CS_SRGB)
    assert obs.calls == [] or obs.calls == [("obs_enter_graphics",)]
    canvas.destroy()
    assert not obs.of("gs_texrender_end")
    assert not obs.of("gs_texrender_destroy")


@pytest.mark.parametrize(
    ("given", "space", "expected"),
    [
        (None, libobs.GS_CS_SRGB, libobs.GS_RGBA),
        (None, libobs.GS_CS_SRGB_16F, libobs.GS_RGBA16F),
        (None, libobs.GS_CS_709_EXTENDED, libobs.GS_RGBA16F),
        (libobs.GS_BGRA, libobs.GS_CS_709_EXTENDED, libobs.GS_BGRA),
    ],
)
def test_a_canvas_has_the_format_that_its_colour_space_needs(
    obs: Any, given: int | None, space: int, expected: int
) -> None:
    canvas = RenderTarget(obs, given)
    canvas.begin(64, 36, space)
    canvas.end()
    assert obs.of("gs_texrender_create") == [(expected, libobs.GS_ZS_NONE)]
    assert canvas.space == space
    canvas.destroy()


def test_a_canvas_is_reset_opened_cleared_and_given_its_coordinates(obs: Any, canvas: RenderTarget) -> None:
    canvas.begin(64, 36)
    canvas.end()
    texrender = obs.of("gs_texrender_reset")[0][0]
    names = [call[0] for call in obs.calls]
    assert (
        names.index("gs_texrender_reset") < names.index("gs_texrender_begin_with_color_space") < names.index("gs_clear")
    )
    assert obs.of("gs_texrender_begin_with_color_space") == [(texrender, 64, 36, libobs.GS_CS_SRGB)]
    ((flags, colour, depth, stencil),) = obs.of("gs_clear")
    assert (flags, depth, stencil) == (libobs.GS_CLEAR_COLOR, 0.0, 0)
    assert ctypes.string_at(colour, 16) == bytes(16), "transparent black"
    assert obs.of("gs_ortho") == [(0.0, 64, 0.0, 36, -100.0, 100.0)]
    assert obs.of("gs_texrender_end") == [(texrender,)]
    assert canvas.texture == obs.gs_texrender_get_texture(texrender)


def test_what_is_written_all_over_is_not_cleared(obs: Any, canvas: RenderTarget) -> None:
    canvas.begin(64, 36, clear=False)
    canvas.end()
    assert not obs.of("gs_clear")


def test_a_canvas_keeps_its_texture_until_its_size_or_space_changes(obs: Any, canvas: RenderTarget) -> None:
    textures = []
    for size, space in (((64, 36), 0), ((64, 36), 0), ((36, 64), 0), ((36, 64), 2), ((36, 64), 2)):
        canvas.begin(*size, space)
        canvas.end()
        textures.append(canvas.texture)
    assert textures[0] == textures[1]
    assert textures[3] == textures[4]
    assert len(set(textures)) == 3
    assert len(obs.of("gs_texrender_destroy")) == 2


def test_a_canvas_that_the_driver_refuses_is_an_error_and_is_not_open(obs: Any, canvas: RenderTarget) -> None:
    obs.refuse = {"gs_texrender_begin_with_color_space"}
    with pytest.raises(GraphicsError, match="64x36"):
        canvas.begin(64, 36)
    canvas.destroy()
    assert not obs.of("gs_texrender_end")
    obs.refuse = set()
    canvas.begin(64, 36)
    canvas.end()


def test_what_failed_while_it_was_open_is_ended_before_it_is_freed(obs: Any, canvas: RenderTarget) -> None:
    canvas.begin(64, 36)
    canvas.destroy()
    assert obs.inside == 0
    names = [call[0] for call in obs.calls]
    assert names.index("gs_texrender_end") < names.index("gs_texrender_destroy")
    canvas.destroy()
    assert len(obs.of("gs_texrender_end")) == 1
    assert canvas.texture == 0


def test_every_pass_of_a_technique_is_drawn(obs: Any) -> None:
    effect, texture = obs.handle("effect"), obs.handle("texture")
    draw_effect(obs, effect, b"Draw", texture, 64, 36)
    assert obs.of("gs_draw_sprite") == [(texture, 0, 64, 36)] * 2
    assert obs.of("gs_effect_loop") == [(effect, b"Draw")] * 3


def test_an_effect_that_fails_on_the_way_is_ended_and_the_error_goes_on(obs: Any) -> None:
    effect = obs.handle("effect")

    def fails(*_: object) -> None:
        raise MemoryError("injected")

    obs.gs_draw_sprite = fails
    with pytest.raises(MemoryError):
        draw_effect(obs, effect, b"Draw", obs.handle("texture"), 64, 36)
    assert obs.passes_left == 2, "it would begin anew"


def _ring(limit: int) -> tuple[PictureRing, list[Any]]:
    made: list[Any] = []

    class Picture:
        destroyed = 0

        def __init__(self) -> None:
            made.append(self)

        def destroy(self) -> None:
            self.destroyed += 1

    return PictureRing(Picture, limit=limit), made  # type: ignore[arg-type]


def test_the_ring_takes_the_oldest_that_is_not_kept() -> None:
    ring, made = _ring(3)
    pictures = {number: ring.next(number, *range(number)) for number in (0, 1, 2)}
    assert len(made) == 3
    assert ring.next(3, 0) is pictures[1], "0 is kept"
    assert ring.find(1) is None
    assert ring.next(4) is pictures[0]
    assert ring.next(5, None, 3) is pictures[2]
    assert ring.find(3) is pictures[1]
    assert len(made) == 3
    ring.destroy()
    assert [picture.destroyed for picture in made] == [1, 1, 1]
    ring.destroy()
    assert [picture.destroyed for picture in made] == [1, 1, 1]


def test_a_ring_that_may_not_reuse_makes_another_up_to_its_limit() -> None:
    ring, made = _ring(2)
    ring.next(10)
    ring.next(11, 10)
    assert len(made) == 2
    with pytest.raises(ValueError, match="names 2 pictures"):
        ring.next(12, 10, 11)


def test_pictures_are_read_after_a_third_of_a_tick_or_just_before_the_next() -> None:
    readback = Readback()
    assert readback.after == Readback.EARLY == 0.35
    assert Readback.LATE == 0.9
    for waits, expected in (
        ([0.0029] * 10, 0.35),
        ([0.003] * 2, 0.35),
        ([0.003], 0.9),
        ([0.0] * 599, 0.9),
        ([0.0], 0.35),
    ):
        for waited_s in waits:
            readback.note(waited_s)
        assert readback.after == expected
    for waited_s in (0.003, 0.003, 0.0, 0.003, 0.003):
        readback.note(waited_s)
        assert readback.after == 0.35


@pytest.fixture
def downscaler(obs: Any) -> Iterator[Downscaler]:
    made = Downscaler(obs, 256, 144)
    yield made
    made.destroy()
    assert not obs.alive


def test_shrinking_copies_to_where_the_processor_can_read_it(obs: Any, downscaler: Downscaler) -> None:
    assert downscaler.staged is None
    texture = obs.handle("texture")
    downscaler.stage(texture, 1280, 720, 7)
    assert downscaler.staged == 7
    ((surface, canvas),) = obs.of("gs_stage_texture")
    assert obs.of("gs_stagesurface_create") == [(256, 144, libobs.GS_BGRA)]
    assert obs.alive[surface] == "gs_stagesurface_create"
    assert canvas == obs.gs_texrender_get_texture(obs.of("gs_texrender_end")[0][0])
    assert obs.of("gs_texrender_create") == [(libobs.GS_BGRA, libobs.GS_ZS_NONE)]
    assert obs.of("gs_blend_function") == [(libobs.GS_BLEND_ONE, libobs.GS_BLEND_ZERO)], "what was there does not count"
    assert not obs.of("gs_clear")
    assert obs.of("gs_draw_sprite")[0] == (texture, 0, 256, 144)
    names = [call[0] for call in obs.calls]
    assert names.index("gs_texrender_end") < names.index("gs_stage_texture")
    downscaler.stage(texture, 1280, 720, 8)
    assert len(obs.of("gs_stagesurface_create")) == 1
    assert downscaler.staged == 8


@pytest.mark.parametrize(
    ("width", "height", "is_area"),
    [(1280, 720, False), (2048, 1152, False), (2050, 1152, True), (2048, 1154, True), (3840, 2160, True)],
)
def test_what_is_shrunk_a_lot_is_averaged_over_its_area(
    obs: Any, downscaler: Downscaler, width: int, height: int, is_area: bool
) -> None:
    texture = obs.handle("texture")
    downscaler.stage(texture, width, height, 1)
    effect = obs.obs_get_base_effect(libobs.OBS_EFFECT_AREA if is_area else libobs.OBS_EFFECT_BILINEAR_LOWRES)
    assert {call[0] for call in obs.of("gs_effect_loop")} == {effect}
    asked = {(effect, name): handle for (effect, name), handle in shown_parameters(obs).items()}
    assert obs.of("gs_effect_set_texture") == [(asked[effect, "image"], texture)]
    vectors = dict(obs.of("gs_effect_set_vec2"))
    if not is_area:
        assert vectors == {}
        return
    assert vectors[asked[effect, "base_dimension"]] == (width, height)
    assert vectors[asked[effect, "base_dimension_i"]] == pytest.approx((1 / width, 1 / height))


def shown_parameters(obs: Any) -> dict[tuple[int, str], int]:
    return {(effect, name): obs.parameter_of(effect, name) for effect, name in obs.of("gs_effect_get_param_by_name")}


def test_a_driver_without_a_surface_is_an_error_that_names_its_size(obs: Any, downscaler: Downscaler) -> None:
    obs.refuse = {"gs_stagesurface_create"}
    with pytest.raises(GraphicsError, match="256x144"):
        downscaler.stage(obs.handle("texture"), 1280, 720, 1)
    assert downscaler.staged is None
    assert downscaler.read() is None
    downscaler.destroy()
    assert not obs.of("gs_stagesurface_destroy")


def test_after_freeing_there_is_nothing_to_read_and_it_begins_anew(obs: Any, downscaler: Downscaler) -> None:
    texture = obs.handle("texture")
    downscaler.stage(texture, 1280, 720, 1)
    downscaler.destroy()
    assert downscaler.staged is None
    assert downscaler.read() is None
    assert not obs.of("gs_stagesurface_map")
    downscaler.destroy()
    assert len(obs.of("gs_stagesurface_destroy")) == 1
    downscaler.stage(texture, 1280, 720, 2)
    assert len(obs.of("gs_stagesurface_create")) == 2


def test_what_was_staged_is_read_once_even_if_the_driver_fails(obs: Any, downscaler: Downscaler) -> None:
    downscaler.stage(obs.handle("texture"), 1280, 720, 1)
    with pytest.raises(GraphicsError, match="could not map"):
        downscaler.read()
    assert downscaler.read() is None
    assert not obs.of("gs_stagesurface_unmap")
