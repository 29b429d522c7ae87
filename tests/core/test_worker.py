from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from eoam_core.errors import ModelError
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Holes, Settings
from eoam_core.worker import Fetched, Worker

from .doubles import FailingSegmenter, GatedSegmenter, RedSegmenter, frame_with_person

LONG = 60.0  # seconds; only a failing test waits for so long


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does; LONG, where it never does."""
    give_up = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.001)


@pytest.fixture
def segmenter() -> GatedSegmenter:
    return GatedSegmenter()


@pytest.fixture
def worker(segmenter: GatedSegmenter) -> Iterator[Worker]:
    with Worker(Pipeline(segmenter)) as worker:
        yield worker
        segmenter.leave.release(100)


def _bad_frame() -> np.ndarray:
    frame = frame_with_person()
    frame[0, 0, 0] = 1
    return frame


def test_a_submitted_frame_becomes_the_latest_matte() -> None:
    with Worker(Pipeline(RedSegmenter())) as worker:
        assert worker.latest() is None
        worker.submit(frame_with_person(), 5)
        matte = worker.wait(5, LONG)
        assert matte is not None
        assert matte.sequence == 5
        assert worker.latest() is matte
        assert (worker.frames, worker.dropped, worker.error, worker.alive) == (1, 0, None, True)


def test_the_newest_frame_wins(worker: Worker, segmenter: GatedSegmenter) -> None:
    worker.submit(frame_with_person(), 1)
    assert segmenter.begun.acquire(timeout=LONG)
    for sequence in (2, 3, 4):
        worker.submit(frame_with_person(), sequence)  # does not wait: the first frame is still in work
    assert worker.latest() is None
    segmenter.leave.release(2)
    matte = worker.wait(4, LONG)
    assert matte is not None
    assert matte.sequence == 4
    assert (worker.frames, worker.dropped) == (2, 2)


def test_reset_throws_away_the_frame_in_work_and_the_waiting_one(worker: Worker, segmenter: GatedSegmenter) -> None:
    worker.submit(frame_with_person(), 1)
    assert segmenter.begun.acquire(timeout=LONG)
    worker.submit(frame_with_person(), 2)
    worker.reset()
    segmenter.leave.release(2)
    assert worker.wait(1, LONG) is None
    assert worker.latest() is None
    worker.submit(frame_with_person(), 3)
    matte = worker.wait(3, LONG)
    assert matte is not None
    assert (matte.sequence, worker.frames) == (3, 2)


def test_reset_forgets_the_latest_matte_and_the_smoothing() -> None:
    with Worker(Pipeline(RedSegmenter(), Settings(smoothing=0.95, region_share=0, holes=Holes.OPEN))) as worker:
        frame = np.full_like(frame_with_person(), 100)
        worker.submit(frame, 1)
        worker.wait(1, LONG)
        worker.reset()
        assert worker.latest() is None
        other = frame.copy()
        other[..., 2] = 104  # so little that smoothing would hold on to the old mask
        worker.submit(other, 2)
        matte = worker.wait(2, LONG)
        assert matte is not None
        assert matte.mask[0, 0] == 104


def test_a_failed_frame_leaves_no_matte_and_the_next_one_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    error = ModelError("no mask")
    with caplog.at_level(logging.ERROR, "eoam"), Worker(Pipeline(FailingSegmenter(error))) as worker:
        worker.submit(frame_with_person(), 1)
        assert worker.wait(1, LONG) is not None
        for sequence in (2, 3):
            worker.submit(_bad_frame(), sequence)
            assert worker.wait(sequence, LONG) is None
        assert worker.latest() is None
        assert worker.error is error
        assert worker.alive
        worker.submit(frame_with_person(), 4)
        assert worker.wait(4, LONG) is not None
        assert worker.error is None
        assert worker.frames == 2
    assert [record.getMessage() for record in caplog.records] == [f"frame_failed sequence=2 error={error!r}"]


def test_a_frame_of_another_size_fails_closed() -> None:
    with Worker(Pipeline(RedSegmenter())) as worker:
        worker.submit(frame_with_person(), 1)
        worker.wait(1, LONG)
        worker.submit(np.zeros((16, 16, 4), np.uint8), 2)
        assert worker.wait(2, LONG) is None
        assert isinstance(worker.error, ValueError)
        assert worker.latest() is None


def test_a_worker_that_dies_leaves_no_matte_and_closes_the_pipeline(caplog: pytest.LogCaptureFixture) -> None:
    segmenter = FailingSegmenter(SystemExit())
    with Worker(Pipeline(segmenter)) as worker:
        worker.submit(frame_with_person(), 1)
        worker.wait(1, LONG)
        worker.submit(_bad_frame(), 2)
        worker.wait(2, LONG)
        assert worker.latest() is None
        assert isinstance(worker.error, SystemExit)
        assert not worker.alive
        worker.submit(frame_with_person(), 3)  # ignored
    assert segmenter.closed == 1
    assert "worker_died" in caplog.text


def test_settings_act_from_the_next_frame_on() -> None:
    frame = frame_with_person()
    frame[:4, :4, 2] = 255
    with Worker(Pipeline(RedSegmenter(), Settings(smoothing=0))) as worker:
        worker.submit(frame, 1)
        first = worker.wait(1, LONG)
        worker.update_settings(Settings(smoothing=0, region_share=0))
        worker.submit(frame, 2)
        second = worker.wait(2, LONG)
        assert first is not None
        assert second is not None
        assert (first.mask[0, 0], second.mask[0, 0]) == (0, 255)


def test_closing_is_final_and_may_be_repeated() -> None:
    segmenter = RedSegmenter()
    worker = Worker(Pipeline(segmenter))
    worker.submit(frame_with_person(), 1)
    worker.wait(1, LONG)
    worker.close()
    worker.close()
    assert not worker.alive
    assert worker.latest() is None
    assert segmenter.closed == 1
    worker.submit(frame_with_person(), 2)
    assert worker.wait(2, LONG) is None


def test_closing_does_not_wait_longer_than_it_may(segmenter: GatedSegmenter, caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(Pipeline(segmenter))
    worker.submit(frame_with_person(), 1)
    assert segmenter.begun.acquire(timeout=LONG)
    worker.close(timeout_s=0.01)
    assert "worker_close_timeout" in caplog.text
    assert segmenter.closed == 0  # never while it is in use
    segmenter.leave.release()
    worker.close(timeout_s=LONG)
    assert segmenter.closed == 1
    assert worker.latest() is None


def test_waiting_ends_when_the_time_is_up(worker: Worker) -> None:
    assert worker.wait(1, 0.01) is None


def test_a_frame_that_is_submitted_at_once_overtakes_the_one_that_is_expected() -> None:
    with Worker(Pipeline(RedSegmenter())) as worker:
        worker.submit_later(lambda: Fetched(frame_with_person(), 1), time.monotonic(), 1000.0)
        assert worker.wait(1, LONG) is not None
        wait_until(lambda: worker._schedule.wakes_at > 0)  # it sleeps until the next one, for a quarter of an hour
        worker.submit(frame_with_person(), 2)
        assert worker.wait(2, LONG) is not None


def test_a_frame_that_is_due_soon_wakes_a_worker_that_expects_it_later() -> None:
    with Worker(Pipeline(RedSegmenter())) as worker:
        worker.submit_later(lambda: Fetched(frame_with_person(), 1), time.monotonic(), 1000.0)
        assert worker.wait(1, LONG) is not None
        wait_until(lambda: worker._schedule.wakes_at > 0)
        worker.submit_later(lambda: Fetched(frame_with_person(), 2), time.monotonic() + 0.01, 0.02)
        assert worker.wait(2, LONG) is not None


def test_closing_wakes_a_worker_that_sleeps_until_the_next_frame() -> None:
    worker = Worker(Pipeline(RedSegmenter()))
    worker.submit_later(lambda: None, time.monotonic() + 1000.0, 2000.0)
    wait_until(lambda: 0 < worker._schedule.wakes_at < math.inf)
    worker.close(LONG)
    assert not worker._thread.is_alive()


def test_one_daemon_thread_is_started_and_ended() -> None:
    before = set(threading.enumerate())
    worker = Worker(Pipeline(RedSegmenter()))
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    worker.close()
    assert not thread.is_alive()
