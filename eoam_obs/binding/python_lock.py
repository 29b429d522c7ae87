"""Detect whether another script holds Python's lock so much that the filter has to wait, and which script it is.

All OBS scripts share one Python, in which one thread computes at a time. A thread that never waits takes the lock again
and again, and others get it only after the switch interval. The masks then come late, as with a slow processor. To tell
the two apart, this module measures how long the lock takes to come back and which script is being executed meanwhile.
It does so on the watch's thread, at no cost to a frame.
"""

from __future__ import annotations

import dis
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

_TRIES: Final = 5  # attempts to release and retake the lock, at each measurement
_SLOW: Final = 0.5  # of the switch interval: a longer wait was for another thread
_LOOKS: Final = 6  # three seconds
_OFTEN: Final = 4  # of these measurements
_OWN: Final = ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install")
_ROUND: Final = ("JUMP_", "POP_JUMP_", "RESUME")  # instructions after which CPython 3.10 to 3.14 release the lock


class PythonLock:
    """Measure the lock on request, twice a second; any thread may read `busy_scripts`.

    Args:
        give_way: release the lock and retake it.
        clock: seconds.
        frames: what each thread executes, by its number.
        interval: the switch interval in seconds.
    """

    def __init__(
        self,
        *,
        give_way: Callable[[], None] = lambda: time.sleep(0),
        clock: Callable[[], float] = time.perf_counter,
        frames: Callable[[], Mapping[int, FrameType]] = sys._current_frames,
        interval: Callable[[], float] = sys.getswitchinterval,
    ) -> None:
        self._give_way, self._clock, self._frames, self._interval = give_way, clock, frames, interval
        self._waits: deque[bool] = deque(maxlen=_LOOKS)  # whether most of a measurement's attempts were slow
        self._busy: deque[frozenset[str]] = deque(maxlen=_LOOKS)  # scripts computing between measurements
        self.busy_scripts: tuple[str, ...] = ()  # names of files, while they keep Python busy

    def look(self) -> None:
        """Measure how long the lock takes to come back now, and which script has it meanwhile."""
        waited = sum(self._is_slow() for _ in range(_TRIES)) > _TRIES // 2
        self._waits.append(waited)
        self._busy.append(self._who_goes_on() if waited else frozenset())
        if sum(self._waits) < _OFTEN:
            self.busy_scripts = ()
            return
        names = {name for busy in self._busy for name in busy}
        self.busy_scripts = tuple(sorted(name for name in names if sum(name in busy for busy in self._busy) >= _OFTEN))

    def _is_slow(self) -> bool:
        began = self._clock()
        self._give_way()
        return self._clock() - began >= _SLOW * self._interval()

    def _who_goes_on(self) -> frozenset[str]:
        """Return the scripts whose threads keep computing in most of a few samples, over a few milliseconds.

        A thread that polls for work is somewhere else at every measurement, but waits in all of these samples.
        """
        seen: Counter[str] = Counter()
        places = self._places_now()
        for _ in range(_TRIES):
            self._give_way()
            before, places = places, self._places_now()
            seen.update({at.script for thread, at in places.items() if at.goes_on(before.get(thread))})
        return frozenset(name for name, count in seen.items() if name and count > _TRIES // 2)

    def _places_now(self) -> dict[int, _Place]:
        own = threading.get_ident()
        return {thread: _Place.of(frame) for thread, frame in self._frames().items() if thread != own}


class _Place(NamedTuple):
    """Where a thread is: the script, its innermost frame, the instruction, whether a loop iteration just ended."""

    script: str
    frame: int
    instruction: int
    is_between_rounds: bool

    @classmethod
    def of(cls, frame: FrameType) -> _Place:
        """Return where a frame is."""
        return cls(_script(frame), id(frame), frame.f_lasti, _is_between_rounds(frame))

    def goes_on(self, before: _Place | None) -> bool:
        """Return whether the thread computes whenever it has the lock, given its place a moment ago.

        A waiting thread stays inside a call. A computing one has moved, or is where Python releases the lock: at the
        end of a loop iteration.
        """
        return self.is_between_rounds or (before is not None and before[1:] != self[1:])


def _is_between_rounds(frame: FrameType) -> bool:
    code = frame.f_code.co_code
    at = frame.f_lasti
    return 0 <= at < len(code) and dis.opname[code[at]].startswith(_ROUND)


def _script(frame: FrameType) -> str:
    """Return the file name of the outermost code that is neither the standard library's nor ours, or ""."""
    found = ""
    step: FrameType | None = frame
    while step is not None:
        file = Path(step.f_code.co_filename)
        if file.parent.name in _OWN:
            return ""
        if file.suffix == ".py" and not file.is_relative_to(_STANDARD_LIBRARY):
            found = file.name
        step = step.f_back
    return found


_STANDARD_LIBRARY: Final = Path(threading.__file__).parent
LOCK: Final = PythonLock()
