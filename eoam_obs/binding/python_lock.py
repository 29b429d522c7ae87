"""Whether another script holds Python's lock so much that the filter's work waits for it, and which script that is.

All scripts of OBS share one Python, in which one thread computes at a time. A thread that never waits for anything
takes the lock again and again, and everybody else gets it only when the switch interval is over. From outside that
looks like a slow processor: the masks come late. The difference is told here, from the watch's thread, so that it
costs a frame nothing: how long the lock takes to come back, and whose code is being executed meanwhile.
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

_TRIES: Final = 5  # to give the lock away and take it back, at each look
_SLOW: Final = 0.5  # of the switch interval: who waits longer has waited for somebody
_LOOKS: Final = 6  # three seconds
_OFTEN: Final = 4  # of these looks
_OWN: Final = ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install")
_ROUND: Final = ("JUMP_", "POP_JUMP_", "RESUME")  # instructions after which CPython 3.10 to 3.14 give the lock away


class PythonLock:
    """Looks at the lock when it is told to, twice a second; `busy_scripts` may be asked on any thread.

    Args:
        give_way: give the lock away and take it back.
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
        self._waits: deque[bool] = deque(maxlen=_LOOKS)  # whether most of a look's tries were slow
        self._busy: deque[frozenset[str]] = deque(maxlen=_LOOKS)  # the scripts that went on between two looks
        self.busy_scripts: tuple[str, ...] = ()  # names of files, while they keep Python busy

    def look(self) -> None:
        """See how long the lock takes to come back now, and who has it meanwhile."""
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
        """Return the scripts whose threads go on in most of a few moments, a few milliseconds in all.

        A thread that looks for work now and then is elsewhere at every look, but waits in all of these moments.
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
    """Where a thread is: the script, its innermost frame, the instruction, whether a loop's round has just ended."""

    script: str
    frame: int
    instruction: int
    is_between_rounds: bool

    @classmethod
    def of(cls, frame: FrameType) -> _Place:
        """Return where a frame is."""
        return cls(_script(frame), id(frame), frame.f_lasti, _is_between_rounds(frame))

    def goes_on(self, before: _Place | None) -> bool:
        """Whether the thread would go on if it had the lock, given where it was a moment ago.

        A thread that waits for something is in a call, and stays in it. One that computes is elsewhere, or where Python
        gives the lock away: at the end of a loop's round.
        """
        return self.is_between_rounds or (before is not None and before[1:] != self[1:])


def _is_between_rounds(frame: FrameType) -> bool:
    code = frame.f_code.co_code
    at = frame.f_lasti
    return 0 <= at < len(code) and dis.opname[code[at]].startswith(_ROUND)


def _script(frame: FrameType) -> str:
    """Return the file's name of the outermost code that is neither the standard library's nor ours, or ""."""
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
