"""A stand-in for libobs that cannot lie: it is made from the product's own table of prototypes.

A name that is not in the table, too few or too many arguments, an argument of another type, a handle of another kind (a
texture where an effect belongs), one that was freed, drawing without the graphics context, and a state of the graphics
that was changed and not restored: each fails the test that ran it. The faults are kept as well as raised, since the
product catches what its callbacks raise.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from eoam_obs.binding import functions, libobs
from tests.obs.effect_recorder import EffectRecorder

PROTOTYPES: Final = {**libobs._BLOCKING, **libobs._LEAF}

_TEXT: Final = (str, bytes, type(None))
_INTEGERS: Final = (
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_uint64,
    ctypes.c_longlong,
    ctypes.c_size_t,
    ctypes.c_uint8,
)
_VARIADIC: Final = ("blog",)
# What only obspython has, or only the frontend; the product calls no other function by such a name.
_OBSPYTHON: Final = {
    "obs_data_addref",
    "obs_frontend_virtualcam_active",
    "obs_frontend_start_virtualcam",
    "obs_frontend_stop_virtualcam",
}

# The kinds of the handles that a function takes, in order, and of the one that it returns ("-" is anything else). What
# libobs's headers say by the types of their pointers, which ctypes does not know.
_HANDLES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "gs_effect_create_from_file": ((), "effect"),
    "gs_effect_destroy": (("effect",), ""),
    "gs_effect_get_param_by_name": (("effect",), "param"),
    "gs_effect_set_float": (("param",), ""),
    "gs_effect_set_vec2": (("param",), ""),
    "gs_effect_set_vec4": (("param",), ""),
    "gs_effect_set_texture": (("param", "texture"), ""),
    "gs_effect_set_texture_srgb": (("param", "texture"), ""),
    "gs_effect_loop": (("effect",), ""),
    "gs_draw_sprite": (("texture|0",), ""),
    "gs_texture_create": ((), "texture"),
    "gs_texture_destroy": (("texture",), ""),
    "gs_texture_set_image": (("texture",), ""),
    "gs_stagesurface_create": ((), "stagesurface"),
    "gs_stagesurface_destroy": (("stagesurface",), ""),
    "gs_stagesurface_map": (("stagesurface",), ""),
    "gs_stagesurface_unmap": (("stagesurface",), ""),
    "gs_stage_texture": (("stagesurface", "texture"), ""),
    "gs_texrender_create": ((), "texrender"),
    "gs_texrender_destroy": (("texrender",), ""),
    "gs_texrender_begin_with_color_space": (("texrender",), ""),
    "gs_texrender_end": (("texrender",), ""),
    "gs_texrender_reset": (("texrender",), ""),
    "gs_texrender_get_texture": (("texrender",), "texture"),
    "obs_get_base_effect": ((), "effect"),
    "obs_filter_get_target": (("source",), "source"),
    "obs_filter_get_parent": (("source",), "source"),
    "obs_source_get_output_flags": (("source",), ""),
    "obs_source_get_base_width": (("source",), ""),
    "obs_source_get_base_height": (("source",), ""),
    "obs_source_get_color_space": (("source",), ""),
    "obs_source_default_render": (("source",), ""),
    "obs_source_video_render": (("source",), ""),
    "obs_source_get_unversioned_id": (("source",), ""),
    "obs_source_get_name": (("source",), ""),
}
_OWN_UNIFORMS: Final = ("image", "base_dimension", "base_dimension_i")  # of OBS's own effects, as far as they are used
# These are called without the graphics context, or take it themselves.
_ANYWHERE: Final = ("gs_get_context",)


class LibobsFault(AssertionError):
    """What a real libobs would have crashed on, or drawn wrongly, without a word."""


def checked(name: str, function: Callable[..., Any], *, objects: bool = False) -> Callable[..., Any]:
    """Return a function of libobs, or of a stand-in, that takes what the prototype says and nothing else.

    With `objects` a handle may be any object, as obspython has them.
    """
    if name not in PROTOTYPES:
        raise LibobsFault(f"{name} is in no table of prototypes")
    arguments = PROTOTYPES[name][1]

    @functools.wraps(function)
    def call(*given: Any) -> Any:
        if len(given) != len(arguments) and not (name in _VARIADIC and len(given) > len(arguments)):
            raise LibobsFault(f"{name} takes {len(arguments)} arguments, got {len(given)}: {given!r}")
        for position, (value, kind) in enumerate(zip(given, arguments, strict=False), 1):
            if not _fits(value, kind, objects=objects):
                raise LibobsFault(f"{name}: argument {position} is {value!r}, the prototype says {kind.__name__}")
        return function(*given)

    return call


def _fits(value: Any, kind: Any, *, objects: bool) -> bool:
    if kind is functions.Text:
        return isinstance(value, _TEXT)
    if kind is ctypes.c_char_p:
        return value is None or isinstance(value, bytes)
    if kind is ctypes.c_bool:
        return isinstance(value, bool)
    if kind in (ctypes.c_float, ctypes.c_double):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool) and kind(value).value == value
    if kind is ctypes.c_void_p:
        if objects or value is None:
            return True
        if isinstance(value, int):
            return not isinstance(value, bool) and value >= 0
        if isinstance(value, str | bytes | float):
            return False  # ctypes takes a text for a pointer
    try:
        kind.from_param(value)
    except (TypeError, ctypes.ArgumentError):
        return False
    return True


def strict(owner: type) -> type:
    """Have a stand-in's own functions of libobs check what they are given; unknown names fail here already."""
    for name, function in list(vars(owner).items()):
        if name.startswith(("obs_", "gs_", "os_")) and name not in _OBSPYTHON:
            setattr(owner, name, _method(name, function))
    return owner


def _method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    checked(name, function)  # a name that is unknown fails here, not when it is called

    @functools.wraps(function)
    def method(self: Any, *given: Any) -> Any:
        return checked(name, functools.partial(function, self), objects=True)(*given)

    return method


class LibobsDouble(EffectRecorder):
    """Answers every function of the table, and keeps books of handles and of the graphics' state.

    A subclass answers by a method of the function's name; what it does not answer is answered by the result's type. The
    arguments are checked before either. Handles of GPU objects are numbers that were never used before.
    """

    version, number, major = "32.2.2", (32, 2, 2), 32

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.refuse: set[str] = set()  # functions that return nothing, as a driver without memory does
        self.alive: dict[int, str] = {}  # GPU objects by their handles: the function that made each
        self.inside = 0  # texture renders that have been begun
        self.blend_depth = 0
        self.linear_srgb = False
        self.framebuffer_srgb = False
        self._numbers = itertools.count(1000)
        self._kinds: dict[int, str] = {}
        self._textures: dict[int, int] = {}  # of texture renders
        self._own_effects: dict[int, int] = {}  # OBS's, by their numbers
        self._own_parameters: dict[tuple[int, str], int] = {}
        self._context = threading.RLock()
        self._holders: list[int] = []  # threads that hold the graphics context, once for each time they entered
        for name in PROTOTYPES:
            setattr(self, name, self._function(name))

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("obs_", "gs_", "os_", "bfree", "blog")):
            self._fault(f"{name} is in no table of prototypes")
        raise AttributeError(name)

    @contextmanager
    def graphics(self) -> Iterator[None]:
        """Hold the graphics context, as libobs does when it has a source drawn; nothing may be left changed."""
        self.obs_enter_graphics()
        before = self._state()
        try:
            yield
        finally:
            if self._state() != before:
                self._fault(f"the graphics' state was {before}, and was left at {self._state()}")
            self.obs_leave_graphics()

    def handle(self, kind: str, made_by: str = "") -> int:
        """Return a new handle; one that something made must be freed."""
        number = next(self._numbers)
        self._kinds[number] = kind
        if made_by:
            self.alive[number] = made_by
        return number

    def _state(self) -> dict[str, object]:
        names = ("inside", "blend_depth", "linear_srgb", "framebuffer_srgb")
        return {name: getattr(self, name) for name in names} | {"held": len(self._holders)}

    def _fault(self, text: str) -> None:
        self.faults.append(text)
        raise LibobsFault(text)

    def _function(self, name: str) -> Callable[..., Any]:
        own = getattr(type(self), name, None)
        answer = functools.partial(own, self) if own is not None else functools.partial(self._default, name)
        call = checked(name, answer)
        taken, returned = _HANDLES.get(name, ((), ""))
        needs_context = name.startswith("gs_") and name not in _ANYWHERE

        def function(*given: Any) -> Any:
            if needs_context and threading.get_ident() not in self._holders:
                self._fault(f"{name} was called without the graphics context")
            for value, kinds in zip(given, taken, strict=False):
                self._check_handle(name, value, kinds)
            try:
                result = call(*given)
            except LibobsFault as fault:
                self.faults.append(str(fault))
                raise
            if returned and result and result not in self._kinds:
                self._kinds[result] = returned
            return result

        return function

    def _check_handle(self, name: str, value: Any, kinds: str) -> None:
        wanted = kinds.removesuffix("|0")
        if not value and kinds.endswith("|0"):
            return
        found = self._kinds.get(value) if isinstance(value, int) else None
        if wanted == "source":
            return  # sources are the tests' own numbers
        if found != wanted:
            self._fault(f"{name} wants a handle of kind {wanted}, got {value!r} ({found or 'no handle that lives'})")

    def _default(self, name: str, *given: Any) -> Any:
        result = PROTOTYPES[name][0]
        if name.endswith("_create") and name in _HANDLES:
            return 0 if name in self.refuse else self.handle(_HANDLES[name][1], name)
        if name.endswith("_destroy") and name in _HANDLES:
            return self._free(given[0])
        return None if result in (None, ctypes.c_void_p, ctypes.c_char_p) else result(0).value

    def _free(self, handle: int) -> None:
        del self.alive[handle]
        del self._kinds[handle]
        texture = self._textures.pop(handle, 0)
        if texture:
            del self._kinds[texture]

    def obs_enter_graphics(self) -> None:
        self._context.acquire()
        self._holders.append(threading.get_ident())

    def obs_leave_graphics(self) -> None:
        if threading.get_ident() in self._holders:  # to leave without having entered does nothing
            self._holders.remove(threading.get_ident())
            self._context.release()

    def gs_get_context(self) -> int | None:
        return 77 if threading.get_ident() in self._holders else None

    def gs_blend_state_push(self) -> None:
        self.blend_depth += 1

    def gs_blend_state_pop(self) -> None:
        self.blend_depth -= 1
        if self.blend_depth < 0:
            self._fault("gs_blend_state_pop has nothing to pop")

    def gs_set_linear_srgb(self, linear: bool) -> bool:
        before, self.linear_srgb = self.linear_srgb, linear
        return before

    def gs_framebuffer_srgb_enabled(self) -> bool:
        return self.framebuffer_srgb

    def gs_enable_framebuffer_srgb(self, enabled: bool) -> None:
        self.framebuffer_srgb = enabled

    def gs_texrender_begin_with_color_space(self, texrender: int, width: int, height: int, space: int) -> bool:
        if "gs_texrender_begin_with_color_space" in self.refuse:
            return False
        if not width or not height:
            self._fault(f"gs_texrender_begin_with_color_space: {width}x{height} pixels")
        self.inside += 1
        if texrender not in self._textures:
            self._textures[texrender] = self.handle("texture")
        return True

    def gs_texrender_end(self, texrender: int) -> None:
        self.inside -= 1
        if self.inside < 0:
            self._fault("gs_texrender_end without a beginning")

    def gs_texrender_get_texture(self, texrender: int) -> int | None:
        return self._textures.get(texrender)

    def gs_effect_create_from_file(self, path: str, problem: Any) -> int:
        if "gs_effect_create_from_file" in self.refuse:
            return 0
        effect = self.handle("effect", "gs_effect_create_from_file")
        self.open_effect(effect, path)
        return effect

    def gs_effect_get_param_by_name(self, effect: int, name: str) -> int:
        handle = self.parameter_of(effect, name)
        if handle:
            self._kinds[handle] = "param"
        return handle

    def parameter_of(self, effect: int, name: str) -> int:
        """Return the handle of an effect's uniform, or 0 if it has none of that name."""
        if effect not in self._own_effects.values():
            return super().gs_effect_get_param_by_name(effect, name)
        if name not in _OWN_UNIFORMS:
            self._fault(f"no effect of OBS's own has a uniform {name}")
        return self._own_parameters.setdefault((effect, name), 500_000 + len(self._own_parameters))

    def obs_get_base_effect(self, number: int) -> int:
        if number not in self._own_effects:
            self._own_effects[number] = self.handle("effect")
        return self._own_effects[number]

    def gs_effect_set_float(self, parameter: int, value: float) -> None:
        self.setter("gs_effect_set_float")(parameter, value)

    def gs_effect_set_vec2(self, parameter: int, value: Any) -> None:
        self.setter("gs_effect_set_vec2")(parameter, value)

    def gs_effect_set_vec4(self, parameter: int, value: Any) -> None:
        self.setter("gs_effect_set_vec4")(parameter, value)

    def gs_effect_set_texture(self, parameter: int, texture: int) -> None:
        self.setter("gs_effect_set_texture")(parameter, texture)

    def gs_effect_set_texture_srgb(self, parameter: int, texture: int) -> None:
        self.setter("gs_effect_set_texture_srgb")(parameter, texture)
