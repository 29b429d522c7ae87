"""Close OBS in the middle of each fault of the leak test: it must end by itself, with exit code 0 and no leaks.

starts.py closes it during everyday actions, many times; this module does so during faults.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import threading
import time
from typing import Final

from tools.obs_driver.session import ObsError
from tools.soak.faults import INSIDE, ROUND, USERS, Fault
from tools.soak.leaks import other_collections
from tools.soak.report import Part, Plan
from tools.soak.stage import Props, Stage, stage

TITLE: Final = "OBS closed in the middle of each fault"
_FAULTS: Final = (*USERS, *INSIDE, *ROUND)
_FEWEST: Final = 6  # so that some fault is sure to be caught in its middle
_LATEST_S: Final = 1.2  # after the fault has begun
_ACT_ENDS_S: Final = 90.0  # a fault whose OBS has gone gives up in this time


def run(plan: Plan) -> Part:
    """Close OBS in the middle of one fault after another, in an order of the seed's, for about the plan's seconds."""
    give_up = time.monotonic() + plan.seconds
    draw = random.Random(plan.seed)
    props = Props.made(plan.folder / "props")
    failures: list[str] = []
    closed = caught = of_obs = 0
    todo: list[Fault] = []
    while closed < _FEWEST or time.monotonic() < give_up:
        todo = todo or draw.sample(_FAULTS, len(_FAULTS))
        in_the_middle, is_of_obs, problems = once(plan, props, todo.pop(), draw, closed)
        failures += problems
        caught += in_the_middle
        of_obs += is_of_obs
        closed += 1
    if not caught:
        failures.append("every fault was over before OBS was closed, or did not happen: nothing was tested")
    figures: dict[str, str | int | float] = {
        "OBS closed during or after a fault": closed,
        "of these while it was going on": caught,
        "different faults": min(closed, len(_FAULTS)),
        "of so many": len(_FAULTS),
        "ends that were not clean": len(failures),
        "ends with a fault that OBS also has without any script": of_obs,
    }
    return Part(title=TITLE, figures=figures, failures=failures)


def once(plan: Plan, props: Props, fault: Fault, draw: random.Random, number: int) -> tuple[bool, bool, list[str]]:
    """Start OBS, begin a fault, close OBS.

    Return whether that was in its middle, whether OBS showed a fault of its own, and what was not as it must be.
    """
    folder = plan.folder / f"{number}"
    found: Stage | None = None
    failures: list[str] = []
    acting: threading.Thread | None = None
    in_the_middle = is_of_obs = False
    try:
        with stage(folder, plan.display, props, plan.seed + number, collections=other_collections(props)) as found:
            found.expect_person()
            found.doing = fault.name
            if fault.name.startswith("no memory"):
                found.counts["MemoryErrors"] += 1  # OBS may then find a thing or two that was not given back
            acting = threading.Thread(target=_act, args=(fault, found), daemon=True)
            acting.start()
            acting.join(draw.uniform(0.0, _LATEST_S))
            in_the_middle = acting.is_alive()
            is_of_obs = bool(found.obs.end().fault_of_obs)
    except ObsError as error:
        failures.append(f"{fault.name}: {error}")
    if acting is not None:
        acting.join(_ACT_ENDS_S)
        if acting.is_alive():
            failures.append(f"{fault.name}: it went on for {_ACT_ENDS_S:g} s after OBS had gone")
    if found is not None:
        failures += found.failures
    if not failures:
        shutil.rmtree(folder)
    return in_the_middle, is_of_obs, failures


def _act(fault: Fault, found: Stage) -> None:
    with contextlib.suppress(Exception):  # OBS is going
        fault.act(found)
