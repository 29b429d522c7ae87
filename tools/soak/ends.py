"""How OBS ends by itself: without any script and filter, and with ours, side by side.

    .venv/bin/python tools/soak/ends.py --minutes 10 --scenes 2 --at-once 4

Several OBSes are started and closed at the same time, with the script and without in turns, so that both get the same
busy machine. It prints how many ended cleanly, and what the others had in common: the faults of OBS's own that
`Ended.fault_of_obs` (tools/obs_driver/session.py) names, and what it does not know.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import itertools
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from tools.obs_driver.session import (
    CAMERA,
    REPOSITORY,
    SCENE,
    Collection,
    Ended,
    Json,
    ObsError,
    ObsSession,
    filter_entry,
    virtual_display,
)

KINDS: Final = ("without", "with")
_BOUND_S: Final = 60.0


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--scenes", type=int, default=1, help="scenes that OBS has when it is closed (default: 1)")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="OBSes at the same time (default: 4)")
    args = parser.parse_args()
    if args.scenes < 1 or args.at_once < 1 or args.minutes <= 0:
        parser.error("--minutes, --scenes and --at-once must be more than 0")
    give_up = time.monotonic() + args.minutes * 60
    found: dict[str, collections.Counter[str]] = {kind: collections.Counter() for kind in KINDS}
    numbers, lock = itertools.count(), threading.Lock()
    folder = Path(tempfile.mkdtemp(prefix="soak-ends-"))

    def work(display: str) -> None:
        while time.monotonic() < give_up:
            with lock:
                number = next(numbers)
            kind = KINDS[number % 2]
            ended = once(folder / str(number), display, with_script=kind == "with", scenes=args.scenes)
            with lock:
                found[kind][ended] += 1

    with virtual_display() as display, concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
        for done in [pool.submit(work, display) for _ in range(args.at_once)]:
            done.result()
    shutil.rmtree(folder)
    title = f"{args.at_once} OBSes at once, {args.scenes} scenes"
    print(f"| {title} | ends | clean | not clean |\n| --- | ---: | ---: | --- |")
    for kind in KINDS:
        others = ", ".join(f"{count} × {name}" for name, count in found[kind].items() if name != "clean")
        print(f"| {kind} the filter | {found[kind].total()} | {found[kind]['clean']} | {others or 'none'} |")
    return 0


def once(folder: Path, display: str, *, with_script: bool, scenes: int) -> str:
    """Start OBS with one source and so many scenes, close it, and name what its end was like."""
    folder.mkdir()
    filters: list[Json] = [filter_entry()] if with_script else []
    source: Json = {
        "name": CAMERA,
        "id": "color_source_v3",
        "versioned_id": "color_source_v3",
        "settings": {"width": 64, "height": 36},
        "filters": filters,
    }
    scripts: list[tuple[Path, Json]] = [(REPOSITORY / "obs_eoam.py", {})] if with_script else []
    session = ObsSession(folder, display, {"Soak": Collection([source], scripts)}, canvas=(128, 72))
    try:
        with session as obs:
            for number in range(1, scenes):
                obs.request("CreateScene", sceneName=f"{SCENE} {number + 1}")
            found = how(obs.end(timeout_s=_BOUND_S))
    except ObsError as error:
        found = f"not closed ({' '.join(str(error).splitlines()[:2])})"
    shutil.rmtree(folder)
    return found


def how(ended: Ended) -> str:
    """Name what an end was like."""
    if ended.is_clean:
        return "clean"
    if ended.exit_code is None:
        return f"did not end within {_BOUND_S:g} s"
    return ended.fault_of_obs or f"exit code {ended.exit_code} with {ended.leaks} leaks"


if __name__ == "__main__":
    raise SystemExit(main())
