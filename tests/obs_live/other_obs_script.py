"""An OBS script for the tests: lets the project see another OBS than the one that runs. Load it before obs_eoam.py.

$EOAM_OTHER_OBS says in which way it is another one.
"""

import ctypes
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eoam_obs.binding import libobs


class LargerSourceInfo(libobs.SourceInfo):
    """Larger than any libobs's own: that is what libobs refuses."""

    _fields_ = (("more", ctypes.c_uint8 * 1024),)


class NewerLibObs(libobs.LibObs):
    """The running libobs, by the name of a version to come."""

    def __init__(self) -> None:
        super().__init__()
        self.obs_get_version_string = lambda: b"99.1.0"
        self.obs_get_version = lambda: 99 << 24 | 1 << 16


def script_load(settings: object) -> None:
    kind = os.environ["EOAM_OTHER_OBS"]
    if kind == "newer":
        libobs.LibObs = NewerLibObs  # type: ignore[misc]
    elif kind == "refuses the struct":
        libobs.SourceInfo = LargerSourceInfo  # type: ignore[misc]
    elif kind == "has lost a function":
        libobs._BLOCKING["obs_function_that_went"] = (None, ())
    else:
        raise ValueError(kind)
