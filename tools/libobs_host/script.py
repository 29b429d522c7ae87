"""Load obs_eoam.py unchanged, as OBS's script host does, with a stand-in for the module `obspython`."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable
from ctypes import c_void_p as Pointer
from pathlib import Path
from typing import Any, Final

from eoam_obs.binding import libobs
from tools.libobs_host.host import Host

SCRIPT: Final = Path(__file__).resolve().parents[2] / "obs_eoam.py"


class Script:
    """The script as OBS holds it: its module, and the settings that OBS keeps for it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        sys.modules["obspython"] = _Obspython(host)
        specification = importlib.util.spec_from_file_location("obs_eoam", SCRIPT)
        assert specification is not None
        assert specification.loader is not None
        self.module: Any = importlib.util.module_from_spec(specification)
        sys.modules["obs_eoam"] = self.module
        specification.loader.exec_module(self.module)
        self._settings = host.make_data({})
        self.module.script_defaults(self._settings)

    def load(self) -> None:
        """Give the script its settings and load it, in OBS's order."""
        self.module.script_update(self._settings)
        self.module.script_load(self._settings)

    def unload(self) -> None:
        """Unload it; its filters stay."""
        self.module.script_unload()

    def close(self) -> None:
        """Release the settings."""
        self._host.function("obs_data_release", None, Pointer)(self._settings)


class _Obspython(types.ModuleType):
    """libobs's functions under their own names; text comes back as str, as from OBS's own module."""

    def __init__(self, host: Host) -> None:
        super().__init__("obspython")
        self._host = host
        self._obs: libobs.LibObs | None = None

    def script_log(self, level: int, text: str) -> None:
        """Write a line into the log."""
        self._host.log.append((level, f"[obs_eoam.py] {text}"))

    def obs_data_addref(self, data: int) -> None:
        """Take one more reference."""
        self._host.function("obs_data_addref", None, Pointer)(data)

    def obs_frontend_virtualcam_active(self) -> bool:
        """Say that the virtual camera is off: there is no frontend."""
        return False

    def __getattr__(self, name: str) -> Any:
        if name.isupper():
            return getattr(libobs, name)
        if self._obs is None:
            self._obs = libobs.LibObs()
        return _with_text(getattr(self._obs, name))


def _with_text(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        result = function(*arguments)
        return result.decode() if isinstance(result, bytes) else result

    return call
