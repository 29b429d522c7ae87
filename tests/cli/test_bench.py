from __future__ import annotations

import dataclasses
import itertools
from itertools import count
from pathlib import Path

import pytest

from eoam_cli.bench import SIZES, THREADS, StageTime, as_mapping, as_table, cpu_name, measure
from eoam_core.pipeline import Timings
from eoam_core.settings import Settings

PIPELINE = [field.name.removesuffix("_ms") for field in dataclasses.fields(Timings)]


def test_every_stage_is_measured_at_every_size_on_one_thread_and_two(network: Path, brief_warm_up: int) -> None:
    ticks = count()
    rounds: list[None] = []
    results = measure(
        network, frames=3, settings=Settings(), clock=lambda: next(ticks) * 0.001, on_frame=lambda: rounds.append(None)
    )
    stages = [*PIPELINE, "shrink", "compose"]
    expected = [(*size, threads, stage) for size, threads, stage in itertools.product(SIZES, THREADS, stages)]
    assert [(r.width, r.height, r.threads, r.stage) for r in results] == expected
    for r in results:
        assert r.median_ms == pytest.approx(len(PIPELINE) - 1 if r.stage == "total" else 1), r
    assert len(rounds) == brief_warm_up + 3


def test_the_table_has_a_row_per_size_and_threads_and_says_what_clean_up_adds() -> None:
    def stage(name: str, median_ms: float) -> StageTime:
        return StageTime(width=256, height=144, threads=2, stage=name, median_ms=median_ms, p95_ms=9)

    table = as_table((stage("inference", 2.0), stage("cleanup", 0.5), stage("total", 2.5), stage("shrink", 1.0)))
    assert table.splitlines() == [
        "| input | threads | inference, ms | cleanup, ms | total, ms | total / inference | shrink, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 256x144 | 2 | 2.000 (9.000) | 0.500 (9.000) | 2.500 (9.000) | 1.25 | 1.000 (9.000) |",
    ]


@pytest.mark.usefixtures("brief_warm_up")
def test_the_table_and_the_mapping_hold_every_result(network: Path) -> None:
    results = measure(network, frames=1, settings=Settings())
    assert as_table(results).count("\n") == 2 + len(SIZES) * len(THREADS)
    assert len(as_mapping(results)) == len(results)
    assert as_mapping(results)[0]["stage"] == "inference"


def test_no_frames_are_refused(network: Path) -> None:
    with pytest.raises(ValueError, match="frames is 0"):
        measure(network, frames=0, settings=Settings())


def test_the_processor_has_a_name() -> None:
    assert cpu_name()
