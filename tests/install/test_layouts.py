"""Finding OBS and its Python on recorded computers of all systems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eoam_install import installer
from eoam_install.pythons import choose_python, find_pip, newest_for
from eoam_machine import binaries, layouts
from eoam_machine.errors import InstallError
from eoam_machine.layouts import Obs, find_obs
from tests.core import system

from . import recorded


def _only(computer: recorded.Computer) -> Obs:
    (obs,) = find_obs(computer.machine)
    return obs


def test_windows_from_the_installer(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path)
    obs = _only(computer)
    assert (obs.kind, obs.version, obs.architecture) == ("native", (32, 2, 2), "x86_64")
    assert obs.config == computer.path("C:\\Users\\Zoë Müller\\AppData\\Roaming\\obs-studio")
    assert obs.target == computer.path("C:\\Users\\Zoë Müller\\AppData\\Local\\eoam-obs")
    python = choose_python(obs, computer.machine)
    assert python.version == (3, 12)
    assert python.folder == computer.path("C:\\Users\\Zoë Müller\\AppData\\Local\\Programs\\Python\\Python312")
    assert python.program == python.folder / "python.exe"


def test_windows_from_steam(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path)
    computer.registry.pop(("HKLM", "software\\obs studio"))
    computer.path("C:\\Program Files\\obs-studio\\bin\\64bit\\obs64.exe").unlink()
    computer.registry["HKLM", "software\\valve\\steam"] = {"InstallPath": "D:\\Steam"}
    computer.add("D:\\Steam\\steamapps\\common\\OBS Studio\\bin\\64bit\\obs64.exe", recorded.exe(version=(31, 0, 1)))
    assert _only(computer).version == (31, 0, 1)


def test_an_obs_33_with_its_own_modules_in_core_is_found_on_every_system(tmp_path: Path) -> None:
    # OBS 33 moved what it brings along from obs-plugins to core; the program, its settings and its Python stayed.
    windows = recorded.windows(tmp_path / "windows", obs=(33, 0, 3))
    windows.add("C:\\Program Files\\obs-studio\\core\\frontend-tools\\frontend-tools.dll", recorded.exe())
    macos = recorded.macos(tmp_path / "macos", version="33.0.3")
    macos.add("/Applications/OBS.app/Contents/PlugIns/core/frontend-tools.plugin/Contents/MacOS/frontend-tools")
    recorded.add_framework(macos, "/Library/Frameworks", "3.12")
    linux = recorded.linux(tmp_path / "linux", version="33.0.3")
    linux.add("/usr/lib/x86_64-linux-gnu/core/frontend-tools.so", recorded.elf())
    for computer in (windows, macos, linux):
        obs = _only(computer)
        assert obs.version == (33, 0, 3)
        assert choose_python(obs, computer.machine).version == (3, 13 if computer is linux else 12)


def test_windows_portable_keeps_everything_beside_itself(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path)
    root = computer.add("E:\\obs\\portable_mode.txt").parent
    computer.add("E:\\obs\\bin\\64bit\\obs64.exe", recorded.exe(version=(30, 1, 0)))
    (obs,) = find_obs(computer.machine, [root])
    assert (obs.kind, obs.config, obs.target) == ("portable", root / "config" / "obs-studio", root / "eoam-obs")


@pytest.mark.parametrize(
    ("obs", "newest"), [((28, 0, 0), "3.10"), ((29, 1, 0), "3.11"), ((30, 1, 0), "3.12"), ((32, 2, 2), "3.12")]
)
def test_windows_and_macos_have_a_newest_python_per_obs(tmp_path: Path, obs: tuple[int, ...], newest: str) -> None:
    computer = recorded.windows(tmp_path, obs=obs, python=None)
    for version in ("3.8", "3.10", "3.11", "3.12", "3.13", "3.14"):
        recorded.add_windows_python(computer, version)
    found = choose_python(_only(computer), computer.machine)
    assert ".".join(map(str, found.version)) == newest


def test_an_obs_that_is_too_old_is_named() -> None:
    with pytest.raises(InstallError, match=r"OBS 27\.2\.4 is too old"):
        newest_for((27, 2, 4))


@pytest.mark.parametrize("version", ["27.2.0-4566-g63206664e", "OBS Studio - 27.2.0-4566-g63206664e-modified (linux)"])
def test_an_obs_that_somebody_built_between_releases_is_not_taken_for_the_old_one_that_it_names(version: str) -> None:
    assert binaries.version(version) == ()
    assert newest_for(binaries.version(version)) == newest_for((99, 0))
    assert binaries.version("OBS Studio - 29.0.2.1-1-glibc (linux)") == (29, 0, 2)


def test_the_python_that_is_set_in_obs_is_used_before_a_newer_one(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path)
    chosen = recorded.add_windows_python(computer, "3.11")
    configured = "C:/Users/Zoë Müller/AppData/Local/Programs/Python/Python311"
    assert choose_python(_only(computer), computer.machine, configured).folder == chosen


def test_a_python_that_is_set_but_gone_is_replaced(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path)
    assert choose_python(_only(computer), computer.machine, "C:/Python39").version == (3, 12)


@pytest.mark.parametrize("version", ["3.13", "3.9"])
def test_windows_without_a_fitting_python_says_which_to_install(tmp_path: Path, version: str) -> None:
    computer = recorded.windows(tmp_path, python=version)
    with pytest.raises(InstallError, match=r"Install Python 3\.12 \(64-bit Intel\) from python\.org \(3\.13 and later"):
        choose_python(_only(computer), computer.machine)


def test_windows_skips_a_python_for_another_processor(tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path, python=None)
    recorded.add_windows_python(computer, "3.12", "arm64")
    with pytest.raises(InstallError, match="has no Python that it can load"):
        choose_python(_only(computer), computer.machine)


@pytest.mark.parametrize(
    "place", ["/Library/Frameworks", "/opt/homebrew/opt/python@3.12/Frameworks", "/usr/local/Frameworks"]
)
def test_macos_with_pythons_framework_builds(tmp_path: Path, place: str) -> None:
    computer = recorded.macos(tmp_path)
    obs = _only(computer)
    assert (obs.version, obs.architecture) == ((32, 2, 2), "arm64")
    assert obs.config == computer.home / "Library" / "Application Support" / "obs-studio"
    recorded.add_framework(computer, place, "3.13")
    with pytest.raises(InstallError, match=r"Install Python 3\.12 \(ARM\) from python\.org or Homebrew"):
        choose_python(obs, computer.machine)
    folder = recorded.add_framework(computer, place, "3.12")
    python = choose_python(obs, computer.machine)
    assert (python.version, python.folder) == ((3, 12), folder)


def test_macos_with_one_obs_for_both_processors(tmp_path: Path) -> None:
    computer = recorded.macos(tmp_path)
    computer.add("/Applications/OBS.app/Contents/MacOS/OBS", bytes.fromhex("cafebabe00000002"))
    obs = _only(computer)
    assert obs.architecture == ""
    assert installer.platform_of(computer.machine, obs) == "macosx_arm64"


def test_macos_on_intel(tmp_path: Path) -> None:
    assert _only(recorded.macos(tmp_path, architecture="x86_64")).architecture == "x86_64"


def test_linux_uses_the_python_that_obs_is_linked_with(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    obs = _only(computer)
    assert (obs.kind, obs.version, obs.linked_python) == ("native", (30, 2, 3), (3, 13))
    assert obs.target == computer.home / ".local" / "share" / "eoam-obs"
    python = choose_python(obs, computer.machine)
    assert (python.version, python.folder, python.program) == ((3, 13), None, computer.path("/usr/bin/python3.13"))


def test_linux_where_only_the_scripting_library_is_linked_with_python(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    computer.add("/usr/bin/obs", recorded.elf())
    computer.add("/usr/lib/x86_64-linux-gnu/libobs-scripting.so.27", recorded.elf(needed="libpython3.10.so.1.0"))
    assert _only(computer).linked_python == (3, 10)


@pytest.mark.parametrize(
    ("needed", "sentence"),
    [
        ("libpython3.9.so.1.0", "uses Python 3.9; the filter needs 3.10 or newer"),
        ("libc.so.6", "is not linked with Python"),
    ],
)
def test_linux_without_a_fitting_python_says_so(tmp_path: Path, needed: str, sentence: str) -> None:
    computer = recorded.linux(tmp_path)
    computer.add("/usr/bin/obs", recorded.elf(needed=needed))
    with pytest.raises(InstallError, match=sentence):
        choose_python(_only(computer), computer.machine)


def test_linux_portable(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    root = computer.add("/home/zoe/obs/bin/64bit/obs", recorded.elf(needed="libpython3.11.so.1.0")).parents[2]
    (root / "config" / "obs-studio").mkdir(parents=True)
    (obs,) = find_obs(computer.machine, [root])
    assert (obs.kind, obs.config, obs.target) == ("portable", root / "config" / "obs-studio", root / "eoam-obs")


def test_linux_respects_the_xdg_folders(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    computer.environ.update(XDG_CONFIG_HOME="/data/config", XDG_DATA_HOME="relative")
    obs = _only(computer)
    assert obs.config == computer.path("/data/config/obs-studio")
    assert obs.target == computer.home / ".local" / "share" / "eoam-obs"


@pytest.mark.parametrize("installation", ["/var/lib/flatpak", "/home/zoe/.local/share/flatpak"])
def test_flatpak_of_the_system_and_of_the_user(tmp_path: Path, installation: str) -> None:
    computer = recorded.flatpak(tmp_path, installation=installation)
    computer.add("/usr/bin/python3.13", recorded.elf())
    obs = _only(computer)
    own = computer.home / ".var" / "app" / "com.obsproject.Studio"
    assert (obs.kind, obs.version, obs.linked_python) == ("flatpak", (32, 2, 1), (3, 13))
    assert (obs.config, obs.target) == (own / "config" / "obs-studio", own / "data" / "eoam-obs")
    # The host's Python of the same number is another one.
    assert choose_python(obs, computer.machine).program is None


def test_the_obs_whose_settings_changed_last_comes_first(tmp_path: Path) -> None:
    computer = recorded.flatpak(tmp_path)
    computer.environ["PATH"] = "/usr/bin"
    computer.add("/usr/bin/obs", recorded.elf(needed="libpython3.13.so.1.0"))
    configs = {obs.kind: obs.config for obs in find_obs(computer.machine)}
    for newer, older in (("native", "flatpak"), ("flatpak", "native")):
        os.utime(recorded.add_settings(configs[older]), (1000, 1000))
        os.utime(recorded.add_settings(configs[newer]), (2000, 2000))
        assert [obs.kind for obs in find_obs(computer.machine)] == [newer, older]
        assert layouts.config_folders(computer.machine)[0] == configs[newer]


@system.needs_locks
def test_folders_that_may_not_be_looked_into_are_passed_over(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    locked = computer.add("/locked/bin/obs").parents[1]
    computer.environ["PATH"] = "/locked/bin:/usr/bin"
    locked.chmod(0)
    try:
        assert _only(computer).program == computer.path("/usr/bin/obs")
    finally:
        locked.chmod(0o700)


def test_a_computer_without_obs_has_none(tmp_path: Path) -> None:
    assert find_obs(recorded.Computer(tmp_path, "linux", "/home/zoe").machine) == []


def test_pip_is_found_beside_the_python_or_inside_ensurepip(tmp_path: Path) -> None:
    computer = recorded.linux(tmp_path)
    computer.answers["-c import sys, pip"] = ""
    assert find_pip(computer.machine) == [str(computer.path("/usr/bin/python3.13")), "-m", "pip"]
    del computer.answers["-c import sys, pip"]
    wheel = tmp_path / "python-wheels" / "pip-25.0.whl"
    computer.answers["import ensurepip"] = f"{wheel}\n"
    assert find_pip(computer.machine)[1:] == [str(wheel / "pip")]


def test_no_pip_anywhere_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="There is no pip on this computer"):
        find_pip(recorded.linux(tmp_path).machine)
