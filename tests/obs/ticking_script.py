"""An OBS script with a long tick that has EOAM's panel made again and again, as the dialog Tools > Scripts does.

obspython keeps the script that runs in a global variable. The tick, on the graphics thread, sets and clears it wherever
Python's lock changes hands, so a button added with obspython crashed OBS 29 within some hundred panels.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

import obspython as obs

_PANELS = 2000
_TICK_S = 0.012  # longer than Python lets another thread wait for its lock
_made = 0


def script_load(settings):
    obs.obs_frontend_add_event_callback(_event)


def script_tick(seconds):
    ends = time.perf_counter() + _TICK_S
    while time.perf_counter() < ends:
        pass


def _event(event):
    global _made
    if event != obs.OBS_FRONTEND_EVENT_SCENE_CHANGED or _made:
        return
    scripting = next(
        line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libobs-scripting" in line
    )
    get = ctypes.CDLL(scripting).obs_script_get_properties
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    destroy = ctypes.CDLL(None).obs_properties_destroy
    destroy.argtypes = [ctypes.c_void_p]
    for _ in range(_PANELS):
        panel = get(pointer(sys.modules["obs_eoam"].__script_data__, None))
        _made += panel is not None
        destroy(panel)
    Path(os.environ["EOAM_TEST_MADE"]).write_text(str(_made))
