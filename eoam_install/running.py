"""Detect whether OBS is running: when it ends it overwrites settings changed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from eoam_machine.layouts import Obs
from eoam_machine.machine import Machine


def is_running(obs: Obs, machine: Machine) -> bool:
    """Return whether a process of this user uses this OBS's settings; on Windows and macOS: whether any OBS runs."""
    if machine.system == "windows":
        return any(name.lower() == "obs64.exe" for name in machine.programs())
    if machine.system == "macos":
        listed = machine.run(["ps", "-axo", "comm="]) or ""
        return any(line.strip().endswith("/Contents/MacOS/OBS") for line in listed.splitlines())
    return any(_uses(process, obs, machine) for process in machine.path("/proc").glob("[0-9]*"))


def _uses(process: Path, obs: Obs, machine: Machine) -> bool:
    try:
        if (process / "comm").read_text().strip() not in ("obs", "obs-studio"):
            return False
        state = (process / "stat").read_text().rpartition(")")[2].split()[:1]
        variables = (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's, who has other settings
        return False
    if state == ["Z"]:
        return False
    environ = dict(entry.partition(b"=")[::2] for entry in variables)
    folder = os.fsdecode(environ.get(b"XDG_CONFIG_HOME", b""))
    if not folder:
        home = os.fsdecode(environ.get(b"HOME", b""))
        if not home:
            return True  # unknown: better a false alarm
        folder = f"{home}/.config"
    return obs.kind == "portable" or machine.path(folder) / "obs-studio" == obs.config
