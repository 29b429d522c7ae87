"""Start the real libobs in this Python, as OBS's window would: log, renderer, modules, the queue of the UI thread.

Everything waits for states, with a limit; while it waits, the UI thread's tasks run, as in OBS.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ctypes import POINTER, byref, c_bool, c_char_p, c_float, c_int, c_long, c_size_t, c_uint8, c_uint32, c_uint64
from ctypes import c_void_p as Pointer
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from tools.libobs_host import wine
from tools.libobs_host.binaries import Binaries

LIMIT_S: Final = 60.0  # for everything that is waited for: a busy machine is no failure, a lock-up is
LOG_ERROR, LOG_WARNING, LOG_INFO = 100, 200, 300
GS_RGBA: Final = 3
_POLL_S: Final = 0.005
_VIDEO_NV12, _VIDEO_CS_709, _VIDEO_RANGE_PARTIAL, _SCALE_BICUBIC = 2, 2, 1, 2
_X11_EGL: Final = 1

Bytes = NDArray[np.uint8]
T = TypeVar("T")
_LogHandler = ctypes.CFUNCTYPE(None, c_int, c_char_p, Pointer, Pointer)
_Task = ctypes.CFUNCTYPE(None, Pointer)
_UiHandler = ctypes.CFUNCTYPE(None, Pointer, Pointer, c_bool)


class HostError(Exception):
    """libobs did not start, or something did not happen within its limit."""


class _VideoInfo(ctypes.Structure):
    """`struct obs_video_info`."""

    _fields_ = (
        ("graphics_module", c_char_p), ("fps_num", c_uint32), ("fps_den", c_uint32), ("base_width", c_uint32),
        ("base_height", c_uint32), ("output_width", c_uint32), ("output_height", c_uint32), ("output_format", c_int),
        ("adapter", c_uint32), ("gpu_conversion", c_bool), ("colorspace", c_int), ("range", c_int),
        ("scale_type", c_int),
    )  # fmt: skip


class _AudioInfo(ctypes.Structure):
    _fields_ = (("samples_per_sec", c_uint32), ("speakers", c_int))


class Host:
    """One libobs, from its start to its end; it cannot be started twice in a process."""

    def __init__(self, binaries: Binaries, renderer: str, folder: Path, *, size: tuple[int, int], fps: int) -> None:
        self.renderer = renderer
        self.size = size
        self.log: list[tuple[int, str]] = []
        self._binaries = binaries
        self._fps = fps
        self._tasks: queue.SimpleQueue[tuple[int, int, threading.Event]] = queue.SimpleQueue()
        self._main = threading.get_ident()
        self._keep: list[Any] = []  # what libobs goes on calling
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.library = self._load()

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return a function of libobs with its types set."""
        found = self.library[name]
        found.restype, found.argtypes = result, arguments
        return found

    def start(self, modules: Sequence[str] = ()) -> None:
        """Start libobs with its graphics thread, and those of the modules that there are. Raises HostError."""
        self._take_log()
        self._prepare_display()
        if not self.function("obs_startup", c_bool, c_char_p, c_char_p, Pointer)(
            b"en-US", str(self._folder).encode(), None
        ):
            raise HostError("obs_startup failed.")
        data = str(self._binaries.data).replace("\\", "/") + "/"
        self.function("obs_add_data_path", None, c_char_p)(data.encode())
        handler = _UiHandler(self._take_task)
        self._keep.append(handler)
        self.function("obs_set_ui_task_handler", None, Pointer)(handler)
        width, height = self.size
        info = _VideoInfo(
            self._renderer_path().encode(), self._fps, 1, width, height, width, height,
            _VIDEO_NV12, 0, True, _VIDEO_CS_709, _VIDEO_RANGE_PARTIAL, _SCALE_BICUBIC,
        )  # fmt: skip
        code = self.function("obs_reset_video", c_int, Pointer)(byref(info))
        if code:
            raise HostError(f"{self.renderer} did not start (obs_reset_video: {code}): {self.errors()[:2]}")
        self.function("obs_reset_audio", c_bool, Pointer)(byref(_AudioInfo(48000, 2)))
        for name in modules:
            self._load_module(name)
        self.function("obs_post_load_modules", None)()

    def stop(self) -> int:
        """End libobs and return how many of its allocations are left."""
        for channel in range(6):
            self.function("obs_set_output_source", None, c_uint32, Pointer)(channel, None)
        wait = self.function("obs_wait_for_destroy_queue", c_bool)
        for _ in range(100):  # destroying one thing may queue another
            self.run_tasks()
            if not wait() and self._tasks.empty():
                break
        self.function("obs_shutdown", None)()
        return int(self.function("bnum_allocs", c_long)())

    def errors(self) -> list[str]:
        """Return what libobs has logged as an error so far."""
        return [text for level, text in self.log if level <= LOG_ERROR]

    def run_tasks(self) -> None:
        """Run what was queued for the UI thread."""
        while True:
            try:
                task, parameter, done = self._tasks.get_nowait()
            except queue.Empty:
                return
            _Task(task)(parameter)
            done.set()

    def wait(self, find: Callable[[], T], what: str, *, limit_s: float = LIMIT_S) -> T:
        """Run the UI thread's tasks until `find` returns something true, and return that. Raises HostError."""
        ends = time.monotonic() + limit_s
        while True:
            self.run_tasks()
            found = find()
            if found:
                return found
            if time.monotonic() > ends:
                raise HostError(f"After {limit_s:.0f} s there was still no sign of {what}.")
            time.sleep(_POLL_S)

    def frames(self) -> int:
        """Return how many frames libobs has drawn."""
        return int(self.function("obs_get_total_frames", c_uint32)())

    def wait_frames(self, count: int) -> None:
        """Wait until libobs has drawn so many frames more."""
        until = self.frames() + count
        self.wait(lambda: self.frames() >= until, f"{count} more frames")

    def make_source(self, kind: str, name: str, **settings: object) -> int:
        """Return a new source of this kind. Raises HostError."""
        data = self.make_data(settings)
        source = self.function("obs_source_create", Pointer, c_char_p, c_char_p, Pointer, Pointer)(
            kind.encode(), name.encode(), data, None
        )
        self.function("obs_data_release", None, Pointer)(data)
        if not source:
            raise HostError(f"libobs has no source of the kind {kind!r}.")
        return int(source)

    def make_data(self, settings: object) -> int:
        """Return a new obs_data."""
        text = json.dumps(settings).encode()
        return int(self.function("obs_data_create_from_json", Pointer, c_char_p)(text))

    def show(self, source: int | None) -> None:
        """Make a source the program's, so that libobs draws it with every frame."""
        self.function("obs_set_output_source", None, c_uint32, Pointer)(0, source)

    @contextlib.contextmanager
    def graphics(self) -> Iterator[None]:
        """Hold libobs's graphics context; its graphics thread waits meanwhile."""
        self.function("obs_enter_graphics", None)()
        try:
            yield
        finally:
            self.function("obs_leave_graphics", None)()

    def grab(self, source: int, width: int, height: int) -> Bytes:
        """Draw a source and return it, (height, width, 4) uint8 BGRA, premultiplied; in the graphics context."""
        f = self.function
        target = f("gs_texrender_create", Pointer, c_int, c_int)(GS_RGBA, 0)
        raw = ctypes.create_string_buffer(32)
        black = (ctypes.addressof(raw) + 15) & ~15  # a vec4 must lie on a multiple of 16 bytes
        if not f("gs_texrender_begin", c_bool, Pointer, c_uint32, c_uint32)(target, width, height):
            raise HostError(f"gs_texrender_begin refused {width}x{height}.")
        f("gs_clear", None, c_uint32, Pointer, c_float, c_uint8)(1, black, 0.0, 0)
        f("gs_ortho", None, *[c_float] * 6)(0.0, width, 0.0, height, -100.0, 100.0)
        f("gs_blend_state_push", None)()
        f("gs_blend_function", None, c_int, c_int)(1, 0)  # one, zero: take it as it is
        f("obs_source_video_render", None, Pointer)(source)
        f("gs_blend_state_pop", None)()
        f("gs_texrender_end", None, Pointer)(target)
        try:
            return self.read(f("gs_texrender_get_texture", Pointer, Pointer)(target), width, height)
        finally:
            f("gs_texrender_destroy", None, Pointer)(target)

    def read(self, texture: int, width: int, height: int, *, form: int = GS_RGBA) -> Bytes:
        """Return a texture of RGBA, (height, width, 4) uint8 BGRA, in the graphics context."""
        f = self.function
        surface = f("gs_stagesurface_create", Pointer, c_uint32, c_uint32, c_int)(width, height, form)
        address, pitch = Pointer(), c_uint32()
        f("gs_stage_texture", None, Pointer, Pointer)(surface, texture)
        if not f("gs_stagesurface_map", c_bool, Pointer, POINTER(Pointer), POINTER(c_uint32))(
            surface, byref(address), byref(pitch)
        ):
            raise HostError("gs_stagesurface_map failed.")
        assert address.value
        memory = (c_uint8 * (pitch.value * height)).from_address(address.value)
        rows = np.ctypeslib.as_array(memory).reshape(height, pitch.value)
        picture = rows[:, : width * 4].reshape(height, width, 4)
        order = [2, 1, 0, 3] if form == GS_RGBA else [0, 1, 2, 3]
        result: Bytes = np.ascontiguousarray(picture[..., order])
        f("gs_stagesurface_unmap", None, Pointer)(surface)
        f("gs_stagesurface_destroy", None, Pointer)(surface)
        return result

    def _load(self) -> ctypes.CDLL:
        path = self._binaries.library
        if not path.is_file():
            raise HostError(f"{path} is missing.")
        if sys.platform == "win32":
            os.add_dll_directory(str(path.parent))
            os.environ["PATH"] = str(path.parent) + os.pathsep + os.environ["PATH"]
            os.chdir(path.parent)  # libobs looks for its renderers and modules from here
        # Its functions must be found by name afterwards, as in OBS, whose program is linked with it.
        return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)

    def _renderer_path(self) -> str:
        if sys.platform == "win32":
            if self.renderer == "libobs-d3d11" and wine.is_wine():
                wine.mend_d3d11(self._binaries.library.parent / "libobs-d3d11.dll")
            return self.renderer
        folder = self._binaries.library.parent
        if sys.platform == "darwin":
            return str(folder.parents[2] / f"{self.renderer}.dylib")
        return str(sorted(folder.glob(f"{self.renderer}.so.*"))[-1])

    def _prepare_display(self) -> None:
        if sys.platform != "linux":
            return
        x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        x11.XInitThreads()
        x11.XOpenDisplay.restype = Pointer
        display = x11.XOpenDisplay(None)
        if not display:
            raise HostError(f"The X display {os.environ.get('DISPLAY')!r} cannot be opened.")
        self.function("obs_set_nix_platform", None, c_int)(_X11_EGL)
        self.function("obs_set_nix_platform_display", None, Pointer)(display)

    def _load_module(self, name: str) -> None:
        path = self._binaries.modules / f"{name}{self._binaries.module_suffix}"
        if not path.is_file():
            return
        data = self._binaries.module_data / name
        module = Pointer()
        code = self.function("obs_open_module", c_int, POINTER(Pointer), c_char_p, c_char_p)(
            byref(module), str(path).replace("\\", "/").encode(), str(data).replace("\\", "/").encode()
        )
        if code or not self.function("obs_init_module", c_bool, Pointer)(module):
            raise HostError(f"The module {path} did not load (code {code}).")

    def _take_log(self) -> None:
        if sys.platform == "win32":
            printf = ctypes.CDLL("ucrtbase")["__stdio_common_vsprintf"]
            printf.argtypes = (c_uint64, Pointer, c_size_t, c_char_p, Pointer, Pointer)
        else:
            printf = ctypes.CDLL(None)["vsnprintf"]
            printf.argtypes = (Pointer, c_size_t, c_char_p, Pointer)

        def take(level: int, form: bytes, values: int, _parameter: int) -> None:
            line = ctypes.create_string_buffer(8192)
            if sys.platform == "win32":
                printf(2, line, len(line), form, None, values)
            else:
                printf(line, len(line), form, values)
            self.log.append((level, line.value.decode("utf-8", "replace")))

        handler = _LogHandler(take)
        self._keep.append(handler)
        self.function("base_set_log_handler", None, Pointer, Pointer)(handler, None)

    def _take_task(self, task: int, parameter: int, wait: bool) -> None:
        if wait and threading.get_ident() == self._main:
            _Task(task)(parameter)
            return
        done = threading.Event()
        self._tasks.put((task, parameter, done))
        if wait:
            done.wait()
