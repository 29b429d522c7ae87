"""Implement the installer's command line: its questions, output and exit codes.

0 done, 1 failed (one sentence on stderr, nothing half-installed), 2 wrong arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from eoam_install import installer, wheels
from eoam_install.pythons import find_pip, running_python
from eoam_machine import layouts, obs_settings, receipt, scenes
from eoam_machine.errors import InstallError, explain
from eoam_machine.layouts import Obs
from eoam_machine.machine import Machine, this_machine

SOURCE = Path(__file__).resolve().parent.parent
_FAILED, _INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Run the installer and return its exit code; `arguments` are the process's own unless given."""
    machine = machine or this_machine()
    options = _parser().parse_args(arguments)
    try:
        if machine.is_root:
            raise InstallError("Run this as your own user, not as root: it only changes your own OBS settings.")
        if options.fetch is not None:
            _fetch(options, machine)
        elif options.uninstall:
            _uninstall(options, machine)
        elif options.undo:
            _undo(options, machine)
        elif options.doctor:
            return _doctor(options, machine)
        else:
            _install(options, machine)
    except InstallError as error:
        return _fail(str(error), options)
    except OSError as error:
        return _fail(str(explain(error)), options)
    except (KeyboardInterrupt, EOFError):
        _print("\nInterrupted; nothing was installed.")
        return _INTERRUPTED
    _hold_window(options)
    return 0


def project_version(source: Path = SOURCE) -> str:
    """Return the version of the files in `source`, read without importing them."""
    try:
        text = (source / "eoam_core" / "__init__.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else ""


def _install(options: argparse.Namespace, machine: Machine) -> None:
    obs = _choose_obs(options, machine)
    wanted = options.scenes or _ask_scenes(obs, options)
    target = _absolute(options.target) if options.target else obs.target
    plan = installer.make_plan(machine, obs, SOURCE, target, wanted, glibc=platform.libc_ver())
    for line in installer.describe(plan):
        _print(line)
    if options.dry_run:
        _print("Nothing was done (--dry-run).")
        return
    progress = _Progress()
    try:
        offline = _absolute(options.offline) if options.offline else None
        installer.install(plan, machine, version=project_version(), offline=offline, on_progress=progress)
    finally:
        progress.end()
    _print(f"Installed in {plan.target}.")
    if (
        plan.python.folder is not None
        and plan.python_setting is None
        and obs_settings.settings_file(obs.config) is None
    ):
        _print(f"Start OBS, choose {plan.python.folder} under Tools > Scripts > Python Settings, and restart OBS.")
    if not plan.collections:
        # The folder is hidden in OBS's dialog for files, on Linux and macOS, where that has no field for a name either.
        how = "press Cmd+Shift+G and paste this" if machine.system == "macos" else "paste this into File name"
        _print(f"Start OBS, press + under Tools > Scripts, and {how}: {plan.script}")
        if not scenes.find_collections(obs_settings.scenes_folder(obs.config)):
            _print("Or start OBS once, close it, and run this again: then the script is in your scenes.")
    _print("In OBS: Tools > Scripts, click obs_eoam.py, choose your camera and press Add the filter.")
    _print(f"To remove everything: {_python()} {_quoted(plan.target / 'install.py')} --uninstall")


def _uninstall(options: argparse.Namespace, machine: Machine) -> None:
    for target, obs in _installations(options, machine):
        if options.dry_run:
            _print(f"{target} would be removed (--dry-run).")
            continue
        for line in installer.uninstall(target, machine, obs):
            _print(line)


def _undo(options: argparse.Namespace, machine: Machine) -> None:
    for target, obs in _installations(options, machine):
        found = receipt.read_receipt(target)
        if found is None:
            continue
        if options.dry_run:
            _print(f"The changes to {', '.join(change.path for change in found.changes)} would be undone (--dry-run).")
            continue
        installer.require_closed(obs, machine)
        for line in receipt.undo_changes(found, target) or ["There is nothing to undo."]:
            _print(line)


def _doctor(options: argparse.Namespace, machine: Machine) -> int:
    """Run `eoam doctor` with the Python that OBS uses, which may not be this one."""
    target, obs = _installations(options, machine)[0]
    found = receipt.read_receipt(target)
    assert found is not None  # or _installations would have left it out
    minor = int(re.sub(r"cp3(\d+)-.*", r"\1", found.environment))
    program = Path(sys.executable) if sys.version_info[:2] == (3, minor) else None
    if obs is not None and program is None:
        program = installer.python_of(machine, obs).program
    if program is None:
        raise InstallError(
            f"The doctor needs Python 3.{minor}, which OBS uses but which was not found on this computer."
        )
    return subprocess.run([str(program), "-m", "eoam_cli", "doctor"], cwd=target, check=False).returncode


def _fetch(options: argparse.Namespace, machine: Machine) -> None:
    folder = _absolute(options.fetch)
    if options.python and options.platform:
        major, _, minor = options.python.partition(".")
        environment = wheels.Environment((int(major), int(minor)), options.platform)
    else:
        obs = _choose_obs(options, machine)
        python = installer.python_of(machine, obs)
        environment = wheels.Environment(python.version, installer.platform_of(machine, obs))
    libraries = wheels.choose(environment)
    folder.mkdir(parents=True, exist_ok=True)
    progress = _Progress()
    try:
        pip = find_pip(machine, [running_python(machine)])
        wheels.fetch(libraries, environment, folder, pip, on_progress=progress)
    finally:
        progress.end()
    _print(
        f"{folder} has the libraries for {environment}. On the other computer: install.py --offline {_quoted(folder)}"
    )


def _choose_obs(options: argparse.Namespace, machine: Machine) -> Obs:
    kinds = ("native", "flatpak", "portable")
    places = [_absolute(Path(options.obs))] if options.obs and options.obs not in kinds else []
    found = layouts.find_obs(machine, places)
    if options.obs in kinds:
        found = [obs for obs in found if obs.kind == options.obs]
    if not found:
        where = f" at {options.obs}" if options.obs else ""
        raise InstallError(
            f"There is no OBS Studio{where}. Install it from obsproject.com or with your package manager; "
            "for a portable OBS, give its folder with --obs."
        )
    if len(found) > 1 and _asks(options):
        for number, obs in enumerate(found, 1):
            _print(f"  {number}  {obs}")
        answer = _ask(f"For which OBS? [1-{len(found)}, Enter for 1] ").strip() or "1"
        if not answer.isdigit() or not 1 <= int(answer) <= len(found):
            raise InstallError(f"{answer!r} is not one of the choices.")
        return found[int(answer) - 1]
    return found[0]


def _ask_scenes(obs: Obs, options: argparse.Namespace) -> list[str]:
    """Ask which scene collections get the script; all of them by default.

    All, because in a collection without the script OBS skips the filter and shows the background.
    """
    collections = scenes.find_collections(obs_settings.scenes_folder(obs.config))
    if not collections or not _asks(options):
        return ["all"]
    _print("The script can be added to these scene collections:")
    for number, collection in enumerate(collections, 1):
        _print(f"  {number}  {collection.name}")
    answer = _ask("Which? [numbers with spaces, Enter for all, 0 for none] ").split()
    chosen = []
    for text in answer:
        if not text.isdigit() or int(text) > len(collections):
            raise InstallError(f"{text!r} is not one of the choices.")
        if int(text) > 0:
            chosen.append(collections[int(text) - 1].path.stem)
    return chosen or (["none"] if answer else ["all"])


def _installations(options: argparse.Namespace, machine: Machine) -> list[tuple[Path, Obs | None]]:
    """Return the folders of the selected installations, each with its OBS if known."""
    found = layouts.find_obs(machine)
    if options.target:
        places = [_absolute(options.target)]
    elif receipt.read_receipt(SOURCE) is not None:
        places = [SOURCE]
    else:
        places = [obs.target for obs in found] + layouts.usual_targets(machine)
        if options.obs:
            places = [_choose_obs(options, machine).target]
    known = {obs.target: obs for obs in found}
    installed = [place for place in dict.fromkeys(places) if receipt.read_receipt(place) is not None]
    if not installed:
        raise InstallError(f"There is no installation in {', '.join(map(str, dict.fromkeys(places)))}.")
    return [(place, known.get(place) or (found[0] if found else None)) for place in installed]


class _Progress:
    """Show the progress: one changing line on a terminal, otherwise a line per step."""

    def __init__(self) -> None:
        self._last = ""
        self._is_terminal = sys.stdout.isatty()
        self._width = 0

    def __call__(self, share: float, message: str) -> None:
        if self._is_terminal:
            line = f"{share * 100:3.0f} %  {message}"
            sys.stdout.write("\r" + line.ljust(self._width))
            self._width = len(line)
            sys.stdout.flush()
        elif message != self._last:
            _print(message)
        self._last = message

    def end(self) -> None:
        """End the line."""
        if self._is_terminal and self._last:
            sys.stdout.write("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="install.py",
        description="Install EOAM Background Removal for OBS Studio into one folder, for the current user only. No "
        "Python installation is changed, and OBS's files are backed up. Close OBS first.",
    )
    parser.add_argument("--obs", metavar="KIND|FOLDER", help="native, flatpak, portable, or an OBS folder")
    parser.add_argument(
        "--target", type=Path, metavar="FOLDER", help="install into this folder instead of the default one"
    )
    parser.add_argument(
        "--scenes",
        action="append",
        metavar="NAME",
        help="scene collection to add the script to (repeatable), or: all (default), current, none",
    )
    parser.add_argument(
        "--offline", type=Path, metavar="FOLDER", help="install the libraries from wheels in this folder"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, but change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask questions")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--uninstall", action="store_true", help="remove everything that was installed")
    what.add_argument("--undo", action="store_true", help="undo the changes to OBS's files only")
    what.add_argument("--doctor", action="store_true", help="diagnose an installation")
    what.add_argument(
        "--fetch", type=Path, metavar="FOLDER", help="only download the wheels, for --offline on another computer"
    )
    parser.add_argument("--python", metavar="3.N", type=_python_version, help="with --fetch: target version of Python")
    parser.add_argument(
        "--platform",
        metavar="NAME",
        help="with --fetch: target platform, such as win_amd64, linux_x86_64, macosx_arm64",
    )
    return parser


def _python_version(text: str) -> str:
    if not re.fullmatch(r"3\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a version of Python such as 3.12")
    return text


def _asks(options: argparse.Namespace) -> bool:
    return not (options.yes or options.dry_run) and sys.stdin is not None and sys.stdin.isatty()


def _ask(question: str) -> str:
    return input(question)


def _absolute(path: Path) -> Path:
    # Not resolved: `installer` has to refuse symbolic links.
    return Path.cwd() / path.expanduser()


def _python() -> str:
    return "py" if sys.platform == "win32" else "python3"


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)


def _print(line: str) -> None:
    sys.stdout.write(
        line.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8") + "\n"
    )


def _fail(message: str, options: argparse.Namespace) -> int:
    sys.stderr.write(f"install.py: {message}\n")
    _hold_window(options)
    return _FAILED


def _hold_window(options: argparse.Namespace) -> None:
    """Keep the window open that Windows opens for a double click."""
    if sys.platform == "win32" and len(sys.argv) == 1 and _asks(options):
        _ask("Press Enter to close this window.")
