"""The rooms of the house: which may import which, and that no two modules import each other in a circle."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What a room may import beside itself and libraries. Whatever is not named here is forbidden.
ROOMS: dict[str, set[str]] = {
    "eoam_core": set(),
    "eoam_machine": {"eoam_core"},
    "eoam_install": {"eoam_machine", "eoam_core"},
    "eoam_obs": {"eoam_core"},
    "eoam_cli": {"eoam_core", "eoam_machine"},
    "models": {"eoam_core"},
    "evaluation": {"models", "eoam_core"},
    "tools": {"eoam_core", "eoam_machine", "eoam_install", "eoam_obs", "eoam_cli", "models", "evaluation"},
}
# The rooms inside the filter: each may import those before it here, and the root's `implementation` all of them.
INSIDE_THE_FILTER = ("eoam_obs.binding", "eoam_obs.source", "eoam_obs.frame", "eoam_obs.panels")
BESIDE_EACH_OTHER = {"eoam_obs.frame", "eoam_obs.panels"}
# What nothing that OBS loads may import, wherever it stands in a file.
NEVER_IN_OBS = {"torch", "PyQt5", "PyQt6", "PySide2", "PySide6", "av", "tqdm"}
OURS = {*ROOMS, "tests", "obs_eoam", "install", "setup"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _files(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)


FILES = [path for room in ROOMS for path in _files(room)]
NAMES = {_name(path) for path in FILES}


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it, each as exactly as it is written."""
    package = path.parent.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" if f"{module}.{alias.name}" in NAMES else module for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return names


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = _name(path).partition(".")[0]
    rooms = {name.partition(".")[0] for name in imported(path)} & OURS
    assert rooms <= ROOMS[room] | {room}


@pytest.mark.parametrize("path", [*_files("eoam_core"), *_files("eoam_obs")], ids=_name)
def test_what_obs_loads_imports_no_obspython_torch_qt_or_video_library(path: Path) -> None:
    allowed = set() if _name(path).startswith("eoam_core") else {"obspython"}
    assert not {name.partition(".")[0] for name in imported(path)} & ({*NEVER_IN_OBS, "obspython"} - allowed)


@pytest.mark.parametrize("path", _files("eoam_obs"), ids=_name)
def test_a_room_of_the_filter_imports_only_those_below_it(path: Path) -> None:
    room = next((room for room in INSIDE_THE_FILTER if _name(path).startswith(f"{room}.")), None)
    if room is None:
        return  # the package itself and what wires the rooms together
    below = set(INSIDE_THE_FILTER[: INSIDE_THE_FILTER.index(room) + 1])
    if room in BESIDE_EACH_OTHER:
        below -= BESIDE_EACH_OTHER - {room}
    rooms = {".".join(name.split(".")[:2]) for name in imported(path) if name.startswith("eoam_obs.")}
    assert rooms <= below


def test_the_modules_import_each_other_in_no_circle() -> None:
    sorter = graphlib.TopologicalSorter(
        {_name(path): (imported(path) & NAMES) - {_name(path)} for path in FILES if path.name != "__init__.py"}
    )
    assert len([*sorter.static_order()]) >= len(FILES) / 2


def test_what_the_installer_runs_without_imports_the_standard_library_alone() -> None:
    own = {"eoam_core.model_sums", "eoam_core.protobuf", "eoam_core.errors", "eoam_core.printable"}
    paths = [ROOT / "install.py", *_files("eoam_machine"), *_files("eoam_install")]
    paths += [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in own]
    for path in paths:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        for name in imported(path):
            top = name.partition(".")[0]
            fits = top in {"eoam_machine", "eoam_install"} or name in own or top in sys.stdlib_module_names
            assert fits, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", [p for room in ("eoam_core", "eoam_obs", "eoam_cli") for p in _files(room)], ids=_name)
def test_every_module_is_imported_without_a_thread_and_without_output(path: Path) -> None:
    if path.stem == "__main__":
        pytest.skip("it is the command itself")
    code = f"import threading, {_name(path)}; assert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_walk_over_the_imports_sees_nested_dynamic_and_relative_ones(tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    source.write_text("def f():\n    import torch.nn\n    importlib.import_module('obspython')\n", encoding="utf-8")
    assert imported(source) == {"torch.nn", "obspython"}
    assert "models.data" in imported(ROOT / "models" / "train.py")
