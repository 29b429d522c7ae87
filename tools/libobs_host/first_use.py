"""Measure how long the first use of the filter, of a background and of a view holds libobs's graphics thread up.

    python -m tools.libobs_host.first_use OUT --renderer libobs-d3d11 [--obs FOLDER] [--cold] [--late]

Prints a line of JSON: by what was done, the longest time between two ticks in ms; "idle" is what it is when nothing is
done. `--cold` empties Direct3D's shader cache first, as after an installation; `--late` prepares nothing while the
script is loaded: the shaders are compiled, and modules imported, by the frame that needs them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np

from eoam_obs.implementation import FilterImplementation
from eoam_obs.source import source_type
from tools.libobs_host.binaries import in_obs_folder, installed
from tools.libobs_host.host import Host
from tools.libobs_host.stage import Stage
from tools.libobs_host.tick_clock import TickClock

_SIZE: Final = (1280, 720)
_FPS: Final = 30
_IDLE_FRAMES: Final = 60
_FRAMES: Final = 10  # behind a change, for it to be drawn


def measure(host: Host, folder: Path) -> dict[str, float]:
    """Do one thing after the other for the first time, and return the longest tick of each, in ms."""
    found: dict[str, float] = {}
    with TickClock(host.library) as clock:

        def note(what: str) -> None:
            host.wait_frames(_FRAMES)
            found[what] = round(clock.read()[1], 1)

        host.wait_frames(_FRAMES)
        clock.read()
        host.wait_frames(_IDLE_FRAMES)
        note("idle")
        stage = Stage(host, folder, with_filter=False)
        note("script")
        stage.add_filter()
        stage.give(np.full((*_SIZE[::-1], 4), 128, np.uint8))
        host.wait(lambda: source_type.states()[0][1].kind == "running", "a filter that runs")
        note("filter")
        stage.update({"background": "blur"})
        host.wait(lambda: stage.live._settings.background.value == "blur", "the blurred background")
        note("background")
        stage.update({"background": "transparent", "view": "outline"})
        host.wait(lambda: stage.live._settings.view.value == "outline", "the outline")
        note("view")
    stage.close()
    return found


def empty_cache() -> None:
    """Remove what Direct3D has compiled for libobs before; elsewhere there is no such folder."""
    data = os.environ.get("PROGRAMDATA")
    if data:
        folder = Path(data) / "obs-studio" / "shader-cache"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)  # libobs does not make it when it writes


def main() -> None:
    """Measure once; a process can start libobs once."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.libobs_host.first_use", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--renderer", required=True)
    parser.add_argument("--obs", type=Path, help="folder of an OBS for Windows; otherwise the system's, or pylibobs")
    parser.add_argument("--cold", action="store_true", help="empty Direct3D's shader cache first")
    parser.add_argument("--late", action="store_true", help="prepare nothing while the script is loaded")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    if arguments.cold:
        empty_cache()
    if arguments.late:
        setattr(FilterImplementation, "prepare", lambda _self, _obs: None)  # noqa: B010
    binaries = in_obs_folder(arguments.obs.resolve()) if arguments.obs else installed()
    host = Host(binaries, arguments.renderer, out / "libobs", size=_SIZE, fps=_FPS)
    host.start()
    found = measure(host, out)
    print(json.dumps({"renderer": arguments.renderer, "cold": arguments.cold, "late": arguments.late, **found}))


if __name__ == "__main__":
    main()
