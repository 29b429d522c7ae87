"""Draw the filter in the real libobs, in every look, and hold each against the CPU's reference; one renderer a process.

    python -m tools.libobs_host.session OUT --renderer libobs-opengl [--obs FOLDER] [--without-filter] [--parts PART...]

Writes OUT/results.json and, for comparing renderers, one picture per case (OUT/pictures/*.npy). Without --obs the
system's libobs is used, or pylibobs'. Exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import faulthandler
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2

from tools.libobs_host import life, parts
from tools.libobs_host.binaries import in_obs_folder, installed
from tools.libobs_host.host import Host, HostError
from tools.libobs_host.results import Results
from tools.libobs_host.stage import Stage

SIZE: Final = (640, 360)
FPS: Final = 30  # a machine that cannot keep up takes longer, no more
MODULES: Final = ("image-source", "obs-filters", "obs-ffmpeg")  # of the guard, and what users' scenes have
PARTS: Final[dict[str, Callable[[Stage, Results], None]]] = {
    "looks": parts.draw_looks,
    "shapes": parts.draw_shapes,
    "video": parts.play_numbered,
    "person": parts.play_person,
    "lifecycle": parts.live_a_life,
}


def main() -> int:
    """Run the parts that are named, or all."""
    faulthandler.enable()
    parser = argparse.ArgumentParser(
        prog="python -m tools.libobs_host.session", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--renderer", required=True)
    parser.add_argument("--obs", type=Path, help="folder of an OBS for Windows; otherwise the package pylibobs")
    parser.add_argument("--without-filter", action="store_true", help="the same life of a process without the filter")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    binaries = in_obs_folder(arguments.obs.resolve()) if arguments.obs else installed()
    results = Results(out)
    began = time.monotonic()
    try:
        host = Host(binaries, arguments.renderer, out / "libobs", size=SIZE, fps=FPS)
        host.start(MODULES)
        stage = Stage(host, out, with_filter=not arguments.without_filter)
        results.facts.update(renderer=arguments.renderer, libobs=stage.version)
        for name in arguments.parts:
            with results.part(name):
                PARTS[name](stage, results)
        results.facts["allocations"] = stage.close()
        errors = [line for line in host.errors() if life.MISSING not in line]
        results.facts["errors"] = errors
        results.check(not errors, f"libobs logged errors: {errors[:3]}")
    except HostError as error:
        results.check(False, str(error))
    results.facts["seconds"] = round(time.monotonic() - began, 1)
    results.write()
    return 1 if results.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
