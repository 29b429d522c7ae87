"""Run a pipeline on a thread of its own: the newest frame wins, and the newest matte is read without waiting."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eoam_core.pipeline import Matte, Pipeline
from eoam_core.schedule import LATE, Schedule
from eoam_core.settings import Settings

_LOG: Final = logging.getLogger("eoam")
_PR_SET_NAME: Final = 15


class Fetched(NamedTuple):
    """A frame, (h, w, 4) uint8 BGRA, its number, and whether it equals the frame before it byte by byte."""

    frame: NDArray[np.uint8]
    sequence: int
    repeated: bool = False


# Returns the worker's next frame, or None if there is no more. The array still belongs to its owner, which leaves it
# unchanged until the next call.
Fetch = Callable[[], "Fetched | None"]


class Worker:
    """One daemon thread that owns a pipeline. Every method may be called from any thread.

    Fails closed: as soon as a frame could not be processed there is no matte until a later one succeeds. The pipeline
    is closed by the thread itself, never while it is in use.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        # The lock is held for a few assignments only, never while a frame is processed.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # a frame was finished
        self._waiting = 0  # threads in `wait`; usually none, and a needless notify costs as much as the lock
        self._alarm = threading.Lock()  # the thread sleeps on it: the thread acquires it, whoever wakes it releases it
        self._alarm.acquire()
        self._schedule = Schedule()
        self._pending: tuple[Fetch, float, float] | None = None  # and when to call it, and when again
        self._generation = 0  # counts resets; results of an older generation are discarded
        self._latest: Matte | None = None
        self._error: BaseException | None = None
        # The highest number of a frame that has been processed, with or without success; to be read from any thread.
        self.finished = -1
        self._frames = 0
        self._dropped = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="eoam-worker", daemon=True)
        self._thread.start()

    def submit(self, frame: NDArray[np.uint8], sequence: int) -> None:
        """Hand over a frame, (h, w, 4) uint8 BGRA; it replaces one that was not started.

        Nothing is copied: the caller must not write to the array again. After `close()` the frame is ignored.
        """
        self.submit_later(lambda: Fetched(frame, sequence), 0.0)

    def submit_later(self, fetch: Fetch, due_s: float, period_s: float = 0.0) -> None:
        """Have the worker fetch its next frame itself when `time.monotonic()` reaches `due_s`.

        Replaces a frame that was not started. `fetch` is called on the worker's thread; an exception counts as a failed
        frame. `period_s` announces another frame after so many seconds: the thread wakes for it by itself, and may
        fetch both up to a sixth of that time too early or late. Waking it would cost the caller, which draws, more than
        everything else here.
        """
        with self._lock:
            if self._closing:
                return
            if self._pending is not None:
                self._dropped += 1
            self._pending = (fetch, due_s, period_s)
            if self._schedule.wakes_at > due_s + LATE * period_s:
                self._wake()

    def latest(self) -> Matte | None:
        """Return the newest matte, or None: none yet, none since a reset, the last frame failed, or closed."""
        return self._latest

    def reset(self) -> None:
        """Forget the mattes, the waiting frame and the one in progress: the source shows something else."""
        with self._changed:
            self._generation += 1
            self._pending = None
            self._latest = None

    def update_settings(self, settings: Settings) -> None:
        """Use these settings from the next frame on."""
        self._pipeline.settings = settings

    def wait(self, sequence: int, timeout_s: float) -> Matte | None:
        """Wait until the frame with this number, or a later one, has been processed; return the newest matte.

        None means that it failed (see `error`), took longer than `timeout_s`, or that the worker was closed. For tests
        and the command line; numbers must rise.
        """
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self.finished >= sequence or self._closing, timeout_s)
            finally:
                self._waiting -= 1
            return self._latest if self.finished >= sequence else None

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop the thread and close the pipeline; may be called more than once.

        A frame in progress is finished first. If that takes longer than `timeout_s`, this returns; the thread ends and
        closes the pipeline later, and its result is discarded.
        """
        with self._changed:
            self._closing = True
            self._generation += 1
            self._pending = None
            self._latest = None
            self._wake()
            self._changed.notify_all()
        if threading.current_thread() is self._thread:
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _LOG.warning("worker_close_timeout timeout_s=%.1f", timeout_s)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline; other threads may only use its `settings` and its segmenter's size and name."""
        return self._pipeline

    @property
    def error(self) -> BaseException | None:
        """Why the last processed frame failed, or None if it did not."""
        return self._error

    @property
    def frames(self) -> int:
        """Number of frames processed successfully."""
        return self._frames

    @property
    def dropped(self) -> int:
        """Number of frames replaced by a newer one before they were started."""
        return self._dropped

    @property
    def alive(self) -> bool:
        """Whether frames are still taken."""
        return not self._closing

    @property
    def ended(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        _name_this_thread("eoam-worker")
        try:
            self._work()
        except BaseException as error:  # not even MemoryError may leave an old mask in place
            with self._changed:
                self._latest = None
                self._error = error
                self._closing = True
                self._changed.notify_all()
            _LOG.exception("worker_died error=%r", error)
        finally:
            self._closing, self._latest = True, None
            self._pipeline.close()

    def _work(self) -> None:
        generation = 0
        while True:
            fetch, current = self._next()
            if fetch is None:
                return
            if current != generation:
                generation = current
                self._pipeline.reset()
            self._process(fetch, generation)

    def _next(self) -> tuple[Fetch | None, int]:
        """Wait for the next frame's time; return its fetch function and generation, or None if closed."""
        while True:
            with self._lock:
                if self._closing:
                    return None, self._generation
                now = time.monotonic()
                if self._pending is None:
                    until = self._schedule.sleep(now)
                else:
                    fetch, until, period = self._pending
                    if self._schedule.is_due(now, until, period):
                        self._pending = None
                        return fetch, self._generation
            if until < math.inf:
                self._alarm.acquire(timeout=until - now)
            else:
                self._alarm.acquire()

    def _wake(self) -> None:
        """Wake the thread, with the lock held."""
        if self._alarm.locked():
            self._alarm.release()

    def _process(self, fetch: Fetch, generation: int) -> None:
        sequence = self.finished
        try:
            fetched = fetch()
            if fetched is None:
                return
            sequence = fetched.sequence
            matte = self._pipeline.process(fetched.frame, sequence, repeated=fetched.repeated)
            self._publish(matte, None, sequence, generation)
        except Exception as error:
            self._publish(None, error, sequence, generation)

    def _publish(self, matte: Matte | None, error: Exception | None, sequence: int, generation: int) -> None:
        with self._lock:
            if error is not None and repr(error) != repr(self._error):
                _LOG.error("frame_failed sequence=%d error=%r", sequence, error)  # once, not sixty times a second
            self._error = error
            if generation == self._generation:
                self._latest = matte
            self._frames += matte is not None
            self.finished = max(self.finished, sequence)
            if self._waiting:
                self._changed.notify_all()


def _name_this_thread(name: str) -> None:
    """Tell Linux the thread's name, or `top` shows the worker as another of OBS's graphics threads (Python < 3.14)."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
