"""Forward log records to OBS's log."""

from __future__ import annotations

import logging
from typing import Final

from eoam_obs.binding import libobs

_LEVELS: Final = ((logging.ERROR, libobs.LOG_ERROR), (logging.WARNING, libobs.LOG_WARNING))


class ObsLogHandler(logging.Handler):
    """Pass records to `blog`, which any thread may call."""

    def __init__(self, obs: libobs.LibObs) -> None:
        super().__init__()
        self._obs = obs
        self.setFormatter(logging.Formatter("[EOAM] %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; errors are ignored, because there is nowhere left to report them."""
        level = next((theirs for ours, theirs in _LEVELS if record.levelno >= ours), libobs.LOG_INFO)
        try:
            text = self.format(record)
        except Exception:
            text = f"[EOAM] {record.msg}"
        # Never pass the text as the format: a % in a path would make blog read arguments that do not exist.
        self._obs.blog(level, "%s", text.encode(errors="replace"))


def install(obs: libobs.LibObs) -> None:
    """Send the logger "eoam" to OBS's log, once per process."""
    logger = logging.getLogger("eoam")
    if any(isinstance(handler, ObsLogHandler) for handler in logger.handlers):
        return
    logger.addHandler(ObsLogHandler(obs))
    logger.setLevel(logging.INFO)
    logger.propagate = False
