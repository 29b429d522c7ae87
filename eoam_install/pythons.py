"""Find the Python that an OBS uses for scripts, or could use, and one that can run pip.

On Linux OBS is linked with one. On Windows and macOS it loads the newest `python3.N` it knows from the folder that is
set in Tools > Scripts > Python Settings (shared/obs-scripting/obs-scripting-python-import.c).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eoam_machine import binaries
from eoam_machine.errors import InstallError
from eoam_machine.layouts import Obs
from eoam_machine.machine import Machine

OLDEST = (3, 10)  # what eoam_core needs
# The newest Python that an OBS from this version on loads, on Windows and macOS.
_NEWEST = (((30, 1), (3, 12)), ((29, 1), (3, 11)), ((28, 0), (3, 10)))


@dataclass(frozen=True)
class Python:
    """The Python that OBS runs scripts with.

    `folder` is what OBS's settings need, or None; `program` runs that Python, or None if it is missing or cannot be run
    from here.
    """

    version: tuple[int, int]
    folder: Path | None = None
    program: Path | None = None

    def __str__(self) -> str:
        return f"Python {self.version[0]}.{self.version[1]}" + (f" in {self.folder}" if self.folder else "")


def newest_for(obs_version: Sequence[int]) -> tuple[int, int]:
    """Return the newest Python that this OBS loads on Windows and macOS; an unknown version counts as the newest."""
    for since, python in _NEWEST:
        if not obs_version or tuple(obs_version[:2]) >= since:
            return python
    raise InstallError(f"OBS {'.'.join(map(str, obs_version))} is too old for this filter. Update OBS Studio.")


def choose_python(obs: Obs, machine: Machine, configured: str = "") -> Python:
    """Return the Python that OBS uses, or the best one that it could use.

    `configured` is the folder that is set in OBS. InstallError says what to install if there is none.
    """
    if machine.system == "linux":
        return _linked(obs, machine)
    newest = newest_for(obs.version)
    folders = [machine.path(configured)] if configured else []
    folders += _windows_folders(machine) if machine.system == "windows" else _macos_folders(machine)
    for folder in folders:
        python = _loaded_from(folder, machine.system, newest, obs.architecture)
        if python is not None and python.version >= OLDEST:
            return python
    where = "python.org"
    if machine.system == "macos":
        where += " or Homebrew"
    bits = {"x86_64": "64-bit Intel", "arm64": "ARM"}.get(obs.architecture, obs.architecture)
    raise InstallError(
        f"{obs} has no Python that it can load. Install Python {newest[0]}.{newest[1]} ({bits}) from {where} "
        f"(3.{newest[1] + 1} and later do not work in this OBS), and run this again."
    )


def _linked(obs: Obs, machine: Machine) -> Python:
    if obs.linked_python is None:
        raise InstallError(
            f"{obs} is not linked with Python, so it cannot run Python scripts. Install your distribution's own "
            "package of OBS Studio, or the one from Flathub."
        )
    if obs.linked_python < OLDEST:
        raise InstallError(f"{obs} uses Python 3.{obs.linked_python[1]}; the filter needs 3.10 or newer. Update OBS.")
    program = machine.path(f"/usr/bin/python3.{obs.linked_python[1]}")
    usable = obs.kind != "flatpak" and os.path.isfile(program)
    return Python(obs.linked_python, program=program if usable else None)


def _loaded_from(folder: Path, system: str, newest: tuple[int, int], processor: str) -> Python | None:
    """Return the Python that OBS would load from a folder; like OBS, try the newest first."""
    for minor in range(newest[1], 5, -1):
        if system == "windows":
            library, program = folder / f"python3{minor}.dll", folder / "python.exe"
        else:
            home = folder / "Python.framework" / "Versions" / f"3.{minor}"
            library, program = home / "lib" / f"libpython3.{minor}.dylib", home / "bin" / f"python3.{minor}"
        if not os.path.exists(library):
            continue
        made_for = binaries.architecture(library)
        if made_for and processor and made_for != processor:
            continue  # OBS cannot load it either; a universal one has no single architecture
        return Python((3, minor), folder, program if os.path.isfile(program) else None)
    return None


def _windows_folders(machine: Machine) -> list[Path]:
    """Return the folders of the installed Pythons (PEP 514), the newest first."""
    found: dict[Path, int] = {}
    for hive in ("HKCU", "HKLM"):
        for tag in machine.registry_keys(hive, r"Software\Python\PythonCore"):
            number = re.match(r"3\.(\d+)", tag)
            text = machine.registry_value(hive, rf"Software\Python\PythonCore\{tag}\InstallPath", "")
            if number and text and not tag.endswith(("-32", "t")):
                found.setdefault(machine.path(text), int(number[1]))
    return sorted(found, key=lambda folder: -found[folder])


def _macos_folders(machine: Machine) -> list[Path]:
    folders = [machine.path("/Library/Frameworks")]
    for prefix in ("/opt/homebrew", "/usr/local"):
        folders.append(machine.path(f"{prefix}/Frameworks"))
        folders += [machine.path(f"{prefix}/opt/python@3.{minor}/Frameworks") for minor in range(12, 9, -1)]
    return folders


def find_pip(machine: Machine, preferred: Sequence[Path | None] = ()) -> list[str]:
    """Return a command that runs pip; any Python will do, because pip is told the target version.

    Looks at `preferred`, then at the Pythons in the PATH; a Python without pip may still have the wheel of it that the
    module ensurepip is made for. InstallError if there is none.
    """
    tried = set()
    for program in (*preferred, *_on_path(machine)):
        if program is None or program in tried or not os.path.isfile(program):
            continue
        tried.add(program)
        command = pip_of(program, machine)
        if command is not None:
            return command
    raise InstallError(
        "There is no pip on this computer to fetch the libraries with. "
        + (
            "Install your distribution's package python3-pip, or use --offline (docs/user/install.md)."
            if machine.system == "linux"
            else "Install Python from python.org with pip, or use --offline (docs/user/install.md)."
        )
    )


def pip_of(program: Path, machine: Machine) -> list[str] | None:
    """Return the command that runs pip with this Python, or None."""
    if machine.run([str(program), "-c", "import sys, pip; assert sys.version_info >= (3, 7)"]) is not None:
        return [str(program), "-m", "pip"]
    bundled = machine.run([str(program), "-c", _BUNDLED])
    if bundled and bundled.strip():
        return [str(program), str(Path(bundled.strip()) / "pip")]  # a wheel is a zip file, and Python runs those
    return None


_BUNDLED = """
import ensurepip, glob, os, sysconfig
folders = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")]
print(next(path for folder in folders if folder for path in sorted(glob.glob(os.path.join(folder, "pip-*.whl")))))
"""


def _on_path(machine: Machine) -> Iterator[Path]:
    names = ["python3", *(f"python3.{minor}" for minor in range(15, 8, -1))]
    if machine.system == "windows":
        names = ["python.exe"]
    separator = ";" if machine.system == "windows" else ":"
    for folder in machine.environ.get("PATH", "").split(separator):
        # Windows has a placeholder there that opens its store.
        if folder and "WindowsApps" not in folder:
            yield from (machine.path(folder) / name for name in names)
    if machine.system == "windows":
        yield from (folder / "python.exe" for folder in _windows_folders(machine))


def running_python(machine: Machine) -> Path | None:
    """Return the program of the Python that runs this, found without `sys.executable`, which inside OBS is OBS."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ((sys.base_prefix, "python.exe"), (sys.base_prefix, "bin", version)):
        program = Path(*name)
        if os.path.isfile(program):
            return program
    return None
