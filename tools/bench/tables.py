"""Hold the cost of one run of OBS, and make the tables of scripts/bench from many runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tools.obs_driver.load import Load, Profiled, Tick


@dataclass(frozen=True, kw_only=True)
class Run:
    """The cost of one OBS run."""

    load: Load
    frames: int
    lagged: int
    render_ms: float
    resident_mb: float
    growth_mb: float
    loop: Profiled | None
    ticks: Sequence[Tick]
    first_picture_s: float | None
    masks_per_s: float | None
    mask_ms: float | None
    obs_version: str
    renderer: str

    @property
    def outside_gl_ms(self) -> float:
        """CPU time per frame that was really rendered (OBS counts the lagged ones, too), without software GL."""
        spent_s = (self.load.cpu - self.load.llvmpipe) * self.load.seconds
        return 1e3 * spent_s / max(self.frames - self.lagged, 1)

    def of_ticks(self, part: Callable[[Tick], float], percentile: float) -> float | None:
        """Return a percentile of a part of the ticks, in milliseconds."""
        return float(np.percentile([part(tick) for tick in self.ticks], percentile)) if self.ticks else None

    @property
    def callback_share(self) -> float | None:
        """Per cent of the time that the graphics thread was inside Python callbacks."""
        if not self.ticks:
            return None
        return 100 * sum(tick.total_ms for tick in self.ticks) / 1e3 / self.load.seconds


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, its value in a run, how many decimals."""

    title: str
    value: Callable[[Run], float | None]
    decimals: int


def _of_ticks(title: str, part: Callable[[Tick], float], decimals: int) -> tuple[Column, Column]:
    return (
        Column(f"{title}, ms, median", lambda run: run.of_ticks(part, 50), decimals),
        Column("99th", lambda run: run.of_ticks(part, 99), decimals),
    )


COST: Final = (
    Column("CPU, cores", lambda run: run.load.cpu, 2),
    Column("CPU outside software GL, ms per frame", lambda run: run.outside_gl_ms, 2),
    Column("graphics thread, cores", lambda run: run.load.graphics, 3),
    Column("filter's own threads, cores", lambda run: run.load.worker, 3),
    Column("other threads, cores", lambda run: run.load.rest, 3),
    Column("software GL, cores", lambda run: run.load.llvmpipe, 2),
    Column("average render time, ms", lambda run: run.render_ms, 2),
    Column("frame loop, ms, median", lambda run: run.loop.median_ms if run.loop else None, 2),
    Column("99th", lambda run: run.loop.p99_ms if run.loop else None, 1),
    Column("frames", lambda run: run.frames, 0),
    Column("lagged", lambda run: run.lagged, 0),
    Column("resident, MB", lambda run: run.resident_mb, 0),
    Column("grown by, MB", lambda run: run.growth_mb, 1),
)
INSIDE: Final = (
    *_of_ticks("Python", lambda tick: tick.python_ms, 3),
    *_of_ticks("waiting for Python's lock", lambda tick: tick.lock_ms, 3),
    *_of_ticks("both", lambda tick: tick.python_ms + tick.lock_ms, 3),
    *_of_ticks("waiting for a processor", lambda tick: tick.stalled_ms, 3),
    *_of_ticks("libobs and GL", lambda tick: tick.libobs_ms, 2),
    Column("share of the time, %", lambda run: run.callback_share, 1),
    Column("masks per s", lambda run: run.masks_per_s, 1),
    Column("ms per mask", lambda run: run.mask_ms, 2),
    Column("first picture after, s", lambda run: run.first_picture_s, 2),
)


def as_tables(results: Mapping[str, Sequence[Run]]) -> str:
    """Return one case's tables in Markdown: what each variant cost, what it added, what happened inside.

    `results` has the runs by the variant's name, the one without a filter first.
    """
    without = next(iter(results.values()))
    added = [column for column in COST if column.title not in ("frames", "grown by, MB")]
    inside = {name: runs for name, runs in results.items() if any(run.ticks or run.masks_per_s for run in runs)}
    parts = [_table(COST, results, _cell)]
    if without and len(results) > 1:
        others = dict(list(results.items())[1:])
        parts += [
            "Added to the scene without a filter (differences of the medians):",
            _table(added, others, lambda column, runs: _difference(column, runs, without)),
        ]
    if inside:
        parts += [
            "The callbacks on OBS's graphics thread, per frame, measured inside:",
            _table(INSIDE, inside, _cell),
        ]
    return "\n\n".join(parts)


def _table(
    columns: Sequence[Column],
    rows: Mapping[str, Sequence[Run]],
    cell: Callable[[Column, Sequence[Run]], str],
) -> str:
    lines = [
        "| filter | " + " | ".join(column.title for column in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    lines += [
        f"| {name} | " + " | ".join(cell(column, runs) for column in columns) + " |" for name, runs in rows.items()
    ]
    return "\n".join(lines)


def _values(column: Column, runs: Sequence[Run]) -> list[float]:
    return [value for value in (column.value(run) for run in runs) if value is not None]


def _cell(column: Column, runs: Sequence[Run]) -> str:
    values = _values(column, runs)
    if not values:
        return "-"
    text = f"{statistics.median(values):.{column.decimals}f}"
    if len(values) > 1:
        text += f" ({min(values):.{column.decimals}f} to {max(values):.{column.decimals}f})"
    return text


def _difference(column: Column, runs: Sequence[Run], without: Sequence[Run]) -> str:
    values, base = _values(column, runs), _values(column, without)
    if not values or not base:
        return "-"
    return f"{statistics.median(values) - statistics.median(base):+.{column.decimals}f}"
