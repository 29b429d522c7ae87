"""An OBS script that breaks things inside OBS's process: what a soak test cannot do from outside.

soak_stage.py writes command.json into $EOAM_SABOTEUR; the command runs on OBS's UI thread, and the answer is written
beside it.
"""

import ctypes
import faulthandler
import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import obspython as obs

_FOLDER = Path(os.environ["EOAM_SABOTEUR"])
_ROOT = str(Path(__file__).resolve().parents[2])
_PERIOD_S = 0.03
_done: set[int] = set()
_closing = threading.Event()
_threads: list[threading.Thread] = []
_kept: dict[str, Any] = {}  # what was replaced
# A lock that is not given back is lost for every program. CPython allocates nothing for the one, and for the other no
# more than a tuple of three, which it has lying ready.
_GIVE_BACK = ("release", "__exit__")
_memory = SimpleNamespace(where="", target=0, step=1, limit=0, seen=0, places=set(), fired=0)


def script_load(settings: Any) -> None:
    if not faulthandler.is_enabled():  # the Python stacks tell whose crash it is
        faulthandler.enable((_FOLDER / "crash.txt").open("w"))
    _closing.clear()
    thread = threading.Thread(target=_wait, name="saboteur", daemon=True)
    _threads.append(thread)
    thread.start()


def script_unload() -> None:
    _closing.set()
    while _threads:
        _threads.pop().join(2.0)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _obey(_nothing: Any) -> None:
    command = _read()
    if command is None:
        return
    _done.add(command["id"])
    try:
        answer = {"result": _COMMANDS[command["name"]](**command["arguments"])}
    except Exception as error:
        answer = {"error": repr(error)}
    file = _FOLDER / f"answer-{command['id']}.json"
    file.with_suffix(".part").write_text(json.dumps(answer))
    file.with_suffix(".part").rename(file)


def _wait() -> None:
    queue = ctypes.CDLL(None).obs_queue_task
    queue.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_bool]
    asked = set()
    while not _closing.wait(_PERIOD_S):
        command = _read()
        if command is not None and command["id"] not in asked:
            asked.add(command["id"])
            queue(0, ctypes.cast(_obey, ctypes.c_void_p), None, False)  # 0: the UI thread


def _read() -> Any:
    try:
        command = json.loads((_FOLDER / "command.json").read_text())
    except (OSError, ValueError):
        return None
    return None if command["id"] in _done else command


def _unload() -> None:
    sys.modules["obs_eoam"].script_unload()


def _load() -> None:
    module = sys.modules["obs_eoam"]
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


def _press_guard(source: Any, name: Any) -> Any:
    """Press the button of a filter's panel that puts the guard before it."""
    parent = obs.obs_get_source_by_name(source)
    found = obs.obs_source_get_filter_by_name(parent, name)
    properties = obs.obs_source_properties(found)
    try:
        button = obs.obs_properties_get(properties, "guard")
        return bool(button) and obs.obs_property_button_clicked(button, found)
    finally:
        obs.obs_properties_destroy(properties)
        obs.obs_source_release(found)
        obs.obs_source_release(parent)


def _threads_named(name: Any) -> Any:
    return [thread for thread in threading.enumerate() if thread.name == name]


def _kill_workers() -> Any:
    """Have every worker's thread end as `sys.exit()` on it would."""
    workers = _threads_named("eoam-worker")
    for thread in workers:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    return len(workers)


def _network(kind: Any, seconds: Any = 0.0) -> None:
    """Have the network misbehave until kind is "honest". What lies about a mask says that everything is the person."""
    import numpy as np

    from eoam_core.segmenter import OnnxSegmenter

    original = _kept.setdefault("segment", OnnxSegmenter.segment)
    shape: dict[str, Any] = {
        "taller": lambda h, w: (h + 16, w),
        "smaller": lambda h, w: (h // 2, w // 2),
        "turned": lambda h, w: (w, h),
        "three channels": lambda h, w: (h, w, 3),
        "one number": lambda h, w: (),
        "empty": lambda h, w: (0, 0),
    }

    def segment(self: Any, frame: Any) -> Any:
        height, width = self.height, self.width
        if kind in shape:
            return np.full(shape[kind](height, width), 255, np.uint8)
        if kind == "raising":
            raise RuntimeError("the network raises, as it was told to")
        if kind == "memory":
            raise MemoryError
        if kind == "nan":
            return np.full((height, width), np.nan, np.float32)
        if kind == "wide numbers":
            return np.full((height, width), 255, np.int32)
        if kind == "nothing":
            return None
        if kind == "zeros":
            return np.zeros((height, width), np.uint8)
        if kind == "hung":
            time.sleep(seconds)
        return original(self, frame)

    changed: Any = OnnxSegmenter
    changed.segment = original if kind == "honest" else segment


def _library(there: Any) -> None:
    """Take onnxruntime away, or give it back."""
    if there:
        if "onnxruntime" in _kept:
            sys.modules["onnxruntime"] = _kept.pop("onnxruntime")
        return
    _kept.setdefault("onnxruntime", sys.modules.get("onnxruntime") or importlib.import_module("onnxruntime"))
    sys.modules["onnxruntime"] = None  # type: ignore[assignment]  # `import` raises ImportError then
    importlib.import_module(
        "eoam_core.session"
    )._sessions.clear()  # or the open network of another filter would be shared


def _driver(name: Any, times: Any) -> None:
    """Have a function of libobs's graphics refuse the next so many calls; the others are answered as ever."""
    libobs = sys.modules["eoam_obs.source.source_type"]._obs
    original = _kept.setdefault(name, getattr(libobs, name))
    left = [times]

    def refuse(*arguments: Any) -> Any:
        if left[0] <= 0:
            return original(*arguments)
        left[0] -= 1
        return 0

    setattr(libobs, name, refuse if times else original)


def _profile(frame: Any, event: Any, argument: Any) -> None:
    """Raise MemoryError at the target'th call that code of ours makes or gets: each of them allocates."""
    if event not in ("call", "c_call") or not frame.f_code.co_filename.startswith(_ROOT):
        return
    if "soak_" in frame.f_code.co_filename:
        return
    if event == "c_call" and argument.__name__ in _GIVE_BACK:
        return
    _memory.seen += 1
    if _memory.seen < _memory.target or not _memory.target:
        return
    called = argument.__name__ if event == "c_call" else ""
    _memory.places.add((Path(frame.f_code.co_filename).name, frame.f_code.co_name, called))
    _memory.fired += 1
    _memory.seen = 0
    _memory.target = _memory.target + _memory.step if _memory.target < _memory.limit else 0
    raise MemoryError("injected")


def _watched(where: Any, function: Any) -> Any:
    def watched(*arguments: Any, **named: Any) -> Any:
        if _memory.where != where or not _memory.target:
            return function(*arguments, **named)
        sys.setprofile(_profile)
        try:
            return function(*arguments, **named)
        finally:
            sys.setprofile(None)

    return watched


def _start_memory(where: Any, step: Any, limit: Any, first: Any = 1) -> None:
    """Raise MemoryError at the first call of ours, at the next but `step` - 1 after that, and so on up to `limit`.

    `where` is "render" (all on the graphics thread), "worker" (all about one frame) or "create" (a filter is made).
    """
    filters, worker, source_type = (
        importlib.import_module(name)
        for name in ("eoam_obs.frame.filter", "eoam_core.worker", "eoam_obs.source.source_type")
    )
    places = {
        "render": (filters.Filter, "render"),
        "worker": (worker.Worker, "_process"),
        "create": (source_type, "_make"),
    }
    owner, name = places[where]
    constants = vars(filters)
    _kept.setdefault("retry", constants["_RETRY_NS"])
    constants["_RETRY_NS"] = 50_000_000  # the wait after a failure would be most of the test
    if where not in _kept:
        _kept[where] = getattr(owner, name)
        setattr(owner, name, _watched(where, _kept[where]))
    _memory.where, _memory.step, _memory.limit, _memory.seen, _memory.fired = where, step, limit, 0, 0
    _memory.places = set()
    _memory.target = first


def _memory_state() -> Any:
    return {"left": bool(_memory.target), "fired": _memory.fired, "places": [list(place) for place in _memory.places]}


def _stop_memory() -> Any:
    state = _memory_state()
    _memory.target, _memory.where = 0, ""
    vars(sys.modules["eoam_obs.frame.filter"])["_RETRY_NS"] = _kept["retry"]
    return state


_COMMANDS: dict[str, Any] = {
    "unload": _unload,
    "load": _load,
    "reload": _reload,
    "press_guard": _press_guard,
    "kill_workers": _kill_workers,
    "network": _network,
    "library": _library,
    "driver": _driver,
    "start_memory": _start_memory,
    "memory_state": _memory_state,
    "stop_memory": _stop_memory,
}
