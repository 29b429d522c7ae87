"""Installing the libraries from inside OBS, with a real pip and small libraries."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from eoam_core.installation import check_model
from eoam_install import wheels
from eoam_install.components import ComponentInstall

from .test_wheels import make_wheel

REPOSITORY = Path(__file__).parents[2]
PYTHON = f"cp{sys.version_info[0]}{sys.version_info[1]}"
FOLDER = f"python{sys.version_info[0]}.{sys.version_info[1]}"
LIMIT_S = 300  # of a busy machine, where pip alone may take a minute


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the index, with small libraries, and a lock that names them."""
    folder = tmp_path / "index"
    lock: dict[str, Any] = {"environments": {}, "files": {}}
    for module in ("numpy", "cv2", "onnxruntime"):
        name = f"{module}-1.0-py3-none-any.whl"
        info = f"{module}-1.0.dist-info"
        files = {
            f"{module}/__init__.py": b"",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        wheel = make_wheel(folder, name, files)
        lock["files"][name] = {"sha256": wheel.sha256, "size": wheel.size, "unpacked": 1000}
    platforms = {entry.partition("-")[2] for entry in wheels.read_lock()["environments"]}
    lock["environments"] = {f"{PYTHON}-{platform}": list(lock["files"]) for platform in platforms}
    monkeypatch.setattr(wheels, "read_lock", lambda: lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_dir())


def test_the_libraries_appear_complete_beside_the_script(tmp_path: Path, index: Path) -> None:
    folder = tmp_path / "Skripte für OBS"
    folder.mkdir()
    seen: list[tuple[float, str]] = []
    job = ComponentInstall(folder, lambda share, message: seen.append((share, message)))
    assert (job.state, job.wait(0)) == ("idle", True)
    job.start()
    assert job.wait(LIMIT_S), job.message
    assert job.state == "done", job.message
    assert (folder / "libraries" / FOLDER / "numpy" / "__init__.py").is_file()
    assert [path.name for path in (folder / "libraries").iterdir()] == [FOLDER]
    assert (job.share, job.restart_needed) == (1.0, "numpy" in sys.modules)
    assert ("Restart OBS" if job.restart_needed else "Press Reload") in job.message
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert any("Downloading numpy 1.0" in message for _, message in seen)
    job.start()
    assert job.state == "done"


def test_what_is_missing_beside_the_libraries_is_said_instead_of_success(tmp_path: Path, index: Path) -> None:
    (tmp_path / "scripts").mkdir()
    model = tmp_path / "scripts" / "models" / "eoam.onnx"
    job = ComponentInstall(tmp_path / "scripts", lacking=lambda: check_model(model).remedy)
    job.start()
    assert job.wait(LIMIT_S)
    assert job.state == "done", job.message
    assert f"There is no model file {model}" in job.message
    assert not job.message.startswith("Installed")


def test_a_failure_is_a_sentence_leaves_nothing_and_can_be_tried_again(tmp_path: Path, index: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (index / "cv2-1.0-py3-none-any.whl").rename(index / "kept")
    job = ComponentInstall(folder)
    job.start()
    assert job.wait(LIMIT_S)
    assert (job.state, _names(folder)) == ("failed", [])
    assert "cv2" in job.message
    (index / "kept").rename(index / "cv2-1.0-py3-none-any.whl")
    job.start()
    assert job.wait(LIMIT_S)
    assert job.state == "done", job.message


def test_libraries_that_do_not_load_are_not_installed(tmp_path: Path, index: Path) -> None:
    name = "onnxruntime-1.0-py3-none-any.whl"
    files = {
        "onnxruntime/__init__.py": b"raise ImportError('DLL load failed while importing x')",
        "onnxruntime-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.0\n",
        "onnxruntime-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = make_wheel(index, name, files)
    wheels.read_lock()["files"][name] = {"sha256": wheel.sha256, "size": wheel.size, "unpacked": 1000}
    job = ComponentInstall(tmp_path / "scripts")
    job.start()
    assert job.wait(LIMIT_S)
    assert job.state == "failed"
    assert "Visual C++ Redistributable" in job.message
    assert not (tmp_path / "scripts").exists()


def test_cancelling_leaves_nothing(tmp_path: Path, index: Path) -> None:
    at_work = threading.Event()
    job = ComponentInstall(tmp_path / "scripts", lambda share, message: (at_work.set(), job.cancel()))  # type: ignore
    job.start()
    assert at_work.wait(LIMIT_S)
    assert job.wait(LIMIT_S)
    assert (job.state, (tmp_path / "scripts").exists()) == ("cancelled", False)


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import eoam_install.components; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"numpy", "cv2", "onnxruntime", "obspython", "pip"}
