"""Access libobs through ctypes: its functions, structs and constants, without any logic.

There are two ways of calling, and the choice matters, because libobs and Python both have locks:

* `ctypes.CDLL` releases the GIL during the call. Everything that may lock, block, draw or call back uses it: while the
  UI thread waits for the graphics lock inside libobs, the graphics thread must be able to take the GIL.
* `ctypes.PyDLL` keeps the GIL. It is for setters and getters that take no lock, and for commands and mask uploads to
  the graphics driver while we hold the graphics context: no other thread is in the driver then, and it calls nothing
  back. Releasing the GIL costs more than such a call, and a wait each time if another script computes in Python all the
  time (see process_settings.py). Functions that compile, allocate, read back or draw other sources release it.

Texts are passed as `str`, so code written for `obspython`, whose functions have the same names and arguments, also
works with this object.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_float, c_int, c_size_t, c_uint32, c_void_p
from typing import Final

from eoam_core.errors import InstallationError
from eoam_obs.binding import library
from eoam_obs.binding.functions import Blocking, Leaf, Vec4, prototypes

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
VIDEO_CS_2100_PQ: Final = 4
VIDEO_CS_2100_HLG: Final = 5
GS_ZS_NONE: Final = 0
GS_DYNAMIC: Final = 1 << 1
GS_CLEAR_COLOR: Final = 1 << 0
GS_BLEND_ZERO: Final = 0
GS_BLEND_ONE: Final = 1
GS_BLEND_INVSRCALPHA: Final = 5

OBS_EFFECT_DEFAULT: Final = 0
OBS_EFFECT_BILINEAR_LOWRES: Final = 6
OBS_EFFECT_AREA: Final = 9

OBS_COMBO_TYPE_LIST: Final = 2
OBS_COMBO_FORMAT_STRING: Final = 3
OBS_TEXT_INFO: Final = 3
OBS_TEXT_INFO_NORMAL: Final = 0
OBS_TEXT_INFO_WARNING: Final = 1
OBS_TEXT_MULTILINE: Final = 2
OBS_PATH_FILE: Final = 0
OBS_TASK_UI: Final = 0
OS_EVENT_TYPE_AUTO: Final = 0
INVALID_HOTKEY: Final = ctypes.c_size_t(-1).value
OBS_ORDER_MOVE_UP: Final = 0
OBS_ORDER_MOVE_DOWN: Final = 1
OBS_GROUP_CHECKABLE: Final = 2

LOG_ERROR: Final = 100
LOG_WARNING: Final = 200
LOG_INFO: Final = 300

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

    The struct has grown with OBS, and libobs refuses one larger than its own, so only this prefix is declared. Unused
    callbacks are declared as plain pointers.
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
        # Unused: OBS calls it with its own locks held, so a callback could hang it (see missing_files.py).
        ("missing_files", c_void_p),
        ("video_get_color_space", GetColorSpace),
    )


_SOURCE_INFO_ROOM: Final = 4096  # libobs reads some fields whatever size it was told


_BLOCKING: Final = prototypes(Blocking)
_LEAF: Final = prototypes(Leaf)


class LibObs(Blocking, Leaf):
    """The functions of the libobs that is loaded in this process, with their argument types set.

    Raises:
        InstallationError: this process holds no libobs, or one that is too old.
    """

    def __init__(self) -> None:
        blocking = library.loaded(library.LIBOBS)
        if blocking is None:
            raise InstallationError("libobs is not loaded in this process; run this inside OBS Studio")
        leaf = ctypes.PyDLL(blocking._name, handle=blocking._handle)
        for loaded, functions in ((blocking, _BLOCKING), (leaf, _LEAF)):
            for symbol, (result, arguments) in functions.items():
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
        """This OBS's version text, such as "32.2.2"; a custom build may have any text."""
        return (self.obs_get_version_string() or b"unknown").decode(errors="replace")

    @property
    def number(self) -> tuple[int, int, int]:
        """The version of libobs itself, such as (32, 2, 2), from its source; its features depend on this one."""
        packed = self.obs_get_version()
        return packed >> 24, packed >> 16 & 0xFF, packed & 0xFFFF

    @property
    def major(self) -> int:
        """The first part of `number`."""
        return self.number[0]


def _version_of(loaded: ctypes.CDLL) -> str:
    """Return the version of a libobs that may lack any function."""
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
    """Return an empty `SourceInfo` and the larger zeroed buffer that contains it; keep both."""
    owner = ctypes.create_string_buffer(_SOURCE_INFO_ROOM)
    return SourceInfo.from_buffer(owner), owner
