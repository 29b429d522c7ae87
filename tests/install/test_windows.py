"""What Windows refuses where other systems do not: read-only files, and paths that are too long."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoam_install import installer, place, transaction
from eoam_machine import errors, receipt
from eoam_machine.errors import InstallError
from eoam_machine.layouts import find_obs

from . import recorded

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[recorded.Computer]:
    """Windows with one scene collection."""
    computer = recorded.windows(tmp_path)
    recorded.add_settings(_config(computer), Basic={"SceneCollectionFile": "Küche"})
    recorded.add_collection(_config(computer), "Küche")
    yield computer
    for path in tmp_path.rglob("*"):
        path.chmod(0o755)  # or the folder could not be removed on Windows


@pytest.fixture
def read_only_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to remove or replace a read-only file, as Windows does."""
    unlink, replace = os.unlink, Path.replace

    def refusing_unlink(path: Path, *arguments: object) -> None:
        if receipt.is_read_only(Path(path)):
            raise PermissionError(13, "Access is denied", str(path))
        unlink(path)

    def refusing_replace(path: Path, target: Path) -> Path:
        if receipt.is_read_only(Path(target)):
            raise PermissionError(13, "Access is denied", str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "unlink", refusing_unlink)
    monkeypatch.setattr(Path, "replace", refusing_replace)


def _config(computer: recorded.Computer) -> Path:
    return computer.home / "AppData" / "Roaming" / "obs-studio"


def _plan(computer: recorded.Computer, target: Path | None = None) -> installer.Plan:
    (obs,) = find_obs(computer.machine)
    return installer.make_plan(computer.machine, obs, REPOSITORY, target or obs.target, ["all"])


@pytest.mark.parametrize("name", ["user.ini", "basic/scenes/Küche.json"])
def test_a_read_only_file_of_obs_is_named_before_anything_is_done(computer: recorded.Computer, name: str) -> None:
    path = _config(computer) / name
    path.chmod(0o444)
    with pytest.raises(InstallError, match="is write-protected") as refused:
        _plan(computer)
    assert str(path) in str(refused.value)


def test_a_read_only_file_that_needs_no_change_is_no_hindrance(computer: recorded.Computer) -> None:
    plan = _plan(computer)
    path = recorded.add_collection(_config(computer), "Küche", [plan.script.as_posix()])
    path.chmod(0o444)
    assert [collection.path for collection in _plan(computer).collections] == [path]


@pytest.mark.usefixtures("read_only_stays")
def test_a_file_that_became_read_only_meanwhile_is_left_whole(tmp_path: Path) -> None:
    path = tmp_path / "user.ini"
    path.write_bytes(b"before")
    path.chmod(0o444)
    with pytest.raises(InstallError, match=r"user\.ini is write-protected"):
        receipt.replace(path, b"after")
    path.chmod(0o644)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"before", ["user.ini"])


@pytest.mark.usefixtures("read_only_stays")
def test_a_read_only_file_of_an_installation_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "eoam-obs" / "models" / "eoam.onnx"
    path.parent.mkdir(parents=True)
    path.touch()
    path.chmod(0o444)
    transaction.remove_file(path)
    assert not path.exists()
    path.touch()
    path.chmod(0o444)
    transaction.remove_tree(tmp_path / "eoam-obs")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_held_for_a_moment_is_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    rmtree = shutil.rmtree
    pauses: list[float] = []
    # As while a program that was killed is not gone yet, which has the folder for its own.
    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: rmtree(path, **options) if pauses else None)
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(transaction, "_ATTEMPTS", 3)
    transaction.remove_tree(folder)
    assert not folder.exists()
    assert len(pauses) == 1


def test_a_folder_whose_path_is_too_long_for_windows_is_refused(computer: recorded.Computer) -> None:
    room = place.LONGEST_PATH - place.LONGEST_NAME
    start = "/C/"  # where the recorded computer keeps C:, which is as long as Windows' name of it
    fitting = computer.path("C:\\" + "a" * (room - len(start)))
    assert len(str(fitting)) - len(computer.machine.root) == room
    assert _plan(computer, fitting).target == fitting
    with pytest.raises(
        InstallError, match=f"is too long: it has {room + 1} characters, and Windows and OBS allow {room} here"
    ):
        _plan(computer, fitting.with_name(fitting.name + "a"))


@pytest.mark.parametrize("library", ["numpy", "onnxruntime", "opencv-python-headless"])
def test_the_libraries_have_no_longer_paths_than_is_reckoned_with(library: str) -> None:
    names = [str(path) for path in importlib.metadata.files(library) or () if "__pycache__" not in path.parts]
    assert names
    longest = max(names, key=len)
    added = f"..part-12345678/libraries/python3.12/{longest}"  # to the folder's own path while it is made
    assert len(added) <= place.LONGEST_NAME, longest


def test_windows_own_word_for_a_long_path_is_explained() -> None:
    error = OSError(2, "The filename or extension is too long", "C:\\long")
    error.winerror = 206  # type: ignore[attr-defined, unused-ignore]
    assert "Choose a shorter one" in str(errors.explain(error))
