"""Create a user's Windows as the installers of OBS and Python leave it: programs, registry, settings and scenes.

There are two, who differ in what users of Windows differ in:

- `tester`: OBS and Python for all users; settings with CRLF and a byte order mark; scenes in %APPDATA%.
- `Zoë Müller 日本`: Python for this user, below her own folder and without pip but for the wheel of the module
  ensurepip; settings with LF and a byte order mark; scenes in a folder of her choice.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eoam_install.payload import payload
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import fetch
from tools.windows.stage import REPOSITORY
from tools.windows.wine import Wine

COLLECTIONS: Final = ("Küche & Büro", "配信")  # what OBS shows; the files are called so as well
_BOM: Final = "\ufeff"
_LEFT_OUT: Final = shutil.ignore_patterns("site-packages", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Person:
    """What a user's computer is like. `wow64`: OBS's registry key is in the view of 32-bit programs."""

    name: str
    python_for_all: bool
    has_pip: bool
    wow64: bool
    newline: str
    own_scenes_folder: bool


PEOPLE: Final = (
    Person(name="tester", python_for_all=True, has_pip=True, wow64=True, newline="\r\n", own_scenes_folder=False),
    Person(
        name="Zoë Müller 日本", python_for_all=False, has_pip=False, wow64=False, newline="\n", own_scenes_folder=True
    ),
)


@dataclass(frozen=True, kw_only=True)
class Computer:
    """One user's Windows. The paths are those of this machine; `windows` gives them as Windows has them."""

    person: Person
    wine: Wine  # with the user's own Python

    @property
    def drive(self) -> Path:
        """C:."""
        return self.wine.prefix / "drive_c"

    @property
    def profile(self) -> Path:
        """The user's folder."""
        return self.drive / "users" / self.person.name

    @property
    def settings(self) -> Path:
        """OBS's folder with global.ini and user.ini."""
        return self.profile / "AppData" / "Roaming" / "obs-studio"

    @property
    def scenes(self) -> Path:
        """The folder with the scene collections."""
        top = self.profile / "OneDrive – Büro" if self.person.own_scenes_folder else self.settings.parent
        return top / "obs-studio" / "basic" / "scenes"

    @property
    def target(self) -> Path:
        """Where the installer puts the filter."""
        return self.profile / "AppData" / "Local" / "eoam-obs"

    @property
    def download(self) -> Path:
        """The unpacked download."""
        return self.profile / "Downloads" / "eoam-obs (1) – entpackt"

    def windows(self, path: Path) -> str:
        """Return a path on C: as Windows writes it."""
        return "C:\\" + str(path.relative_to(self.drive)).replace("/", "\\")


def make_computer(person: Person, folder: Path, wine: Wine, obs: Path) -> Computer:
    """Make a user's Windows with a copy of the folder `obs` below `folder`; `wine` names the display and the Python.

    Raises:
        WindowsToolError: something cannot be downloaded or made.
    """
    own = replace(wine, prefix=folder / "prefix", user=person.name)
    own.make_prefix()
    drive = own.prefix / "drive_c"
    top = drive / "Program Files" if person.python_for_all else _local(drive, person) / "Programs" / "Python"
    computer = Computer(person=person, wine=replace(own, python=top / "Python311"))
    _own_folders(computer)
    shutil.copytree(obs, drive / "Program Files" / "obs-studio")
    _copy_python(wine.python, computer)
    _write_registry(computer)
    write_settings(computer)
    for name, path in payload(REPOSITORY).items():
        target = computer.download.joinpath(*name.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return computer


def _local(drive: Path, person: Person) -> Path:
    return drive / "users" / person.name / "AppData" / "Local"


def _own_folders(computer: Computer) -> None:
    """Make real folders of Wine's links to this machine's own (Documents, Downloads ...)."""
    if not computer.profile.is_dir():
        raise WindowsToolError(f"Wine has made no folder for the user {computer.person.name!r} in {computer.drive}.")
    for path in computer.profile.iterdir():
        if path.is_symlink():
            path.unlink()
            path.mkdir()


def _copy_python(source: Path, computer: Computer) -> None:
    """Copy Windows' Python without its libraries, as python.org's installer leaves it: at most pip is there."""
    folder = computer.wine.python
    shutil.copytree(source, folder, ignore=_LEFT_OUT)
    packages = folder / "Lib" / "site-packages"
    packages.mkdir()
    if computer.person.has_pip:
        shutil.copytree(source / "Lib" / "site-packages" / "pip", packages / "pip", ignore=_LEFT_OUT)
    else:
        bundled = folder / "Lib" / "ensurepip" / "_bundled"
        bundled.mkdir(exist_ok=True)
        wheel = next(path for path in fetch("python") if path.name.startswith("pip-"))
        shutil.copyfile(wheel, bundled / wheel.name)


_WRITE: Final = """
import sys, winreg
hives = {"HKLM": winreg.HKEY_LOCAL_MACHINE, "HKCU": winreg.HKEY_CURRENT_USER}
for number in range(1, len(sys.argv), 4):
    hive, view, key, value = sys.argv[number:number + 4]
    access = winreg.KEY_WRITE | (winreg.KEY_WOW64_32KEY if view == "32" else winreg.KEY_WOW64_64KEY)
    with winreg.CreateKeyEx(hives[hive], key, 0, access) as opened:
        winreg.SetValueEx(opened, "", 0, winreg.REG_SZ, value)
"""


def _write_registry(computer: Computer) -> None:
    person = computer.person
    hive = "HKLM" if person.python_for_all else "HKCU"
    python = computer.windows(computer.wine.python) + "\\"
    entries = ["HKLM", "32" if person.wow64 else "64", r"SOFTWARE\OBS Studio", r"C:\Program Files\obs-studio"]
    entries += [hive, "64", r"SOFTWARE\Python\PythonCore\3.11\InstallPath", python]
    # A 32-bit and a newer Python stand there as well, and OBS can load neither.
    entries += ["HKCU", "64", r"SOFTWARE\Python\PythonCore\3.12-32\InstallPath", "C:\\Python312-32\\"]
    entries += ["HKCU", "64", r"SOFTWARE\Python\PythonCore\3.14\InstallPath", "C:\\Python314\\"]
    done = computer.wine.run_python("-c", _WRITE, *entries)
    if done.returncode:
        raise WindowsToolError(f"The registry of {person.name!r} could not be written: {done.stdout}")


def write_settings(computer: Computer) -> None:
    """Write OBS's settings and two scene collections as OBS does."""
    computer.scenes.mkdir(parents=True)
    computer.settings.mkdir(parents=True, exist_ok=True)
    places = ""
    if computer.person.own_scenes_folder:
        top = computer.windows(computer.scenes.parents[2]).replace("\\", "\\\\")
        places = f"\n[Locations]\nSceneCollections={top}\n"
    texts = {
        "global.ini": "[General]\nPre31Migrated=true\nMaxLogs=10\nLanguage=de-DE\n\n[Video]\nRenderer=Direct3D 11\n"
        + places,
        "user.ini": "[General]\nFirstRun=true\nName=Zoë = 日本\n\n[Basic]\nProfile=Büro\nProfileDir=Büro\n"
        f"SceneCollection={COLLECTIONS[0]}\nSceneCollectionFile={COLLECTIONS[0]}.json\n\n"
        "[BasicWindow]\ngeometry=AdnQywADAAAAAAJYAAAA\nShowSourceIcons=true\n",
    }
    for name, text in texts.items():
        content = (_BOM + text).replace("\n", computer.person.newline)
        (computer.settings / name).write_bytes(content.encode())
    for name in COLLECTIONS:
        text = json.dumps(collection(name), indent=4, ensure_ascii=False)
        (computer.scenes / f"{name}.json").write_bytes(text.encode())
        (computer.scenes / f"{name}.json.bak").write_bytes(text.encode())


def collection(name: str) -> dict[str, Any]:
    """Return a scene collection with a camera and, in the first one, another script."""
    camera = {
        "id": "dshow_input",
        "name": "Kamera – 正面",
        "uuid": "4bd21ab1-9d8f-4b51-9e2e-7ab3f0e4e1a5",
        "settings": {"video_device_id": "Integrierte Kamera:\\\\?\\usb#vid_0c45", "gain": 0.7},
        "filters": [],
    }
    others = [{"path": "C:/Skripte/Ünterwegs.py", "settings": {"Größe": 3}}] if name == COLLECTIONS[0] else []
    return {
        "current_scene": "Szene ä",
        "name": name,
        "sources": [camera, {"id": "scene", "name": "Szene ä", "settings": {"items": []}}],
        "modules": {"output-timer": {"autoStartRecordTimer": False}, "scripts-tool": others},
        "resolution": {"x": 1920, "y": 1080},
        "version": 2,
    }
