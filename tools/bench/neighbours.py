"""Measure in a real OBS what another script's busy threads do to it, with and without the filter, for scripts/bench.

One OBS per frame rate: it goes through all combinations of the filter (on, off), the other script (busy, resting) and
Python's switch interval in turn, and again, so that whatever else the machine does hits all alike. OBS itself counts
the frames that it drew late; how many turns the busy threads made tells what a short interval costs them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final, NamedTuple

from tools.obs_driver import clips
from tools.obs_driver.probe import PROBE, Probe
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    REPOSITORY,
    Collection,
    ObsSession,
    Scripts,
    chosen_display,
    filter_entry,
    video_entry,
)

_BUSY: Final = REPOSITORY / "tools" / "obs_driver" / "busy_script.py"
_CANVAS: Final = (320, 180)
_SETTLE_S: Final = 1.0


class Combination(NamedTuple):
    """What is measured: whether the filter is on, whether the threads are busy, and the interval in milliseconds."""

    is_on: bool
    is_busy: bool
    interval_ms: float


class Span(NamedTuple):
    """One stretch: frames, those of them that were late, mean milliseconds to draw one, the busy threads' turns."""

    frames: int
    late: int
    render_ms: float
    turns_per_s: float


def measure(
    fps: int, intervals_ms: list[float], *, clip: Path, seconds: float, rounds: int, threads: int, display: str
) -> dict[Combination, list[Span]]:
    """Return the stretches of every combination, one for each round."""
    found: dict[Combination, list[Span]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts, rest = folder / "busy", folder / "busy.rest"
        environment = {
            "EOAM_PROBE": str(folder),
            "EOAM_BUSY_FILE": str(counts),
            "EOAM_BUSY_THREADS": str(threads),
        }
        scripts: Scripts = [(REPOSITORY / "obs_eoam.py", {}), (PROBE, {}), (_BUSY, {})]
        collection = Collection([video_entry(clip, filter_entry())], scripts)
        session = ObsSession(folder, display, {"Test": collection}, canvas=_CANVAS, fps=fps, environment=environment)
        with session as obs:
            probe = Probe(obs, folder)
            obs.wait(lambda: "filter_registered" in obs.log, "the filter")
            obs.wait_frames(3 * fps)
            for _, combination in itertools.product(range(rounds), _combinations(intervals_ms)):
                rest.unlink(missing_ok=True) if combination.is_busy else rest.touch()
                obs.request(
                    "SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=combination.is_on
                )
                probe("switch_interval", seconds=combination.interval_ms / 1000)
                time.sleep(_SETTLE_S)
                found[combination].append(_span(obs, counts, seconds))
            obs.end()
    return found


def _combinations(intervals_ms: list[float]) -> list[Combination]:
    return [
        Combination(is_on, is_busy, interval)
        for interval, is_busy, is_on in itertools.product(intervals_ms, (True, False), (True, False))
    ]


def _span(obs: ObsSession, counts: Path, seconds: float) -> Span:
    before, turns = obs.request("GetStats"), _turns(counts)
    began = time.monotonic()
    time.sleep(seconds)
    after, passed = obs.request("GetStats"), time.monotonic() - began
    return Span(
        frames=after["renderTotalFrames"] - before["renderTotalFrames"],
        late=after["renderSkippedFrames"] - before["renderSkippedFrames"],
        render_ms=after["averageFrameRenderTime"],
        turns_per_s=(_turns(counts) - turns) / passed,
    )


def _turns(counts: Path) -> int:
    return int(counts.read_text() or 0) if counts.exists() else 0


def as_table(found: dict[Combination, list[Span]]) -> str:
    """Return the figures as a Markdown table: sums of the frames, medians of the rest."""
    lines = [
        "| switch interval | other script | filter | late frames | ms to draw a frame | its turns a second |",
        "| ---: | --- | --- | ---: | ---: | ---: |",
    ]
    for combination, spans in found.items():
        late, frames = sum(span.late for span in spans), sum(span.frames for span in spans)
        render = statistics.median(span.render_ms for span in spans)
        turns = statistics.median(span.turns_per_s for span in spans)
        lines.append(
            f"| {combination.interval_ms:g} ms | {'busy' if combination.is_busy else 'resting'} "
            f"| {'on' if combination.is_on else 'off'} | {late} of {frames} ({late / max(frames, 1):.1%}) "
            f"| {render:.1f} | {turns:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, help="what is filtered; the astronaut, moving, unless given")
    parser.add_argument("--fps", type=int, nargs="+", default=[30, 60])
    parser.add_argument("--intervals", type=float, nargs="+", default=[5.0, 0.2], metavar="MS")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stretch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of the busy script")
    parser.add_argument("--json", type=Path, help="write every stretch there, too")
    options = parser.parse_args()
    with chosen_display(real=False) as display, tempfile.TemporaryDirectory() as name:
        clip = options.clip
        if clip is None:
            clip = Path(name) / "astronaut.mkv"
            clips.write_video(clip, clips.astronaut_frames(*_CANVAS, 120), 60)
        for fps in options.fps:
            found = measure(
                fps,
                options.intervals,
                clip=clip,
                seconds=options.seconds,
                rounds=options.rounds,
                threads=options.threads,
                display=display,
            )
            sys.stdout.write(f"\n{fps} frames a second, {options.threads} busy thread(s):\n\n{as_table(found)}")
            sys.stdout.flush()
            if options.json:
                rows = [{**key._asdict(), "spans": [span._asdict() for span in spans]} for key, spans in found.items()]
                options.json.with_stem(f"{options.json.stem}_{fps}").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
