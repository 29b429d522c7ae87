"""An OBS script with a long tick that has EOAM's panel made at a change of scene, as the dialog Tools > Scripts does.

Some at a time: a request of obs-websocket waits for OBS's UI thread, and gives up if it is kept for half a minute.

obspython keeps the script that runs in a global variable. The tick, on the graphics thread, sets and clears it wherever
Python's lock changes hands, so a button added with obspython crashed OBS 29 within some hundred panels.
"""

import os
import sys
import time
from pathlib import Path

import obspython as obs

sys.path.append(str(Path(__file__).resolve().parents[2]))
from tools.soak.panel import make_scripts_panel

_PANELS = 100  # at a change of scene
_TICK_S = 0.012  # longer than Python lets another thread wait for its lock
_made = 0


def script_load(settings: object) -> None:
    obs.obs_frontend_add_event_callback(_event)


def script_tick(seconds: float) -> None:
    ends = time.perf_counter() + _TICK_S
    while time.perf_counter() < ends:
        pass


def _event(event: int) -> None:
    global _made
    if event != obs.OBS_FRONTEND_EVENT_SCENE_CHANGED:
        return
    for _ in range(_PANELS):
        _made += make_scripts_panel()
    Path(os.environ["EOAM_TEST_MADE"]).write_text(str(_made))
