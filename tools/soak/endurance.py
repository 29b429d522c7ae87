"""Three filters in a real OBS at 60 frames a second, for as long as wanted: memory, threads, open files, late frames.

    scripts/bench soak --minutes 60

People move in three sources, so that every frame of each is inferred by the real network, and every filter has another
look: nothing behind the person; the blurred room; a colour, in low latency. Afterwards the filters
are removed, and threads and open files must be as many as after they were removed the first time, before all this.

Memory is measured in two ways: resident memory from the system, a sawtooth, and memory in use from inside
(soak_inside.py). trend.py computes the slopes. The first tenth is left out: OBS, the driver, the decoder and Python
fill their caches then, and a leak goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tools.obs_driver import clips
from tools.obs_driver.load import read_usage
from tools.obs_driver.session import (
    FILTER,
    FILTER_ID,
    REPOSITORY,
    Collection,
    ObsSession,
    colour_entry,
    video_entry,
    virtual_display,
)
from tools.soak.report import Part, Plan, report
from tools.soak.trend import Trend, trend

TITLE: Final = "Endurance: three filters at 60 frames a second"
WIDTH, HEIGHT, FPS = 320, 180, 60
CLIP_S: Final = 4
LIMIT_MB_PER_HOUR: Final = 1.0
# In less time a slope per hour is mostly noise, and OBS still fills its caches: it is given, and nothing follows.
CONCLUSIVE_S: Final = 30 * 60
_LOOKS: Final[Sequence[dict[str, Any]]] = (
    {},
    {"background": "blur"},
    {"background": "color", "timing": "low_latency"},
)
_INSIDE: Final = Path(__file__).resolve().parent / "soak_inside.py"
_POOLED: Final = "Thread (pooled)"
_GONE_S: Final = 15.0  # until what a removed filter had must be gone

Samples = dict[str, NDArray[np.float64]]


def run(plan: Plan) -> Part:
    """Run it for about the plan's seconds, a minute at the least kept for starting and ending."""
    seconds = max(plan.seconds - 25, 10.0)
    clip = plan.folder / "person.mkv"
    clips.write_video(clip, clips.astronaut_frames(WIDTH, HEIGHT, FPS * CLIP_S), FPS)
    cameras = [video_entry(clip, name=f"camera {number}") for number in range(len(_LOOKS))]
    collection = Collection(
        [colour_entry(0xFF00FF00, WIDTH, HEIGHT), *cameras], [(REPOSITORY / "obs_eoam.py", {}), (_INSIDE, {})]
    )
    inside = plan.folder / "inside.jsonl"
    period_s = min(max(seconds / 240, 0.5), 10.0)
    environment = {"EOAM_SOAK_INSIDE": str(inside), "EOAM_SOAK_PERIOD_S": f"{period_s}"}
    failures: list[str] = []
    with ObsSession(
        plan.folder, plan.display, {"Soak": collection}, canvas=(WIDTH, HEIGHT), fps=FPS, environment=environment
    ) as obs:
        untouched = handles(obs)
        add_filters(obs)
        obs.wait_frames(FPS * 2)
        remove_filters(obs)
        before = settled_handles(obs)
        add_filters(obs)
        obs.wait_frames(FPS)
        began = obs.request("GetStats")
        first_s = time.monotonic()
        obs.wait(lambda: time.monotonic() - first_s > seconds, "the end", timeout_s=seconds + 60, every_s=period_s)
        last_s = time.monotonic()
        ended = obs.request("GetStats")
        during = handles(obs)
        remove_filters(obs)
        after = settled_handles(obs, before)
        end = obs.end()
    frames = int(ended["renderTotalFrames"] - began["renderTotalFrames"])
    lagged = int(ended["renderSkippedFrames"] - began["renderSkippedFrames"])
    samples = read_inside(inside, first_s, last_s)
    figures: dict[str, str | int | float] = {
        "minutes": f"{(last_s - first_s) / 60:.1f}",
        "frames at 60 a second": frames,
        "late frames": f"{lagged} ({lagged / max(frames, 1):.2%})",
        "masks a second, all filters": f"{masks(end.output) / (last_s - first_s):.1f}",
    }
    figures |= slopes(samples, failures)
    figures["threads before the filters, with them, after"] = f"{before[0]}, {during[0]}, {after[0]}"
    figures["open files before the filters, with them, after"] = f"{before[1]}, {during[1]}, {after[1]}"
    figures["threads and open files before the very first filter"] = f"{untouched[0]}, {untouched[1]}"
    for name, first, last in zip(("threads", "open files"), before, after, strict=True):
        if last > first:
            failures.append(f"{last} {name} are left after the filters were removed; before they were there: {first}")
    figures["exit code, memory leaks"] = f"{end.exit_code}, {end.leaks}"
    if not end.is_clean:
        failures.append(f"OBS ended with exit code {end.exit_code} and {end.leaks} memory leaks")
    if masks(end.output) < frames * 0.1:
        failures.append(f"only {masks(end.output)} masks in {frames} frames: the filters hardly ran")
    return Part(title=TITLE, figures=figures, failures=failures)


def add_filters(obs: ObsSession) -> None:
    """Put a filter on every camera."""
    for number, look in enumerate(_LOOKS):
        obs.request(
            "CreateSourceFilter",
            sourceName=f"camera {number}",
            filterName=FILTER,
            filterKind=FILTER_ID,
            filterSettings=look,
        )


def remove_filters(obs: ObsSession) -> None:
    """Take them away again."""
    for number in range(len(_LOOKS)):
        obs.request("RemoveSourceFilter", sourceName=f"camera {number}", filterName=FILTER)


def handles(obs: ObsSession) -> tuple[int, int]:
    """Return how many threads and how many open files OBS has, without those of Qt's pool.

    The pool serves obs-websocket: its threads come with requests and go when there are none for half a minute, and each
    holds one file open, its event loop's.
    """
    names = [thread.name for thread in read_usage(obs.process_id).threads.values()]
    pooled = names.count(_POOLED)
    return len(names) - pooled, len(os.listdir(f"/proc/{obs.process_id}/fd")) - pooled


def settled_handles(obs: ObsSession, wanted: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the handles once they stay the same for two seconds, or are no more than wanted."""
    give_up = time.monotonic() + _GONE_S
    last, since = handles(obs), time.monotonic()
    while time.monotonic() < give_up:
        time.sleep(0.2)
        now = handles(obs)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 2 if wanted is None else max(np.subtract(now, wanted)) <= 0:
            break
    return last


def read_inside(file: Path, first_s: float, last_s: float) -> Samples:
    """Return what soak_inside.py has written between two moments, (n,) each.

    Raises:
        ValueError: that is nothing.
    """
    lines = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    lines = [line for line in lines if first_s <= line["at_s"] <= last_s]
    if not lines:
        raise ValueError(f"{file} has no line of these {last_s - first_s:.0f} s")
    return {name: np.array([line[name] for line in lines], float) for name in lines[0] if name != "said"}


def slopes(samples: Samples, failures: list[str]) -> dict[str, str | int | float]:
    """Return the figures of memory; what grows too much goes to `failures`."""
    figures: dict[str, str | int | float] = {}
    for key, name, unit in (
        ("resident_mb", "resident memory", "MB"),
        ("heap_mb", "memory in use", "MB"),
        ("python_blocks", "blocks of Python", "blocks"),
        ("libobs_allocations", "allocations of libobs", "allocations"),
    ):
        times, values = samples["at_s"], samples[key]
        digits = 1 if unit == "MB" else 0
        thirds = [values[part].min() for part in np.array_split(np.arange(len(values)), 3)]
        figures[f"{name}, least in each third"] = ", ".join(f"{least:.{digits}f}" for least in thirds) + f" {unit}"
        later = times - times[0] >= (times[-1] - times[0]) / 10
        found = trend(times[later], values[later])
        figures[f"{name}, slope"] = found.text(unit)
        if unit == "MB" and grows(found, times[-1] - times[0]):
            failures.append(f"{name} grows by {found.text(unit)}; the limit is {LIMIT_MB_PER_HOUR:g} MB an hour")
    return figures


def grows(found: Trend, seconds: float) -> bool:
    """Whether memory is shown to grow faster than allowed, as far as a run of this length can tell."""
    return seconds >= CONCLUSIVE_S and found.low > LIMIT_MB_PER_HOUR


def masks(output: str) -> int:
    """Return the masks that the filters which ran last made, from the lines they write when they stop."""
    lines = [line for line in output.splitlines() if "filter_stopped" in line]
    return sum(int(line.partition(" masks=")[2].split()[0]) for line in lines[-len(_LOOKS) :])


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the samples and OBS's log here")
    args = parser.parse_args()
    if not 0.2 <= args.minutes <= 10_000:
        print(f"scripts/bench soak: --minutes is {args.minutes:g}, need 0.2 to 10000", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name, virtual_display() as display:
        folder = (args.keep or Path(name)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        part = run(Plan(display=display, folder=folder, seconds=args.minutes * 60 + 25, seed=0))
    print(report([part]))
    return 1 if part.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
