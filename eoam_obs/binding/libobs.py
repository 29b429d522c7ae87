"""libobs by ctypes: typed prototypes and constants, and nothing that decides anything.

Two ways of calling, and the choice matters (libobs has locks, Python has one too):

* `ctypes.CDLL` drops the GIL during the call. Everything that may lock, block, draw or call back goes this way: while
  the UI thread waits for the graphics lock inside libobs, the graphics thread must be able to take the GIL.
* `ctypes.PyDLL` keeps the GIL. Setters and getters that take no lock, and what gives the graphics driver a command or
  the bytes of a mask while the graphics context is ours: nobody else is in the driver then, and it calls nobody. To
  drop the GIL costs more than such a call: where another script computes in Python all the time, each time is a wait
  for it (see process_settings.py). What compiles, allocates, reads back or has other sources drawn drops it.

Handles are plain integers (0 is NULL). Text goes in as `str`, so that code written for `obspython`, whose functions
have the same names and arguments, works with this object too.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import (
    POINTER,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_longlong,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Final

from eoam_core.errors import InstallationError
from eoam_obs.binding import library

OLDEST_MAJOR: Final = 28
NEWEST_MAJOR: Final = 32  # the newest OBS Studio that the tests have run in

OBS_SOURCE_TYPE_INPUT: Final = 0
OBS_SOURCE_TYPE_FILTER: Final = 1
OBS_SOURCE_VIDEO: Final = 1 << 0
OBS_SOURCE_ASYNC: Final = 1 << 2
OBS_SOURCE_CUSTOM_DRAW: Final = 1 << 3
OBS_SOURCE_SRGB: Final = 1 << 15

GS_R8: Final = 2
GS_RGBA: Final = 3
GS_BGRA: Final = 5
GS_R16: Final = 8  # 0 to 1
GS_RGBA16F: Final = 9
GS_CS_SRGB: Final = 0
GS_CS_SRGB_16F: Final = 1
GS_CS_709_EXTENDED: Final = 2
GS_CS_709_SCRGB: Final = 3
VIDEO_CS_2100_PQ: Final = 4
VIDEO_CS_2100_HLG: Final = 5
GS_ZS_NONE: Final = 0
GS_DYNAMIC: Final = 1 << 1
GS_CLEAR_COLOR: Final = 1 << 0
GS_BLEND_ZERO: Final = 0
GS_BLEND_ONE: Final = 1
GS_BLEND_SRCALPHA: Final = 4
GS_BLEND_INVSRCALPHA: Final = 5

OBS_EFFECT_DEFAULT: Final = 0
OBS_EFFECT_BILINEAR_LOWRES: Final = 6
OBS_EFFECT_AREA: Final = 9

OBS_COMBO_TYPE_LIST: Final = 2
OBS_COMBO_FORMAT_STRING: Final = 3
OBS_TEXT_INFO: Final = 3
OBS_TEXT_INFO_NORMAL: Final = 0
OBS_TEXT_INFO_WARNING: Final = 1
OBS_TEXT_INFO_ERROR: Final = 2
OBS_TEXT_MULTILINE: Final = 2
OBS_PATH_FILE: Final = 0
OBS_TASK_UI: Final = 0
OS_EVENT_TYPE_AUTO: Final = 0
INVALID_HOTKEY: Final = ctypes.c_size_t(-1).value
OBS_GROUP_NORMAL: Final = 1
OBS_ORDER_MOVE_UP: Final = 0
OBS_ORDER_MOVE_DOWN: Final = 1
OBS_GROUP_CHECKABLE: Final = 2

LOG_ERROR: Final = 100
LOG_WARNING: Final = 200
LOG_INFO: Final = 300
LOG_DEBUG: Final = 400

GetName = ctypes.CFUNCTYPE(c_void_p, c_void_p)
Create = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p)
Destroy = ctypes.CFUNCTYPE(None, c_void_p)
GetSize = ctypes.CFUNCTYPE(c_uint32, c_void_p)
GetDefaults = ctypes.CFUNCTYPE(None, c_void_p)
GetProperties = ctypes.CFUNCTYPE(c_void_p, c_void_p)
Update = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
Load = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
Notify = ctypes.CFUNCTYPE(None, c_void_p)
VideoTick = ctypes.CFUNCTYPE(None, c_void_p, c_float)
VideoRender = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
GetColorSpace = ctypes.CFUNCTYPE(c_int, c_void_p, c_size_t, c_void_p)
ButtonClicked = ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_void_p)
PropertyModified = ctypes.CFUNCTYPE(c_bool, c_void_p, c_void_p, c_void_p)
HotkeyPressed = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p, c_bool)
Task = ctypes.CFUNCTYPE(None, c_void_p)


_UNUSED_CALLBACKS_BEFORE_LOAD: Final = ("filter_video", "filter_audio", "enum_active_sources", "save")
_UNUSED_CALLBACKS: Final = (
    "mouse_click",
    "mouse_move",
    "mouse_wheel",
    "focus",
    "key_click",
    "filter_remove",
    "type_data",
    "free_type_data",
    "audio_render",
    "enum_all_sources",
    "transition_start",
    "transition_stop",
    "get_defaults2",
    "get_properties2",
    "audio_mix",
)
_UNUSED_MEDIA_CALLBACKS: Final = (
    "media_play_pause",
    "media_restart",
    "media_stop",
    "media_next",
    "media_previous",
    "media_get_duration",
    "media_get_time",
    "media_set_time",
    "media_get_state",
)


class SourceInfo(ctypes.Structure):
    """`struct obs_source_info` up to what OBS 28 knows, `video_get_color_space`.

    The struct has grown with OBS and libobs refuses one that is larger than its own, so only this prefix is declared.
    What this project leaves empty is declared as a plain pointer.
    """

    _fields_ = (
        ("id", c_char_p),
        ("type", c_int),
        ("output_flags", c_uint32),
        ("get_name", GetName),
        ("create", Create),
        ("destroy", Destroy),
        ("get_width", GetSize),
        ("get_height", GetSize),
        ("get_defaults", GetDefaults),
        ("get_properties", GetProperties),
        ("update", Update),
        ("activate", Notify),
        ("deactivate", Notify),
        ("show", Notify),
        ("hide", Notify),
        ("video_tick", VideoTick),
        ("video_render", VideoRender),
        *((name, c_void_p) for name in _UNUSED_CALLBACKS_BEFORE_LOAD),
        ("load", Load),
        *((name, c_void_p) for name in _UNUSED_CALLBACKS),
        ("icon_type", c_int),
        *((name, c_void_p) for name in _UNUSED_MEDIA_CALLBACKS),
        ("version", c_uint32),
        ("unversioned_id", c_void_p),
        # Left empty: OBS asks with its own locks held, where a callback could hang it (see missing_files.py).
        ("missing_files", c_void_p),
        ("video_get_color_space", GetColorSpace),
    )


_SOURCE_INFO_ROOM: Final = 4096  # libobs reads some fields whatever size it was told


class Vec2(ctypes.Structure):
    """`struct vec2`."""

    _fields_ = (("x", c_float), ("y", c_float))


class VideoInfo(ctypes.Structure):
    """`struct obs_video_info`, the same from OBS 28 to 32, and room for what a later one may add to it."""

    _fields_ = (
        ("graphics_module", c_char_p),
        *((name, c_uint32) for name in ("fps_num", "fps_den", "base_width", "base_height")),
        *((name, c_uint32) for name in ("output_width", "output_height")),
        ("output_format", c_int),
        ("adapter", c_uint32),
        ("gpu_conversion", c_bool),
        ("colorspace", c_int),
        ("range", c_int),
        ("scale_type", c_int),
        ("room", ctypes.c_ubyte * 256),
    )


class Vec4(ctypes.Structure):
    """`struct vec4`; libobs loads it with aligned SSE moves, so make one with `aligned_zero_vec4` only."""

    _fields_ = (("x", c_float), ("y", c_float), ("z", c_float), ("w", c_float))


class Text(c_char_p):
    """A `const char *` argument that takes `str`."""

    @classmethod
    def from_param(cls, value: Any) -> Any:
        return c_char_p.from_param(value.encode() if isinstance(value, str) else value)


# name: (result, arguments). Result c_void_p comes back as an int or None.
_Prototypes = dict[str, tuple[Any, tuple[Any, ...]]]

_BLOCKING: Final[_Prototypes] = {
    # Variadic: the arguments beyond the declared ones must stay undeclared, or Apple's ARM convention breaks.
    "blog": (None, (c_int, Text)),
    "bfree": (None, (c_void_p,)),
    "obs_get_version": (c_uint32, ()),
    "obs_get_version_string": (c_char_p, ()),
    "obs_register_source_s": (None, (c_void_p, c_size_t)),
    "obs_enable_source_type": (None, (Text, c_bool)),
    "obs_source_get_display_name": (c_char_p, (Text,)),
    "obs_source_get_name": (c_char_p, (c_void_p,)),
    "obs_source_get_base_width": (c_uint32, (c_void_p,)),
    "obs_source_get_base_height": (c_uint32, (c_void_p,)),
    "obs_source_filter_remove": (None, (c_void_p, c_void_p)),
    "obs_get_locale": (c_char_p, ()),
    "obs_queue_task": (None, (c_int, c_void_p, c_void_p, c_bool)),
    "obs_output_get_display_name": (c_char_p, (Text,)),
    "obs_get_source_by_name": (c_void_p, (Text,)),
    "obs_save_sources": (c_void_p, ()),
    "obs_data_array_count": (c_size_t, (c_void_p,)),
    "obs_data_array_item": (c_void_p, (c_void_p, c_size_t)),
    "obs_data_array_release": (None, (c_void_p,)),
    "obs_source_get_type": (c_int, (c_void_p,)),
    "obs_source_create": (c_void_p, (Text, Text, c_void_p, c_void_p)),
    "obs_source_create_private": (c_void_p, (Text, Text, c_void_p)),
    "obs_source_release": (None, (c_void_p,)),
    "obs_source_filter_add": (None, (c_void_p, c_void_p)),
    "obs_source_filter_set_order": (None, (c_void_p, c_void_p, c_int)),
    "obs_source_get_unversioned_id": (c_char_p, (c_void_p,)),
    "obs_get_latest_input_type_id": (c_char_p, (Text,)),
    "obs_data_create": (c_void_p, ()),
    "obs_source_get_filter_by_name": (c_void_p, (c_void_p, Text)),
    "obs_source_get_settings": (c_void_p, (c_void_p,)),
    "obs_source_get_weak_source": (c_void_p, (c_void_p,)),
    "obs_weak_source_get_source": (c_void_p, (c_void_p,)),
    "obs_weak_source_release": (None, (c_void_p,)),
    "obs_source_enabled": (c_bool, (c_void_p,)),
    "obs_source_set_enabled": (None, (c_void_p, c_bool)),
    "obs_source_update": (None, (c_void_p, c_void_p)),
    "obs_source_update_properties": (None, (c_void_p,)),
    "obs_hotkey_register_source": (c_size_t, (c_void_p, Text, Text, c_void_p, c_void_p)),
    "obs_hotkey_unregister": (None, (c_size_t,)),
    "obs_data_release": (None, (c_void_p,)),
    "obs_data_get_string": (c_char_p, (c_void_p, Text)),
    "obs_data_get_bool": (c_bool, (c_void_p, Text)),
    "obs_data_get_int": (c_longlong, (c_void_p, Text)),
    "obs_data_set_int": (None, (c_void_p, Text, c_longlong)),
    "obs_data_set_default_int": (None, (c_void_p, Text, c_longlong)),
    "obs_data_erase": (None, (c_void_p, Text)),
    "obs_data_clear": (None, (c_void_p,)),
    "obs_properties_add_group": (c_void_p, (c_void_p, Text, Text, c_int, c_void_p)),
    "obs_properties_add_int": (c_void_p, (c_void_p, Text, Text, c_int, c_int, c_int)),
    "obs_properties_add_color": (c_void_p, (c_void_p, Text, Text)),
    "obs_properties_add_path": (c_void_p, (c_void_p, Text, Text, c_int, Text, Text)),
    "obs_property_set_visible": (None, (c_void_p, c_bool)),
    "obs_property_visible": (c_bool, (c_void_p,)),
    "obs_property_name": (c_char_p, (c_void_p,)),
    "obs_property_set_modified_callback": (None, (c_void_p, c_void_p)),
    "obs_property_float_set_suffix": (None, (c_void_p, Text)),
    "obs_property_int_set_suffix": (None, (c_void_p, Text)),
    "obs_source_get_color_space": (c_int, (c_void_p, c_size_t, c_void_p)),
    "obs_source_default_render": (None, (c_void_p,)),
    "obs_source_video_render": (None, (c_void_p,)),
    "obs_enter_graphics": (None, ()),
    "obs_leave_graphics": (None, ()),
    "obs_data_get_json": (c_char_p, (c_void_p,)),
    "obs_data_has_user_value": (c_bool, (c_void_p, Text)),
    "obs_data_set_string": (None, (c_void_p, Text, Text)),
    "obs_data_set_double": (None, (c_void_p, Text, c_double)),
    "obs_data_set_bool": (None, (c_void_p, Text, c_bool)),
    "obs_data_set_default_string": (None, (c_void_p, Text, Text)),
    "obs_data_set_default_double": (None, (c_void_p, Text, c_double)),
    "obs_data_set_default_bool": (None, (c_void_p, Text, c_bool)),
    "obs_properties_create": (c_void_p, ()),
    "obs_properties_get": (c_void_p, (c_void_p, Text)),
    "obs_properties_add_bool": (c_void_p, (c_void_p, Text, Text)),
    "obs_properties_add_float_slider": (c_void_p, (c_void_p, Text, Text, c_double, c_double, c_double)),
    "obs_properties_add_text": (c_void_p, (c_void_p, Text, Text, c_int)),
    "obs_properties_add_list": (c_void_p, (c_void_p, Text, Text, c_int, c_int)),
    "obs_properties_add_button2": (c_void_p, (c_void_p, Text, Text, c_void_p, c_void_p)),
    "obs_property_list_add_string": (c_size_t, (c_void_p, Text, Text)),
    "obs_property_set_description": (None, (c_void_p, Text)),
    "obs_property_set_long_description": (None, (c_void_p, Text)),
    "obs_property_text_set_info_type": (None, (c_void_p, c_int)),
    "os_event_init": (c_int, (POINTER(c_void_p), c_int)),
    "os_event_destroy": (None, (c_void_p,)),
    "os_event_signal": (c_int, (c_void_p,)),
    "gs_effect_create_from_file": (c_void_p, (Text, POINTER(c_void_p))),
    "gs_effect_destroy": (None, (c_void_p,)),
    "gs_texture_create": (c_void_p, (c_uint32, c_uint32, c_int, c_uint32, c_void_p, c_uint32)),
    "gs_texture_destroy": (None, (c_void_p,)),
    "gs_stagesurface_create": (c_void_p, (c_uint32, c_uint32, c_int)),
    "gs_stagesurface_destroy": (None, (c_void_p,)),
    "gs_stagesurface_map": (c_bool, (c_void_p, POINTER(c_void_p), POINTER(c_uint32))),
    "gs_stagesurface_unmap": (None, (c_void_p,)),
    "gs_stage_texture": (None, (c_void_p, c_void_p)),
    "gs_texrender_create": (c_void_p, (c_int, c_int)),
    "gs_texrender_destroy": (None, (c_void_p,)),
}

_LEAF: Final[_Prototypes] = {
    "os_event_try": (c_int, (c_void_p,)),
    "obs_get_video_frame_time": (c_uint64, ()),
    "obs_get_video_info": (c_bool, (POINTER(VideoInfo),)),
    "obs_get_base_effect": (c_void_p, (c_int,)),
    "obs_filter_get_target": (c_void_p, (c_void_p,)),
    "obs_filter_get_parent": (c_void_p, (c_void_p,)),
    "obs_source_get_output_flags": (c_uint32, (c_void_p,)),
    "gs_get_context": (c_void_p, ()),
    "gs_get_color_space": (c_int, ()),
    "gs_effect_get_param_by_name": (c_void_p, (c_void_p, Text)),
    "gs_texture_set_image": (None, (c_void_p, c_void_p, c_uint32, c_bool)),
    "gs_draw_sprite": (None, (c_void_p, c_uint32, c_uint32, c_uint32)),
    "gs_effect_loop": (c_bool, (c_void_p, c_char_p)),
    "gs_texrender_begin_with_color_space": (c_bool, (c_void_p, c_uint32, c_uint32, c_int)),
    "gs_texrender_end": (None, (c_void_p,)),
    "gs_clear": (None, (c_uint32, c_void_p, c_float, ctypes.c_uint8)),
    "gs_effect_set_float": (None, (c_void_p, c_float)),
    "gs_effect_set_vec2": (None, (c_void_p, POINTER(Vec2))),
    "gs_effect_set_vec4": (None, (c_void_p, POINTER(Vec4))),
    "gs_effect_set_texture": (None, (c_void_p, c_void_p)),
    "gs_effect_set_texture_srgb": (None, (c_void_p, c_void_p)),
    "gs_texrender_reset": (None, (c_void_p,)),
    "gs_texrender_get_texture": (c_void_p, (c_void_p,)),
    "gs_set_linear_srgb": (c_bool, (c_bool,)),
    "gs_framebuffer_srgb_enabled": (c_bool, ()),
    "gs_enable_framebuffer_srgb": (None, (c_bool,)),
    "gs_blend_state_push": (None, ()),
    "gs_blend_state_pop": (None, ()),
    "gs_enable_blending": (None, (c_bool,)),
    "gs_blend_function": (None, (c_int, c_int)),
    "gs_reset_blend_state": (None, ()),
    "gs_ortho": (None, (c_float, c_float, c_float, c_float, c_float, c_float)),
}

_Get = Callable[[int], int | None]
_Do = Callable[[int], None]
_Nothing = Callable[[], None]


class LibObs:
    """The functions of the libobs that is loaded in this process, with their argument types set.

    Raises:
        InstallationError: this process holds no libobs, or one that is too old.
    """

    blog: Callable[[int, str, bytes], None]
    bfree: _Do
    obs_get_version: Callable[[], int]
    obs_get_version_string: Callable[[], bytes]
    obs_register_source_s: Callable[[int, int], None]
    obs_enable_source_type: Callable[[str, bool], None]
    obs_source_get_display_name: Callable[[str], bytes | None]
    obs_source_get_name: Callable[[int], bytes | None]
    obs_source_get_base_width: Callable[[int], int]
    obs_source_get_base_height: Callable[[int], int]
    obs_source_filter_remove: Callable[[int, int], None]
    obs_get_locale: Callable[[], bytes | None]
    obs_queue_task: Callable[[int, Any, int, bool], None]
    obs_output_get_display_name: Callable[[str], bytes | None]
    obs_get_source_by_name: Callable[[str], int | None]
    obs_save_sources: Callable[[], int | None]
    obs_data_array_count: Callable[[int], int]
    obs_data_array_item: Callable[[int, int], int | None]
    obs_data_array_release: _Do
    obs_source_get_type: Callable[[int], int]
    obs_source_create: Callable[[str, str, int | None, int | None], int | None]
    obs_source_create_private: Callable[[str, str, int | None], int | None]
    obs_source_release: _Do
    obs_source_filter_add: Callable[[int, int], None]
    obs_source_filter_set_order: Callable[[int, int, int], None]
    obs_source_get_unversioned_id: Callable[[int], bytes | None]
    obs_get_latest_input_type_id: Callable[[str], bytes | None]
    obs_data_create: Callable[[], int]
    obs_source_get_filter_by_name: Callable[[int, str], int | None]
    obs_source_get_settings: _Get
    obs_source_get_weak_source: _Get
    obs_weak_source_get_source: _Get
    obs_weak_source_release: _Do
    obs_source_enabled: Callable[[int], bool]
    obs_source_set_enabled: Callable[[int, bool], None]
    obs_source_update: Callable[[int, int | None], None]
    obs_source_update_properties: _Do
    obs_hotkey_register_source: Callable[[int, str, str, Any, int], int]
    obs_hotkey_unregister: _Do
    obs_data_release: _Do
    obs_data_get_string: Callable[[int, str], bytes | None]
    obs_data_get_bool: Callable[[int, str], bool]
    obs_data_get_int: Callable[[int, str], int]
    obs_data_set_int: Callable[[int, str, int], None]
    obs_data_set_default_int: Callable[[int, str, int], None]
    obs_data_clear: _Do
    obs_data_erase: Callable[[int, str], None]
    obs_properties_add_group: Callable[[int, str, str, int, int], int]
    obs_properties_add_int: Callable[[int, str, str, int, int, int], int]
    obs_properties_add_color: Callable[[int, str, str], int]
    obs_properties_add_path: Callable[[int, str, str, int, str, str], int]
    obs_property_set_visible: Callable[[int, bool], None]
    obs_property_visible: Callable[[int], bool]
    obs_property_name: Callable[[int], bytes | None]
    obs_property_set_modified_callback: Callable[[int, Any], None]
    obs_property_float_set_suffix: Callable[[int, str], None]
    obs_property_int_set_suffix: Callable[[int, str], None]
    obs_source_get_color_space: Callable[[int, int, Any], int]
    obs_source_default_render: _Do
    obs_source_video_render: _Do
    obs_enter_graphics: _Nothing
    obs_leave_graphics: _Nothing
    obs_data_get_json: Callable[[int], bytes | None]
    obs_data_has_user_value: Callable[[int, str], bool]
    obs_data_set_string: Callable[[int, str, str], None]
    obs_data_set_double: Callable[[int, str, float], None]
    obs_data_set_bool: Callable[[int, str, bool], None]
    obs_data_set_default_string: Callable[[int, str, str], None]
    obs_data_set_default_double: Callable[[int, str, float], None]
    obs_data_set_default_bool: Callable[[int, str, bool], None]
    obs_properties_create: Callable[[], int]
    obs_properties_get: Callable[[int, str], int | None]
    obs_properties_add_bool: Callable[[int, str, str], int]
    obs_properties_add_float_slider: Callable[[int, str, str, float, float, float], int]
    obs_properties_add_text: Callable[[int, str, str, int], int]
    obs_properties_add_list: Callable[[int, str, str, int, int], int]
    obs_properties_add_button2: Callable[[int, str, str, Any, int], int]
    obs_property_list_add_string: Callable[[int, str, str], int]
    obs_property_set_description: Callable[[int, str], None]
    obs_property_set_long_description: Callable[[int, str], None]
    obs_property_text_set_info_type: Callable[[int, int], None]
    os_event_init: Callable[[Any, int], int]
    os_event_destroy: _Do
    os_event_signal: Callable[[int], int]
    os_event_try: Callable[[int], int]
    gs_effect_create_from_file: Callable[[str, Any], int | None]
    gs_effect_destroy: _Do
    gs_effect_loop: Callable[[int, bytes], bool]
    gs_draw_sprite: Callable[[int, int, int, int], None]
    gs_texture_create: Callable[[int, int, int, int, int | None, int], int | None]
    gs_texture_destroy: _Do
    gs_texture_set_image: Callable[[int, int, int, bool], None]
    gs_stagesurface_create: Callable[[int, int, int], int | None]
    gs_stagesurface_destroy: _Do
    gs_stagesurface_map: Callable[[int, Any, Any], bool]
    gs_stagesurface_unmap: _Do
    gs_stage_texture: Callable[[int, int], None]
    gs_texrender_create: Callable[[int, int], int | None]
    gs_texrender_destroy: _Do
    gs_texrender_begin_with_color_space: Callable[[int, int, int, int], bool]
    gs_texrender_end: _Do
    gs_clear: Callable[[int, int, float, int], None]
    obs_get_video_frame_time: Callable[[], int]
    obs_get_video_info: Callable[[Any], bool]
    obs_get_base_effect: _Get
    obs_filter_get_target: _Get
    obs_filter_get_parent: _Get
    obs_source_get_output_flags: Callable[[int], int]
    gs_get_context: Callable[[], int | None]
    gs_get_color_space: Callable[[], int]
    gs_effect_get_param_by_name: Callable[[int, str], int | None]
    gs_effect_set_float: Callable[[int, float], None]
    gs_effect_set_vec2: Callable[[int, Any], None]
    gs_effect_set_vec4: Callable[[int, Any], None]
    gs_effect_set_texture: Callable[[int, int], None]
    gs_effect_set_texture_srgb: Callable[[int, int], None]
    gs_texrender_reset: _Do
    gs_texrender_get_texture: _Get
    gs_set_linear_srgb: Callable[[bool], bool]
    gs_framebuffer_srgb_enabled: Callable[[], bool]
    gs_enable_framebuffer_srgb: Callable[[bool], None]
    gs_blend_state_push: _Nothing
    gs_blend_state_pop: _Nothing
    gs_enable_blending: Callable[[bool], None]
    gs_blend_function: Callable[[int, int], None]
    gs_reset_blend_state: _Nothing
    gs_ortho: Callable[[float, float, float, float, float, float], None]

    def __init__(self) -> None:
        blocking = library.loaded(library.LIBOBS)
        if blocking is None:
            raise InstallationError("libobs is not loaded in this process; run this inside OBS Studio")
        leaf = ctypes.PyDLL(blocking._name, handle=blocking._handle)
        for loaded, prototypes in ((blocking, _BLOCKING), (leaf, _LEAF)):
            for symbol, (result, arguments) in prototypes.items():
                try:
                    function = loaded[symbol]
                except AttributeError:
                    raise InstallationError(
                        f"OBS {_version_of(loaded)} has no function {symbol}, which this version of EOAM needs. "
                        f"Use OBS Studio {OLDEST_MAJOR} to {NEWEST_MAJOR}, or update EOAM."
                    ) from None
                function.restype = result
                function.argtypes = arguments
                setattr(self, symbol, function)

    @property
    def version(self) -> str:
        """What this OBS calls its version, such as "32.2.2"; one that somebody built may be called anything."""
        return (self.obs_get_version_string() or b"unknown").decode(errors="replace")

    @property
    def number(self) -> tuple[int, int, int]:
        """The version of libobs itself, such as (32, 2, 2), which stands in its source: what it can do goes by this."""
        packed = self.obs_get_version()
        return packed >> 24, packed >> 16 & 0xFF, packed & 0xFFFF

    @property
    def major(self) -> int:
        """The first part of `number`."""
        return self.number[0]


def _version_of(loaded: ctypes.CDLL) -> str:
    """Ask a libobs that may lack anything for its version."""
    unknown = "(of unknown version)"
    try:
        function = loaded["obs_get_version_string"]
    except AttributeError:
        return unknown
    function.restype = c_char_p
    return (function() or unknown.encode()).decode(errors="replace")


def aligned_zero_vec4() -> tuple[int, object]:
    """Return the address of a zero `struct vec4` on a 16-byte boundary, and the object that owns its memory."""
    owner = ctypes.create_string_buffer(ctypes.sizeof(Vec4) + 15)
    return (ctypes.addressof(owner) + 15) & ~15, owner


def source_info_buffer() -> tuple[SourceInfo, object]:
    """Return an empty `SourceInfo` and the larger zeroed buffer that it lies in; keep both."""
    owner = ctypes.create_string_buffer(_SOURCE_INFO_ROOM)
    return SourceInfo.from_buffer(owner), owner
