"""scripts/bench obs: that its figures are there and fit together. How large they are is no matter of a test.

Slow: it runs the benchmark once with each of its filters.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tools.bench import obs
from tools.bench.obs import Bench, Case, variants
from tools.bench.tables import COST, INSIDE, Column, Run, as_tables
from tools.obs_driver.load import (
    Load,
    Profiled,
    Thread,
    Tick,
    Usage,
    graphics_thread,
    load_between,
    parse_callbacks,
    parse_profiler,
)
from tools.obs_driver.session import ObsError

PROFILER = """info: == Profiler Results =============================
info: run_program_init: 1534.7 ms
info: obs_graphics_thread(33.3333 ms): min=0.12 ms, median=2.881 ms, max=60.1 ms, 99th percentile=9.5 ms, 99.8764% below
info:  ┣tick_sources: min=0 ms, median=0.002 ms, max=0.9 ms, 99th percentile=1e-02 ms
info:  ┗output_frame: min=0.1 ms, median=1 ms, max=2 ms, 99th percentile=1.5 ms
info: == Profiler Time Between Calls ==================
info: obs_graphics_thread(33.3333 ms): min=33 ms, median=33.3 ms, max=34 ms, 84% within ±2% of 33.333 ms
""".replace(" ms", "\u00a0ms")  # as OBS writes it


def _thread(name: str, cpu_s: float, began: int = 0) -> Thread:
    return Thread(name, began, cpu_s)


def _run(*, cpu: float = 0.5, ticks: tuple[Tick, ...] = (), lagged: int = 0) -> Run:
    return Run(
        load=Load(seconds=10, cpu=cpu, graphics=0.1, llvmpipe=0.2, worker=0.05, rest=cpu - 0.35),
        frames=300,
        lagged=lagged,
        render_ms=5.0,
        resident_mb=200.0,
        growth_mb=0.0,
        loop=None,
        ticks=ticks,
        first_picture_s=None,
        masks_per_s=None,
        mask_ms=None,
        obs_version="30.0.0",
        renderer="llvmpipe",
    )


def test_the_profiler_is_read_from_its_results_only() -> None:
    share: Any = pytest.approx(0.998764)
    assert parse_profiler(PROFILER, "obs_graphics_thread") == Profiled(2.881, 9.5, share)
    assert parse_profiler(PROFILER, "tick_sources") == Profiled(0.002, 0.01, None)
    assert parse_profiler(PROFILER, "render_video") is None
    assert parse_profiler("OBS was killed", "obs_graphics_thread") is None


def test_callbacks_are_summed_by_frame_and_other_threads_and_times_left_out() -> None:
    lines = [
        "7 100 1000 900000 500000 100000 200000",  # two callbacks of one frame
        "7 100 1500 100000 0 0 100000",
        "7 200 2000 2000000 1500000 0 500000",
        "8 200 2000 900000 0 0 0",  # a screenshot, drawn by another thread
        "7 300 9999 900000 0 0 0",  # after the measurement
        "7 400 3000 90",  # cut off
    ]
    assert parse_callbacks(lines, 7, 1000, 9999) == [
        Tick(python_ms=0.3, lock_ms=0.1, libobs_ms=0.5, stalled_ms=0.1),
        Tick(python_ms=0.5, lock_ms=0, libobs_ms=1.5, stalled_ms=0),
    ]


def test_a_filters_own_threads_are_told_from_obs_although_they_inherit_its_names() -> None:
    before = Usage(0, 1.0, 100.0, {5: _thread("libobs: graphic", 0.5, began=30), 6: _thread("llvmpipe-0", 0.1)})
    first = Usage(0, 1.0, 100.0, {**before.threads, 3: _thread("libobs: graphic", 0.2, began=90)})
    last = Usage(
        2_000_000_000,
        4.0,
        100.0,
        {
            5: _thread("libobs: graphic", 1.5, began=30),
            6: _thread("llvmpipe-0", 0.7),
            3: _thread("libobs: graphic", 0.6, began=90),
            9: _thread("late", 0.2, began=99),
        },
    )
    assert graphics_thread(last.threads) == 5
    load = load_between(first, last, before=before)
    assert (load.cpu, load.graphics, load.llvmpipe, load.worker) == pytest.approx((1.5, 0.5, 0.3, 0.3))
    assert load.graphics + load.llvmpipe + load.worker + load.rest == pytest.approx(load.cpu)


def test_a_process_without_a_graphics_thread_is_no_obs() -> None:
    with pytest.raises(ValueError, match="this is no OBS"):
        graphics_thread({1: _thread("python", 1.0)})


def test_lagged_frames_do_not_make_the_others_look_cheap() -> None:
    assert _run().outside_gl_ms == pytest.approx(10.0)
    assert _run(lagged=150).outside_gl_ms == pytest.approx(20.0)


def test_tables_give_medians_ranges_and_what_was_added() -> None:
    tick = Tick(python_ms=0.25, lock_ms=0.05, libobs_ms=3.0, stalled_ms=0.0)
    cost, added, inside = as_tables(
        {"without": [_run(cpu=0.5)] * 3, "ours": [_run(cpu=cpu, ticks=(tick,) * 300) for cpu in (0.7, 0.6, 0.9)]}
    ).split("\n\n")[::2]
    assert "| ours | 0.70 (0.60 to 0.90) | 16.67 (13.33 to 23.33) |" in cost
    assert "| ours | +0.20 | +6.67 |" in added
    assert "| ours | 0.250 (0.250 to 0.250) |" in inside
    assert "without" not in inside


def test_a_variant_that_never_ran_leaves_dashes() -> None:
    cost, *_ = as_tables({"without": [_run()], "ours": []}).split("\n\n")
    assert cost.splitlines()[-1] == "| ours |" + " - |" * len(COST)


@pytest.mark.parametrize("name", ["720", "720p", "p30", "720p0", "720p30-slow", "10p30", "720p1000", ""])
def test_a_case_that_is_none_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is no case"):
        Case.parse(name)


def test_cases_are_wide_pictures_with_even_sides() -> None:
    assert Case.parse("1080p60") == Case("1080p60", 1920, 1080, 60, still=False)
    assert Case.parse("361p30-still") == Case("361p30-still", 640, 360, 30, still=True)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--filter", "color_filter={"], "the settings of --filter color_filter are no JSON"),
        (["--filter", "color_filter=3"], "need ID or ID=JSON"),
        (["--filter", "={}"], "need ID or ID=JSON"),
        (["--ours", "{"], "--ours { is no JSON"),
        (["--ours", "{}"], "need settings as JSON"),
        (["--ours", '{"detail": "coarse"}'], "detail is 'coarse', need one of 'normal', 'fine', 'finest'"),
        (["--plugin", "no/such/folder"], "there is no no/such/folder"),
        (["--seconds", "0"], "--seconds is 0"),
        (["--repeat", "0"], "--repeat 0"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_obs_starts(
    option: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", *option])
    with pytest.raises(SystemExit) as error:
        obs.main()
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_a_run_in_obs_gives_figures_that_fit_together(display: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, display, seconds=2)
    case = Case.parse("360p30")
    results = {variant.name: [bench.run(case, variant)] for variant in variants({}, [])}
    for runs in results.values():
        load = runs[0].load
        assert load.seconds >= 2
        assert load.cpu == pytest.approx(load.graphics + load.llvmpipe + load.worker + load.rest)
        assert min(load.graphics, load.llvmpipe) > 0
        assert runs[0].frames > 0
        assert all(math.isfinite(value) for value in _values(COST, runs[0]))
        assert len(_values(COST, runs[0])) == len(COST)
    without, empty, ours = (runs[0] for runs in results.values())
    assert not _values(INSIDE, without)
    assert ours.load.worker > 0
    assert ours.masks_per_s
    assert ours.first_picture_s
    if bench.sees_inside:
        for run in (empty, ours):
            assert 0 < len(run.ticks) <= run.frames + 2
            assert all(min(tick.python_ms, tick.libobs_ms) > 0 and tick.lock_ms >= 0 for tick in run.ticks)
            assert run.callback_share is not None
            assert 0 < run.callback_share < 100
    text = as_tables(results)
    assert "nan" not in text
    assert "| **EOAM** |" in text


def test_a_filter_that_obs_does_not_know_is_an_error(display: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path, display, seconds=1)
    named = variants({"no_such_filter": {}}, [])[-1]
    with pytest.raises(ObsError, match="no_such_filter"):
        bench.run(Case.parse("360p30"), named)


def test_ours_can_be_compared_with_other_settings_of_its_own() -> None:
    usual, fine = variants({}, [], [{"detail": "fine", "model": "eoam_plus"}])[2:]
    assert (usual.kind, usual.scripts) == (fine.kind, fine.scripts)
    assert not usual.settings
    assert fine.settings == {"detail": "fine", "model": "eoam_plus"}
    assert fine.name == "**EOAM** detail fine, model eoam_plus"


def test_an_obs_filter_can_be_compared_with_its_settings_and_beside_plugins(display: str, tmp_path: Path) -> None:
    (tmp_path / "plugin" / "bin" / "64bit").mkdir(parents=True)
    bench = Bench(tmp_path, display, seconds=1, plugins=[tmp_path / "plugin"])
    named = variants({"color_filter_v2": {"opacity": 0.5}}, [])[-1]
    run = bench.run(Case.parse("360p30-still"), named)
    assert run.frames > 0
    assert not run.ticks


def _values(columns: tuple[Column, ...], run: Run) -> list[float]:
    return [value for value in (column.value(run) for column in columns) if value is not None]
