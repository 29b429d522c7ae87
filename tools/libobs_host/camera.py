"""A camera for tests: an asynchronous source, like a webcam, that is given its pictures one by one."""

from __future__ import annotations

import ctypes
import time
from ctypes import c_bool, c_float, c_int, c_long, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64
from ctypes import c_void_p as Pointer
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoam_obs.binding import libobs
from tools.libobs_host.host import Host

KIND: Final = "eoam_test_camera"
_INPUT: Final = 0
_ASYNC_VIDEO: Final = 1 | 1 << 2  # OBS_SOURCE_VIDEO and OBS_SOURCE_ASYNC
_BGRX: Final = 8

Bytes = NDArray[np.uint8]


class _Frame(ctypes.Structure):
    """`struct obs_source_frame`, which is the same in OBS 29 to 32."""

    _fields_ = (
        ("data", Pointer * 8), ("linesize", c_uint32 * 8), ("width", c_uint32), ("height", c_uint32),
        ("timestamp", c_uint64), ("format", c_int), ("color_matrix", c_float * 16), ("full_range", c_bool),
        ("max_luminance", c_uint16), ("color_range_min", c_float * 3), ("color_range_max", c_float * 3),
        ("flip", c_bool), ("flags", c_uint8), ("trc", c_uint8), ("refs", c_long), ("prev_frame", c_bool),
    )  # fmt: skip


_NAME: Final = ctypes.create_string_buffer(b"Test camera")
_kept: list[Any] = []


def register(host: Host) -> None:
    """Make the kind of source known to libobs, once per process."""
    info, owner = libobs.source_info_buffer()
    callbacks = (
        libobs.GetName(lambda _data: ctypes.addressof(_NAME)),
        libobs.Create(lambda _settings, _source: 1),  # anything but NULL
        libobs.Destroy(lambda _data: None),
    )
    _kept.extend((info, owner, callbacks))
    info.id = KIND.encode()
    info.type = _INPUT
    info.output_flags = _ASYNC_VIDEO
    info.get_name, info.create, info.destroy = callbacks
    host.function("obs_register_source_s", None, Pointer, c_size_t)(ctypes.addressof(info), ctypes.sizeof(info))


class Camera:
    """A source of the kind above; `source` is its obs_source_t, which is released by `close`."""

    def __init__(self, host: Host, name: str = "camera") -> None:
        self._host = host
        self.source = host.make_source(KIND, name)
        # Each picture is shown as soon as it is there, not when its time has come.
        host.function("obs_source_set_async_unbuffered", None, Pointer, c_bool)(self.source, True)

    def give(self, picture: Bytes) -> None:
        """Give the next picture, (h, w, 4) uint8 BGRA, whose alpha does not count; libobs copies it."""
        picture = np.ascontiguousarray(picture)
        frame = _Frame(width=picture.shape[1], height=picture.shape[0], format=_BGRX, full_range=True)
        frame.timestamp = time.monotonic_ns()
        frame.data[0] = picture.ctypes.data
        frame.linesize[0] = picture.strides[0]
        self._host.function("obs_source_output_video", None, Pointer, Pointer)(self.source, ctypes.byref(frame))

    def size(self) -> tuple[int, int]:
        """Return (width, height) as libobs has it."""
        get = self._host.function
        return (
            int(get("obs_source_get_width", c_uint32, Pointer)(self.source)),
            int(get("obs_source_get_height", c_uint32, Pointer)(self.source)),
        )

    def close(self) -> None:
        """Release the source."""
        self._host.function("obs_source_release", None, Pointer)(self.source)
