"""Access everything the installer needs of its computer, in one place, so that tests can simulate another one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from eoam_machine.processes import running_programs

# Return a value of Windows's registry, or None: (hive "HKLM" or "HKCU", key, name; "" is the key's default value).
RegistryValue = Callable[[str, str, str], Optional[str]]


@dataclass(frozen=True)
class Machine:
    """One computer and one user.

    `system` is linux, macos or windows; `root` is prefixed to every absolute path of the system itself, "" on the real
    one; `run` executes a command and returns its output, or None if it failed; `programs` returns the file names of
    running programs (Windows).
    """

    system: str
    architecture: str
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    registry_value: RegistryValue = lambda hive, key, name: None
    registry_keys: Callable[[str, str], list[str]] = lambda hive, key: []
    run: Callable[[Sequence[str]], str | None] = lambda command: None
    programs: Callable[[], list[str]] = list
    is_root: bool = False

    def path(self, text: str) -> Path:
        """Return the real location of one of this system's absolute paths."""
        if not self.root:
            return Path(text)
        return Path(self.root, *text.replace("\\", "/").replace(":", "").strip("/").split("/"))

    def folder(self, variable: str, *otherwise: str) -> Path:
        """Return the folder that an environment variable names, or one below the home."""
        value = self.environ.get(variable, "")
        # The XDG specification ignores relative paths.
        return self.path(value) if (value and os.path.isabs(value)) or ":" in value else self.home.joinpath(*otherwise)


def this_machine() -> Machine:
    """Return the computer that this runs on."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return Machine(
        system=system,
        architecture=platform.machine(),
        home=Path.home(),
        environ=dict(os.environ),
        registry_value=_registry_value,
        registry_keys=_registry_keys,
        run=_run,
        programs=running_programs,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
    )


def _run(command: Sequence[str]) -> str | None:
    # Variables set by a virtual environment or OBS must not reach the programs run here.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    # A Python that prints a path in the encoding of the user's language could not print every path.
    environment["PYTHONIOENCODING"] = "utf-8"
    hidden = {"creationflags": 0x08000000} if sys.platform == "win32" else {}  # CREATE_NO_WINDOW
    try:
        done = subprocess.run(
            list(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
            **hidden,  # type: ignore[call-overload, unused-ignore]
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return str(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


def _registry_value(hive: str, key: str, name: str) -> str | None:
    if sys.platform == "win32":
        import winreg

        top = {"HKLM": winreg.HKEY_LOCAL_MACHINE, "HKCU": winreg.HKEY_CURRENT_USER}[hive]
        for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):  # OBS's installer is a 32-bit program
            try:
                with winreg.OpenKey(top, key, 0, winreg.KEY_READ | view) as opened:
                    return str(winreg.QueryValueEx(opened, name)[0])
            except OSError:
                continue
    return None


def _registry_keys(hive: str, key: str) -> list[str]:
    names: list[str] = []
    if sys.platform == "win32":
        import winreg

        top = {"HKLM": winreg.HKEY_LOCAL_MACHINE, "HKCU": winreg.HKEY_CURRENT_USER}[hive]
        try:
            with winreg.OpenKey(top, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as opened:
                for number in range(winreg.QueryInfoKey(opened)[0]):
                    names.append(winreg.EnumKey(opened, number))
        except OSError:
            pass
    return names
