"""Record the privacy guard: OBS starts without our script, and the background must not be visible.

    scripts/soak --only guard

Beside the guarded camera is a control with an inactive filter and no guard. It must show the background, or the test
would prove nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2

from tools.obs_driver.session import ObsError
from tools.soak.report import Part, Plan
from tools.soak.search import recorded_frames, search
from tools.soak.stage import FPS, SCRIPT, WIDTH, Props, Stage, stage

TITLE: Final = "The privacy guard: OBS without our script, recorded"
_SHORTEST_S: Final = 2.0
_HIDDEN: Final = FPS // 3


@dataclass(frozen=True)
class Case:
    """A way in which our script is not there: the scripts of the scene collection, and what OBS cannot load."""

    name: str
    scripts: Sequence[Path]
    without_python: bool = False


CASES: Final = (
    Case("the script's folder was moved", [Path("/moved") / SCRIPT.name]),
    Case("the script was removed from the scene collection", []),
    Case("OBS has no Python at all", [SCRIPT], without_python=True),
)


def run(plan: Plan) -> Part:
    """Record every case for its share of the plan's seconds, the start of OBS not counted."""
    props = Props.made(plan.folder / "props")
    figures: dict[str, str | int | float] = {}
    failures: list[str] = []
    for number, case in enumerate(CASES):
        seconds = max(plan.seconds / len(CASES) - 8, _SHORTEST_S)
        _record(case, plan.folder / f"{number}", plan, props, seconds, figures, failures)
    return Part(title=TITLE, figures=figures, failures=failures)


def _record(
    case: Case,
    folder: Path,
    plan: Plan,
    props: Props,
    seconds: float,
    figures: dict[str, str | int | float],
    failures: list[str],
) -> None:
    """Start OBS, record, and count the frames with the room on either side."""
    environment = without_python(folder) if case.without_python else {}
    with stage(folder, plan.display, props, plan.seed, scripts=case.scripts, environment=environment) as session:
        session.start_recording()
        session.obs.wait_frames(max(int(seconds * FPS / 2), FPS))
        _touch(session)
        session.obs.wait_frames(max(int(seconds * FPS / 2), FPS))
        file = session.finish_recording()
        log = session.obs.log
    failures += [f"{case.name}: {failure}" for failure in session.failures]
    frames = bare = guarded = 0
    for frame in recorded_frames(file):
        sides = frame[:, :WIDTH], frame[:, WIDTH:]
        bare += bool(search(sides[0]).room)
        seen = search(sides[1])
        guarded += bool(seen.room or seen.person or sides[1][..., :3].any())
        if seen.room and guarded == 1:
            cv2.imwrite(str(folder / "leak.png"), cv2.cvtColor(frame, cv2.COLOR_RGBA2BGRA))
        frames += 1
    file.unlink()
    figures[f"{case.name}: frames recorded"] = frames
    figures[f"{case.name}: **anything at all of the guarded camera**"] = guarded
    figures[f"{case.name}: control, the room of the unguarded camera"] = f"{bare} of {frames}"
    if guarded:
        failures.append(f"{case.name}: {guarded} of {frames} frames show something of the guarded camera")
    # In the middle both cameras are hidden and shown again; that may be seen in a few frames.
    if frames - bare > _HIDDEN or not bare:
        failures.append(f"{case.name}: the control shows the room in {bare} of {frames} frames, not in all")
    if "filter_registered" in log:
        failures.append(f"{case.name}: the script did run, so this was no test")
    if case.without_python and any(sign in log for sign in ("[Python]", "[obs-scripting]", "    frontend-tools")):
        failures.append(f"{case.name}: OBS has loaded Python, so this was no test")


def _touch(session: Stage) -> None:
    """Do what a user does who wonders where the picture is: hide and show, change the dead filter's settings."""
    for source in ("bare", "guarded"):
        try:
            session.obs.set_filter(source=source, threshold=0.4)
        except ObsError as error:
            session.failures.append(f"the settings of the dead filter could not be set: {error}")
        session.show(source, False)
        session.show(source, True)


def without_python(folder: Path) -> Mapping[str, str]:
    """Return an environment in which OBS's library for scripts cannot be loaded: the first of that name is empty.

    Only OBS's own module for scripts needs it; the dynamic linker stops at the first file with a name. Without
    libpython itself Debian's OBS would not start at all.
    """
    hidden = folder / "no-python"
    hidden.mkdir(parents=True)
    names = {file.name for file in Path("/usr/lib").glob("**/libobs-scripting.so*")}
    if not names:
        raise ObsError("/usr/lib has no libobs-scripting.so, so it cannot be hidden from OBS")
    for name in names:
        (hidden / name).write_bytes(b"")
    return {"LD_LIBRARY_PATH": str(hidden)}
