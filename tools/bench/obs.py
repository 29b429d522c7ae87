"""Measure in a real OBS what the filter adds to a scene, beside no filter, an empty one and others, for scripts/bench.

One run is one OBS: a scene with one picture, the filter added while OBS runs, some seconds of sampling, a clean end.
The runs of a case take turns (without, empty, ours, without, ...), so that other load affects all alike; the tables
give medians and ranges over the turns.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from eoam_cli.bench import cpu_name
from eoam_core.settings import Settings
from tools.bench import tables
from tools.bench.tables import Run
from tools.obs_driver import clips, load
from tools.obs_driver.session import (
    CAMERA,
    FILTER,
    FILTER_ID,
    REPOSITORY,
    Collection,
    Json,
    ObsError,
    ObsSession,
    chosen_display,
    image_entry,
    video_entry,
)

CASES: Final = "720p30,1080p30,1080p60,720p30-still"
_EMPTY_SCRIPT: Final = REPOSITORY / "tools" / "bench" / "bench_empty_filter.py"
_OWN_SCRIPT: Final = REPOSITORY / "obs_eoam.py"
_CLIP_S: Final = 4
_WARM_UP_S: Final = 2
_BROKEN: Final = re.compile(r"\[EOAM\] (?:\w*_failed|filter_cannot_run|worker_died).*")
_SOFTWARE_NOTE: Final = (
    "OBS draws with Mesa's software renderer here: **what a GPU would do appears as CPU**, in the renderer's own "
    "threads (*software GL*), in the frame time and in the lagged frames. *CPU outside software "
    "GL* leaves the renderer's own threads out; it is nearest to what a machine with a GPU would see."
)


@dataclass(frozen=True)
class Case:
    """One case: a canvas, its frames per second, and whether the picture stands still."""

    name: str
    width: int
    height: int
    fps: int
    still: bool

    @classmethod
    def parse(cls, name: str) -> Case:
        """Read a name such as 720p30 or 1080p60-still.

        Raises:
            ValueError: it is none.
        """
        found = re.fullmatch(r"(\d+)p(\d+)(-still)?", name)
        if not found or int(found[1]) < 90 or not 1 <= int(found[2]) <= 240:
            raise ValueError(f"{name!r} is no case; write rows, p, frames per second, such as 720p30 or 720p30-still")
        height = int(found[1]) // 2 * 2  # video has even sides
        return cls(name, round(height * 8 / 9) * 2, height, int(found[2]), bool(found[3]))


@dataclass(frozen=True)
class Variant:
    """One filter to compare; without a `kind` no filter."""

    name: str
    kind: str = ""
    settings: Json = field(default_factory=dict)
    scripts: Sequence[Path] = ()
    fails_closed: bool = False  # shows nothing before its first mask, so that mask can be seen to come


class Bench:
    """Run one OBS after another on one display."""

    def __init__(
        self, folder: Path, display: str, *, seconds: float, plugins: Sequence[Path] = (), software: bool = True
    ) -> None:
        self._folder = folder
        self._display = display
        self._seconds = seconds
        self._plugins = plugins
        self._software = software
        self._clock = load.build_callback_clock(folder)
        self._count = 0

    @property
    def sees_inside(self) -> bool:
        """Whether the callbacks can be measured: that needs a C compiler."""
        return self._clock is not None

    def run(self, case: Case, variant: Variant) -> Run:
        """Start OBS, add the filter, measure, end OBS.

        Raises:
            ObsError: OBS failed or does not know the filter, or the filter says that it does not work.
        """
        self._count += 1
        folder = self._folder / f"run{self._count}"
        for plugin in self._plugins:
            shutil.copytree(plugin, folder / "home" / ".config" / "obs-studio" / "plugins" / plugin.name)
        folder.mkdir(exist_ok=True)
        callbacks = folder / "callbacks.txt"
        environment = {name: os.environ[name] for name in ("EOAM_MODEL",) if name in os.environ}
        if self._clock is not None:
            environment |= {load.CALLBACK_LOG: str(callbacks), "LD_PRELOAD": str(self._clock)}
        collection = Collection([self._picture(case)], [(script, {}) for script in variant.scripts])
        session = ObsSession(
            folder,
            self._display,
            {"Bench": collection},
            canvas=(case.width, case.height),
            fps=case.fps,
            environment=environment,
            software_rendering=self._software,
        )
        with session as obs:
            # Where Linux shares the processor among sessions, other work must not take half of it; needs root.
            with contextlib.suppress(OSError):
                Path(f"/proc/{obs.process_id}/autogroup").write_text("-10")
            obs.wait(lambda: obs.source_size()[0] > 0, "the picture's size")
            before = load.read_usage(obs.process_id)
            first_picture_s = _add_filter(obs, variant)
            obs.wait_frames(case.fps * _WARM_UP_S)
            first, last, stats, sizes = self._sample(obs)
            version = str(obs.request("GetVersion")["obsVersion"])
            ended = obs.end()
        broken = _BROKEN.search(ended.output)
        if broken:
            raise ObsError(f"{variant.name}: {broken[0]}")
        renderer = re.search(r"Loading up OpenGL on adapter (.*)", ended.output)
        said = re.findall(r"masks_per_s=([\d.]+) ms_per_mask=([\d.]+)", ended.output)
        thread = load.graphics_thread(last.threads)
        lines = callbacks.read_text().splitlines() if callbacks.exists() else []
        shutil.rmtree(folder)
        return Run(
            load=load.load_between(first, last, before=before),
            frames=int(stats[-1]["renderTotalFrames"] - stats[0]["renderTotalFrames"]),
            lagged=int(stats[-1]["renderSkippedFrames"] - stats[0]["renderSkippedFrames"]),
            render_ms=statistics.median(float(answer["averageFrameRenderTime"]) for answer in stats),
            resident_mb=statistics.median(sizes),
            growth_mb=sizes[-1] - sizes[0],
            loop=load.parse_profiler(ended.output, "obs_graphics_thread"),
            ticks=load.parse_callbacks(lines, thread, first.at_ns, last.at_ns) if variant.kind else [],
            first_picture_s=first_picture_s,
            masks_per_s=float(said[-1][0]) if said else None,
            mask_ms=float(said[-1][1]) if said else None,
            obs_version=version,
            renderer=renderer[1].strip() if renderer else "unknown renderer",
        )

    def _sample(self, obs: ObsSession) -> tuple[load.Usage, load.Usage, list[Json], list[float]]:
        """Let OBS run and sample it once a second; sampling costs OBS some time, too."""
        stats = [obs.request("GetStats")]
        first = last = load.read_usage(obs.process_id)
        sizes = [first.resident_mb]
        until = time.monotonic() + self._seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            last = load.read_usage(obs.process_id)
            stats.append(obs.request("GetStats"))
            sizes.append(last.resident_mb)
        return first, last, stats, sizes

    def _picture(self, case: Case) -> Json:
        """Describe the source of a case; its file is made once."""
        suffix = "png" if case.still else "mkv"
        file = self._folder / f"{case.name}.{suffix}"
        if not file.exists():
            frames = clips.astronaut_frames(case.width, case.height, case.fps * _CLIP_S)
            if case.still:
                cv2.imwrite(str(file), next(frames))
            else:
                clips.write_video(file, frames, case.fps)
        return image_entry(file) if case.still else video_entry(file)


def _add_filter(obs: ObsSession, variant: Variant) -> float | None:
    """Add the filter as a user would; return the seconds to its first picture, if measurable."""
    if not variant.kind:
        return None
    started = time.monotonic()
    obs.request(
        "CreateSourceFilter",
        sourceName=CAMERA,
        filterName=FILTER,
        filterKind=variant.kind,
        filterSettings=variant.settings,
    )
    if not variant.fails_closed:
        return None
    obs.wait(lambda: _shows_something(obs), f"a picture by {variant.kind}", every_s=0.01)
    return time.monotonic() - started


def _shows_something(obs: ObsSession) -> bool:
    answer = obs.request("GetSourceScreenshot", sourceName=CAMERA, imageFormat="png", imageWidth=64, imageHeight=36)
    png = np.frombuffer(base64.b64decode(answer["imageData"].partition(",")[2]), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    return picture is not None and (picture.shape[2] == 3 or bool(picture[..., 3].any()))


def variants(filters: Mapping[str, Json], scripts: Sequence[Path], ours: Sequence[Json] = ()) -> list[Variant]:
    """List what is compared: no filter, the empty one, ours, ours otherwise set, and those the user named."""
    return [
        Variant("without"),
        Variant("empty Python filter", FILTER_ID, scripts=[_EMPTY_SCRIPT]),
        Variant("**EOAM**", FILTER_ID, scripts=[_OWN_SCRIPT], fails_closed=True),
        *(Variant(f"**EOAM** {_in_words(s)}", FILTER_ID, s, [_OWN_SCRIPT], fails_closed=True) for s in ours),
        *(Variant(f"`{kind}`", kind, settings, scripts) for kind, settings in filters.items()),
    ]


def _in_words(settings: Json) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def main() -> int:
    """Return 0, or 1 if a run failed; what could be measured is printed all the same."""
    options = _parse()
    compared = variants(options.filters, options.script, options.ours)
    failures: list[str] = []
    with chosen_display(options.gpu) as display, tempfile.TemporaryDirectory(prefix="eoam-bench-") as folder:
        bench = Bench(Path(folder), display, seconds=options.seconds, plugins=options.plugin, software=not options.gpu)
        for case in options.cases:
            results: dict[str, list[Run]] = {variant.name: [] for variant in compared}
            for turn in range(options.repeat):
                for variant in compared:
                    sys.stderr.write(f"{case.name}, turn {turn + 1} of {options.repeat}: {variant.name}\n")
                    try:
                        results[variant.name].append(bench.run(case, variant))
                    except ObsError as error:
                        failures.append(f"{case.name}, {variant.name}: {error}")
                        sys.stderr.write(f"failed: {error}\n")
            _print_case(case, results, options)
        if not bench.sees_inside:
            print("The callbacks were not measured inside: that needs a C compiler (`cc`) on this machine.\n")
    for failure in failures:
        print(f"Failed: {failure}\n")
    return 1 if failures else 0


def _print_case(case: Case, results: Mapping[str, Sequence[Run]], options: argparse.Namespace) -> None:
    run = next((run for runs in results.values() for run in runs), None)
    if run is None:
        return
    shown = "a picture that stands still" if case.still else "a moving video"
    print(f"### In OBS: {case.width}x{case.height} at {case.fps} frames per second, {shown}\n")
    print(
        f"{cpu_name()}, {os.cpu_count()} threads; OBS {run.obs_version}; {run.renderer}; "
        f"{options.seconds:g} s x {options.repeat} in turns, medians (ranges)."
    )
    print(("" if options.gpu else f"{_SOFTWARE_NOTE}\n") + "\n" + tables.as_tables(results) + "\n", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench obs", description="Measure in a real OBS what the filter adds to a scene. Prints Markdown."
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="ID[=JSON]",
        help="another filter to compare with, and its settings; may be repeated",
    )
    parser.add_argument(
        "--ours",
        action="append",
        default=[],
        metavar="JSON",
        help='EOAM with other settings as well, such as {"detail":"fine"}; may be repeated',
    )
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a plugin that brings such a filter, a folder with bin/64bit and data; may be repeated",
    )
    parser.add_argument(
        "--script", action="append", default=[], type=Path, metavar="FILE", help="a script that does; may be repeated"
    )
    parser.add_argument("--cases", default=CASES, metavar="LIST", help=f"rows, p, frames per second ({CASES})")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="length of one measurement (10)")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns (3)")
    parser.add_argument("--gpu", action="store_true", help="draw on the real display, with its GPU")
    options = parser.parse_args()
    try:
        options.cases = [Case.parse(name) for name in options.cases.split(",")]
        options.filters = dict(_filter_option(text) for text in options.filter)
        options.ours = [_own_settings(text) for text in options.ours]
    except ValueError as error:
        parser.error(str(error))
    for path in (*options.plugin, *options.script):
        if not path.exists():
            parser.error(f"there is no {path}")
    options.plugin = [path.resolve() for path in options.plugin]
    options.script = [path.resolve() for path in options.script]
    if options.seconds < 1 or options.repeat < 1:
        parser.error(f"--seconds is {options.seconds:g} and --repeat {options.repeat}; both need at least 1")
    if options.gpu and not os.environ.get("DISPLAY"):
        parser.error("--gpu needs a display; DISPLAY is not set")
    return options


def _own_settings(text: str) -> Json:
    """Read EOAM's settings as JSON."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--ours {text} is no JSON: {error}") from None
    if not isinstance(values, dict) or not values:
        raise ValueError(f'--ours {text!r}: need settings as JSON, such as {{"detail":"fine"}}')
    Settings.validated(**values)
    return values


def _filter_option(text: str) -> tuple[str, Json]:
    """Read ID or ID=JSON."""
    kind, _, settings = text.partition("=")
    try:
        values = json.loads(settings or "{}")
    except ValueError as error:
        raise ValueError(f"the settings of --filter {kind} are no JSON: {error}") from None
    if not kind or not isinstance(values, dict):
        raise ValueError(
            f'--filter {text!r}: need ID or ID=JSON, such as color_filter or color_filter={{"opacity":0.5}}'
        )
    return kind, values


if __name__ == "__main__":
    sys.exit(main())
