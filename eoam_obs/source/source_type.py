"""Register the filter's type in libobs: once per process, and permanently.

`obs_register_source_s` accepts a type once, and there is no function to unregister it. libobs copies the callbacks into
every instance and calls them until the process ends: after the script was reloaded, unloaded or removed, and `destroy`
even during OBS's shutdown. So this module is imported once and never reloaded, its callbacks are permanent, libobs
holds integer handles and never a Python object, and the implementation behind the callbacks can be replaced (`attach`,
`detach`).

No exception reaches libobs: every callback goes through `callback`, which logs once and fails closed. A filter whose
Python side is missing, broken or detached draws nothing, because only that cannot show the background.

libobs calls `update` on the graphics thread, but an obs_data has no lock, and the UI thread writes this one while a
slider is dragged. So the stored settings are read and normalised on the UI thread only.

libobs up to 29 also locks its list of sources meanwhile. A callback of ours would wait there for Python's lock, which
another script may hold while it waits for the list (`obspython` keeps Python's lock in every call): OBS would hang. So
`update` is not Python but libobs's own `os_event_signal`, and a filter's handle is such an event. The next check of it,
while drawing or by the watch, schedules the UI thread to read the settings.
"""

from __future__ import annotations

import atexit
import ctypes
import dataclasses
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from eoam_core.errors import InstallationError
from eoam_core.settings import Preset, Settings
from eoam_obs.binding import libobs, log
from eoam_obs.binding.callbacks import callback, keep, permanent, report
from eoam_obs.binding.functions import NULL, Data, Event, Properties, Source
from eoam_obs.binding.process_settings import ProcessSettings
from eoam_obs.source import guard, hotkeys, missing_files
from eoam_obs.source.instances import INSTANCES, Instance, VideoFilter, settings_of
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from eoam_obs.source.stored import Stored
from eoam_obs.source.watch import QUIET_S, Watch

FILTER_ID: Final = "eoam_background_removal"
FILTER_NAME: Final = "EOAM Background Removal"

_LOG: Final = logging.getLogger("eoam")
# What `create` returns if everything else fails. It must not be NULL: libobs skips a filter without data and shows the
# raw source. It stands for an event that is never read: all zeros, larger than any system's event.
_DEAD_EVENT: Final = (ctypes.c_uint64 * 64)()
_DEAD_HANDLE: Final = Event(ctypes.addressof(_DEAD_EVENT))
# A filter destroyed later would wait for a Python that has ended, and OBS for the filter.
_LET_GO_TIMEOUT_S: Final = 20.0
_DRAWS_IN_A_ROW: Final = 20
_STOPPED: Final = State(kind="stopped")


class Implementation(Protocol):
    """The current implementation of the registered type."""

    texts: Texts

    def prepare(self, obs: libobs.LibObs) -> None:
        """Do in advance what a filter's first frame would have to wait for; without the graphics context."""

    def create(self, obs: libobs.LibObs, source: Source, settings: Settings) -> VideoFilter:
        """Make the filter for `source` with its effective settings."""

    def write_defaults(self, obs: libobs.LibObs, settings: Data) -> None:
        """Write the default settings into an obs_data, as defaults."""

    def normalise(self, obs: libobs.LibObs, settings: Data, known: Settings | None) -> Stored:
        """Normalise a filter's obs_data; `known` is what it held last."""

    def effective(self, filter_settings: Stored) -> Settings:
        """Return a filter's effective settings, given its stored ones."""

    def reset(self, obs: libobs.LibObs, settings: Data) -> None:
        """Store the defaults in a filter's obs_data."""

    def properties(
        self, obs: libobs.LibObs, filter_settings: Stored | None, state: State | None, callbacks: Mapping[str, Any]
    ) -> Properties:
        """Return a new obs_properties."""

    def show_relevant(self, obs: libobs.LibObs, properties: Properties, settings: Data) -> bool:
        """Show the properties that have an effect; return whether any changed."""

    def hide_guard(self, obs: libobs.LibObs, properties: Properties) -> None:
        """Hide the button that adds the guard."""

    def show_status(self, obs: libobs.LibObs, properties: Properties, state: State) -> None:
        """Write the state into the properties' status line."""


_obs: libobs.LibObs | None = None
_attached: Final[list[Implementation]] = []  # one for each copy of the script that OBS has loaded
_implementation: Implementation | None = None  # the last of them is active
_watch: Watch | None = None
_process_settings: Final = ProcessSettings()


def attach(implementation: Implementation) -> libobs.LibObs:
    """Register the type if this process has not done so, and use `implementation` from now on.

    Detached instances resume with their settings. A second copy of the script takes over until it is detached.

    Raises:
        InstallationError: there is no usable libobs in this process, or something else has registered the type.
    """
    global _obs
    obs = _obs or libobs.LibObs()
    log.install(obs)
    if _obs is None:
        _register(obs)
        _obs = obs
    _attached.append(implementation)
    if len(_attached) > 1:
        _LOG.warning("script_is_loaded_twice copies=%d: the last one is used; remove the others", len(_attached))
    implementation.prepare(obs)
    _process_settings.take()  # behind `prepare`, which imports the libraries
    _activate(obs, implementation)
    return obs


def _activate(obs: libobs.LibObs, implementation: Implementation) -> None:
    global _implementation, _watch
    _implementation = implementation
    hotkeys.attach(obs, implementation.texts)
    obs.obs_enable_source_type(FILTER_ID, True)
    for instance in list(INSTANCES.values()):
        with instance.held(obs) as source, settings_of(obs, source) as settings:
            if not source:
                continue
            _normalise(instance, obs, implementation, settings)
            if instance.video_filter is not None:
                _apply(instance, implementation)
                instance.video_filter.resume()
            else:
                _make(instance, obs, implementation)
    if _watch is None:
        _watch = Watch(obs, update_soon)


def detach(implementation: Implementation) -> None:
    """Remove the implementation given to `attach`. Another copy of the script, if there is one, takes over the filters.

    Otherwise every instance stops and draws nothing; OBS keeps the type but no longer offers it. Idempotent.
    """
    global _implementation, _watch
    if implementation not in _attached:
        return
    _attached.remove(implementation)
    if _attached:
        if implementation is _implementation and _obs is not None:
            _activate(_obs, _attached[-1])
        return
    _implementation = None
    _process_settings.give_back()
    watch, _watch = _watch, None
    if watch is not None:
        watch.close()
    for instance in list(INSTANCES.values()):
        if instance.video_filter is not None:
            instance.video_filter.suspend()
    if _obs is not None:
        missing_files.pause(_obs)
        _obs.obs_enable_source_type(FILTER_ID, False)


def use_defaults() -> None:
    """Apply the defaults again to the filters that follow them."""
    if _implementation is not None:
        for instance in list(INSTANCES.values()):
            if instance.stored is not None and instance.stored.follows:
                _apply(instance, _implementation)


def states() -> list[tuple[str, State]]:
    """Return (name of the source, state) of every live filter. On OBS's UI thread."""
    found = []
    for instance in list(INSTANCES.values()):
        name = ""
        if _obs is not None:
            with instance.held(_obs) as source:
                name = _name_of_parent(_obs, source)
        found.append((name, state_of(instance)))
    return found


def state_of(instance: Instance | None) -> State:
    """Return what a filter is doing, and whether its privacy guard is open. On OBS's UI thread.

    On that thread because the guard's obs_data has no lock, and the UI thread writes it.
    """
    if instance is None or instance.video_filter is None:
        return _STOPPED
    state = instance.video_filter.state()
    if _obs is None:
        return state
    with instance.held(_obs) as source:
        return dataclasses.replace(state, guard_open=bool(source) and guard.is_open(_obs, source))


def is_on(name: str) -> bool:
    """Return whether the source of this name has a filter of this type."""
    obs = _obs
    if obs is None:
        return False
    for instance in list(INSTANCES.values()):
        with instance.held(obs) as source:
            if source and _name_of_parent(obs, source) == name:
                return True
    return False


def guard_on(name: str) -> bool:
    """Repair the guards of all filters of this type on the source of this name; return False if one failed."""
    obs = _obs
    if obs is None:
        return False
    done = True
    for instance in list(INSTANCES.values()):
        with instance.held(obs) as source:
            if source and _name_of_parent(obs, source) == name:
                done = guard.add_guard(obs, obs.obs_filter_get_parent(source) or NULL, source) and done
    return done


def _name_of_parent(obs: libobs.LibObs, source: Source) -> str:
    parent = obs.obs_filter_get_parent(source) if source else NULL
    return ((obs.obs_source_get_name(parent) if parent else None) or b"").decode(errors="replace")


def _normalise(instance: Instance, obs: libobs.LibObs, implementation: Implementation, settings: Data) -> None:
    """Normalise the instance's obs_data and remember it; an open panel shows the changes."""
    before = instance.stored
    instance.stored = implementation.normalise(obs, settings, before.settings if before is not None else None)
    hotkeys.remember(obs, instance, settings)
    if before is None or not instance.stored.changed:
        return
    preset = instance.stored.settings.preset
    if preset is not before.settings.preset and preset is not Preset.CUSTOM:
        obs.obs_source_update_properties(instance.source)  # a list was used, and no slider is being dragged
    else:
        instance.refresh_at = time.monotonic() + QUIET_S


def _apply(instance: Instance, implementation: Implementation) -> None:
    """Apply the stored settings to the filter."""
    if instance.video_filter is not None and instance.stored is not None:
        instance.video_filter.update(implementation.effective(instance.stored))


def _make(instance: Instance, obs: libobs.LibObs, implementation: Implementation) -> None:
    assert instance.stored is not None
    instance.video_filter = implementation.create(obs, instance.source, implementation.effective(instance.stored))


_name_buffer: Final = ctypes.create_string_buffer(FILTER_NAME.encode())


@callback(libobs.GetName, failed=None)
def _get_name(_type_data: int) -> int:
    return ctypes.addressof(_name_buffer)


def _new_handle() -> Event:
    """Return a new event of libobs.

    Raises:
        MemoryError: the system has no more of them.
    """
    event = ctypes.c_void_p()
    assert _obs is not None  # or nothing would be registered
    if _obs.os_event_init(ctypes.byref(event), libobs.OS_EVENT_TYPE_AUTO) != 0 or not event.value:
        raise MemoryError("the system gives no event for a filter")
    return Event(event.value)


@callback(libobs.Create, failed=_DEAD_HANDLE)
def _create(settings: Data, source: Source) -> Event:
    handle = _DEAD_HANDLE
    try:
        handle = _new_handle()
        instance = INSTANCES[handle] = Instance(handle, source)
        if _obs is not None:
            instance.weak = _obs.obs_source_get_weak_source(source) or NULL
            if _implementation is not None:
                _normalise(instance, _obs, _implementation, settings)
                _make(instance, _obs, _implementation)
    except BaseException as error:  # a handle must be returned, see _DEAD_HANDLE
        report("create", error)
    return handle


@callback(libobs.Load, failed=None)
def _load(handle: Event, _settings: int) -> None:
    instance = INSTANCES.get(handle)
    if instance is not None and _obs is not None and _implementation is not None:
        hotkeys.register(_obs, instance, _implementation.texts)


@callback(libobs.Destroy, failed=None)
def _destroy(handle: Event) -> None:
    instance = INSTANCES.pop(handle, None)
    if instance is None:
        return
    try:
        if instance.video_filter is not None:
            instance.video_filter.destroy()
    finally:
        if _obs is not None:
            missing_files.let_go(_obs, handle)
            hotkeys.unregister(_obs, instance)
            instance.let_go(_obs)
            _obs.os_event_destroy(handle)


@callback(libobs.GetDefaults, failed=None)
def _get_defaults(settings: Data) -> None:
    if _implementation is not None and _obs is not None:
        _implementation.write_defaults(_obs, settings)


@callback(libobs.GetProperties, failed=None)
def _get_properties(handle: Event | None) -> Properties | None:
    if _obs is None:
        return None
    if _implementation is None:
        return _obs.obs_properties_create()
    instance = INSTANCES.get(handle) if handle else None
    callbacks = {"modified": _modified, "refresh": _refresh, "reset": _reset}
    if instance is not None and not guard.has_guard(_obs, instance.source):
        callbacks["guard"] = _guard
    stored = instance.stored if instance is not None else None
    if instance is not None and stored is not None:
        # OBS replaces a value that is not in its list by the list's first entry, and requests the panel as soon as
        # obs-websocket has changed something: before the settings are read.
        with settings_of(_obs, instance.source) as settings:
            model = (_obs.obs_data_get_string(settings, "model") or b"").decode(errors="replace")
        stored = dataclasses.replace(stored, settings=stored.settings.replace(model=model or stored.settings.model))
    return _implementation.properties(_obs, stored, state_of(instance) if handle else None, callbacks)


@callback(libobs.PropertyModified, failed=False)
def _modified(properties: Properties, _property: int, settings: Data) -> bool:
    if _implementation is None or _obs is None:
        return False
    return _implementation.show_relevant(_obs, properties, settings)


@callback(libobs.ButtonClicked, failed=False)
def _refresh(properties: Properties, _button: int, handle: Event | None) -> bool:
    if _implementation is None or _obs is None or handle is None:
        return False
    _implementation.show_status(_obs, properties, state_of(INSTANCES.get(handle)))
    return True


@callback(libobs.ButtonClicked, failed=False)
def _reset(properties: Properties, _button: int, handle: Event | None) -> bool:
    instance = INSTANCES.get(handle) if handle is not None else None
    if _implementation is None or _obs is None or instance is None:
        return False
    with settings_of(_obs, instance.source) as settings:
        _implementation.reset(_obs, settings)
        _implementation.show_relevant(_obs, properties, settings)
    _obs.obs_source_update(instance.source, None)
    return True


@callback(libobs.ButtonClicked, failed=False)
def _guard(properties: Properties, _button: int, handle: Event | None) -> bool:
    instance = INSTANCES.get(handle) if handle is not None else None
    if _implementation is None or _obs is None or instance is None:
        return False
    with instance.held(_obs) as source:
        parent = _obs.obs_filter_get_parent(source) if source else NULL
        if not parent or not guard.add_guard(_obs, parent, source):
            _LOG.error("guard_not_added: this OBS has no Color Correction filter, or the filter is not on a source")
            return False
    _implementation.hide_guard(_obs, properties)
    _implementation.show_status(_obs, properties, state_of(instance))
    return True


def update_soon(obs: libobs.LibObs, instance: Instance) -> None:
    """Schedule OBS's UI thread to read a filter's settings, if libobs has signalled a change."""
    with instance.lock:  # the event is freed with the weak reference
        was_changed = bool(instance.weak) and obs.os_event_try(instance.handle) == 0
    if was_changed:
        obs.obs_queue_task(libobs.OBS_TASK_UI, _update_now, instance.handle, False)


@callback(libobs.Task, failed=None)
def _update_now(handle: Event) -> None:
    instance, obs, implementation = INSTANCES.get(handle), _obs, _implementation
    if instance is None or obs is None or implementation is None:
        return  # without an implementation: `attach` reads the settings again
    with instance.held(obs) as source, settings_of(obs, source) as settings:
        if settings:
            _normalise(instance, obs, implementation, settings)
    _apply(instance, implementation)


class _Thread(threading.local):
    """Per thread: whether its Python thread state is kept."""

    is_kept = False


_thread: Final = _Thread()
_drawing_thread: int = 0
_drawn: int = 0


def _keep_thread_state() -> None:
    """Keep the graphics thread's Python thread state from one callback to the next.

    A thread that Python did not start gets a new state, with a stack of its own, for every callback and loses it at the
    callback's end; several times per frame that costs more than the callbacks. One `PyGILState_Ensure` without a
    release keeps it until the thread or Python ends. This is only for OBS's graphics thread, recognised by drawing most
    of the time: screenshots are drawn by other, short-lived threads.

    After a change of the video settings OBS draws with a new thread, which may get the old one's id. So a thread-local
    flag records whether the state is kept; the thread id (the system's, which is reused most rarely) is only for
    counting.
    """
    global _drawing_thread, _drawn
    thread = threading.get_native_id()
    if thread != _drawing_thread or _drawn >= _DRAWS_IN_A_ROW:
        _drawing_thread, _drawn = thread, 0
    _drawn += 1
    if _drawn == _DRAWS_IN_A_ROW:
        ctypes.pythonapi.PyGILState_Ensure()
        _thread.is_kept = True


@permanent(libobs.VideoRender)
def _video_render(handle: Event, _effect: int) -> None:
    try:
        if not _thread.is_kept:
            _keep_thread_state()
        instance = INSTANCES.get(handle)
        if _implementation is None or _obs is None or instance is None or instance.video_filter is None:
            return  # nothing is drawn: see the module's docstring
        if _obs.os_event_try(handle) == 0:  # without the lock: libobs destroys nothing while drawing it
            _obs.obs_queue_task(libobs.OBS_TASK_UI, _update_now, handle, False)
        instance.video_filter.render()
    except BaseException as error:  # libobs is C: no exception of any kind may pass
        report("_video_render", error)


@permanent(libobs.GetColorSpace)
def _video_get_color_space(handle: Event, _count: int, _preferred: int) -> int:
    # The space that `render` draws in, whatever is preferred: libobs converts if they differ. Called several times a
    # frame.
    try:
        instance = INSTANCES.get(handle)
        if instance is not None and instance.video_filter is not None:
            return instance.video_filter.space
    except BaseException as error:
        report("_video_get_color_space", error)
    return libobs.GS_CS_SRGB


def _let_go() -> None:
    """Remove remaining filters when Python ends.

    OBS destroys all filters earlier. But a source that is still referenced (by another script or a websocket client) is
    destroyed after Python has ended, and calling a callback then would crash OBS.
    """
    obs = _obs
    if obs is None:
        return
    for instance in list(INSTANCES.values()):
        parent = obs.obs_filter_get_parent(instance.source)
        if parent:
            obs.obs_source_filter_remove(parent, instance.source)
    ends = time.monotonic() + _LET_GO_TIMEOUT_S
    while INSTANCES and time.monotonic() < ends:
        time.sleep(0.01)  # libobs destroys on a thread of its own, which needs the GIL for that


def _register(obs: libobs.LibObs) -> None:
    if obs.obs_source_get_display_name(FILTER_ID) is not None:
        raise InstallationError(
            "Another copy of EOAM, from another folder or version, has already added its filter to OBS. Remove all "
            "copies but one under Tools > Scripts, then restart OBS."
        )
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
    signal = ctypes.cast(obs.os_event_signal, ctypes.c_void_p)  # type: ignore[arg-type]
    info.update = libobs.Update(signal.value or NULL)
    info.load = _load
    info.video_render = _video_render
    info.video_get_color_space = _video_get_color_space
    obs.obs_register_source_s(ctypes.addressof(info), ctypes.sizeof(info))
    keep(info, owner)
    if obs.obs_source_get_display_name(FILTER_ID) is None:
        raise InstallationError(
            f"OBS {obs.version} rejected the filter (see OBS's log): this version of EOAM does not support its "
            f"libobs. Update EOAM, or use OBS Studio {libobs.OLDEST_MAJOR} to {libobs.NEWEST_MAJOR}."
        )
    _LOG.info("filter_registered id=%s obs=%s libobs=%d.%d.%d", FILTER_ID, obs.version, *obs.number)
    if obs.major > libobs.NEWEST_MAJOR:
        _LOG.warning(
            "obs_is_newer obs=%s tested_up_to=%d: it should work; if not, update EOAM", obs.version, libobs.NEWEST_MAJOR
        )
