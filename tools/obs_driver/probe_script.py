"""An OBS script for the tests: does on OBS's UI thread what a user does with the mouse.

The tests write command.json into $EOAM_PROBE and cause any frontend event; the answer is written beside it.
"""

import ctypes
import faulthandler
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import obspython as obs

_FOLDER = Path(os.environ["EOAM_PROBE"])
_done: set[int] = set()
_clocks: list[Any] = []


def script_load(settings: Any) -> None:
    # OBS 29 has crashed at exit without any script; the Python stacks tell whose crash it is.
    if not faulthandler.is_enabled():
        faulthandler.enable((_FOLDER / "crash.txt").open("w"))
    obs.obs_frontend_add_event_callback(_on_event)


def _on_event(event: Any) -> None:
    try:
        command = json.loads((_FOLDER / "command.json").read_text())
    except (OSError, ValueError):
        return
    if command["id"] in _done:
        return
    _done.add(command["id"])
    try:
        answer = {"result": _COMMANDS[command["name"]](**command["arguments"])}
    except Exception as error:
        answer = {"error": repr(error)}
    file = _FOLDER / f"answer-{command['id']}.json"
    file.with_suffix(".part").write_text(json.dumps(answer))
    file.with_suffix(".part").rename(file)


def _unload(module: Any = "obs_eoam") -> None:
    sys.modules[module].script_unload()


def _load(module: Any = "obs_eoam") -> None:
    module = sys.modules[module]
    settings = obs.obs_data_create()
    try:
        module.script_defaults(settings)
        module.script_update(settings)
        module.script_load(settings)
    finally:
        obs.obs_data_release(settings)


def _reload() -> None:
    """What the button Reload does: PyImport_ReloadModule executes the file again in the same module."""
    _unload()
    importlib.reload(sys.modules["obs_eoam"])
    _load()


def _set_default(name: Any, value: Any) -> None:
    settings = obs.obs_data_create_from_json(json.dumps({name: value}))
    try:
        sys.modules["obs_eoam"].script_update(settings)
    finally:
        obs.obs_data_release(settings)


def _script_panel(press: Any = "") -> Any:
    properties = sys.modules["obs_eoam"].script_properties()
    try:
        if press:
            obs.obs_property_button_clicked(obs.obs_properties_get(properties, press), None)
        return _items(properties)
    finally:
        obs.obs_properties_destroy(properties)


def _filter_panel(source: Any, name: Any, press: Any = "") -> Any:
    parent = obs.obs_get_source_by_name(source)
    found = obs.obs_source_get_filter_by_name(parent, name)
    properties = obs.obs_source_properties(found)
    try:
        if press:
            obs.obs_property_button_clicked(obs.obs_properties_get(properties, press), found)
        return _items(properties)
    finally:
        obs.obs_properties_destroy(properties)
        obs.obs_source_release(found)
        obs.obs_source_release(parent)


def _type_panel() -> Any:
    properties = obs.obs_get_source_properties("eoam_background_removal")
    try:
        return _items(properties)
    finally:
        obs.obs_properties_destroy(properties)


class _Keys(ctypes.Structure):
    _fields_ = (("modifiers", ctypes.c_uint32), ("key", ctypes.c_int))


def _key(name: Any) -> None:
    """Press a key as OBS's thread for hotkeys does; at its next look at the keyboard that thread lets it go."""
    libobs = ctypes.CDLL(None)
    libobs.obs_key_from_name.argtypes = [ctypes.c_char_p]
    libobs.obs_hotkey_inject_event.argtypes = [_Keys, ctypes.c_bool]
    libobs.obs_hotkey_inject_event(_Keys(0, libobs.obs_key_from_name(name.encode())), True)


def _hold(name: Any, pressed: Any) -> None:
    """Hold a hotkey, or let it go: OBS's own thread would find the key up again at once."""
    libobs = ctypes.CDLL(None)
    libobs.obs_hotkey_get_name.restype = ctypes.c_char_p
    libobs.obs_hotkey_get_name.argtypes = [ctypes.c_void_p]
    libobs.obs_hotkey_trigger_routed_callback.argtypes = [ctypes.c_size_t, ctypes.c_bool]
    found = []

    @ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    def look(_data: Any, number: Any, hotkey: Any) -> Any:
        if libobs.obs_hotkey_get_name(hotkey).decode() == name:
            found.append(number)
        return True

    libobs.obs_enum_hotkeys(look, None)
    for number in found:
        libobs.obs_hotkey_trigger_routed_callback(number, pressed)


def _keep(source: Any) -> Any:
    """Take a reference to a source and never give it back."""
    return bool(obs.obs_get_source_by_name(source))


def _lacking(names: Any) -> Any:
    """Return which of these names obspython does not have."""
    return [name for name in names if not hasattr(obs, name)]


def _draw_matte(folder: Any, cases: Any) -> None:
    import matte_drawing  # type: ignore[import-not-found]  # OBS has put this folder on Python's path

    matte_drawing.draw_all(folder, cases)


def _draw_scenes(folder: Any, cases: Any) -> None:
    import matte_drawing  # OBS has put this folder on Python's path

    matte_drawing.draw_scenes(folder, cases)


def _shaders() -> Any:
    """What libobs gives for each file when it is asked once more, and what every filter draws with."""
    libobs, shaders, instances = (
        sys.modules[f"eoam_obs.{name}"] for name in ("binding.libobs", "frame.shaders", "source.instances")
    )
    lib = libobs.LibObs()
    answer: dict[str, Any] = {"filters": []}
    lib.obs_enter_graphics()
    try:
        for name in (shaders.MATTE, shaders.SCENE):
            answer[name], _ = shaders.load_effect(lib, name, ())
    finally:
        lib.obs_leave_graphics()
    for instance in instances.INSTANCES.values():
        drawing = instance.video_filter._drawing
        compositor = drawing._compositor
        answer["filters"].append([drawing._effect._effect, compositor._effect._effect if compositor is not None else 0])
    return answer


def _ticks() -> Any:
    """How many ticks there were since this was asked last, and the longest time between two, in milliseconds."""
    from tools.libobs_host import tick_clock

    if not _clocks:
        _clocks.append(tick_clock.TickClock(ctypes.CDLL(None)).__enter__())
    return _clocks[0].read()


def _stop_ticks() -> None:
    _clocks.pop().__exit__()


def _hold_graphics(seconds: Any) -> None:
    """Make OBS's graphics thread wait; by ctypes, since it may hold the graphics and wait for Python's lock."""
    libobs = ctypes.CDLL(None)
    libobs.obs_enter_graphics()
    try:
        time.sleep(seconds)
    finally:
        libobs.obs_leave_graphics()


def _items(properties: Any) -> Any:
    # obspython cannot walk the list: obs_property_next takes a pointer to a pointer.
    libobs = ctypes.CDLL(None)
    libobs.obs_properties_first.restype = ctypes.c_void_p
    libobs.obs_properties_first.argtypes = [ctypes.c_void_p]
    libobs.obs_property_next.restype = ctypes.c_bool
    libobs.obs_property_next.argtypes = [ctypes.POINTER(ctypes.c_void_p)]
    for getter in (libobs.obs_property_name, libobs.obs_property_description):
        getter.restype = ctypes.c_char_p
        getter.argtypes = [ctypes.c_void_p]
    libobs.obs_property_visible.restype = ctypes.c_bool
    libobs.obs_property_visible.argtypes = [ctypes.c_void_p]
    libobs.obs_property_group_content.restype = ctypes.c_void_p
    libobs.obs_property_group_content.argtypes = [ctypes.c_void_p]
    items = {}
    groups = [libobs.obs_properties_first(int(properties))]
    while groups:
        item = ctypes.c_void_p(groups.pop())
        while item.value:
            if libobs.obs_property_visible(item):
                items[libobs.obs_property_name(item).decode()] = libobs.obs_property_description(item).decode()
                content = libobs.obs_property_group_content(item)
                if content:
                    groups.append(libobs.obs_properties_first(content))
            if not libobs.obs_property_next(ctypes.byref(item)):
                break
    return items


_LISTING = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)


def _missing_functions() -> Any:
    libobs = ctypes.CDLL(None)
    for name in ("create", "count", "get_file", "append", "destroy"):
        getattr(libobs, f"obs_missing_files_{name}").restype = ctypes.c_void_p
    libobs.obs_missing_files_count.restype = ctypes.c_size_t
    libobs.obs_source_get_missing_files.restype = ctypes.c_void_p
    for name in ("obs_missing_file_get_path", "obs_missing_file_get_source_name"):
        getattr(libobs, name).restype = ctypes.c_char_p
    return libobs


def _missing_files(replace: Any = None) -> Any:
    """Do what File > Check for Missing Files does, and what its dialog does with what was chosen: {old path: new}."""
    libobs = _missing_functions()
    files = libobs.obs_missing_files_create()

    @_LISTING
    def look(_data: Any, source: Any) -> Any:
        found = libobs.obs_source_get_missing_files(ctypes.c_void_p(source))
        libobs.obs_missing_files_append(ctypes.c_void_p(files), ctypes.c_void_p(found))
        libobs.obs_missing_files_destroy(ctypes.c_void_p(found))
        return True

    libobs.obs_enum_all_sources(look, None)
    listed = []
    for number in range(libobs.obs_missing_files_count(ctypes.c_void_p(files))):
        file = ctypes.c_void_p(libobs.obs_missing_files_get_file(ctypes.c_void_p(files), number))
        path = libobs.obs_missing_file_get_path(file).decode()
        listed.append([path, libobs.obs_missing_file_get_source_name(file).decode()])
        if replace and path in replace:
            libobs.obs_missing_file_issue_callback(file, replace[path].encode())
    libobs.obs_missing_files_destroy(ctypes.c_void_p(files))
    return listed


def _answers_without_python(seconds: Any = 5) -> Any:
    """Ask every source for its files on a thread that is none of Python's, and never give Python's lock away meanwhile.

    Return the names of those that did not answer.
    """
    libobs, keeping = _missing_functions(), ctypes.PyDLL(None)
    sources = []

    @_LISTING
    def look(_data: Any, source: Any) -> Any:
        sources.append(source)
        return True

    libobs.obs_enum_all_sources(look, None)
    ask = ctypes.cast(libobs.obs_source_get_missing_files, ctypes.c_void_p)
    libobs.obs_source_get_name.restype = ctypes.c_char_p
    waiting = []
    for source in sources:
        thread, answer = ctypes.c_ulong(), ctypes.c_void_p()
        assert keeping.pthread_create(ctypes.byref(thread), None, ask, ctypes.c_void_p(source)) == 0
        ends = (ctypes.c_long * 2)(int(time.time()) + seconds, 0)
        if keeping.pthread_timedjoin_np(thread, ctypes.byref(answer), ends) == 0:
            libobs.obs_missing_files_destroy(answer)
        else:
            waiting.append(libobs.obs_source_get_name(ctypes.c_void_p(source)).decode())
    return {"asked": len(sources), "waiting": waiting}


def _networks() -> Any:
    """The sizes (height, width) of the networks that are open."""
    return [size for _, _, size in sys.modules["eoam_core.session"]._sessions]


_COMMANDS: dict[str, Any] = {
    "missing_files": _missing_files,
    "answers_without_python": _answers_without_python,
    "networks": _networks,
    "switch_interval": lambda seconds: sys.setswitchinterval(seconds),
    "python_settings": lambda: [sys.getswitchinterval(), sys.modules["cv2"].getNumThreads()],
    "unload": _unload,
    "load": _load,
    "reload": _reload,
    "set_default": _set_default,
    "script_panel": _script_panel,
    "filter_panel": _filter_panel,
    "type_panel": _type_panel,
    "draw_matte": _draw_matte,
    "draw_scenes": _draw_scenes,
    "hold": _hold,
    "key": _key,
    "keep": _keep,
    "lacking": _lacking,
    "shaders": _shaders,
    "ticks": _ticks,
    "stop_ticks": _stop_ticks,
    "hold_graphics": _hold_graphics,
}
