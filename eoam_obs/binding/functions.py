"""Declare each libobs function that is called, once: the annotation is its type and makes its prototype.

Handles are plain integers, 0 is NULL, and each kind has a type of its own, so a texture is not accepted as an effect.
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_void_p
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin, get_type_hints

Source = NewType("Source", int)
WeakSource = NewType("WeakSource", int)
Data = NewType("Data", int)  # obs_data_t
DataArray = NewType("DataArray", int)
Properties = NewType("Properties", int)
Property = NewType("Property", int)
Event = NewType("Event", int)
Effect = NewType("Effect", int)
Param = NewType("Param", int)  # gs_eparam_t
Texture = NewType("Texture", int)
Texrender = NewType("Texrender", int)
StageSurface = NewType("StageSurface", int)
NULL: Final[Any] = 0  # of every kind

Int = Annotated[int, ctypes.c_int]
UInt8 = Annotated[int, ctypes.c_uint8]
UInt32 = Annotated[int, ctypes.c_uint32]
UInt64 = Annotated[int, ctypes.c_uint64]
LongLong = Annotated[int, ctypes.c_longlong]
Size = Annotated[int, ctypes.c_size_t]
Float = Annotated[float, ctypes.c_float]
Double = Annotated[float, ctypes.c_double]
Address = Annotated[int, c_void_p]  # of bytes, or of a struct
Memory = Annotated[int, c_void_p]  # that libobs has allocated
SourceInfoAddress = Annotated[int, c_void_p]
Context = Annotated[Any, c_void_p]  # a callback's user data, or a list of addresses; 0 or None for nothing
Callback = Annotated[Any, c_void_p]


class Vec2(ctypes.Structure):
    """`struct vec2`."""

    _fields_ = (("x", ctypes.c_float), ("y", ctypes.c_float))


class Vec4(ctypes.Structure):
    """`struct vec4`; libobs loads it with aligned SSE moves, so make one with `aligned_zero_vec4` only."""

    _fields_ = (("x", ctypes.c_float), ("y", ctypes.c_float), ("z", ctypes.c_float), ("w", ctypes.c_float))


class VideoInfo(ctypes.Structure):
    """`struct obs_video_info`, the same from OBS 28 to 32, with spare bytes for later versions."""

    _fields_ = (
        ("graphics_module", c_char_p),
        *((name, ctypes.c_uint32) for name in ("fps_num", "fps_den", "base_width", "base_height")),
        *((name, ctypes.c_uint32) for name in ("output_width", "output_height")),
        ("output_format", ctypes.c_int),
        ("adapter", ctypes.c_uint32),
        ("gpu_conversion", ctypes.c_bool),
        ("colorspace", ctypes.c_int),
        ("range", ctypes.c_int),
        ("scale_type", ctypes.c_int),
        ("room", ctypes.c_ubyte * 256),
    )


AddressOut = Annotated[Any, POINTER(c_void_p)]
UInt32Out = Annotated[Any, POINTER(ctypes.c_uint32)]
VideoInfoOut = Annotated[Any, POINTER(VideoInfo)]
Vec2In = Annotated[Any, POINTER(Vec2)]
Vec4In = Annotated[Any, POINTER(Vec4)]


class Text(c_char_p):
    """A `const char *` argument that takes `str`."""

    @classmethod
    def from_param(cls, value: Any) -> Any:
        return c_char_p.from_param(value.encode() if isinstance(value, str) else value)


class Blocking:
    """Functions that may lock, block, draw or call back; called without Python's lock."""

    # Variadic: the arguments beyond the declared ones must stay undeclared, or Apple's ARM convention breaks.
    blog: Callable[..., None]
    bfree: Callable[[Memory], None]
    obs_get_version: Callable[[], UInt32]
    obs_get_version_string: Callable[[], bytes]
    obs_register_source_s: Callable[[SourceInfoAddress, Size], None]
    obs_enable_source_type: Callable[[str, bool], None]
    obs_source_get_display_name: Callable[[str], bytes | None]
    obs_source_get_name: Callable[[Source], bytes | None]
    obs_source_get_base_width: Callable[[Source], UInt32]
    obs_source_get_base_height: Callable[[Source], UInt32]
    obs_source_filter_remove: Callable[[Source, Source], None]
    obs_get_locale: Callable[[], bytes | None]
    obs_queue_task: Callable[[Int, Callback, Context, bool], None]
    obs_output_get_display_name: Callable[[str], bytes | None]
    obs_get_source_by_name: Callable[[str], Source | None]
    obs_save_sources: Callable[[], DataArray | None]
    obs_data_array_count: Callable[[DataArray], Size]
    obs_data_array_item: Callable[[DataArray, Size], Data | None]
    obs_data_array_release: Callable[[DataArray], None]
    obs_source_get_type: Callable[[Source], Int]
    obs_source_create: Callable[[str, str, Data | None, Data | None], Source | None]
    obs_source_create_private: Callable[[str, str, Data | None], Source | None]
    obs_source_release: Callable[[Source], None]
    obs_source_filter_add: Callable[[Source, Source], None]
    obs_source_filter_set_order: Callable[[Source, Source, Int], None]
    obs_source_get_unversioned_id: Callable[[Source], bytes | None]
    obs_get_latest_input_type_id: Callable[[str], bytes | None]
    obs_data_create: Callable[[], Data]
    obs_source_get_filter_by_name: Callable[[Source, str], Source | None]
    obs_source_get_settings: Callable[[Source], Data | None]
    obs_source_get_weak_source: Callable[[Source], WeakSource | None]
    obs_weak_source_get_source: Callable[[WeakSource], Source | None]
    obs_weak_source_release: Callable[[WeakSource], None]
    obs_source_enabled: Callable[[Source], bool]
    obs_source_set_enabled: Callable[[Source, bool], None]
    obs_source_update: Callable[[Source, Data | None], None]
    obs_source_update_properties: Callable[[Source], None]
    obs_hotkey_register_source: Callable[[Source, str, str, Callback, Context], Size]
    obs_hotkey_unregister: Callable[[Size], None]
    obs_data_release: Callable[[Data], None]
    obs_data_get_string: Callable[[Data, str], bytes | None]
    obs_data_get_bool: Callable[[Data, str], bool]
    obs_data_get_int: Callable[[Data, str], LongLong]
    obs_data_set_int: Callable[[Data, str, LongLong], None]
    obs_data_set_default_int: Callable[[Data, str, LongLong], None]
    obs_data_erase: Callable[[Data, str], None]
    obs_data_clear: Callable[[Data], None]
    obs_properties_add_group: Callable[[Properties, str, str, Int, Properties], Property]
    obs_properties_add_int: Callable[[Properties, str, str, Int, Int, Int], Property]
    obs_properties_add_color: Callable[[Properties, str, str], Property]
    obs_properties_add_path: Callable[[Properties, str, str, Int, str, str], Property]
    obs_property_set_visible: Callable[[Property, bool], None]
    obs_property_visible: Callable[[Property], bool]
    obs_property_name: Callable[[Property], bytes | None]
    obs_property_set_modified_callback: Callable[[Property, Callback], None]
    obs_property_float_set_suffix: Callable[[Property, str], None]
    obs_source_get_color_space: Callable[[Source, Size, Context], Int]
    obs_source_default_render: Callable[[Source], None]
    obs_source_video_render: Callable[[Source], None]
    obs_enter_graphics: Callable[[], None]
    obs_leave_graphics: Callable[[], None]
    obs_data_get_json: Callable[[Data], bytes | None]
    obs_data_set_string: Callable[[Data, str, str], None]
    obs_data_set_double: Callable[[Data, str, Double], None]
    obs_data_set_bool: Callable[[Data, str, bool], None]
    obs_data_set_default_string: Callable[[Data, str, str], None]
    obs_data_set_default_double: Callable[[Data, str, Double], None]
    obs_data_set_default_bool: Callable[[Data, str, bool], None]
    obs_properties_create: Callable[[], Properties]
    obs_properties_get: Callable[[Properties, str], Property | None]
    obs_properties_add_bool: Callable[[Properties, str, str], Property]
    obs_properties_add_float_slider: Callable[[Properties, str, str, Double, Double, Double], Property]
    obs_properties_add_text: Callable[[Properties, str, str, Int], Property]
    obs_properties_add_list: Callable[[Properties, str, str, Int, Int], Property]
    obs_properties_add_button2: Callable[[Properties, str, str, Callback, Context], Property]
    obs_property_list_add_string: Callable[[Property, str, str], Size]
    obs_property_set_description: Callable[[Property, str], None]
    obs_property_set_long_description: Callable[[Property, str], None]
    obs_property_text_set_info_type: Callable[[Property, Int], None]
    os_event_init: Callable[[AddressOut, Int], Int]
    os_event_destroy: Callable[[Event], None]
    os_event_signal: Callable[[Event], Int]
    gs_effect_create_from_file: Callable[[str, AddressOut], Effect | None]
    gs_effect_destroy: Callable[[Effect], None]
    gs_texture_create: Callable[[UInt32, UInt32, Int, UInt32, Context, UInt32], Texture | None]
    gs_texture_destroy: Callable[[Texture], None]
    gs_stagesurface_create: Callable[[UInt32, UInt32, Int], StageSurface | None]
    gs_stagesurface_destroy: Callable[[StageSurface], None]
    gs_stagesurface_map: Callable[[StageSurface, AddressOut, UInt32Out], bool]
    gs_stagesurface_unmap: Callable[[StageSurface], None]
    gs_stage_texture: Callable[[StageSurface, Texture], None]
    gs_texrender_create: Callable[[Int, Int], Texrender | None]
    gs_texrender_destroy: Callable[[Texrender], None]


class Leaf:
    """Setters and getters that take no lock, and commands for the graphics driver; called with Python's lock."""

    os_event_try: Callable[[Event], Int]
    obs_get_video_frame_time: Callable[[], Size]
    obs_get_video_info: Callable[[VideoInfoOut], bool]
    obs_get_base_effect: Callable[[Int], Effect | None]
    obs_filter_get_target: Callable[[Source], Source | None]
    obs_filter_get_parent: Callable[[Source], Source | None]
    obs_source_get_output_flags: Callable[[Source], UInt32]
    gs_get_context: Callable[[], Address | None]
    gs_get_color_space: Callable[[], Int]
    gs_effect_get_param_by_name: Callable[[Effect, str], Param | None]
    gs_texture_set_image: Callable[[Texture, Address, UInt32, bool], None]
    gs_draw_sprite: Callable[[Texture, UInt32, UInt32, UInt32], None]
    gs_effect_loop: Callable[[Effect, bytes], bool]
    gs_texrender_begin_with_color_space: Callable[[Texrender, UInt32, UInt32, Int], bool]
    gs_texrender_end: Callable[[Texrender], None]
    gs_clear: Callable[[UInt32, Address, Float, UInt8], None]
    gs_effect_set_float: Callable[[Param, Float], None]
    gs_effect_set_vec2: Callable[[Param, Vec2In], None]
    gs_effect_set_vec4: Callable[[Param, Vec4In], None]
    gs_effect_set_texture: Callable[[Param, Texture], None]
    gs_effect_set_texture_srgb: Callable[[Param, Texture], None]
    gs_texrender_reset: Callable[[Texrender], None]
    gs_texrender_get_texture: Callable[[Texrender], Texture | None]
    gs_set_linear_srgb: Callable[[bool], bool]
    gs_framebuffer_srgb_enabled: Callable[[], bool]
    gs_enable_framebuffer_srgb: Callable[[bool], None]
    gs_blend_state_push: Callable[[], None]
    gs_blend_state_pop: Callable[[], None]
    gs_enable_blending: Callable[[bool], None]
    gs_blend_function: Callable[[Int, Int], None]
    gs_reset_blend_state: Callable[[], None]
    gs_ortho: Callable[[Float, Float, Float, Float, Float, Float], None]


Prototype = tuple[Any, tuple[Any, ...]]  # result, arguments; a result c_void_p comes back as an int or None


def prototypes(declared: type) -> dict[str, Prototype]:
    """Return the ctypes prototype of each function that a class declares."""
    found = {}
    for name, hint in get_type_hints(declared, include_extras=True).items():
        arguments, result = get_args(hint)
        given = _VARIADIC[name] if arguments is ... else arguments
        found[name] = (_ctype(result, is_result=True), tuple(_ctype(argument) for argument in given))
    return found


_VARIADIC: Final = {"blog": (Int, str)}  # without the arguments beyond these
_PLAIN: Final[dict[Any, Any]] = {bool: ctypes.c_bool, str: Text, bytes: c_char_p, None: None, type(None): None}


def _ctype(hint: Any, *, is_result: bool = False) -> Any:
    if get_origin(hint) in (Union, types.UnionType):  # NULL is None there
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Annotated:
        return get_args(hint)[1]
    return c_void_p if isinstance(hint, NewType) else _PLAIN[hint]
