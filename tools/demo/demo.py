"""Run the filter in a real OBS on a moving picture, take pictures and measure; without OBS, show the core's result."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.demo import without_obs
from tools.demo.picture import share_of, write
from tools.obs_driver import clips
from tools.obs_driver.clips import Picture
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    REPOSITORY,
    SCENE,
    Collection,
    Ended,
    ObsError,
    ObsSession,
    chosen_display,
    colour_entry,
    filter_entry,
    missing_programs,
    video_entry,
)

CANVAS: Final = (1280, 720)
FPS: Final = 30
BACKGROUND: Final = 0xFFB0603A  # opaque, then blue, green, red


@dataclass(frozen=True)
class Load:
    """OBS's own rendering figures over some seconds."""

    render_ms: float
    rendered: int
    skipped: int


def main() -> int:
    """Return 0 if a person was cut out, 1 if not or if OBS failed."""
    options = _parse()
    if options.input is not None and not options.input.is_file():
        print(f"{options.input} is not a file.", file=sys.stderr)
        return 2
    if options.keep and not os.environ.get("DISPLAY"):
        print("--keep needs a display; DISPLAY is not set.", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    lacking = _lacking()
    if lacking:
        print(f"{lacking} So this shows the same clip through the filter's core, without OBS.")
        return without_obs.show(options.input, options.out, size=CANVAS)
    try:
        with chosen_display(options.keep) as display, tempfile.TemporaryDirectory(prefix="eoam-demo-") as folder:
            return _demonstrate(options, display, Path(folder))
    except ObsError as error:
        print(f"OBS: {error}", file=sys.stderr)
        return 1


def _lacking() -> str:
    """Return one sentence on why the filter is not shown in OBS and what is missing, or ""."""
    if sys.platform != "linux":
        return "Only Linux can drive an OBS unseen: here, run install.py and add the filter in your own OBS."
    missing = missing_programs()
    if missing:
        packages = " ".join({"obs": "obs-studio", "Xvfb": "xvfb"}[program] for program in missing)
        return f"Not installed: {packages}; `sudo apt-get install {packages}` on Debian and Ubuntu."
    return ""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Show the filter at work in a real OBS, or without one what it does."
    )
    parser.add_argument("--input", type=Path, metavar="FILE", help="your own video instead of the made one")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out", metavar="FOLDER", help="default: out")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement (default: 5)")
    parser.add_argument("--keep", action="store_true", help="use the real display and leave OBS open")
    options = parser.parse_args()
    options.input = options.input.resolve() if options.input else None
    return options


def _demonstrate(options: argparse.Namespace, display: str, folder: Path) -> int:
    clip = options.input
    if clip is None:
        clip = folder / "astronaut.mkv"
        clips.write_video(clip, clips.astronaut_frames(*CANVAS, 120), FPS)
    sources = [colour_entry(BACKGROUND, *CANVAS), video_entry(clip, filter_entry())]
    obs = ObsSession(
        folder,
        display,
        {"Demo": Collection(sources, [(REPOSITORY / "obs_eoam.py", {})])},
        canvas=CANVAS,
        fps=FPS,
        environment={name: os.environ[name] for name in ("EOAM_MODEL",) if name in os.environ},
        software_rendering=not options.keep,
        preview=options.keep,
    )
    with obs:
        try:
            obs.wait_for_picture(lambda picture: share_of(picture) > 0, "a cut picture", timeout_s=30)
        except ObsError as error:
            print(f"The filter shows nothing ({error}). What it says:", file=sys.stderr)
            print("\n".join(line for line in obs.log.splitlines() if "[EOAM]" in line), file=sys.stderr)
            return 1
        version = obs.request("GetVersion")["obsVersion"]
        loads = _measure(obs, options.seconds)
        pictures = _take_pictures(obs)
        share = share_of(pictures[1])
        if options.keep:
            print("OBS stays open; close its window to end this.")
            obs.wait_until_closed()
        ended = obs.end()
    write(options.out, *pictures)
    _report(version, loads, share, ended)
    print(f"pictures:           {options.out}/demo.png, demo_source.png, demo_scene.png")
    if not 0.02 < share < 0.98:
        print("The picture is empty or whole: nobody was cut out.", file=sys.stderr)
        return 1
    if not ended.is_clean and not options.keep:
        print(
            f"OBS ended with exit code {ended.exit_code} and {ended.leaks} memory leaks. Its log ends:", file=sys.stderr
        )
        print("\n".join(ended.output.splitlines()[-30:]), file=sys.stderr)
        return 1
    return 0


def _measure(obs: ObsSession, seconds: float) -> dict[bool, list[Load]]:
    """Let OBS run with the filter, without, and again, so that other load affects both."""
    loads: dict[bool, list[Load]] = {True: [], False: []}
    for enabled in (True, False, True, False):
        obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=enabled)
        obs.wait_frames(45)  # OBS averages over the last second
        before = obs.request("GetStats")
        times = []
        for _ in range(max(round(seconds), 1)):
            obs.wait_frames(FPS)
            stats = obs.request("GetStats")
            times.append(float(stats["averageFrameRenderTime"]))
        loads[enabled].append(
            Load(
                render_ms=statistics.median(times),
                rendered=int(stats["renderTotalFrames"] - before["renderTotalFrames"]),
                skipped=int(stats["renderSkippedFrames"] - before["renderSkippedFrames"]),
            )
        )
    return loads


def _take_pictures(obs: ObsSession) -> tuple[Picture, Picture, Picture]:
    """Return the original, the cut source and the scene, of one and the same frame of the clip: (h, w, 4) uint8."""
    obs.request("TriggerMediaInputAction", inputName=CAMERA, mediaAction="OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PAUSE")
    obs.wait_frames(10)
    original = obs.screenshot()
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=True)
    obs.wait_frames(20)
    pictures = original, obs.screenshot(), obs.screenshot(SCENE)
    obs.request("TriggerMediaInputAction", inputName=CAMERA, mediaAction="OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PLAY")
    return pictures


def _report(version: str, loads: dict[bool, list[Load]], share: float, ended: Ended) -> None:
    said = re.findall(r"masks_per_s=([\d.]+) ms_per_mask=([\d.]+)", ended.output)
    renderer = re.search(r"Loading up OpenGL on adapter (.*)", ended.output)
    with_filter, without = (statistics.median(load.render_ms for load in loads[on]) for on in (True, False))
    print(f"OBS:                {version}, {renderer[1] if renderer else 'unknown renderer'}")
    print(f"processor:          {_processor()}, {os.cpu_count()} threads")
    if said:
        print(f"one mask:           {said[-1][1]} ms on the worker (network, clean-up, smoothing)")
        total, late = (sum(getattr(load, key) for load in loads[True]) for key in ("rendered", "skipped"))
        drawn = FPS * (1 - late / max(total, 1))
        print(f"masks:              {said[-1][0]} per second, while OBS drew {drawn:.1f} of {FPS} frames per second")
    print(
        f"OBS's frame:        {with_filter:.2f} ms with the filter, {without:.2f} ms without: "
        f"{with_filter - without:+.2f} ms (averageFrameRenderTime)"
    )
    for enabled, name in ((True, "with the filter"), (False, "without")):
        rendered, skipped = (sum(getattr(load, key) for load in loads[enabled]) for key in ("rendered", "skipped"))
        print(f"frames skipped:     {skipped} of {rendered} {name}")
    print(f"opaque:             {100 * share:.0f} % of the picture")
    print(f"OBS ended with:     exit code {ended.exit_code}, {ended.leaks} memory leaks")


def _processor() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        if found:
            return found[1]
    return platform.machine()
