from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from eoam_core.bench import SIZES, as_mapping, as_table, cpu_name, measure
from eoam_core.settings import Settings


def test_every_stage_is_measured_at_every_size(network: Path) -> None:
    ticks = count()
    rounds: list[None] = []
    results = measure(
        network, frames=3, settings=Settings(), clock=lambda: next(ticks) * 0.001, on_frame=lambda: rounds.append(None)
    )
    stages = ["inference", "cleanup", "smoothing", "pipeline", "shrink", "compose"]
    assert [(r.width, r.height, r.stage) for r in results] == [(*size, stage) for size in SIZES for stage in stages]
    medians = {r.stage: r.median_ms for r in results if r.width == 256}
    assert medians == pytest.approx(
        {"inference": 1, "cleanup": 1, "smoothing": 1, "pipeline": 3, "shrink": 1, "compose": 1}
    )
    assert len(rounds) >= 3


def test_the_table_and_the_mapping_hold_every_row(network: Path) -> None:
    results = measure(network, frames=1, settings=Settings())
    assert as_table(results).count("\n") == 2 + len(results)
    assert as_mapping(results)[0]["stage"] == "inference"


def test_no_frames_are_refused(network: Path) -> None:
    with pytest.raises(ValueError, match="frames is 0"):
        measure(network, frames=0, settings=Settings())


def test_the_processor_has_a_name() -> None:
    assert cpu_name()
