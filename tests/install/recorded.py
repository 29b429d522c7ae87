"""Computers as their makers lay them out: what the installer would find there, in a folder of a test.

The paths are those of OBS's installers, of python.org's and Homebrew's, and of Flatpak; the programs hold just what is
read of them.
"""

from __future__ import annotations

import json
import plistlib
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eoam_machine.machine import Machine
from tests.core import system

PE = {"x86_64": 0x8664, "arm64": 0xAA64}
MACH = {"x86_64": 0x01000007, "arm64": 0x0100000C}
ELF = {"x86_64": 62, "aarch64": 183}


class Computer:
    """One computer in a folder: `add` puts files on it, `machine` is what the installer is given."""

    def __init__(self, folder: Path, system: str, home: str, architecture: str = "x86_64") -> None:
        self.folder = folder
        self.system = system
        self.environ: dict[str, str] = {}
        self.registry: dict[tuple[str, str], dict[str, str]] = {}
        self.answers: dict[str, str] = {}  # of programs, by a part of the command
        self.programs: list[str] = []  # that run
        self.architecture = architecture
        self.home = self.path(home)
        self.home.mkdir(parents=True)

    def path(self, text: str) -> Path:
        return Machine(self.system, "", Path(), root=str(self.folder)).path(text)

    def add(self, text: str, content: bytes = b"") -> Path:
        path = self.path(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    @property
    def machine(self) -> Machine:
        return Machine(
            system=self.system,
            architecture=self.architecture,
            home=self.home,
            environ=self.environ,
            root=str(self.folder),
            registry_value=lambda hive, key, name: self.registry.get((hive, key.lower()), {}).get(name),
            registry_keys=self._keys,
            run=self._run,
            programs=lambda: self.programs,
        )

    def _keys(self, hive: str, key: str) -> list[str]:
        start = f"{key.lower()}\\"
        rest = [name[len(start) :] for place, name in self.registry if place == hive and name.startswith(start)]
        return list(dict.fromkeys(name.partition("\\")[0] for name in rest))

    def _run(self, command: Sequence[str]) -> str | None:
        line = " ".join(command).replace("\\", "/")  # whatever system this runs on
        return next((answer for part, answer in self.answers.items() if part in line), None)


def exe(architecture: str = "x86_64", version: tuple[int, ...] = ()) -> bytes:
    """Return a Windows program: its header, and its version as the linker's resources hold it."""
    start = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", PE[architecture])
    if not version:
        return start
    major, minor, patch = version
    return start + b"\0" * 50 + struct.pack("<IIII", 0xFEEF04BD, 0x10000, major << 16 | minor, patch << 16)


def macho(architecture: str) -> bytes:
    """Return the start of a program of macOS."""
    return struct.pack("<II", 0xFEEDFACF, MACH[architecture])


def elf(architecture: str = "x86_64", needed: str = "") -> bytes:
    """Return a program of Linux with one name in its table of strings."""
    return b"\x7fELF".ljust(18, b"\0") + struct.pack("<H", ELF[architecture]) + b"\0" * 40 + needed.encode() + b"\0"


def windows(folder: Path, *, obs: tuple[int, ...] = (32, 2, 2), python: str | None = "3.12") -> Computer:
    """OBS from its installer, and Python from python.org, for this user."""
    computer = Computer(folder, "windows", "C:\\Users\\Zoë Müller")
    computer.environ = {
        "APPDATA": "C:\\Users\\Zoë Müller\\AppData\\Roaming",
        "LOCALAPPDATA": "C:\\Users\\Zoë Müller\\AppData\\Local",
        "ProgramFiles": "C:\\Program Files",
    }
    computer.add("C:\\Program Files\\obs-studio\\bin\\64bit\\obs64.exe", exe(version=obs))
    computer.registry["HKLM", "software\\obs studio"] = {"": "C:\\Program Files\\obs-studio"}
    if python:
        add_windows_python(computer, python)
    return computer


def add_windows_python(computer: Computer, version: str, architecture: str = "x86_64", hive: str = "HKCU") -> Path:
    """Python as python.org's installer leaves it (PEP 514)."""
    number = version.replace(".", "")
    place = f"C:\\Users\\Zoë Müller\\AppData\\Local\\Programs\\Python\\Python{number}"
    computer.registry[hive, f"software\\python\\pythoncore\\{version}\\installpath"] = {"": place + "\\"}
    computer.add(f"{place}\\python.exe", exe(architecture))
    computer.add(f"{place}\\python{number}.dll", exe(architecture))
    return computer.path(place)


def macos(folder: Path, *, architecture: str = "arm64", version: str = "32.2.2") -> Computer:
    """OBS as it is dragged into Applications."""
    computer = Computer(folder, "macos", "/Users/zoe", architecture)
    computer.add("/Applications/OBS.app/Contents/MacOS/OBS", macho(architecture))
    info = plistlib.dumps({"CFBundleShortVersionString": version, "CFBundleIdentifier": "com.obsproject.obs-studio"})
    computer.add("/Applications/OBS.app/Contents/Info.plist", info)
    return computer


def add_framework(computer: Computer, place: str, version: str) -> Path:
    """A framework build of Python below `place`: python.org's or Homebrew's."""
    home = f"{place}/Python.framework/Versions/{version}"
    computer.add(f"{home}/lib/libpython{version}.dylib", struct.pack(">II", 0xCAFEBABE, 2))  # both processors
    computer.add(f"{home}/bin/python{version}", struct.pack(">II", 0xCAFEBABE, 2))
    return computer.path(place)


def linux(folder: Path, *, python: str = "3.13", version: str = "30.2.3") -> Computer:
    """OBS from the distribution."""
    computer = Computer(folder, "linux", "/home/zoe")
    computer.environ = {"PATH": "/usr/local/bin:/usr/bin"}
    computer.add("/usr/bin/obs", elf(needed=f"libpython{python}.so.1.0"))
    computer.add(f"/usr/bin/python{python}", elf())
    computer.answers["/usr/bin/obs --version"] = f"OBS Studio - {version}+dfsg-3 (linux)\n"
    return computer


def flatpak(folder: Path, *, installation: str = "/var/lib/flatpak", python: str = "3.13") -> Computer:
    """OBS from Flathub."""
    computer = Computer(folder, "linux", "/home/zoe")
    files = f"{installation}/app/com.obsproject.Studio/x86_64/stable/0123abc/files"
    computer.add(f"{files}/bin/obs", elf())
    computer.add(f"{files}/lib/libobs-scripting.so.30", elf(needed=f"libpython{python}.so.1.0"))
    metainfo = (
        '<component><releases><release version="32.2.1" date="2026-07-01"/><release version="32.2.0"/></releases>'
    )
    computer.add(f"{files}/share/metainfo/com.obsproject.Studio.metainfo.xml", metainfo.encode())
    app = computer.path(f"{installation}/app/com.obsproject.Studio")
    system.link_folder(app / "x86_64" / "stable" / "active", "0123abc")
    system.link_folder(app / "current", "x86_64/stable")
    return computer


def add_settings(config: Path, *, name: str = "user.ini", **sections: Mapping[str, str]) -> Path:
    """Write OBS's settings file as OBS does."""
    lines = [
        "\n".join([f"[{section}]", *(f"{key}={value}" for key, value in values.items()), ""])
        for section, values in sections.items()
    ]
    config.mkdir(parents=True, exist_ok=True)
    path = config / name
    path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
    return path


def add_collection(config: Path, name: str, scripts: Sequence[str] = (), **more: Any) -> Path:
    """Write a scene collection as OBS does."""
    folder = config / "basic" / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    listed = [{"path": path, "settings": {"threshold": 0.7}} for path in scripts]
    content = {"name": name, "sources": [], "modules": {"output-timer": {}, "scripts-tool": listed}, **more}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False), encoding="utf-8")
    return path
