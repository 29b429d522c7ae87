"""OBS is started and closed again and again, at random moments and in the middle of something.

Each time something else is going on when OBS is asked to close: the network is being loaded, filters come and go,
settings change, the script is reloaded, OBS records, its scene collection changes, OBS has hardly begun. It must end by
itself, with exit code 0, without memory leaks, without a core dump, within a bound, and leave no process behind.

OBS itself crashes at its end now and then, without any script of ours. So one in ten times OBS is started without our
script, and the figures of both are given: only what happens with ours is a failure, and what OBS's own log shows to be
one of its own two faults (`Ended.fault_of_obs` in session.py) is counted apart.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.obs_driver import clips
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    FILTER_ID,
    REPOSITORY,
    Collection,
    Ended,
    ObsError,
    ObsSession,
    Scripts,
    filter_entry,
    video_entry,
)
from tools.soak.report import Part, Plan

TITLE: Final = "Starts and stops: OBS closed in the middle of something"
WIDTH, HEIGHT = 320, 180
BOUND_S: Final = 30.0  # to close; what OBS takes itself on a machine with other work to do is a part of it
_MARK: Final = "EOAM_SOAK_STARTS"  # in the environment of OBS, and so of every process it starts
_PROBE: Final = Path(__file__).resolve().parent / "soak_reloader.py"
MOMENTS: Final = (
    *("at once", "loading", "settings", "filters", "reload", "later", "hidden", "recording", "collections"),
    "without",
)
_COLLECTION: Final = "Soak"


@dataclass(frozen=True)
class Run:
    """One start and stop: when, the seconds that starting and closing took, how it ended, what was left."""

    moment: str
    started_s: float
    closed_s: float
    ended: Ended
    cores: int
    left: int

    def problems(self) -> list[str]:
        """Return what is not as it must be."""
        found = []
        if self.ended.exit_code is None:
            found.append(f"did not end within {BOUND_S:g} s")
        elif self.ended.fault_of_obs:
            return [f"{self.left} processes left behind"] if self.left else []
        elif self.ended.exit_code != 0:
            found.append(f"exit code {self.ended.exit_code}")
        elif self.ended.leaks != 0:
            found.append(f"{self.ended.leaks} memory leaks")
        if self.cores:
            found.append("a core dump")
        if self.left:
            found.append(f"{self.left} processes left behind")
        return found


def run(plan: Plan) -> Part:
    """Start and stop as often as the plan's seconds allow, each moment once at the least."""
    give_up = time.monotonic() + plan.seconds
    clip = plan.folder / "person.mkv"
    clips.write_video(clip, clips.astronaut_frames(WIDTH, HEIGHT, 60), 30)
    runs: list[Run] = []
    failures: list[str] = []
    while len(runs) < len(MOMENTS) or time.monotonic() < give_up:
        moment = MOMENTS[len(runs) % len(MOMENTS)]
        draw = random.Random(f"{plan.seed} {len(runs)}")
        folder = plan.folder / f"obs-{len(runs)}"
        folder.mkdir()
        done = once(plan.display, folder, clip, moment, draw)
        runs.append(done)
        if moment != "without" and done.problems():
            kept = Path(tempfile.gettempdir()) / f"soak-starts-{os.getpid()}-{len(runs)}"
            shutil.copytree(folder, kept, ignore_dangling_symlinks=True)
            failures.append(f"closed {moment}: {', '.join(done.problems())}; what is left of it is in {kept}")
        shutil.rmtree(folder)
    return Part(title=TITLE, figures=figures(runs), failures=failures)


def figures(runs: list[Run]) -> dict[str, str | int | float]:
    """Return the figures of all runs."""
    ours = [each for each in runs if each.moment != "without"]
    others = [each for each in runs if each.moment == "without"]
    found: dict[str, str | int | float] = {
        "starts and stops with the filter": len(ours),
        "of these not clean": sum(bool(each.problems()) for each in ours),
        "of these with a fault that OBS has without any script, too": sum(
            bool(each.ended.fault_of_obs) for each in ours
        ),
        "starts and stops without our script": len(others),
        "of those not clean": sum(not each.ended.is_clean for each in others),
        "core dumps, processes left": f"{sum(run.cores for run in ours)}, {sum(run.left for run in ours)}",
    }
    for name, group in (("with the filter", ours), ("without our script", others)):
        if group:
            seconds = [each.closed_s for each in group]
            found[f"closing {name}, median and longest"] = f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s"
    counts = {moment: sum(each.moment == moment for each in ours) for moment in MOMENTS if moment != "without"}
    found["closed in the middle of"] = ", ".join(f"{moment} {count}" for moment, count in counts.items())
    return found


def once(display: str, folder: Path, clip: Path, moment: str, draw: random.Random) -> Run:
    """Start OBS, do something, and close it in the middle of that."""
    scripts: Scripts = [(REPOSITORY / "obs_eoam.py", {}), (_PROBE, {})] if moment != "without" else []
    filters = [filter_entry()] if moment not in ("without", "filters") else []
    mark = f"{os.getpid()}-{folder.name}"
    began = time.monotonic()
    collection = Collection([video_entry(clip, *filters)], scripts)
    session = ObsSession(
        folder,
        display,
        {_COLLECTION: collection, f"{_COLLECTION} 2": collection},
        canvas=(WIDTH, HEIGHT),
        environment={_MARK: mark, "EOAM_SOAK_RELOAD_S": "0.15" if moment == "reload" else ""},
    )
    with core_dumps(), session as obs:
        started_s = time.monotonic() - began
        with contextlib.suppress(ObsError):  # OBS has ended too early: that is seen below
            happen(obs, moment, draw)
        began = time.monotonic()
        ended = obs.end(timeout_s=BOUND_S)
    closed_s = time.monotonic() - began
    cores = sum(1 for file in folder.rglob("core*") if file.is_file() and file.stat().st_size > 1_000_000)
    return Run(moment, started_s, closed_s, ended, cores, left_behind(mark))


def happen(obs: ObsSession, moment: str, draw: random.Random) -> None:
    """Do what is to be interrupted; the closing follows at once."""
    if moment == "loading":
        # Another number of threads is another session of onnxruntime: the worker is busy opening it.
        obs.set_filter(advanced=True, threads=2)
        time.sleep(draw.uniform(0, 0.12))
    elif moment == "settings":
        for number in range(draw.randrange(1, 12)):
            obs.set_filter(threshold=0.3 + number / 50, background=draw.choice(("blur", "color", "transparent")))
    elif moment == "filters":
        for number in range(draw.randrange(1, 6)):
            obs.request("CreateSourceFilter", sourceName=CAMERA, filterName=f"{FILTER} {number}", filterKind=FILTER_ID)
            if draw.random() < 0.5:
                obs.request("RemoveSourceFilter", sourceName=CAMERA, filterName=f"{FILTER} {number}")
    elif moment == "hidden":
        items = obs.request("GetSceneItemList", sceneName="Scene")["sceneItems"]
        for shown in (False, True, False):
            obs.request(
                "SetSceneItemEnabled",
                sceneName="Scene",
                sceneItemId=items[0]["sceneItemId"],
                sceneItemEnabled=shown,
            )
            time.sleep(draw.uniform(0, 0.1))
    elif moment == "recording":
        obs.request("StartRecord")
        time.sleep(draw.uniform(0.2, 1.5))
    elif moment == "collections":
        for number in range(draw.randrange(1, 4)):
            name = _COLLECTION if number % 2 else f"{_COLLECTION} 2"
            obs.request("SetCurrentSceneCollection", sceneCollectionName=name)
    elif moment in ("reload", "later", "without"):
        time.sleep(draw.uniform(0.2, 1.5))


@contextlib.contextmanager
def core_dumps() -> Iterator[None]:
    """Let processes that are started meanwhile write their cores, where the system writes files."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(ValueError, OSError):  # not allowed: there will be none to count
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def left_behind(mark: str) -> int:
    """Return how many processes still have this mark in their environment; a moment is given to those that end."""
    give_up = time.monotonic() + 2.0
    while (found := _marked(mark)) and time.monotonic() < give_up:
        time.sleep(0.1)
    return found


def _marked(mark: str) -> int:
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            count += f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
    return count
