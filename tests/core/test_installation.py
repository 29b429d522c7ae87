from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from eoam_core import installation
from eoam_core.installation import Component, check_installation, install_command
from eoam_core.model_path import default_model_path

from .doubles import broken_library


def _named(name: str, model: Path | None = None) -> Component:
    return next(component for component in check_installation(model) if component.name == name)


def test_a_complete_installation_needs_no_remedy(network: Path) -> None:
    components = check_installation(network)
    assert [component.name for component in components] == ["Python", "numpy", "onnxruntime", "opencv", "model"]
    assert all(component.ok and component.version and not component.remedy for component in components)


def test_a_missing_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    component = _named("opencv")
    assert not component.ok
    assert component.version == ""
    assert "-m pip install" in component.remedy or component.remedy.endswith("setup")


def test_a_library_that_breaks_while_loading_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise OSError('libfoo.so\\nis missing')", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    component = _named("onnxruntime")
    monkeypatch.undo()
    assert not component.ok
    assert component.remedy.endswith("(onnxruntime does not load: libfoo.so is missing)")


def test_a_library_built_for_another_numpy_is_there_and_its_cure_brings_both_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installation, "_is_externally_managed", lambda: False)
    broken_library(tmp_path / "broken", monkeypatch)
    component = _named("onnxruntime")
    monkeypatch.undo()
    assert (component.ok, component.fault) == (False, "does not load")
    assert component.version  # it is installed
    assert '-m pip install --upgrade --force-reinstall "numpy>=' in component.remedy
    assert all(f'"{name}>=' in component.remedy for name in ("onnxruntime", "opencv-python-headless"))
    assert capsys.readouterr().err == ""


def test_the_bounds_are_the_same_everywhere() -> None:
    root = Path(installation.__file__).parent.parent
    declared = [f"{package}>={minimum}" for _, _, package, minimum in installation._LIBRARIES]
    for name in ("pyproject.toml", "scripts/setup", "tools/release/lock_wheels.py"):
        text = (root / name).read_text(encoding="utf-8")
        assert all(f'"{requirement}"' in text for requirement in declared)


@pytest.mark.parametrize(("version", "ok"), [("1.9.9", False), ("1.19.0rc1", True), ("1.100", True), ("odd", False)])
def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch, version: str, ok: bool) -> None:
    module = types.ModuleType("onnxruntime")
    module.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    component = _named("onnxruntime")
    assert (component.ok, component.version, bool(component.remedy)) == (ok, version, not ok)


@pytest.mark.parametrize("content", [None, b"", b"version https://git-lfs.github.com/spec/v1"])
def test_a_model_that_is_missing_or_a_pointer_is_reported(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "eoam.onnx"
    if content is not None:
        path.write_bytes(content)
    component = _named("model", path)
    assert not component.ok
    assert str(path) in component.remedy


def test_a_folder_in_place_of_the_model_is_reported(tmp_path: Path) -> None:
    assert not _named("model", tmp_path).ok


def test_the_environment_chooses_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EOAM_MODEL", str(tmp_path / "other.onnx"))
    assert default_model_path() == tmp_path / "other.onnx"
    monkeypatch.setenv("EOAM_MODEL", " ")
    assert default_model_path().parts[-2:] == ("models", "eoam.onnx")


def test_the_command_uses_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_is_externally_managed", lambda: False)
    program = Path("/some where/bin/python3")
    monkeypatch.setattr(sys, "prefix", "/some where")
    monkeypatch.setattr(sys, "executable", str(program))
    command = install_command()
    assert command.startswith(f'"{program}" -m pip install "numpy>=')
    assert "opencv-python-headless" in command
    assert install_command(["x>=1"]) == f'"{program}" -m pip install "x>=1"'


def test_the_command_does_not_use_another_python_that_path_names_first(monkeypatch: pytest.MonkeyPatch) -> None:
    # An embedded Python looks for itself in PATH, and finds a pyenv shim or a virtual environment.
    monkeypatch.setattr(installation, "_is_externally_managed", lambda: False)
    monkeypatch.setattr(sys, "executable", "/home/somebody/.pyenv/shims/python3")
    assert ".pyenv/shims" not in install_command()


@pytest.mark.parametrize("executable", ["/usr/bin/obs", "C:/Program Files/obs-studio/bin/64bit/obs64.exe", ""])
def test_the_command_never_starts_obs(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    monkeypatch.setattr(installation, "_is_externally_managed", lambda: False)
    monkeypatch.setattr(sys, "executable", executable)
    program = install_command(["x"]).partition(" -m pip")[0].strip('"')
    assert Path(program).name.startswith("python")


def test_where_the_system_forbids_pip_another_way_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "_is_externally_managed", lambda: True)
    monkeypatch.setattr(installation, "_ROOT", tmp_path)
    assert "--user --break-system-packages" in install_command()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "setup").touch()
    assert install_command() == str(tmp_path / "scripts" / "setup")
