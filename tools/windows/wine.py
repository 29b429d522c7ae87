"""Run Windows programs under Wine, with a prefix and an X server of their own and the same environment everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows.errors import WindowsToolError

# Debian's `wine` complains that there is no 32-bit part; this is the program itself.
_PROGRAMS: Final = ("/usr/lib/wine/wine64", "/usr/lib/wine/wine")
# No Mono, browser, menus or debugger (a crashed program would hang in it); Microsoft's files before Wine's own.
_OVERRIDES: Final = (
    "mscoree,mshtml,winemenubuilder.exe=;winedbg.exe=;"
    "ucrtbase,msvcp140,vcruntime140,vcruntime140_1,msvcp140_1,d3dcompiler_47=n,b"
)


@dataclass(frozen=True, kw_only=True)
class Wine:
    """Wine with one prefix. `user` is the name of Windows' user."""

    prefix: Path
    display: str
    python: Path  # the folder with python.exe
    user: str = "tester"

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a Windows program."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "XAUTHORITY") if name in os.environ}
        return {
            **kept,
            "LANG": "C.UTF-8",
            "USER": self.user,
            "LOGNAME": self.user,
            "DISPLAY": self.display,
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": _OVERRIDES,
            "LP_NUM_THREADS": "1",  # Mesa draws in software; its threads would only fight for two cores
            "PYTHONPYCACHEPREFIX": windows_path(self.prefix / "pycache"),
            **(more or {}),
        }

    def run(
        self,
        *command: str | Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 300.0,
        output: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end; `output` is a file that gets what it printed as well, whatever happens.

        Raises:
            WindowsToolError: Wine is not installed, or the program did not end in time (seconds).
        """
        # Always through a pipe: Windows' Python does not start when Wine gives it a file to print to.
        try:
            done = subprocess.run(
                [program(), *map(str, command)],
                cwd=folder,
                env=self.environment(environment),
                stdin=subprocess.DEVNULL,  # nor does it start without one
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            last = _text(late.stdout or b"", output).strip().splitlines()[-5:]
            self.end()
            raise WindowsToolError(
                f"{Path(command[0]).name} did not end within {timeout:.0f} s. Its last lines: {' / '.join(last)}"
            ) from None
        return subprocess.CompletedProcess(done.args, done.returncode, _text(done.stdout, output))

    def run_python(
        self,
        *arguments: str | Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 300.0,
        output: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run Windows' Python, as `run` does."""
        python = self.python / "python.exe"
        return self.run(python, *arguments, folder=folder, environment=environment, timeout=timeout, output=output)

    def make_prefix(self) -> None:
        """Make the prefix: a new Windows of a few files, with the user's folders inside it."""
        if (self.prefix / "system.reg").is_file():
            return
        self.prefix.mkdir(parents=True, exist_ok=True)
        done = self.run("wineboot", "--init", timeout=180)
        self.end()
        if done.returncode or not (self.prefix / "system.reg").is_file():
            raise WindowsToolError(f"Wine could not make {self.prefix} (exit code {done.returncode}): {done.stdout}")

    def end(self) -> None:
        """End all of the prefix's programs."""
        server = shutil.which("wineserver") or next(
            (path for path in ("/usr/lib/wine/wineserver", "/usr/lib/wine/wineserver64") if Path(path).is_file()), None
        )
        if server is not None:
            subprocess.run([server, "-k"], env=self.environment(), capture_output=True, check=False)
            subprocess.run([server, "-w"], env=self.environment(), capture_output=True, check=False)


def _text(printed: bytes, copy: Path | None) -> str:
    text = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    if copy is not None:
        copy.write_text(text, encoding="utf-8")
    return text


def program() -> str:
    """Return Wine's program; WindowsToolError if there is none."""
    for path in _PROGRAMS:
        if Path(path).is_file():
            return path
    found = shutil.which("wine64") or shutil.which("wine")
    if found is None:
        raise WindowsToolError("Wine is not installed: apt-get install wine wine64.")
    return found


def windows_path(path: Path) -> str:
    """Return a path of this machine as Wine's programs see it, below Z:."""
    return "Z:" + str(path.resolve()).replace("/", "\\")
