"""Install the filter where OBS finds it, all or nothing, and remove it again."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from eoam_install import wheels
from eoam_install.payload import payload
from eoam_install.place import check_space, check_target, foreign_files
from eoam_install.pythons import Python, choose_python, find_pip, running_python
from eoam_install.running import is_running
from eoam_install.transaction import Staging, remove_file, remove_tree, staging
from eoam_machine import layouts, obs_settings, receipt, scenes
from eoam_machine.errors import InstallError, explain
from eoam_machine.layouts import Obs
from eoam_machine.machine import Machine

_DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Plan:
    """Everything that `install` will do; made without touching anything.

    `files` maps places in `target` to files; `python_setting` is the settings file that gets the Python's folder, or
    None if that is not needed or not possible.
    """

    obs: Obs
    python: Python
    environment: wheels.Environment
    libraries: tuple[wheels.Wheel, ...]
    target: Path
    files: dict[str, Path]
    collections: tuple[scenes.Collection, ...]
    python_setting: Path | None

    @property
    def script(self) -> Path:
        """The script's path after the installation."""
        return self.target / scenes.SCRIPT


def make_plan(
    machine: Machine,
    obs: Obs,
    source: Path,
    target: Path,
    wanted_scenes: Sequence[str],
    *,
    glibc: tuple[str, str] = ("", ""),
) -> Plan:
    """Decide what to do; InstallError says why it cannot be done.

    `source` holds the project's files, `wanted_scenes` is as for `scenes.choose`, `glibc` as from platform.libc_ver.
    """
    settings = obs_settings.settings_file(obs.config)
    configured = obs_settings.read_value(settings, "Python", "Path64bit") if settings else ""
    python = python_of(machine, obs)
    environment = wheels.Environment(python.version, platform_of(machine, obs))
    libraries = wheels.choose(environment)
    # A Flatpak has its own C library, newer than any wheel requires.
    wheels.check_system(
        libraries,
        libc=("", "") if obs.kind == "flatpak" else glibc,
        macos=platform.mac_ver()[0] if machine.system == "macos" and not machine.root else "",
    )
    check_target(target, machine)
    current = obs_settings.read_value(settings, "Basic", "SceneCollectionFile") if settings else ""
    found = scenes.find_collections(obs_settings.scenes_folder(obs.config))
    chosen = scenes.choose(found, wanted_scenes, re.sub(r"\.json$", "", current))
    tell = python.folder is not None and machine.path(configured or "/nowhere") != python.folder
    if machine.system == "windows":
        script = (target / scenes.SCRIPT).as_posix()
        changed = [collection.path for collection in chosen if script not in collection.scripts]
        changed += [settings] if settings is not None and tell else []
        for path in filter(receipt.is_read_only, changed):
            raise receipt.protected(path)
    return Plan(
        obs=obs,
        python=python,
        environment=environment,
        libraries=tuple(libraries),
        target=target,
        files=payload(source),
        collections=tuple(chosen),
        python_setting=settings if tell else None,
    )


def describe(plan: Plan) -> list[str]:
    """Return the steps of a plan, a line each."""
    lines = [f"OBS:        {plan.obs}", f"Python:     {plan.python}", f"Folder:     {plan.target}"]
    for wheel in plan.libraries:
        lines.append(f"Library:    {wheel.library} {wheel.version} ({wheel.size / 1e6:.0f} MB to download)")
    if plan.python_setting is not None:
        lines.append(f"OBS's file: {plan.python_setting} is set to use {plan.python.folder} (a backup is kept)")
    for collection in plan.collections:
        lines.append(f"Scenes:     {collection.name!r} gets the script (a backup is kept)")
    if not plan.collections:
        lines.append("Scenes:     none; add the script in OBS under Tools > Scripts")
    return lines


def install(
    plan: Plan,
    machine: Machine,
    *,
    version: str,
    offline: Path | None = None,
    on_progress: wheels.Progress = lambda share, message: None,
) -> None:
    """Carry out a plan. A failure undoes everything and raises InstallError with the reason."""
    if plan.collections or plan.python_setting or plan.target.exists():
        require_closed(plan.obs, machine)
    previous = receipt.read_receipt(plan.target)
    with staging(plan.target) as new:
        kept = foreign_files(plan.target, previous)
        files = {**kept, **plan.files}
        needed = sum(wheel.unpacked + (wheel.size if offline is None else 0) for wheel in plan.libraries)
        check_space(plan.target, new.folder, needed + sum(path.stat().st_size for path in files.values()))
        for name, path in files.items():
            _copy(path, new.folder.joinpath(*name.split("/")))
        add_libraries(
            plan.libraries,
            plan.environment,
            new.folder / plan.environment.folder,
            machine,
            offline=offline,
            preferred=[running_python(machine), plan.python.program],
            on_progress=on_progress,
        )
        on_progress(0.95, "Testing the installation")
        paths = [new.folder, new.folder / plan.environment.folder]
        try_out(plan.python.program, paths, new.folder, model=new.folder / receipt.MODEL)
        changes = _changes(plan, previous)
        _write_receipt(plan, new, previous, changes, version, kept.keys() - plan.files.keys())
        new.commit()
        _apply(changes)
    on_progress(1.0, "Installed")


def require_closed(obs: Obs | None, machine: Machine) -> None:
    """Raise InstallError while OBS runs: it has the files open, and overwrites our changes when it ends."""
    if obs is not None and is_running(obs, machine):
        raise InstallError("OBS is running and would overwrite the changed scenes when it closes. Close OBS first.")


def python_of(machine: Machine, obs: Obs) -> Python:
    """Return the Python that this OBS uses or could use; InstallError if there is none."""
    settings = obs_settings.settings_file(obs.config)
    return choose_python(obs, machine, obs_settings.read_value(settings, "Python", "Path64bit") if settings else "")


def platform_of(machine: Machine, obs: Obs) -> str:
    """Return the platform of OBS's process; a universal one (macOS) runs as the computer's own."""
    return wheels.platform_of(machine.system, obs.architecture or machine.architecture)


def add_libraries(
    libraries: Sequence[wheels.Wheel],
    environment: wheels.Environment,
    folder: Path,
    machine: Machine,
    *,
    offline: Path | None,
    preferred: Sequence[Path | None],
    on_progress: wheels.Progress,
) -> None:
    """Fetch the wheels, or take them from the folder `offline`, and unpack them into `folder`, which is made."""
    downloads = folder.with_name(f"{folder.name}.{_DOWNLOADS}")
    downloads.mkdir(parents=True)
    try:
        if offline is not None:
            found = wheels.find_offline(libraries, offline)
        else:
            pip = find_pip(machine, preferred)
            found = wheels.fetch(
                libraries,
                environment,
                downloads,
                pip,
                on_progress=lambda share, message: on_progress(0.8 * share, message),
            )
        on_progress(0.8, "Unpacking")
        wheels.unpack(libraries, found, folder)
    finally:
        remove_tree(downloads)


def try_out(program: Path | None, paths: Sequence[Path], scratch: Path, *, model: Path | None = None) -> None:
    """Import the libraries in `paths` with the Python that OBS will use, if that can be run from here.

    With `model`, and the project's packages in `paths`, the network runs as well. `scratch` is a folder for files that
    the run may write.
    """
    if program is None:
        return
    code = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}; {_LOAD}"
    if model is not None:
        code += _RUN.format(str(model))
    status, output = wheels.run_quietly([str(program), "-I", "-S", "-B", "-c", code], scratch)
    if status != 0:
        last = [line for line in output.strip().splitlines() if line.strip()] or [f"exit code {status}"]
        remedy = ""
        if "DLL load failed" in output:
            remedy = " Install the latest Microsoft Visual C++ Redistributable (x64) and run this again."
        raise InstallError(f"The libraries do not work in {program}: {last[-1].strip()}.{remedy}")


_LOAD = "import numpy, cv2, onnxruntime"
_RUN = "; from eoam_core.segmenter import OnnxSegmenter; OnnxSegmenter({!r}, height=144, width=256)"


def uninstall(target: Path, machine: Machine, obs: Obs | None = None) -> list[str]:
    """Remove an installation, and return what was done and what was left, a sentence each."""
    found = receipt.read_receipt(target)
    if found is None:
        raise InstallError(f"There is no installation in {target}.")
    require_closed(obs, machine)
    known = {each.config: each for each in layouts.find_obs(machine)}
    for config, _, _ in _left_over(target, machine):
        require_closed(known.get(config), machine)
    try:
        done = receipt.undo_changes(found, target)
        done += _remove_left_over(target, machine)
        left = _remove_files(target, found)
    except OSError as error:
        raise explain(error) from None
    if left:
        done.append(f"These files were not installed by EOAM and were kept: {', '.join(str(path) for path in left)}.")
    else:
        for parent in found.parents:
            with contextlib.suppress(OSError):
                Path(parent).rmdir()  # if it is empty
    done.append(f"Removed {target}." if not left else f"Removed what was installed in {target}.")
    return done


def _left_over(target: Path, machine: Machine) -> Iterator[tuple[Path, Path, list[str]]]:
    """Yield (settings folder, collection, entries) for collections that list the script in `target`, or a lost one.

    A moved or deleted installation leaves its entries behind, and the next one may only cover other collections. An
    entry whose script exists belongs to another installation.
    """
    own = (target / scenes.SCRIPT).as_posix()
    for config in layouts.config_folders(machine):
        for collection in scenes.find_collections(obs_settings.scenes_folder(config)):
            ours = [path for path in collection.scripts if scenes.is_ours(path)]
            entries = [path for path in ours if path == own or not machine.path(path).is_file()]
            if entries:
                yield config, collection.path, entries


def _remove_left_over(target: Path, machine: Machine) -> list[str]:
    """Remove them from the collections, and return a sentence for each."""
    done = []
    for _, path, entries in _left_over(target, machine):
        try:
            content = scenes.read_file(path)
            for entry in entries:
                content = scenes.without_script(content, entry, path) or content
        except InstallError as error:
            done.append(str(error))
            continue
        receipt.replace(path, content)
        done.append(f"Removed the script from {path}.")
    return done


def _remove_files(target: Path, found: receipt.Receipt) -> list[Path]:
    if Path.cwd().is_relative_to(target):
        os.chdir(target.parent)  # Windows does not remove a folder that is in use
    ours = {target.joinpath(*name.split("/")) for name in found.files}
    ours |= {target / receipt.NAME, *(target / receipt.BACKUPS / change.backup for change in found.changes)}
    left = []
    for parent, _, names in os.walk(target, topdown=False):
        folder = Path(parent)
        for name in names:
            path = folder / name
            if path in ours or folder.name == "__pycache__":
                remove_file(path)
            else:
                left.append(path)
        with contextlib.suppress(OSError):
            folder.rmdir()
    return left


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _changes(plan: Plan, previous: receipt.Receipt | None) -> list[tuple[Path, bytes, bytes, str]]:
    """Return the changes to OBS's files: path, content before and after, the script's entry."""
    changes = []
    known = {change.path for change in previous.changes} if previous is not None else set()
    script = plan.script.as_posix()  # OBS writes `/` on Windows as well
    for collection in plan.collections:
        before = scenes.read_file(collection.path)
        after = scenes.with_script(before, script, collection.path)
        if after is None and str(collection.path) not in known:
            # Left over from a moved or deleted installation: from now on this one removes it.
            before, after = scenes.without_script(before, script, collection.path) or before, before
        if after is not None:
            changes.append((collection.path, before, after, script))
    if plan.python_setting is not None and plan.python.folder is not None:
        before = plan.python_setting.read_bytes()
        after = obs_settings.with_value(before, "Python", "Path64bit", plan.python.folder.as_posix())
        changes.append((plan.python_setting, before, after, ""))
    return changes


def _write_receipt(
    plan: Plan,
    new: Staging,
    previous: receipt.Receipt | None,
    changes: Sequence[tuple[Path, bytes, bytes, str]],
    version: str,
    foreign: Set[str],
) -> None:
    folder = new.folder
    written = receipt.Receipt(version=version, obs=str(plan.obs), environment=str(plan.environment))
    written.parents = [str(parent) for parent in new.made_parents]
    backups = folder / receipt.BACKUPS
    if previous is not None:  # its backups are still needed for undoing
        written.parents = previous.parents
        again = {str(path) for path, *_ in changes}
        for change in previous.changes:
            if change.path not in again:
                _copy(plan.target / receipt.BACKUPS / change.backup, backups / change.backup)
                written.changes.append(change)
    for number, (path, before, after, script) in enumerate(changes, 1):
        name = f"{len(written.changes) + number}-{path.name}"
        backups.mkdir(exist_ok=True)
        (backups / name).write_bytes(before)
        written.changes.append(receipt.Change(str(path), receipt.sha256(after), name, script))
    ours = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.parent != backups and "__pycache__" not in path.parts
    ]
    written.files = sorted({*ours} - foreign)
    written.write(folder)


def _apply(changes: Sequence[tuple[Path, bytes, bytes, str]]) -> None:
    done: list[tuple[Path, bytes]] = []
    try:
        for path, before, after, _ in changes:
            if path.read_bytes() == after:
                continue
            receipt.replace(path, after)
            done.append((path, before))
    except BaseException:
        for path, before in done:
            receipt.replace(path, before)
        raise
