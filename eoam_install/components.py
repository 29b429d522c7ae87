"""Install the libraries from inside OBS, in the background: the button of the script's panel.

Only the libraries: the script and its packages are there already, or this would not run. They go, all or nothing, into
a folder beside the script that is named after OBS's Python.
"""

from __future__ import annotations

import logging
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path

from eoam_install import installer, wheels
from eoam_install.pythons import running_python
from eoam_install.transaction import staging
from eoam_machine.errors import InstallError, explain
from eoam_machine.machine import Machine, this_machine

_LOG = logging.getLogger("eoam")
_MODULES = ("numpy", "cv2", "onnxruntime")

OnProgress = Callable[[float, str], None]


class _Cancelled(Exception):
    """The installation was cancelled."""


class ComponentInstall:
    """One installation of the libraries into `folder`, the one with obs_eoam.py; for any thread.

    `on_progress(share, message)` is called on the installing thread. `lacking` is a sentence on what will still be
    missing afterwards because this does not install it, or "".
    """

    def __init__(
        self,
        folder: Path,
        on_progress: OnProgress | None = None,
        *,
        machine: Machine | None = None,
        lacking: Callable[[], str] = lambda: "",
    ) -> None:
        self._folder = Path(folder)
        self._on_progress = on_progress
        self._machine = machine
        self._lacking = lacking
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._now = ("idle", 0.0, "The libraries are not installed yet.")
        self._restart_needed = False

    @property
    def state(self) -> str:
        """idle, running, done, failed or cancelled."""
        return self._now[0]

    @property
    def share(self) -> float:
        """The share that is done, 0 to 1."""
        return self._now[1]

    @property
    def message(self) -> str:
        """A sentence for the user: the current step, the error, or what to do now."""
        return self._now[2]

    @property
    def restart_needed(self) -> bool:
        """After `done`: whether OBS must be restarted because it has already loaded another copy of a library."""
        return self._restart_needed

    def start(self) -> None:
        """Start, unless it is running or done; after a failure, try again."""
        with self._lock:
            if self.state in ("running", "done"):
                return
            self._cancelled.clear()
            self._ended.clear()
            self._now = ("running", 0.0, "Looking for the right libraries")
            self._thread = threading.Thread(target=self._run, name="eoam-install", daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Request a stop; nothing half-installed remains."""
        self._cancelled.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is not running; False if that took longer than `timeout_s`."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            self._install()
        except _Cancelled:
            self._end("cancelled", "Cancelled; nothing was installed.")
        except InstallError as error:
            self._end("failed", str(error))
        except OSError as error:
            self._end("failed", str(explain(error)))
        except Exception as error:  # whatever it is, the panel must show it
            _LOG.exception("install_failed error=%r", error)
            self._end("failed", f"Installing failed: {error!r}. Please report this.")
        finally:
            self._ended.set()

    def _install(self) -> None:
        machine = self._machine or this_machine()
        environment = wheels.Environment(sys.version_info[:2], wheels.platform_of(machine.system, _architecture()))
        libraries = wheels.choose(environment)
        target = self._folder.joinpath(*environment.folder.split("/"))
        with staging(target) as new:
            program = running_python(machine)
            installer.add_libraries(
                libraries,
                environment,
                new.folder,
                machine,
                offline=None,
                preferred=[program],
                on_progress=self._progress,
            )
            self._progress(0.95, "Testing the installation")
            installer.try_out(program, [new.folder], new.folder)
            new.commit()
        self._restart_needed = any(name in sys.modules for name in _MODULES)
        what = "Restart OBS." if self._restart_needed else "Press Reload Scripts (the round arrow) in this window."
        lacking = self._lacking()
        self._end(
            "done",
            f"The libraries are installed, but a problem remains: {lacking}" if lacking else f"Installed. {what}",
        )

    def _progress(self, share: float, message: str) -> None:
        if self._cancelled.is_set():
            raise _Cancelled
        self._now = ("running", share, message)
        if self._on_progress is not None:
            self._on_progress(share, message)

    def _end(self, state: str, message: str) -> None:
        _LOG.log(logging.INFO if state == "done" else logging.WARNING, "install_%s message=%s", state, message)
        self._now = (state, 1.0 if state == "done" else self.share, message)
        if self._on_progress is not None:
            self._on_progress(*self._now[1:])


def _architecture() -> str:
    """Return the processor of this process, which may differ from the computer's (Rosetta, Windows on ARM)."""
    if sys.platform == "win32":
        return sysconfig.get_platform().partition("-")[2]  # win-amd64, win-arm64
    import platform

    return platform.machine()
