"""Search every frame that OBS records for the background, during every fault of faults.py.

    scripts/soak --only leaks --minutes 60

The faults come in sessions of a few minutes, each with an OBS of its own: settings at random, what users do, what goes
wrong inside, what goes wrong round OBS. Within a session every fault happens once, in an order of its own, and then
again by their weights for as long as there is time. With a quarter of an hour or more there is one session in which
memory ends at each allocation of ours, not at a sample of them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.obs_driver.session import ObsError
from tools.soak import controls
from tools.soak import faults as soak_faults
from tools.soak.faults import Fault
from tools.soak.report import Part, Plan
from tools.soak.search import FEW_PIXELS, LEVELS
from tools.soak.stage import SABOTEUR, SCRIPT, Beside, Props, Searched, Stage, cameras, stage

TITLE: Final = "The room: faults injected while OBS records, every frame searched"
SETTINGS: Final = "settings at random"
# Where settings are at random the edge may be moved outwards by 10 pixels, and a mask for every tenth frame in low
# latency may lie behind the slow person by as many.
SETTINGS_MARGIN: Final = FEW_PIXELS + 10 + 8
# And the whole picture may be smeared, by choice; at the picture's border that leaves a tint of the room.
SETTINGS_LEVELS: Final = 24
_SESSION_S: Final = 150.0
_LONG_S: Final = 900.0
_RESTARTS: Final = 3
_CLOCK_SOURCE: Final = Path(__file__).resolve().parent / "soak_clock.c"
_SMALL_DISK: Final = "48m"


@dataclass
class Book:
    """What all sessions found together."""

    recorded: Searched = field(default_factory=Searched)
    screenshots: Searched = field(default_factory=Searched)
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    sessions: int = 0

    def close(self, session: Stage) -> None:
        """Take a session's book over."""
        self.sessions += 1
        self.screenshots.add(session.screenshots)
        self.counts += session.counts
        self.notes |= session.notes
        self.failures += session.failures


def run(plan: Plan) -> Part:
    """Run the controls, then sessions for the rest of the plan's seconds, every kind of session once at the least."""
    ends = time.monotonic() + plan.seconds
    props = Props.made(plan.folder / "props")
    control = controls.run(plan, props)
    book = Book(failures=list(control.failures))
    kinds = ["settings", "users", "inside", "round"]
    if plan.seconds >= _LONG_S:
        run_session("memory", plan.folder / "memory", plan, props, 0.0, plan.seed, book)
    for number in itertools.count():
        left = ends - time.monotonic()
        to_do = max(len(kinds) - number, 1)
        if number >= len(kinds) and left < 30:
            break
        seconds = min(max(left / to_do, 0.0), _SESSION_S)
        kind = kinds[number % len(kinds)]
        folder = plan.folder / f"{number}-{kind}"
        run_session(kind, folder, plan, props, seconds, plan.seed + number, book)
    return Part(title=TITLE, figures={**control.figures, **figures(book)}, failures=[*book.failures, *leaks(book)])


def run_session(kind: str, folder: Path, plan: Plan, props: Props, seconds: float, seed: int, book: Book) -> None:
    """Start OBS and do the faults of one kind to it; begin anew with those that are left if OBS ends early."""
    ends = time.monotonic() + seconds
    todo: list[Fault] = []
    for attempt in range(_RESTARTS):
        own = folder / str(attempt)
        own.mkdir(parents=True)
        with prepared(kind, own, book) as (faults, environment):
            if not attempt:
                todo = random.Random(seed).sample(faults, len(faults))
            is_random = kind == "settings"
            session = None
            try:
                with stage(
                    own,
                    plan.display,
                    props,
                    seed + attempt,
                    clip=props.slow_clip if is_random else props.clip,
                    collections=other_collections(props) if kind == "users" else None,
                    environment=environment,
                    margin=SETTINGS_MARGIN if is_random else FEW_PIXELS,
                    levels=SETTINGS_LEVELS if is_random else LEVELS,
                ) as session:
                    perform(session, todo, faults, ends, book)
                return
            except ObsError as error:
                doing = session.doing if session is not None else "the start"
                book.failures.append(f"{kind}: OBS ended or hung during: {doing}. {error}")
                for file in own.glob("*.mkv"):
                    if session is not None:
                        book.recorded.add(session.search(file))
            finally:
                if session is not None:
                    book.close(session)
                clear(own)
        if not todo:
            return


def perform(session: Stage, todo: list[Fault], faults: Sequence[Fault], ends: float, book: Book) -> None:
    """Do every fault in `todo`, taking it off, then any of `faults` until the time is over."""
    session.patience_s = min(max((ends - time.monotonic()) / 8, 4.0), 25.0)
    session.expect_person()
    session.start_recording()
    weights = [fault.weight for fault in faults]
    while todo or time.monotonic() < ends:
        fault = todo.pop(0) if todo else session.random.choices(faults, weights)[0]
        session.mark(fault.name)
        fault.act(session)
        session.look()
        if fault.name != SETTINGS:
            session.expect_person()
    session.doing = "the end of the recording"
    book.recorded.add(session.stop_recording())
    if soak_faults.ROUND[0] in faults:
        session.mark("canvas and frame rate changed")
        soak_faults.other_video(session)
        session.obs.wait_frames(5)
        session.expect_person()
        session.start_recording()
        session.obs.wait_frames(20)
        session.look()
        book.recorded.add(session.stop_recording())
    session.doing = "everything, when OBS was closed"


def other_collections(props: Props) -> dict[str, Beside]:
    """Return the collections to switch to: with the script and, like one that was removed, without."""
    sources = cameras(props.clip)
    return {
        "Other": Beside(sources, [(SCRIPT, {}), (SABOTEUR, {})]),
        "Without": Beside(sources, [(SABOTEUR, {})]),
    }


@contextlib.contextmanager
def prepared(kind: str, folder: Path, book: Book) -> Iterator[tuple[list[Fault], Mapping[str, str]]]:
    """Give the faults of a session and the environment they need; what this machine cannot do is noted."""
    if kind == "settings":
        yield [Fault(SETTINGS, soak_faults.random_settings)], {}
    elif kind == "users":
        yield list(soak_faults.USERS), {}
    elif kind == "inside":
        yield list(soak_faults.INSIDE), {}
    elif kind == "memory":
        yield list(soak_faults.EVERY_ALLOCATION), {}
    else:
        faults, environment = list(soak_faults.ROUND), {}
        offset = folder / "clock.offset"
        soak_faults.write_offset(offset, 0)
        library = build_clock(folder)
        if library is None:
            book.notes["system clock moved"] = "not done: there is no C compiler (cc) for soak_clock.c"
        else:
            environment = {"LD_PRELOAD": str(library), "EOAM_SOAK_CLOCK": str(offset)}
            faults.append(Fault("system clock moved", soak_faults.move_clock(offset)))
        with small_disk(folder / "home") as reason:
            if reason:
                book.notes["disk full"] = f"not done: {reason}"
            else:
                faults.append(Fault("disk full", soak_faults.full_disk(folder / "home")))
            yield faults, environment


def build_clock(folder: Path) -> Path | None:
    """Compile soak_clock.c; None if this machine has no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_CLOCK_SOURCE), "-ldl"], check=True)
    return library


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[str]:
    """Mount a small disk in memory at `place`; gives "" or why that cannot be done."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK},mode=0700", "soak", str(place)]
    if os.geteuid() != 0:
        yield "only root may mount a small disk"
        return
    if shutil.which("mount") is None:
        yield "there is no program mount"
        return
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stderr.strip() or "mount failed"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def clear(folder: Path) -> None:
    """Delete recordings; pictures of leaks and the logs stay."""
    for file in folder.glob("*.mkv"):
        file.unlink()


def figures(book: Book) -> dict[str, str | int | float]:
    """Return the report's figures."""
    recorded, screenshots = book.recorded, book.screenshots
    found: dict[str, str | int | float] = {
        "OBS sessions": book.sessions,
        "frames recorded and searched": recorded.frames,
        "of these with the person": recorded.with_person,
        "**frames with room pixels**": len(recorded.leaks),
        "screenshots searched, with their hidden colours": screenshots.frames,
        "**screenshots with room pixels**": len(screenshots.leaks),
        "faults injected": sum(book.counts.values()),
    }
    found |= {f"fault: {name}": count for name, count in sorted(book.counts.items())}
    for name, text in sorted(book.notes.items()):
        if name.startswith("MemoryErrors, "):
            found[f"{name}, different places"] = len(text.split("; "))
        else:
            found[name] = text
    return found


def leaks(book: Book) -> list[str]:
    """Return a sentence for every kind of leak."""
    sentences = []
    for where, found in (("recorded frames", book.recorded), ("screenshots", book.screenshots)):
        for during, count in Counter(leak.during for leak in found.leaks).most_common():
            worst = max((leak for leak in found.leaks if leak.during == during), key=lambda leak: leak.room)
            sentences.append(
                f"The room in {count} {where} during: {during}; at most {worst.room} pixels (number {worst.number}), "
                f"red and blue {worst.strongest} levels apart"
            )
    if not book.recorded.with_person:
        sentences.append("The person was in no recorded frame: nothing was tested")
    return sentences
