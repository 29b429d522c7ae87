"""An OBS script as other people write them: ticks, timers, signals, events and a thread, all busy beside ours.

It keeps to what OBS allows. Calls of the frontend are made on the UI thread alone, in an event's callback: from a tick,
a timer or a thread they hang OBS whatever else is loaded (obsproject/obs-studio#7516). Its thread does not call OBS at
all, and its events take no lock that OBS holds while it draws; it begins when OBS has loaded its scenes.

$EOAM_SOAK_OTHER_HARD, for looking into it by hand, names what it does besides: "load" begins at once, "events" looks
for a source and an item of the scene in events, "thread" lists the sources in its thread ("hotkeys" is for
soak_hammer.py: they are pressed over obs-websocket). Each of these hangs OBS 29 sooner or later with any filter in
Python: obspython keeps Python's lock while it waits for a lock that OBS, or another thread, has while that waits for
Python's.

$EOAM_SOAK_OTHER is a file into which it writes, about once a second, how often it has done what. A SIGUSR1 makes Python
write the stacks of all threads into the same file's neighbour .stacks.
"""

import collections
import ctypes
import faulthandler
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import obspython as obs

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.soak.panel import make_scripts_panel

_FILE = Path(os.environ["EOAM_SOAK_OTHER"])
_FILTER_ID = "eoam_background_removal"
_HARD = os.environ.get("EOAM_SOAK_OTHER_HARD", "")
_SIGNALS = ("source_create", "source_destroy", "source_rename")
_EACH_TICK = 32  # operations in one tick, so that minutes have as many as an hour

_counts: Any = collections.Counter()
_closing = threading.Event()
_threads: list[threading.Thread] = []
_written = 0.0
_busy = threading.Event()


def script_load(settings: Any) -> None:
    _closing.clear()
    if "load" in _HARD:
        _begin()
    if not faulthandler.is_enabled():
        faulthandler.enable(_FILE.with_suffix(".crash").open("w"))
        faulthandler.register(signal.SIGUSR1, _FILE.with_suffix(".stacks").open("w"), all_threads=True)
    obs.obs_frontend_add_event_callback(_event)


def script_unload() -> None:
    _end()


def _begin() -> None:
    _busy.set()
    obs.timer_add(_timer, 7)
    handler = obs.obs_get_signal_handler()
    for name in _SIGNALS:
        obs.signal_handler_connect(handler, name, _signal)
    thread = threading.Thread(target=_run, name="other-script", daemon=True)
    _threads.append(thread)
    thread.start()


def _end() -> None:
    if _busy.is_set():
        # First of all: to remove a callback obspython asks a global variable for the script, and a tick on another
        # thread resets it once Python's lock has changed hands. After the join below, timer_remove crashed OBS 29.
        obs.timer_remove(_timer)
        handler = obs.obs_get_signal_handler()
        for name in _SIGNALS:
            obs.signal_handler_disconnect(handler, name, _signal)
        _busy.clear()
    _closing.set()
    while _threads:
        _threads.pop().join(5.0)


def script_tick(seconds: Any) -> None:
    if not _busy.is_set():
        return
    for _ in range(_EACH_TICK):
        _look_at_sources()
        _counts["in ticks"] += 1
    _write()


def _timer() -> None:
    _counts["in timers"] += 1
    source = obs.obs_get_source_by_name("Scene")
    scene = obs.obs_scene_from_source(source)
    item = obs.obs_scene_find_source(scene, "camera")
    if item:
        place = obs.vec2()
        obs.obs_sceneitem_get_pos(item, place)
        place.x = (place.x + 1) % 20
        obs.obs_sceneitem_set_pos(item, place)
    obs.obs_source_release(source)


def _event(event: Any) -> None:
    """On the UI thread: the frontend's calls, and what a dialog does when it opens our panel."""
    if event == obs.OBS_FRONTEND_EVENT_FINISHED_LOADING and not _busy.is_set():
        _begin()
    if event in (obs.OBS_FRONTEND_EVENT_SCRIPTING_SHUTDOWN, obs.OBS_FRONTEND_EVENT_EXIT):
        _end()
    if not _busy.is_set():
        return
    _counts["in events"] += 1
    scenes = obs.obs_frontend_get_scenes()
    obs.source_list_release(scenes)
    obs.obs_frontend_get_scene_names()
    current = obs.obs_frontend_get_current_scene()
    obs.obs_source_release(current)
    properties = obs.obs_get_source_properties(_FILTER_ID)
    if properties:
        obs.obs_properties_destroy(properties)
    _use_filter()
    _counts["script's panels opened"] += make_scripts_panel()
    if "events" in _HARD:
        source = obs.obs_get_source_by_name("Scene")
        for _ in range(20):
            obs.obs_scene_find_source(obs.obs_scene_from_source(source), "camera")
        obs.obs_source_release(source)


def _use_filter() -> None:
    """Open a filter's panel and press its hotkeys as OBS's UI thread does it: Python's lock is free meanwhile."""
    libobs = ctypes.CDLL(None)
    libobs.obs_source_properties.restype = ctypes.c_void_p
    libobs.obs_source_properties.argtypes = [ctypes.c_void_p]
    libobs.obs_properties_destroy.argtypes = [ctypes.c_void_p]
    libobs.obs_hotkey_trigger_routed_callback.argtypes = [ctypes.c_size_t, ctypes.c_bool]
    for instance in list(sys.modules["eoam_obs.source.instances"].INSTANCES.values()):
        with instance.held(sys.modules["eoam_obs.source.source_type"]._obs) as source:
            if not source:
                continue
            libobs.obs_properties_destroy(libobs.obs_source_properties(source))
            _counts["panels opened"] += 1
            for number in instance.hotkeys:
                for pressed in (True, False):
                    libobs.obs_hotkey_trigger_routed_callback(number, pressed)
                    _counts["hotkeys pressed"] += pressed
            return


def _signal(data: Any) -> None:
    _counts["in signals"] += 1


def _run() -> None:
    while not _closing.wait(0.002):
        if "thread" in _HARD:
            _look_at_sources()
        json.dumps([number * 3 for number in range(500)])  # keeps Python's lock busy
        _counts["in a thread"] += 1


def _look_at_sources() -> None:
    sources = obs.obs_enum_sources()
    for source in sources or []:
        obs.obs_source_get_name(source)
    obs.source_list_release(sources)
    camera = obs.obs_get_source_by_name("camera")
    if camera:
        settings = obs.obs_source_get_settings(camera)
        obs.obs_data_get_json(settings)
        obs.obs_data_release(settings)
        obs.obs_source_release(camera)


def _write() -> None:
    global _written
    now = time.monotonic()
    if now - _written > 1.0:
        _written = now
        part = _FILE.with_suffix(".part")
        part.write_text(json.dumps(_counts))
        part.rename(_FILE)
