"""An OBS script that presses the button Reload of our script again and again, every $EOAM_SOAK_RELOAD_S seconds.

What the button does: unload, execute the file again in the same module, load; all of it on the UI thread, as there.
"""

import ctypes
import importlib
import os
import sys
import threading
from typing import Any

import obspython as obs

_closing = threading.Event()
_threads: list[threading.Thread] = []


def script_load(settings: Any) -> None:
    period = os.environ.get("EOAM_SOAK_RELOAD_S")
    if period and not _threads:
        thread = threading.Thread(target=_run, args=(float(period),), daemon=True)
        _threads.append(thread)
        thread.start()


def script_unload() -> None:
    _closing.set()
    while _threads:
        _threads.pop().join(2.0)


def _run(period_s: Any) -> None:
    libobs = ctypes.CDLL(None)
    libobs.obs_queue_task.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_bool]
    while not _closing.wait(period_s):
        libobs.obs_queue_task(0, _reload, None, False)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _reload(_nothing: Any) -> None:
    module = sys.modules.get("obs_eoam")
    if module is None or _closing.is_set():
        return
    module.script_unload()
    importlib.reload(module)
    settings = obs.obs_data_create()
    try:
        module.script_defaults(settings)
        module.script_update(settings)
        module.script_load(settings)
    finally:
        obs.obs_data_release(settings)
