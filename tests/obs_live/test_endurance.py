"""The short versions of endurance.py, hammer.py and starts.py of tools/soak, and what they judge by.

Slow: these are three soak tests in their shortest useful form.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.obs_driver import clips
from tools.obs_driver.session import Ended
from tools.soak import endurance, hammer, starts
from tools.soak.report import Plan
from tools.soak.starts import Run
from tools.soak.trend import Trend, trend

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


def sawtooth(seconds: float, mb_per_hour: float, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return times and megabytes: a line under teeth of up to 20 MB."""
    times = np.arange(0.0, seconds, 10.0)
    teeth = np.random.default_rng(seed).uniform(0, 20, len(times)) ** 1.5 / 4.5
    return times, 280 + times / 3600 * mb_per_hour + teeth


@pytest.mark.parametrize("slope", [0.0, 2.0, 30.0, -5.0])
def test_a_slope_is_found_under_a_sawtooth(slope: float) -> None:
    found = trend(*sawtooth(3600, slope))
    assert found.low <= slope <= found.high
    assert found.per_hour == pytest.approx(slope, abs=1.5)
    assert found.high - found.low < 6


def test_a_few_odd_samples_do_not_make_a_slope() -> None:
    times, values = sawtooth(3600, 0.0)
    values[-15:-10] += 500  # a moment in which something large was there
    assert trend(times, values).per_hour == pytest.approx(0, abs=1.5)


def test_too_few_samples_are_no_trend() -> None:
    with pytest.raises(ValueError, match="need 4"):
        trend([0, 1, 2], [5, 5, 5])


def test_what_grows_is_told_only_by_a_run_that_is_long_enough() -> None:
    growing = Trend(2.5, 1.5, 3.5)
    assert not endurance.grows(growing, 600)
    assert endurance.grows(growing, 3600)
    assert not endurance.grows(Trend(1.1, 0.9, 1.3), 3600)


def test_memory_that_grows_is_a_failure() -> None:
    times, resident = sawtooth(3600, 40.0)
    flat = {"heap_mb": resident * 0 + 80, "python_blocks": resident * 0, "libobs_allocations": resident * 0}
    failures: list[str] = []
    endurance.slopes({"at_s": times, "resident_mb": resident, **flat}, failures)
    assert len(failures) == 1
    assert failures[0].startswith("resident memory grows by +")


def test_caches_that_fill_at_first_are_no_leak() -> None:
    times, resident = sawtooth(3600, 0.0)
    resident -= 60 * np.exp(-times / 60)
    flat = {"heap_mb": resident, "python_blocks": resident * 0, "libobs_allocations": resident * 0}
    failures: list[str] = []
    endurance.slopes({"at_s": times, "resident_mb": resident, **flat}, failures)
    assert failures == []


def test_threads_files_and_masks_of_three_filters(display: str, tmp_path: Path) -> None:
    part = endurance.run(Plan(display=display, folder=tmp_path, seconds=33.0, seed=0))
    assert not part.failures, part


def test_another_script_and_four_programs_do_not_lock_obs_up(display: str, tmp_path: Path) -> None:
    part = hammer.run(Plan(display=display, folder=tmp_path, seconds=20.0, seed=random.randrange(10_000)))
    assert not part.failures, part


@pytest.mark.parametrize("moment", ["loading", "reload"])
def test_obs_ends_in_the_middle_of_something(display: str, tmp_path: Path, moment: str) -> None:
    clip = tmp_path / "person.mkv"
    clips.write_video(clip, clips.astronaut_frames(320, 180, 60), 30)
    folder = tmp_path / "obs"
    folder.mkdir()
    done = starts.once(display, folder, clip, moment, random.Random(1))
    assert done.problems() == [], (done, done.ended.output[-3000:])


def test_an_end_that_is_not_clean_is_found() -> None:
    def problems(*ended: int | None, cores: int = 0, left: int = 0) -> list[str]:
        return Run("later", 1.0, 1.0, Ended(ended[0], ended[1], ""), cores, left).problems()

    assert problems(0, 0) == []
    assert problems(-11, None, cores=1) == ["exit code -11", "a core dump"]
    assert problems(None, None) == ["did not end within 30 s"]
    assert problems(0, 3) == ["3 memory leaks"]
    assert problems(0, 0, left=1) == ["1 processes left behind"]


@pytest.mark.parametrize(
    "cleared", ["info: All scene data cleared", "error: Not all sources were cleared when clearing scene data:"]
)
def test_only_the_two_faults_of_obs_itself_are_told_apart_from_an_end_that_is_not_clean(cleared: str) -> None:
    began = "info: OBS 32.2.2.1-1 (linux)\ndebug: source 'camera' (image_source) created\n"
    began += "".join(f"debug: source '{name}' (scene) created\n" for name in ("Scene", "it's"))
    down = "info: ==== Shutting down ====\n"
    stops = "info: [obs-websocket] [obs_module_unload] Shutting down...\n"
    one, both = "debug: source 'it's' destroyed\n", "debug: source 'it's' destroyed\ndebug: source 'Scene' destroyed\n"
    cleared += "\n"
    exit_of_obs = Ended(-11, None, f"{down}{stops}")
    assert exit_of_obs.fault_of_obs
    assert not exit_of_obs.is_clean
    assert Run("later", 1.0, 1.0, exit_of_obs, 1, 0).problems() == []
    assert Run("later", 1.0, 1.0, exit_of_obs, 1, 1).problems() == ["1 processes left behind"]
    assert Ended(0, 3, f"{began}{down}{one}{cleared}").fault_of_obs
    assert Ended(-11, None, f"{began}{down}{one}{cleared}debug: source 'Scene' destroyed\n").fault_of_obs
    for ours in (
        Ended(-6, None, f"{down}{stops}"),
        Ended(-11, None, f"{down}{stops}info: anything\n"),
        Ended(-11, None, f"{began}{down}"),
        Ended(-11, None, f"{began}{down}{one}"),
        Ended(0, 1, f"{began}{down}{both}{cleared}"),  # a camera that we did not give back
        Ended(0, 1, f"{began}{one}{down}debug: source 'Scene' destroyed\n{cleared}"),
        Ended(None, None, f"{began}{down}{one}{cleared}"),
        Ended(0, 0, f"{began}{down}{one}{cleared}"),
        Ended(0, 3, f"{began}{down}{one}{cleared}".replace("OBS 32", "OBS 30")),
    ):
        assert not ours.fault_of_obs, ours


def test_a_process_that_is_left_behind_is_counted() -> None:
    with subprocess.Popen(["sleep", "30"], env={"PATH": "/usr/bin:/bin", "EOAM_SOAK_STARTS": "this one"}) as process:
        try:
            environment = Path(f"/proc/{process.pid}/environ")
            while b"this one" not in environment.read_bytes():  # it is there once the program has begun
                assert process.poll() is None
            assert starts.left_behind("this one") == 1
        finally:
            process.kill()
    assert starts.left_behind("this one") == 0
