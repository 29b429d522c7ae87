"""What the package shows of itself, and what it must not import."""

from __future__ import annotations

import ast
import graphlib
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eoam_core

PACKAGE = Path(eoam_core.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
FORBIDDEN = {
    "obspython",
    "torch",
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "eoam_obs",
    "eoam_install",
    "obs_eoam",
    "models",
    "tests",
}
# `eoam doctor` looks at the installation and at OBS as the installer does; nothing but the command line imports it.
ABOVE_THE_INSTALLER = {"doctor"}


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names |= {str(a.value).partition(".")[0] for a in node.args if isinstance(a, ast.Constant)}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_imports_obs_torch_qt_or_what_is_built_upon_it(path: Path) -> None:
    allowed = {"eoam_install"} if path.stem in ABOVE_THE_INSTALLER else set()
    assert not _imported(path) & (FORBIDDEN - allowed)


def test_only_the_command_line_imports_what_needs_the_installer() -> None:
    importers = {path.stem for path in MODULES if _imported_here(path) & ABOVE_THE_INSTALLER}
    assert importers == {"cli"}


def _imported_here(path: Path) -> set[str]:
    """Return the modules of the package that one of them imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "eoam_core":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).removeprefix("eoam_core."))
    return names & {path.stem for path in MODULES}


def test_the_modules_import_each_other_in_no_circle() -> None:
    sorter = graphlib.TopologicalSorter(
        {path.stem: _imported_here(path) for path in MODULES if path.stem != "__init__"}
    )
    assert len([*sorter.static_order()]) == len(MODULES) - 1


def test_without_the_installer_the_network_is_found_and_judged() -> None:
    code = """
import sys
sys.modules["eoam_install"] = None
from eoam_core.installation import check_model
component = check_model()
assert component.ok, component
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=PACKAGE.parent)


def test_the_walk_over_the_imports_sees_nested_and_dynamic_ones(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("def f():\n    import torch.nn\n    importlib.import_module('obspython')\n", encoding="utf-8")
    assert _imported(source) == {"torch", "obspython"}


def test_all_is_sorted() -> None:
    assert sorted(eoam_core.__all__) == eoam_core.__all__


def test_everything_in_all_can_be_imported_and_knows_its_module() -> None:
    for name in eoam_core.__all__:
        assert getattr(eoam_core, name).__module__.startswith("eoam_core.")


def test_dir_lists_what_has_not_been_imported_yet() -> None:
    assert set(eoam_core.__all__) <= set(dir(eoam_core))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        eoam_core.nonsense  # noqa: B018


@pytest.mark.parametrize("missing", [(), ("numpy", "cv2", "onnxruntime", "av", "tqdm")], ids=["complete", "broken"])
def test_errors_settings_and_installation_need_no_library(missing: tuple[str, ...]) -> None:
    code = f"""
import sys
for name in {missing!r}:
    sys.modules[name] = None
import eoam_core, eoam_core.errors, eoam_core.settings, eoam_core.installation
eoam_core.Settings(), eoam_core.describe_settings(), eoam_core.EoamError, eoam_core.install_command()
loaded = [name for name in ("numpy", "cv2", "onnxruntime", "av", "tqdm") if sys.modules.get(name) is not None]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=PACKAGE.parent)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_is_imported_without_a_thread_and_without_output(path: Path) -> None:
    if path.stem == "__main__":
        pytest.skip("it is the command itself")
    name = "eoam_core" if path.stem == "__init__" else f"eoam_core.{path.stem}"
    code = f"import threading, {name}; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def _project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
    content: dict[str, Any] = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def test_the_version_is_the_projects() -> None:
    project = _project()
    assert eoam_core.__version__ == project["version"]


def test_the_required_versions_are_the_projects() -> None:
    installation = importlib.import_module("eoam_core.installation")
    project = _project()
    required = {f"{package}>={minimum}" for _, _, package, minimum in installation._LIBRARIES}
    assert required == set(project["dependencies"])
    python = ".".join(str(part) for part in installation.MINIMUM_PYTHON)
    assert project["requires-python"] == f">={python}"


def test_without_the_installer_doctor_says_so_in_one_sentence() -> None:
    code = """
import sys
sys.modules["eoam_install"] = None
from eoam_core.cli import main
sys.exit(main(["doctor"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("eoam: eoam doctor needs the folder eoam_install")
    assert done.stderr.count("\n") == 1
