"""Run the filter in a real OBS for a long time and print what its memory does, as Markdown.

    scripts/bench soak --minutes 60 --fps 60

A person moves in 640x360, so that every frame is inferred. Memory is OBS's resident set; its trend is the slope of a
line through the samples after the first fifth, in which OBS, the driver and the decoder still fill their caches.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import clips
import numpy as np
from obs_load import read_usage
from obs_session import Collection, ObsSession, filter_entry, video_entry, virtual_display

WIDTH, HEIGHT = 640, 360
CLIP_S = 4
SAMPLES = 60


def soak(minutes: float, fps: int) -> int:
    """Run and print; return 0 if OBS ended cleanly."""
    script = Path(__file__).resolve().parent.parent / "obs_eoam.py"
    with tempfile.TemporaryDirectory() as name, virtual_display() as display:
        clip = Path(name) / "clip.mkv"
        clips.write_video(clip, clips.astronaut_frames(WIDTH, HEIGHT, fps * CLIP_S), fps)
        collection = Collection([video_entry(clip, filter_entry())], [(script, {})])
        with ObsSession(Path(name), display, {"Soak": collection}, canvas=(WIDTH, HEIGHT), fps=fps) as obs:
            times, resident = sample(obs, minutes)
            stats = obs.request("GetStats")
            ended = obs.end()
    settled = times > times[-1] / 5
    slope = float(np.polyfit(times[settled] / 60, resident[settled], 1)[0])
    print(f"### {minutes:g} minutes at {fps} frames per second, {WIDTH}x{HEIGHT}\n")
    print("| minute | resident, MB |\n| ---: | ---: |")
    for moment, megabytes in list(zip(times, resident, strict=True))[:: max(1, len(times) // 12)]:
        print(f"| {moment / 60:.1f} | {megabytes:.1f} |")
    print(
        f"\nTrend {slope * 60:+.2f} MB per hour; {stats['renderTotalFrames']} frames, {stats['renderSkippedFrames']} "
        f"lagged; exit code {ended.exit_code}, memory leaks {ended.leaks}."
    )
    return 0 if ended.is_clean else 1


def sample(obs: ObsSession, minutes: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the times in seconds and OBS's resident memory in MB, (n,) each."""
    began = time.monotonic()
    times, resident = [], []
    while (passed := time.monotonic() - began) < minutes * 60:
        times.append(passed)
        resident.append(read_usage(obs.process_id).resident_mb)
        time.sleep(minutes * 60 / SAMPLES)
    return np.array(times), np.array(resident)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--fps", type=int, default=60)
    args = parser.parse_args()
    if not 0.2 <= args.minutes <= 10_000:
        print(f"scripts/bench soak: --minutes is {args.minutes:g}, need 0.2 to 10000", file=sys.stderr)
        return 2
    return soak(args.minutes, args.fps)


if __name__ == "__main__":
    raise SystemExit(main())
