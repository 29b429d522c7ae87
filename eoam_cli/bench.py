"""Measure the time of each stage of a frame, per input size, on one CPU thread and on two."""

from __future__ import annotations

import dataclasses
import itertools
import platform
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.compose import cut_out
from eoam_core.pictures.picture import fit_network
from eoam_core.pipeline import Pipeline, Timings
from eoam_core.segmenter import OnnxSegmenter
from eoam_core.settings import Settings

Bytes = NDArray[np.uint8]

# (width, height): 16:9 with every detail, 4:3, the paper's square, an upright phone
SIZES: Final = ((400, 224), (304, 176), (256, 144), (240, 176), (224, 224), (144, 256))
THREADS: Final = (1, 2)
_STAGES: Final = {field.name: field.name.removesuffix("_ms") for field in dataclasses.fields(Timings)}
_WARM_UP: Final = 20
_PICTURE_ROWS: Final = 720  # rows of the full-size picture, for the stages that only the command line has


@dataclass(frozen=True, kw_only=True, slots=True)
class StageTime:
    """One stage at one size on so many threads, in milliseconds: the median and the 95th percentile."""

    width: int
    height: int
    threads: int
    stage: str
    median_ms: float
    p95_ms: float


class _DrawnPerson:
    """A segmenter that runs the network but returns the mask of a drawn, moving person.

    The network's time does not depend on the picture, but the clean-up's does. In a drawn frame the network finds
    nobody, so the clean-up would be measured on an empty mask.
    """

    def __init__(self, inner: OnnxSegmenter) -> None:
        self._inner = inner
        self.height = inner.height
        self.width = inner.width
        self.name = inner.name
        self.masks = [_person(self.height, self.width, phase) for phase in range(30)]
        self.frames = [_frame(mask, seed) for seed, mask in enumerate(self.masks)]
        self._count = 0

    def segment(self, frame: Bytes) -> Bytes:
        self._inner.segment(frame)
        self._count += 1
        return self.masks[self._count % len(self.masks)]

    def close(self) -> None:
        self._inner.close()


def measure(
    model: Path,
    *,
    frames: int,
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
    on_frame: Callable[[], None] = lambda: None,
) -> tuple[StageTime, ...]:
    """Time every stage for `frames` frames at each of SIZES on each of THREADS.

    All are interleaved, so that a disturbance affects all alike. The stages are the fields of the pipeline's `Timings`,
    as inside OBS; `total` is the worker's whole work, from bytes to the final mask. `shrink` and `compose` process a
    full-size picture, 720 rows high: OBS does these on the GPU, the command line on the CPU.

    Raises:
        ModelError, InstallationError: see OnnxSegmenter.
        ValueError: frames is below 1.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}, need at least 1")
    times: dict[tuple[int, int, int, str], list[float]] = {}
    with ExitStack() as stack:
        candidates = []
        for (width, height), threads in itertools.product(SIZES, THREADS):
            person = _DrawnPerson(OnnxSegmenter(model, height=height, width=width, threads=threads))
            pipeline = stack.enter_context(Pipeline(person, settings, clock=clock))
            candidates.append((threads, person, pipeline, _enlarged(person.frames[0])))
        for number in range(_WARM_UP + frames):
            for threads, person, pipeline, picture in candidates:
                frame = person.frames[(number + 1) % len(person.frames)]
                matte = pipeline.process(frame, number)
                started = clock()
                fit_network(picture, height=person.height, width=person.width)
                shrunk = clock()
                cut_out(picture, matte.mask, settings)
                composed = clock()
                if number < _WARM_UP:
                    continue
                stages = {stage: getattr(matte.timings, name) for name, stage in _STAGES.items()}
                stages |= {"shrink": (shrunk - started) * 1e3, "compose": (composed - shrunk) * 1e3}
                for stage, milliseconds in stages.items():
                    times.setdefault((person.width, person.height, threads, stage), []).append(milliseconds)
            on_frame()
    return tuple(
        StageTime(
            width=width,
            height=height,
            threads=threads,
            stage=stage,
            median_ms=float(np.median(values)),
            p95_ms=float(np.percentile(values, 95)),
        )
        for (width, height, threads, stage), values in times.items()
    )


def as_table(results: tuple[StageTime, ...]) -> str:
    """Return the results as a Markdown table: a row per size and threads, a column per stage, "median (p95)".

    The last column before those of the command line is the worker's whole time in multiples of the inference.
    """
    rows: dict[tuple[int, int, int], dict[str, StageTime]] = {}
    for result in results:
        rows.setdefault((result.width, result.height, result.threads), {})[result.stage] = result
    stages = list(dict.fromkeys(result.stage for result in results))
    ratio = stages.index("total") + 1
    titles = [f"{stage}, ms" for stage in stages]
    titles.insert(ratio, "total / inference")
    lines = [f"| input | threads | {' | '.join(titles)} |", "| --- |" + " ---: |" * (len(titles) + 1)]
    for (width, height, threads), row in rows.items():
        cells = [f"{row[stage].median_ms:.3f} ({row[stage].p95_ms:.3f})" for stage in stages]
        cells.insert(ratio, f"{row['total'].median_ms / max(row['inference'].median_ms, 1e-9):.2f}")
        lines.append(f"| {width}x{height} | {threads} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def as_mapping(results: tuple[StageTime, ...]) -> list[dict[str, object]]:
    """Return the results as JSON-compatible values."""
    return [dataclasses.asdict(result) for result in results]


def cpu_name() -> str:
    """Return the processor's name from the system, or its architecture."""
    try:
        if platform.system() == "Linux":
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        if platform.system() == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def _person(height: int, width: int, phase: int) -> Bytes:
    """Draw swaying head and shoulders, soft-edged like a network's mask: (h, w) uint8."""
    mask = np.zeros((height, width), np.uint8)
    x = width // 2 + round(6 * np.sin(phase / 30 * 2 * np.pi))
    cv2.circle(mask, (x, height * 2 // 5), height // 6, 255, -1)
    cv2.ellipse(mask, (x, height), (height * 2 // 5, height * 2 // 5), 0, 0, 360, 255, -1)
    cv2.circle(mask, (width // 10, height // 5), height // 20, 200, -1)  # for the clean-up to remove
    cv2.circle(mask, (x, height * 4 // 5), height // 20, 0, -1)  # and to fill
    return cv2.GaussianBlur(mask, (0, 0), 2)  # type: ignore[return-value]


def _frame(mask: Bytes, seed: int) -> Bytes:
    """Make a picture that matches a mask, with camera noise: (h, w, 4) uint8."""
    noise = np.random.default_rng(seed).normal(0, 1.5, (*mask.shape, 4))
    frame = np.clip(60 + mask[..., np.newaxis] / 2 + noise, 0, 255).astype(np.uint8)
    frame[..., 3] = 255
    return frame


def _enlarged(frame: Bytes) -> Bytes:
    width = round(frame.shape[1] / frame.shape[0] * _PICTURE_ROWS)
    return cv2.resize(frame, (width, _PICTURE_ROWS))  # type: ignore[return-value]
