"""Read what a running OBS costs: the processor's time by thread, memory, OBS's profiler, the callbacks from inside.

Linux only. The callbacks' times come from callback_clock.c, a library that is put in front of OBS's Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLOCK_SOURCE: Final = Path(__file__).resolve().parent / "callback_clock.c"
CALLBACK_LOG: Final = "EOAM_CALLBACK_LOG"  # callback_clock.c reads it
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_GRAPHICS: Final = "libobs: graphic"  # 15 characters are all that Linux keeps of a thread's name
_PROFILED: Final = re.compile(
    r"median=(?P<median>[\d.e-]+) ms, max=[\d.e-]+ ms, 99th percentile=(?P<p99>[\d.e-]+) ms"
    r"(?:, (?P<below>[\d.]+)% below)?"
)


@dataclass(frozen=True)
class Thread:
    """One thread: its name, when it began in clock ticks since the system's start, its seconds on a processor."""

    name: str
    began: int
    cpu_s: float


@dataclass(frozen=True)
class Usage:
    """What a process has used so far, at `at_ns` of CLOCK_MONOTONIC."""

    at_ns: int
    cpu_s: float
    resident_mb: float
    threads: Mapping[int, Thread]


@dataclass(frozen=True)
class Load:
    """Cores that a process kept busy, and whose work that was; the four parts add up to `cpu`.

    `llvmpipe` is Mesa's software renderer, the work of a GPU. `worker` are threads that were started since the filter
    was added. `rest` holds the decoder, the window, audio and threads that have ended.
    """

    seconds: float
    cpu: float
    graphics: float
    llvmpipe: float
    worker: float
    rest: float


@dataclass(frozen=True)
class Profiled:
    """One line of OBS's profiler, in milliseconds, and the share of the calls that kept within a frame's time."""

    median_ms: float
    p99_ms: float
    in_time: float | None


@dataclass(frozen=True)
class Tick:
    """What Python callbacks did to the graphics thread in one frame of OBS, in milliseconds."""

    python_ms: float  # on a processor
    lock_ms: float  # waiting for Python's lock
    libobs_ms: float  # libobs and GL, called from Python with the lock dropped
    stalled_ms: float  # in Python, but waiting for a processor

    @property
    def total_ms(self) -> float:
        """What the callbacks held the graphics thread up."""
        return self.python_ms + self.lock_ms + self.libobs_ms + self.stalled_ms


def read_usage(process_id: int) -> Usage:
    """Return what a process has used.

    Raises:
        OSError: there is no such process.
    """
    process = Path(f"/proc/{process_id}")
    threads = {}
    for folder in (process / "task").iterdir():
        try:
            name, fields = _stat(folder)
            on_cpu = int((folder / "schedstat").read_text().split()[0]) / 1e9  # finer than the ticks in stat
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        threads[int(folder.name)] = Thread(name, int(fields[19]), on_cpu)
    at = time.monotonic_ns()
    _, fields = _stat(process)
    pages = int((process / "statm").read_text().split()[1])
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return Usage(at, cpu_s, pages * _PAGE_BYTES / 2**20, threads)


def _stat(folder: Path) -> tuple[str, list[str]]:
    """Return the name and the fields of proc(5)'s stat from the third on."""
    before, _, after = (folder / "stat").read_text().rpartition(")")
    return before.partition("(")[2], after.split()


def graphics_thread(threads: Mapping[int, Thread]) -> int:
    """Return the number of OBS's graphics thread: the oldest one of that name, since threads inherit names.

    Raises:
        ValueError: this is no OBS.
    """
    candidates = [number for number, thread in threads.items() if thread.name.startswith(_GRAPHICS)]
    if not candidates:
        raise ValueError(f"no thread is called {_GRAPHICS!r}; this is no OBS")
    return min(candidates, key=lambda number: threads[number].began)


def load_between(first: Usage, last: Usage, *, before: Usage) -> Load:
    """Return what was used between two moments; `before` is one before the filter was there.

    Names would not tell a filter's worker: up to Python 3.13 it inherits that of the thread that drew first.
    """
    graphics = graphics_thread(last.threads)
    spent = dict.fromkeys(("graphics", "llvmpipe", "worker"), 0.0)
    for number, thread in last.threads.items():
        seconds = thread.cpu_s - (first.threads[number].cpu_s if number in first.threads else 0.0)
        if number == graphics:
            spent["graphics"] += seconds
        elif thread.name.startswith("llvmpipe"):
            spent["llvmpipe"] += seconds
        elif number not in before.threads:
            spent["worker"] += seconds
    seconds = (last.at_ns - first.at_ns) / 1e9
    cpu = last.cpu_s - first.cpu_s
    cores = {name: value / seconds for name, value in spent.items()}
    return Load(seconds=seconds, cpu=cpu / seconds, rest=cpu / seconds - sum(cores.values()), **cores)


def parse_profiler(output: str, name: str) -> Profiled | None:
    """Return one line of the profiler's results, which OBS prints when it ends; None if it is not there."""
    results = output.partition("== Profiler Results ==")[2].partition("== Profiler Time Between Calls")[0]
    for line in results.replace("\u00a0", " ").splitlines():  # a no-break space stands before "ms"
        if re.search(rf"(?:^|\W){re.escape(name)}(?:\([\d.]+ ms\))?: ", line):
            found = _PROFILED.search(line)
            if found:
                below = found["below"]
                return Profiled(float(found["median"]), float(found["p99"]), float(below) / 100 if below else None)
    return None


def build_callback_clock(folder: Path) -> Path | None:
    """Compile callback_clock.c into `folder`; None if this machine has no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "callback_clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(CLOCK_SOURCE), "-ldl"], check=True)
    return library


def parse_callbacks(lines: Iterable[str], thread: int, since_ns: int, until_ns: int) -> list[Tick]:
    """Return the ticks of one thread that began within a span of CLOCK_MONOTONIC, several callbacks of a tick summed.

    A line that was cut off when OBS ended is left out.
    """
    ticks: dict[int, list[int]] = {}
    for line in lines:
        numbers = [int(word) for word in line.split()]
        if len(numbers) != 7:
            continue
        number, frame, started, whole, dropped, waited, ran = numbers
        if number == thread and since_ns <= started < until_ns:
            sums = ticks.setdefault(frame, [0, 0, 0, 0])
            for place, value in enumerate((ran, waited, dropped, whole - ran - waited - dropped)):
                sums[place] += value
    return [Tick(*(value / 1e6 for value in sums)) for sums in ticks.values()]
