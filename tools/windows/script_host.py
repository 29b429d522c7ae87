"""OBS's own script host without OBS's window: scripting/host.c in a folder of OBS 31, with an `obspython` for it.

The host does a list of steps and prints what it finds. Each step is described in scripting/*_steps.c, where it is done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows import obs_tree, python
from tools.windows.errors import WindowsToolError
from tools.windows.folders import made
from tools.windows.python import VERSION, run_compiler, windows_python
from tools.windows.wine import Wine, windows_path

_SOURCES: Final = Path(__file__).with_name("scripting")
_C: Final = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-D__USE_MINGW_ANSI_STDIO=1")
_END_SCRIPTING: Final = "end_scripting"  # a module of OBS, not a part of the host
_GROUPS: Final = ("noobs", "d3dcompiler", "python")
_RUNTIME: Final = ("ucrtbase.dll", "msvcp140*.dll", "vcruntime140*.dll")
_LIMIT_S: Final = 400.0

Step = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the host printed, as (what, value), and how it ended."""

    lines: list[tuple[str, str]]
    exit_code: int

    def all(self, what: str) -> list[str]:
        """Return every value of one kind."""
        return [value for kind, value in self.lines if kind == what]

    def last(self, what: str) -> str:
        """Return the newest value of one kind, or ""."""
        return (self.all(what) or [""])[-1]

    @property
    def problem(self) -> str:
        """What went wrong and in which step, as a sentence, or ""."""
        step = self.last("step")
        if self.all("crash"):
            return f"It crashed in the step {step}: {', '.join(self.all('crash'))}."
        if self.all("failed"):
            errors = " | ".join(self.all("error")[-8:])
            said = f" OBS's log says: {errors}" if errors else ""
            return f"It failed in the step {step}: {self.last('failed')}{said}"
        if self.exit_code:
            printed = " | ".join(" ".join(line) for line in self.lines[-5:])
            return f"It ended in the step {step} with exit code {self.exit_code}, and printed at last: {printed}"
        return ""


def script_host() -> Path:
    """Return OBS's folder with the host in bin/64bit, built if need be.

    Raises:
        WindowsToolError: a download, the compiler, SWIG or Python's headers are missing.
    """
    makers = (Path(module.__file__ or "") for module in (sys.modules[__name__], obs_tree, python))
    return made("scripting", _build, of=(*makers, *sorted(_SOURCES.iterdir())), groups=_GROUPS)


def run_steps(wine: Wine, steps: Sequence[Step], output: Path) -> Report:
    """Have a new host do the steps; `output` is a file for all that it prints, and beside it lies that of the steps.

    Modules load their libraries from bin/64bit, so the host runs there.
    """
    file = output.with_suffix(".steps")
    file.write_text("".join("\t".join(step) + "\n" for step in steps), encoding="utf-8")
    folder = script_host() / "bin" / "64bit"
    try:
        exit_code = wine.run(
            folder / "host.exe", windows_path(file), folder=folder, output=output, timeout=_LIMIT_S
        ).returncode
        hung = []
    except WindowsToolError as error:
        exit_code, hung = -1, [("failed", str(error))]
    text = output.read_text(encoding="utf-8", errors="replace")
    pairs = [line.partition("\t") for line in text.splitlines()]
    return Report(lines=[(what, value) for what, _, value in pairs] + hung, exit_code=exit_code)


def _build(folder: Path) -> None:
    obs = obs_tree.windows_obs_with_scripting()
    shutil.copytree(obs, folder, copy_function=os.link, dirs_exist_ok=True)
    programs = folder / "bin" / "64bit"
    # Microsoft's runtime: the libraries that Python loads call functions of it that Wine's own lacks.
    for library in (path for pattern in _RUNTIME for path in windows_python().glob(pattern)):
        (programs / library.name).unlink(missing_ok=True)
        os.link(library, programs / library.name)
    parts = [str(path) for path in sorted(_SOURCES.glob("*.c")) if path.stem != _END_SCRIPTING]
    libraries = [str(programs / name) for name in ("obs.dll", "obs-scripting.dll")]
    run_compiler(*_C, "-municode", "-s", "-o", "host.exe", *parts, *libraries, folder=programs)
    module = folder / "obs-plugins" / "64bit" / f"{_END_SCRIPTING}.dll"
    source = _SOURCES / f"{_END_SCRIPTING}.c"
    run_compiler(*_C, "-shared", "-s", "-o", str(module), str(source), *libraries, folder=programs)
    _build_obspython(folder / "data" / "obs-scripting" / "64bit", programs / "obs.dll")


def _build_obspython(folder: Path, libobs: Path) -> None:
    """Make obspython.py and _obspython.pyd where obs-scripting.dll has Python look for them."""
    folder.mkdir(parents=True)
    wrapper = folder / "wrapper.c"
    _run_swig("-python", "-outdir", str(folder), "-o", str(wrapper), str(_SOURCES / "obspython.i"))
    headers = folder / "include"
    # Python.h takes the pyconfig.h that lies beside it.
    shutil.copytree(_python_headers(), headers, ignore=shutil.ignore_patterns("pyconfig*.h"))
    shutil.copy(_SOURCES / "pyconfig.h", headers)
    options = ["-shared", "-O1", "-s", "-DSWIG_TYPE_TABLE=obspython", f"-I{headers}", "-o", "_obspython.pyd"]
    run_compiler(*options, str(wrapper), str(windows_python() / "python311.dll"), str(libobs), folder=folder)
    shutil.rmtree(headers)
    wrapper.unlink()


def _run_swig(*arguments: str) -> None:
    try:
        done = subprocess.run(["swig", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise WindowsToolError("SWIG is not installed: apt-get install swig.") from None
    if done.returncode:
        raise WindowsToolError(f"swig {' '.join(arguments)} failed: {done.stderr.strip()}")


def _python_headers() -> Path:
    """Return the folder of Python.h on this machine, of whichever 3.11 there is."""
    own = Path(sysconfig.get_path("include"))
    for place in (Path(f"/usr/include/python{VERSION}"), own if sys.version_info[:2] == (3, 11) else None):
        if place is not None and (place / "Python.h").is_file():
            return place
    raise WindowsToolError(f"Python {VERSION}'s headers are not installed: apt-get install libpython{VERSION}-dev.")
