"""The filter's type in libobs: registered once per process, and permanent from then on.

`obs_register_source_s` takes a type once and has no counterpart that takes it back. libobs copies the callbacks into
every instance and calls them until the process ends: after the script was reloaded, unloaded or removed, and `destroy`
even during OBS's shutdown. So this module must be imported once and never reloaded, its thunks live for ever, libobs
holds integer handles and never a Python object, and what the callbacks do is swappable (`attach`, `detach`).

Nothing escapes into libobs: every callback goes through `_callback`, which logs once and fails closed. A filter whose
Python side is missing, broken or detached draws nothing, since drawing nothing is the only answer that cannot show
the room.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from eoam_core.errors import InstallationError
from eoam_obs import libobs, log

FILTER_ID: Final = "eoam_background_removal"
FILTER_NAME: Final = "EOAM Background Removal"

_LOG: Final = logging.getLogger("eoam")
# What `create` returns if all else fails. It must not be NULL: libobs takes a filter without data out of the chain
# and shows the raw source.
_DEAD_HANDLE: Final = 0xE0A3
_LET_GO_TIMEOUT_S: Final = 2.0
_DRAWS_IN_A_ROW: Final = 20


class VideoFilter(Protocol):
    """One filter on one source, as the callbacks need it."""

    def update(self, values: Mapping[str, object]) -> None:
        """Take the stored settings of the source."""

    space: int  # the colour space (`libobs.GS_CS_...`) that `render` draws in

    def render(self) -> None:
        """Draw, on the graphics thread with the graphics context held."""

    def suspend(self) -> None:
        """Stop the work and draw nothing; the script is gone."""

    def resume(self) -> None:
        """Work again after `suspend`; the script is back."""

    def destroy(self) -> None:
        """Free everything, on any thread, without the graphics context."""

    def status(self) -> str:
        """Say in one line how it goes."""


class Implementation(Protocol):
    """What the registered type does at present."""

    def create(self, obs: libobs.LibObs, source: int, values: Mapping[str, object]) -> VideoFilter:
        """Make the filter for `source` with its stored settings."""

    def write_defaults(self, obs: libobs.LibObs, settings: int) -> None:
        """Write the default settings into an obs_data, as defaults."""

    def keep_defaults(self, obs: libobs.LibObs, settings: int) -> None:
        """Store in a new instance's obs_data what it takes from the defaults of today."""

    def properties(self, obs: libobs.LibObs, status: str, refresh: Callable[[int], int]) -> int:
        """Return a new obs_properties; `refresh(properties)` adds the button that renews the status line."""

    def show_status(self, obs: libobs.LibObs, properties: int, status: str) -> None:
        """Write `status` into the properties' status line."""


@dataclass
class _Instance:
    source: int
    values: Mapping[str, object] = field(default_factory=dict)
    video_filter: VideoFilter | None = None


_obs: libobs.LibObs | None = None
_implementation: Implementation | None = None
_instances: Final[dict[int, _Instance]] = {}
_handles: Final = itertools.count(1)
_permanent: Final[list[object]] = []
_reported: Final[set[tuple[str, str]]] = set()
# The thunks outlive even this module's own namespace, should anybody ever clear sys.modules.
vars(sys).setdefault("_eoam_obs_permanent", []).append(_permanent)


def attach(implementation: Implementation) -> libobs.LibObs:
    """Register the type if this process has not done so yet, and let `implementation` answer from now on.

    Instances that were detached come back to life with the settings they have.

    Raises:
        InstallationError: there is no usable libobs in this process.
    """
    global _obs, _implementation
    obs = _obs or libobs.LibObs()
    log.install(obs)
    if _obs is None:
        _register(obs)
        _obs = obs
    _implementation = implementation
    obs.obs_enable_source_type(FILTER_ID, True)
    for instance in list(_instances.values()):
        if instance.video_filter is not None:
            instance.video_filter.resume()
        else:
            instance.video_filter = implementation.create(obs, instance.source, instance.values)
    return obs


def detach() -> None:
    """Stop every instance's work and draw nothing; the type stays known to OBS, but not offered. Idempotent."""
    global _implementation
    _implementation = None
    for instance in list(_instances.values()):
        if instance.video_filter is not None:
            instance.video_filter.suspend()
    if _obs is not None:
        _obs.obs_enable_source_type(FILTER_ID, False)


def status_lines() -> list[str]:
    """Return one line per live filter."""
    return [_status(instance) for instance in list(_instances.values())]


def read_settings(obs: libobs.LibObs, settings: int) -> dict[str, object]:
    """Return the values stored in an obs_data, those of a wrong type and unknown names included."""
    values = json.loads(obs.obs_data_get_json(settings) or b"{}")
    return values if isinstance(values, dict) else {}


def _status(instance: _Instance | None) -> str:
    if instance is None or instance.video_filter is None:
        return "not running: the script is unloaded or could not start, see the script log"
    return instance.video_filter.status()


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _callback(prototype: Any, *, failed: object) -> Callable[[_Function], Any]:
    """Make a permanent thunk of a function: what it raises is logged once, and libobs gets `failed`."""

    def decorate(function: _Function) -> Any:
        @functools.wraps(function)
        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as error:  # libobs is C: nothing may get through, whatever it is
                _report(function.__name__, error)
                return failed

        thunk = prototype(guarded)
        _permanent.append(thunk)
        return thunk

    return decorate


def _report(where: str, error: BaseException) -> None:
    """Log an error the first time it is seen; a render callback would say it sixty times a second."""
    key = (where, f"{type(error).__name__}: {error}")
    if key in _reported or len(_reported) > 100:
        return
    _reported.add(key)
    _LOG.error("callback_failed callback=%s error=%r", where, error, exc_info=error)


_name_buffer: Final = ctypes.create_string_buffer(FILTER_NAME.encode())


@_callback(libobs.GetName, failed=None)
def _get_name(_type_data: int) -> int:
    return ctypes.addressof(_name_buffer)


@_callback(libobs.Create, failed=_DEAD_HANDLE)
def _create(settings: int, source: int) -> int:
    handle = next(_handles)
    instance = _instances[handle] = _Instance(source)
    try:
        if _obs is not None:
            if _implementation is not None:
                _implementation.keep_defaults(_obs, settings)
            instance.values = read_settings(_obs, settings)
            if _implementation is not None:
                instance.video_filter = _implementation.create(_obs, source, instance.values)
    except BaseException as error:  # the handle must get out, see _DEAD_HANDLE
        _report("create", error)
    return handle


@_callback(libobs.Destroy, failed=None)
def _destroy(handle: int) -> None:
    instance = _instances.pop(handle, None)
    if instance is not None and instance.video_filter is not None:
        instance.video_filter.destroy()


@_callback(libobs.GetDefaults, failed=None)
def _get_defaults(settings: int) -> None:
    if _implementation is not None and _obs is not None:
        _implementation.write_defaults(_obs, settings)


@_callback(libobs.GetProperties, failed=None)
def _get_properties(handle: int | None) -> int | None:
    if _obs is None:
        return None
    obs = _obs
    if _implementation is None:
        return obs.obs_properties_create()
    status = _status(_instances.get(handle)) if handle else ""

    def refresh(properties: int) -> int:
        return obs.obs_properties_add_button2(properties, "refresh", "Refresh", _refresh, handle or 0)

    return _implementation.properties(obs, status, refresh)


@_callback(libobs.ButtonClicked, failed=False)
def _refresh(properties: int, _button: int, handle: int | None) -> bool:
    if _implementation is None or _obs is None or handle is None:
        return False
    _implementation.show_status(_obs, properties, _status(_instances.get(handle)))
    return True


@_callback(libobs.Update, failed=None)
def _update(handle: int, settings: int) -> None:
    instance = _instances.get(handle)
    if instance is None or _obs is None:
        return
    instance.values = read_settings(_obs, settings)
    if instance.video_filter is not None:
        instance.video_filter.update(instance.values)


_drawing_thread: int = 0
_drawn: int = 0


def _keep_thread_state() -> None:
    """Let the thread that draws keep its Python thread state from one callback to the next.

    A thread that Python did not start gets a new state, with a stack of its own, for every callback, and loses it at
    the callback's end; several times per frame that costs more than the callbacks. One `PyGILState_Ensure` that is not
    given back keeps it until the thread or Python ends. Only for OBS's graphics thread, which is known by drawing most
    of the time: screenshots are drawn by others, which come and go.
    """
    global _drawing_thread, _drawn
    thread = threading.get_ident()
    if thread != _drawing_thread:
        _drawing_thread, _drawn = thread, 0
    _drawn += 1
    if _drawn == _DRAWS_IN_A_ROW:
        ctypes.pythonapi.PyGILState_Ensure()


@_callback(libobs.VideoRender, failed=None)
def _video_render(handle: int, _effect: int) -> None:
    if _drawn < _DRAWS_IN_A_ROW or threading.get_ident() != _drawing_thread:
        _keep_thread_state()
    instance = _instances.get(handle)
    if _implementation is None or instance is None or instance.video_filter is None:
        return  # nothing is drawn: see the module's docstring
    instance.video_filter.render()


@_callback(libobs.GetColorSpace, failed=libobs.GS_CS_SRGB)
def _video_get_color_space(handle: int, _count: int, _preferred: int) -> int:
    # What `render` draws in, whatever is preferred: where they differ libobs converts. Asked several times a frame.
    instance = _instances.get(handle)
    if instance is None or instance.video_filter is None:
        return libobs.GS_CS_SRGB
    return instance.video_filter.space


def _let_go() -> None:
    """Remove what filters are left when Python ends.

    OBS destroys all filters before; but a source that somebody (another script, a websocket client) still holds is
    destroyed after Python has gone, and calling a thunk then would crash OBS.
    """
    obs = _obs
    if obs is None:
        return
    for instance in list(_instances.values()):
        parent = obs.obs_filter_get_parent(instance.source)
        if parent:
            obs.obs_source_filter_remove(parent, instance.source)
    ends = time.monotonic() + _LET_GO_TIMEOUT_S
    while _instances and time.monotonic() < ends:
        time.sleep(0.01)  # libobs destroys on a thread of its own, which needs the GIL for that


def _register(obs: libobs.LibObs) -> None:
    if obs.obs_source_get_display_name(FILTER_ID) is not None:
        _LOG.error("register_refused id=%s reason=another_copy_of_this_script_is_loaded", FILTER_ID)
        return
    atexit.register(_let_go)
    info, owner = libobs.source_info_buffer()
    info.id = FILTER_ID.encode()
    info.type = libobs.OBS_SOURCE_TYPE_FILTER
    info.output_flags = libobs.OBS_SOURCE_VIDEO | libobs.OBS_SOURCE_SRGB
    info.get_name = _get_name
    info.create = _create
    info.destroy = _destroy
    info.get_defaults = _get_defaults
    info.get_properties = _get_properties
    info.update = _update
    info.video_render = _video_render
    info.video_get_color_space = _video_get_color_space
    obs.obs_register_source_s(ctypes.addressof(info), ctypes.sizeof(info))
    _permanent.extend((info, owner))
    if obs.obs_source_get_display_name(FILTER_ID) is None:
        raise InstallationError(
            f"OBS {obs.version} did not take the filter (its log says why): this version of EOAM does not know its "
            "libobs. Update EOAM, or use OBS Studio 28 to 32."
        )
    _LOG.info("filter_registered id=%s obs=%s", FILTER_ID, obs.version)
    if obs.major > libobs.NEWEST_MAJOR:
        _LOG.warning(
            "obs_is_newer obs=%s tested_up_to=%d: it should work; if not, update EOAM", obs.version, libobs.NEWEST_MAJOR
        )
