"""What the filter changes for everybody in OBS's process while the script is loaded, and puts back here.

What it leaves: the folders of its libraries at the front of Python's path and a finder for its own packages
(obs_eoam.py; what was imported stays imported), a function for Python's end (source_type.py), and the environment's
ORT_DISABLE_TELEMETRY, without which onnxruntime would write into the user's home.

* Python's switch interval. All scripts share one Python and its lock (the GIL). A thread that wants the lock waits
  until the one that has it gives it back, or for this interval; CPython's is 5 ms. The filter gives the lock back where
  libobs may take long, some six times per frame, so a busy thread of another script would take up to 30 ms of a frame.
  `scripts/bench neighbours` has the figures, and what the shorter interval costs that thread.
* OpenCV's threads. It would start a pool of threads for masks that take it 0.01 ms.
"""

from __future__ import annotations

import sys
from typing import Final

SWITCH_INTERVAL_S: Final = 0.0002


class ProcessSettings:
    """Takes what the filter needs; `give_back` restores what was there, unless somebody has changed it since."""

    def __init__(self) -> None:
        self._interval_before: float | None = None
        self._threads_before: int | None = None

    def take(self) -> None:
        """Change what is not changed yet; what others set even shorter is left. Call it again when OpenCV is there."""
        if self._interval_before is None and sys.getswitchinterval() > SWITCH_INTERVAL_S:
            self._interval_before = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        opencv = sys.modules.get("cv2")
        if opencv is not None and self._threads_before is None:
            self._threads_before = opencv.getNumThreads()
            opencv.setNumThreads(1)

    def give_back(self) -> None:
        """Restore what was changed; may be called more than once."""
        before, self._interval_before = self._interval_before, None
        if before is not None and abs(sys.getswitchinterval() - SWITCH_INTERVAL_S) < 1e-6:
            sys.setswitchinterval(before)
        threads, self._threads_before = self._threads_before, None
        opencv = sys.modules.get("cv2")
        if threads is not None and opencv is not None and opencv.getNumThreads() == 1:
            opencv.setNumThreads(threads)
