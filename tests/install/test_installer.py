"""A whole installation on a recorded computer, and each thing that can break it: then nothing has changed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eoam_install import command, installer, payload, wheels
from eoam_machine import layouts, receipt
from eoam_machine.errors import InstallError
from eoam_machine.layouts import find_obs
from tests.core import system

from . import recorded
from .test_wheels import make_wheel

REPOSITORY = Path(__file__).parents[2]
USUAL = ".local/share/eoam-obs"
# What OBS's Python does when the libraries are tried out with it.
LOADS = ""
LOADS_NOT = "print('Traceback ...'); print('ImportError: undefined symbol: PyX'); raise SystemExit(1)"


class Desk:
    """A recorded Linux computer with scenes, wheels in a folder, and a lock that names them."""

    def __init__(self, folder: Path) -> None:
        self.computer = recorded.linux(folder / "computer")
        self.program = self.computer.path("/usr/bin/python3.13")
        system.add_program(self.program, LOADS)
        self.config = self.computer.home / ".config" / "obs-studio"
        self.scenes = [recorded.add_collection(self.config, name) for name in ("Küche & Co", "Talk")]
        recorded.add_settings(self.config, Basic={"SceneCollectionFile": "Talk"})
        self.wheels = folder / "wheels"
        self.lock: dict[str, Any] = {"environments": {}, "files": {}}
        for python in ("cp312", "cp313"):
            names = [f"{name}-1.0-{python}-{python}-manylinux_2_17_x86_64.whl" for name in ("numpy", "onnxruntime")]
            for name in names:
                module = name.partition("-")[0]
                wheel = make_wheel(self.wheels, name, {f"{module}/__init__.py": b"x = 1\n" * 1000})
                fields = {"sha256": wheel.sha256, "size": wheel.size, "unpacked": 6000}
                self.lock["files"][name] = fields
            self.lock["environments"][f"{python}-linux_x86_64"] = names
        self.target = self.computer.home / USUAL

    def install(self, *arguments: str) -> int:
        offline = [] if "--online" in arguments else ["--offline", str(self.wheels)]
        given = [argument for argument in arguments if argument != "--online"]
        return command.main(["--yes", *offline, *given], self.computer.machine)

    def run(self, *arguments: str) -> int:
        return command.main([*arguments], self.computer.machine)

    def everything(self) -> dict[str, bytes | None]:
        """Return every file and folder of the user with its content."""
        paths = self.computer.home.rglob("*")
        return {str(path): path.read_bytes() if path.is_file() else None for path in paths}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path / "mit Leerzeichen und Ümlauten")
    monkeypatch.setattr(wheels, "read_lock", lambda: desk.lock)
    return desk


def _listed(path: Path) -> list[str]:
    return [entry["path"] for entry in json.loads(path.read_text(encoding="utf-8"))["modules"]["scripts-tool"]]


def test_everything_lands_in_one_folder_and_in_all_scenes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.install() == 0
    target = desk.target
    assert (target / "libraries" / "python3.13" / "numpy" / "__init__.py").is_file()
    assert (target / "models" / "eoam.onnx").read_bytes() == (REPOSITORY / "models" / "eoam.onnx").read_bytes()
    for name in ("obs_eoam.py", "install.py", "eoam_core/settings.py", "eoam_obs/effects/eoam.effect"):
        assert (target / name).read_bytes() == (REPOSITORY / name).read_bytes()
    assert [_listed(path) for path in desk.scenes] == [[(target / "obs_eoam.py").as_posix()]] * 2
    assert sorted(path.name for path in target.parent.iterdir()) == ["eoam-obs"]
    printed = capsys.readouterr().out
    assert "OBS 30.2.3 (native" in printed
    assert "Python 3.13" in printed
    assert "press Add the filter" in printed


def test_uninstall_leaves_nothing(desk: Desk) -> None:
    before = desk.everything()
    assert desk.install() == 0
    (desk.target / "eoam_core" / "__pycache__").mkdir()
    (desk.target / "eoam_core" / "__pycache__" / "cli.cpython-313.pyc").touch()
    assert desk.run("--uninstall") == 0
    assert desk.everything() == before


def test_uninstall_leaves_what_is_not_ours(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.install() == 0
    (desk.target / "beach.jpg").write_bytes(b"mine")
    assert desk.run("--uninstall") == 0
    assert [path.name for path in desk.target.rglob("*")] == ["beach.jpg"]
    assert "beach.jpg" in capsys.readouterr().out


def test_an_update_keeps_what_is_not_ours(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.install() == 0
    (desk.target / "pictures").mkdir()
    (desk.target / "pictures" / "beach.jpg").write_bytes(b"mine")
    (desk.target / "models" / "own.onnx").write_bytes(b"mine, too")
    assert desk.install() == 0
    assert desk.install() == 0
    assert (desk.target / "pictures" / "beach.jpg").read_bytes() == b"mine"
    assert (desk.target / "models" / "own.onnx").read_bytes() == b"mine, too"
    assert desk.run("--uninstall") == 0
    left = sorted(path.name for path in desk.target.rglob("*") if path.is_file())
    assert left == ["beach.jpg", "own.onnx"]


def test_a_dry_run_changes_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    before = desk.everything()
    assert desk.install("--dry-run") == 0
    assert desk.everything() == before
    assert "'Küche & Co' gets the script" in capsys.readouterr().out
    assert desk.install() == 0
    installed = desk.everything()
    assert desk.run("--uninstall", "--dry-run") == 0
    assert desk.run("--undo", "--dry-run") == 0
    assert desk.everything() == installed


def test_scenes_are_chosen(desk: Desk) -> None:
    assert desk.install("--scenes", "current") == 0
    assert [bool(_listed(path)) for path in desk.scenes] == [False, True]
    assert desk.install("--scenes", "none") == 0
    assert [bool(_listed(path)) for path in desk.scenes] == [False, True]
    assert desk.install("--scenes", "Küche & Co") == 0
    assert [bool(_listed(path)) for path in desk.scenes] == [True, True]


def test_undo_gives_the_scenes_back_and_keeps_the_files(desk: Desk) -> None:
    before = [path.read_bytes() for path in desk.scenes]
    assert desk.install() == 0
    assert desk.run("--undo") == 0
    assert [path.read_bytes() for path in desk.scenes] == before
    assert (desk.target / "obs_eoam.py").is_file()


def test_installing_again_replaces_everything_and_still_knows_the_way_back(desk: Desk) -> None:
    before = desk.everything()
    assert desk.install() == 0
    (desk.target / "eoam_core" / "old.py").touch()
    assert desk.install() == 0
    assert not (desk.target / "eoam_core" / "old.py").exists()
    assert desk.run("--uninstall") == 0
    assert desk.everything() == before


@pytest.mark.parametrize("fate", ["moved", "deleted"])
def test_an_entry_left_over_from_an_installation_that_is_gone_goes_with_the_next_one(desk: Desk, fate: str) -> None:
    assert desk.install() == 0
    if fate == "moved":
        desk.target.rename(desk.target.with_name("elsewhere"))
    else:
        shutil.rmtree(desk.target)
    assert desk.install() == 0
    assert [_listed(path) for path in desk.scenes] == [[(desk.target / "obs_eoam.py").as_posix()]] * 2
    assert desk.run("--uninstall") == 0
    assert [_listed(path) for path in desk.scenes] == [[], []]


@pytest.mark.parametrize("fate", ["moved", "deleted", "moved to another folder"])
def test_uninstall_takes_an_entry_that_was_left_over_out_of_collections_that_were_not_chosen(
    desk: Desk, fate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen, other = desk.scenes
    flatpak = desk.computer.home / ".var" / "app" / "com.obsproject.Studio" / "config" / "obs-studio"
    living = "/opt/own copy/obs_eoam.py"
    desk.computer.add(living)
    before = desk.everything()
    assert desk.install() == 0
    lost = (desk.target / "obs_eoam.py").as_posix()
    elsewhere = recorded.add_collection(flatpak, "Flatpak", ["/gone/other.py", lost, living])
    if fate == "deleted":
        shutil.rmtree(desk.target)
    else:
        desk.target.rename(desk.target.with_name("elsewhere"))
    target = [] if fate != "moved to another folder" else ["--target", str(desk.target.with_name("new"))]
    assert desk.install("--scenes", "Küche & Co", *target) == 0
    assert _listed(other) == [lost]
    capsys.readouterr()
    assert desk.run("--uninstall", *target) == 0
    assert [_listed(path) for path in (chosen, other)] == [[], []]
    assert _listed(elsewhere) == ["/gone/other.py", living]  # somebody else's, and a copy that is there
    assert f"Removed the script from {other}." in capsys.readouterr().out
    files = {path for path, content in desk.everything().items() if content is not None}
    kept = {path for path in files if not {"elsewhere", ".var"} & set(Path(path).parts)}
    assert kept == {path for path, content in before.items() if content is not None}


def test_what_was_left_over_is_not_touched_while_its_obs_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.install("--scenes", "current") == 0
    flatpak = desk.computer.home / ".var" / "app" / "com.obsproject.Studio" / "config" / "obs-studio"
    elsewhere = recorded.add_collection(flatpak, "Flatpak", [(desk.target / "obs_eoam.py").as_posix()])
    other = dataclasses.replace(find_obs(desk.computer.machine)[0], kind="flatpak", config=flatpak)
    monkeypatch.setattr(layouts, "find_obs", lambda machine, places=(): [other])
    monkeypatch.setattr(installer, "is_running", lambda obs, machine: obs.config == flatpak)
    before = desk.everything()
    with pytest.raises(InstallError, match="OBS is running"):
        installer.uninstall(desk.target, desk.computer.machine)
    assert desk.everything() == before
    assert _listed(elsewhere)


def test_another_folder(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "an other" / "Ordner"
    assert desk.install("--target", str(target)) == 0
    assert _listed(desk.scenes[0]) == [(target / "obs_eoam.py").as_posix()]
    assert desk.run("--uninstall", "--target", str(target)) == 0
    assert not target.parent.exists()


def test_an_obs_that_was_never_started_gets_the_files_and_the_user_the_steps(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(desk.config)
    assert desk.install() == 0
    printed = capsys.readouterr().out
    assert f"paste this into File name: {desk.target / 'obs_eoam.py'}\n" in printed
    assert "Or start OBS once, close it, and run this again" in printed
    assert not desk.config.exists()


def test_who_wants_the_script_in_no_collection_is_not_told_to_run_it_again(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.install("--scenes", "none") == 0
    printed = capsys.readouterr().out
    assert "paste this into File name" in printed
    assert "run this again" not in printed


def test_windows_is_told_of_its_python(desk: Desk, tmp_path: Path) -> None:
    computer = recorded.windows(tmp_path / "windows")
    config = computer.home / "AppData" / "Roaming" / "obs-studio"
    settings = recorded.add_settings(config, Basic={"Profile": "x"})
    before = settings.read_bytes()
    name = "numpy-1.0-cp312-cp312-win_amd64.whl"
    wheel = make_wheel(desk.wheels, name)
    desk.lock["files"][name] = {"sha256": wheel.sha256, "size": wheel.size, "unpacked": 1000}
    desk.lock["environments"]["cp312-win_amd64"] = [name]
    program = computer.path("C:\\Users\\Zoë Müller\\AppData\\Local\\Programs\\Python\\Python312\\python.exe")
    system.add_program(program, LOADS)
    assert command.main(["--yes", "--offline", str(desk.wheels)], computer.machine) == 0
    assert f"[Python]\nPath64bit={program.parent.as_posix()}\n" in settings.read_text(encoding="utf-8")
    target = computer.home / "AppData" / "Local" / "eoam-obs"
    assert (target / "libraries" / "python3.12" / "spam" / "__init__.py").is_file()
    assert command.main(["--uninstall"], computer.machine) == 0
    assert settings.read_bytes() == before
    assert not target.exists()


@contextlib.contextmanager
def _nothing_changes(desk: Desk, capsys: pytest.CaptureFixture[str], sentence: str) -> Iterator[None]:
    """Whatever happens inside must fail with this one sentence and leave the user's files as they were."""
    before = desk.everything()
    capsys.readouterr()
    yield
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
    assert desk.everything() == before


def test_no_network(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    # A real pip, and an index that nobody answers for.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(installer, "find_pip", lambda machine, preferred: [sys.executable, "-m", "pip"])
    with _nothing_changes(desk, capsys, "there is no connection to the package index"):
        assert desk.install("--online") == 1


def test_no_pip(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with _nothing_changes(desk, capsys, "There is no pip on this computer"):
        assert desk.install("--online") == 1


def test_wrong_python(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.computer.add("/usr/bin/obs", recorded.elf(needed="libpython3.9.so.1.0"))
    with _nothing_changes(desk, capsys, "uses Python 3.9; the filter needs 3.10 or newer"):
        assert desk.install() == 1


def test_wheels_for_another_version(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for path in desk.wheels.glob("*cp313*"):
        path.unlink()
    with _nothing_changes(desk, capsys, "numpy-1.0-cp312-cp312-manylinux_2_17_x86_64.whl is for another version"):
        assert desk.install() == 1


def test_libraries_that_do_not_load_in_obss_python(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    system.add_program(desk.program, LOADS_NOT)
    with _nothing_changes(desk, capsys, f"do not work in {desk.program}: ImportError: undefined symbol: PyX."):
        assert desk.install() == 1


def test_a_model_cut_in_half(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    source = desk.wheels.parent / "source"
    for name, path in payload.payload(REPOSITORY).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, source / name)
    model = source / "models" / "eoam.onnx"
    whole = model.read_bytes()
    monkeypatch.setattr(command, "SOURCE", source)
    model.write_bytes(whole[: len(whole) // 2])
    with _nothing_changes(desk, capsys, "is damaged or was cut short. Download it again."):
        assert desk.install() == 1
    model.write_bytes(whole[:-20] + bytes(20))
    with _nothing_changes(desk, capsys, "eoam.onnx does not match"):
        assert desk.install() == 1
    (source / "eoam_obs" / "__init__.py").unlink()
    with _nothing_changes(desk, capsys, "lacks eoam_obs/__init__.py. Unpack the whole download"):
        assert desk.install() == 1


@system.needs_links
def test_the_target_is_a_link(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.target.parent.mkdir(parents=True)
    other = desk.computer.home / "photos"
    other.mkdir()
    desk.target.symlink_to(other, target_is_directory=True)
    with _nothing_changes(desk, capsys, "is a symbolic link to"):
        assert desk.install() == 1


def test_the_target_is_a_file_or_somebody_elses(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.target.parent.mkdir(parents=True)
    other = desk.computer.home / "photos"
    other.mkdir()
    (other / "cat.jpg").touch()
    desk.target.touch()
    with _nothing_changes(desk, capsys, "is a file. Choose a folder"):
        assert desk.install() == 1
    with _nothing_changes(desk, capsys, "contains other files"):
        assert desk.install("--target", str(other)) == 1


def test_obs_is_running(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    process = desk.computer.add("/proc/7/comm", b"obs\n").parent
    (process / "stat").write_text("7 (obs) S 1")
    (process / "environ").write_bytes(b"HOME=/home/zoe\0")
    with _nothing_changes(desk, capsys, "OBS is running"):
        assert desk.install() == 1
    assert desk.install("--scenes", "none") == 0  # this changes nothing that OBS would write
    for what in ("--uninstall", "--undo"):
        with _nothing_changes(desk, capsys, "OBS is running"):
            assert desk.run(what) == 1


def test_nothing_is_done_as_root(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    machine = dataclasses.replace(desk.computer.machine, is_root=True)
    with _nothing_changes(desk, capsys, "not as root"):
        assert command.main(["--yes", "--offline", str(desk.wheels)], machine) == 1


def test_a_failure_at_the_very_end_takes_everything_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace, calls = receipt.replace, []

    def fail_at_the_second(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise PermissionError(13, "Permission denied", str(path))
        replace(path, content)

    monkeypatch.setattr(receipt, "replace", fail_at_the_second)
    with _nothing_changes(desk, capsys, "cannot be written to"):
        assert desk.install() == 1
    monkeypatch.undo()


def test_a_failed_update_leaves_the_old_installation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.install() == 0
    system.add_program(desk.program, LOADS_NOT)
    with _nothing_changes(desk, capsys, "The libraries do not work in"):
        assert desk.install() == 1


def test_interrupting_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.everything()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(wheels, "unpack", interrupt)
    assert desk.install() == 130
    assert desk.everything() == before


@contextlib.contextmanager
def _small_disk(folder: Path, *options: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    if not shutil.which("mount"):
        pytest.skip("there is no mount command to make a small disk with")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with _small_disk(desk.computer.home / ".local", "size=300k"):
        with _nothing_changes(desk, capsys, "Not enough disk space in"):
            assert desk.install() == 1
        # Somebody else fills it meanwhile.
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 0, 1 << 40))
        with _nothing_changes(desk, capsys, "The disk is full (while writing"):
            assert desk.install() == 1


def test_a_folder_that_cannot_be_written_to(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        _small_disk(desk.computer.home / ".local", "ro", "size=1m"),
        _nothing_changes(desk, capsys, "cannot be written to. Choose a folder that you can write to with --target."),
    ):
        assert desk.install() == 1


def test_no_obs_and_no_installation(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = recorded.Computer(tmp_path / "empty", "linux", "/home/zoe").machine
    assert command.main(["--yes"], machine) == 1
    assert "There is no OBS Studio. Install it" in capsys.readouterr().err
    assert command.main(["--uninstall"], machine) == 1
    assert "There is no installation in" in capsys.readouterr().err
    assert desk.install("--obs", str(tmp_path / "nowhere")) == 1
    assert "There is no OBS Studio at" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "listed"), [("", [True, True]), ("2", [False, True]), ("0", [False, False])])
def test_on_a_terminal_the_user_picks_the_scenes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: str, listed: list[bool]
) -> None:
    monkeypatch.setattr(command, "_asks", lambda options: True)
    monkeypatch.setattr(command, "_ask", lambda question: answer)
    assert command.main(["--offline", str(desk.wheels)], desk.computer.machine) == 0
    assert [bool(_listed(path)) for path in desk.scenes] == listed


def test_an_answer_that_is_none_of_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_asks", lambda options: True)
    monkeypatch.setattr(command, "_ask", lambda question: "7")
    with _nothing_changes(desk, capsys, "'7' is not one of the choices"):
        assert command.main(["--offline", str(desk.wheels)], desk.computer.machine) == 1


def test_of_two_obs_one_is_chosen(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.flatpak(tmp_path / "other")
    shutil.copytree(tmp_path / "other" / "var", desk.computer.folder / "var", symlinks=True)
    assert [obs.kind for obs in find_obs(desk.computer.machine)] == ["native", "flatpak"]
    assert desk.install("--obs", "flatpak") == 0
    assert (desk.computer.home / ".var/app/com.obsproject.Studio/data/eoam-obs/obs_eoam.py").is_file()
    assert not desk.target.exists()


def test_a_damaged_receipt_says_what_to_remove(desk: Desk) -> None:
    assert desk.install() == 0
    (desk.target / receipt.NAME).write_text("{")
    with pytest.raises(InstallError, match=r"receipt\.json is damaged .* by hand"):
        receipt.read_receipt(desk.target)
