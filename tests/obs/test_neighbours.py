"""Beside another script with a thread that computes in Python all the time: OBS draws its frames in time, with us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clips
import pytest
from obs_helpers import PROBE, SCRIPT, Probe, Starter, crash_report, is_drawn
from obs_session import CAMERA, FILTER, ObsSession, filter_entry, video_entry

from eoam_obs.process_settings import SWITCH_INTERVAL_S

BUSY = Path(__file__).parent / "busy_script.py"
CANVAS = (320, 180)
SPAN_FRAMES = 120
MOST_ROUNDS = 12
MORE = 0.01  # of the frames


@pytest.fixture(scope="module", params=[30, 60])
def obs(
    request: pytest.FixtureRequest, start_obs: Starter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObsSession]:
    folder = tmp_path_factory.mktemp("busy")
    clip = folder / "clip.mkv"
    clips.write_video(clip, clips.astronaut_frames(*CANVAS, 60), 30)
    session = start_obs(
        {"Test": [video_entry(clip, filter_entry())]},
        scripts={"Test": [(SCRIPT, {}), (PROBE, {}), (BUSY, {})]},
        environment={"EOAM_BUSY_FILE": str(folder / "turns")},
        canvas=CANVAS,
        fps=request.param,
    )
    session.wait_for_picture(is_drawn, "the person")
    session.wait((folder / "turns").exists, "the first turns of the busy thread")
    yield session
    ended = session.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, session)


def _late(obs: ObsSession, *, enabled: bool) -> tuple[int, int]:
    """Return (late frames, frames) of a stretch with the filter on or off."""
    obs.request("SetSourceFilterEnabled", sourceName=CAMERA, filterName=FILTER, filterEnabled=enabled)
    obs.wait_frames(10)
    before = obs.request("GetStats")
    obs.wait_frames(SPAN_FRAMES)
    after = obs.request("GetStats")
    late, frames = (after[name] - before[name] for name in ("renderSkippedFrames", "renderTotalFrames"))
    return late, frames


def test_no_more_frames_are_late_than_without_the_filter(obs: ObsSession) -> None:
    # In turns, and summed up: what else the machine does makes frames late with the filter and without it. A machine
    # that is busy at one moment only gets more rounds; a filter that makes frames late does so in every round.
    with_filter, without = [0, 0], [0, 0]
    seen = []
    for _ in range(MOST_ROUNDS):
        for sums, enabled in ((with_filter, True), (without, False)):
            late, frames = _late(obs, enabled=enabled)
            sums[0] += late
            sums[1] += frames
        seen.append((tuple(with_filter), tuple(without)))
        if with_filter[0] / with_filter[1] <= without[0] / without[1] + MORE:
            return
    pytest.fail(f"late frames and frames, with and without the filter: {seen}")


def test_what_is_changed_for_all_scripts_is_put_back(obs: ObsSession) -> None:
    probe = Probe(obs, obs.folder)
    interval, threads = probe("python_settings")
    assert interval == pytest.approx(SWITCH_INTERVAL_S)
    assert threads == 1
    probe("unload")
    assert probe("python_settings")[0] == pytest.approx(0.005)
    probe("load")
    assert probe("python_settings")[0] == pytest.approx(SWITCH_INTERVAL_S)
