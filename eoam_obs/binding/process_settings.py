"""Change process-wide settings while the script is loaded, and restore them afterwards.

Not restored: the folders of its libraries at the front of Python's path and a finder for its own packages (obs_eoam.py;
imported modules stay imported), an atexit function (source_type.py), and the environment variable
ORT_DISABLE_TELEMETRY, without which onnxruntime would write into the user's home folder.

* Python's switch interval. All scripts share one Python and its lock (the GIL). A thread that wants the lock waits
  until the owner releases it, or for this interval; CPython's is 5 ms. The filter releases the lock where libobs may
  take long, some six times per frame, so a busy thread of another script could take up to 30 ms of a frame.
  `scripts/bench neighbours` measures this, and what the shorter interval costs that thread.
* OpenCV's threads. It would start a thread pool for masks that take 0.01 ms.
"""

from __future__ import annotations

import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 0.0002


class ProcessSettings:
    """Set what the filter needs; `give_back` restores the old values, unless they were changed since."""

    def __init__(self) -> None:
        self._interval_before: float | None = None
        self._threads_before: int | None = None

    def take(self) -> None:
        """Set what is not set yet; an even shorter interval is kept. Call it again once OpenCV is imported."""
        if self._interval_before is None and sys.getswitchinterval() > SWITCH_INTERVAL_S:
            self._interval_before = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        opencv = sys.modules.get("cv2")
        if opencv is not None and self._threads_before is None:
            self._threads_before = opencv.getNumThreads()
            opencv.setNumThreads(1)

    def give_back(self) -> None:
        """Restore the old values; may be called more than once."""
        before, self._interval_before = self._interval_before, None
        if before is not None and abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6:
            sys.setswitchinterval(before)
        threads, self._threads_before = self._threads_before, None
        opencv = sys.modules.get("cv2")
        if threads is not None and opencv is not None and opencv.getNumThreads() == 1:
            opencv.setNumThreads(threads)
