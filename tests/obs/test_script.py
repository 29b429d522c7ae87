"""The script itself, outside OBS: where it looks for packages, and what it does if it finds none."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.obs_driver.session import REPOSITORY

SCRIPT = REPOSITORY / "obs_eoam.py"
STAND_IN = """
class Properties(list): pass
OBS_TEXT_INFO, LOG_ERROR = 3, 100
def obs_properties_create(): return Properties()
def obs_properties_add_text(properties, name, text, kind): properties.append((name, text))
def script_log(level, text): print("LOG", text)
"""
THIS_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def run(folder: Path, code: str) -> str:
    """Run code beside a stand-in for obspython, with a Python that sees nothing but its standard library."""
    (folder / "stand_in").mkdir(exist_ok=True)
    (folder / "stand_in" / "obspython.py").write_text(STAND_IN)
    lines = ["import sys", f"sys.path.append({str(folder / 'stand_in')!r})", f"sys.path.append({str(folder)!r})", code]
    command = [sys.executable, "-I", "-S", "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout


def test_libraries_are_looked_for_beside_the_script_then_elsewhere(tmp_path: Path) -> None:
    home, link = tmp_path / "home", tmp_path / "link"
    fitting = home / ".venv" / "lib" / THIS_VERSION / "site-packages"
    other = home / ".venv" / "lib" / "python3.1" / "site-packages"
    for place in (fitting, other, link):
        place.mkdir(parents=True)
    shutil.copy(SCRIPT, home)
    (link / SCRIPT.name).symlink_to(home / SCRIPT.name)
    printed = run(link, "import obs_eoam; print(*sys.path, sep='\\n')").splitlines()
    assert printed[0] == str(fitting)
    assert str(other) not in printed
    assert str(home) not in printed, "all scripts share the path"


def test_the_projects_packages_and_nothing_else_are_found_beside_the_script(tmp_path: Path) -> None:
    beside, elsewhere = tmp_path / "beside", tmp_path / "elsewhere"
    for package in ("eoam_core", "eoam_machine", "eoam_install", "models", "tests", "tools"):
        (beside / package).mkdir(parents=True)
        (beside / package / "__init__.py").touch()
    (elsewhere / "eoam_core").mkdir(parents=True)
    (elsewhere / "eoam_core" / "__init__.py").touch()
    shutil.copy(SCRIPT, beside)
    code = f"""
import importlib, importlib.util
sys.path.insert(0, {str(elsewhere)!r})
sys.path.append({str(beside)!r})  # OBS does this itself, for as long as it has the script
import obs_eoam
importlib.reload(obs_eoam)
sys.path.remove({str(beside)!r})
print(importlib.util.find_spec("eoam_core").origin)
print(importlib.util.find_spec("eoam_install").origin)
print([name for name in ("models", "tests", "tools", "install") if importlib.util.find_spec(name)])
print(sum(finder.__name__ == "_Packages" for finder in sys.meta_path if isinstance(finder, type)))
"""
    core, install, others, finders = run(tmp_path, code).splitlines()
    assert core == str(beside / "eoam_core" / "__init__.py")
    assert install == str(beside / "eoam_install" / "__init__.py")
    assert others == "[]"
    assert finders == "1"


@pytest.mark.parametrize("left_out", [(), ("eoam_install",)], ids=["whole", "without the installer"])
def test_without_the_installer_the_script_loads_all_the_same(tmp_path: Path, left_out: tuple[str, ...]) -> None:
    shutil.copy(SCRIPT, tmp_path)
    for package in ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install", "locale", "models"):
        if package not in left_out:
            (tmp_path / package).symlink_to(REPOSITORY / package)
    printed = run(
        tmp_path,
        "import obspython\n"
        "obspython.LOG_WARNING, obspython.obs_get_locale = 200, lambda: 'en-US'\n"
        "obspython.obs_data_get_json = lambda data: '{}'\n"
        "class Settings: pass\n"
        "for name in ('set_string', 'set_bool', 'set_int', 'set_double'):\n"
        "    setattr(obspython, 'obs_data_' + name, lambda *_: None)\n"
        "    setattr(obspython, 'obs_data_' + name.replace('set', 'set_default'), lambda *_: None)\n"
        "obspython.obs_data_addref = obspython.obs_data_release = lambda data: None\n"
        "import obs_eoam as script\n"
        "print('broken', script._BROKEN)\n"
        "script.script_load(Settings()); print('job', script._state.job); script.script_unload()",
    )
    assert "broken \n" in printed
    assert "LOG libobs is not loaded in this process" in printed
    assert ("job None" in printed) is bool(left_out)


def test_alone_in_a_folder_it_loads_and_says_what_is_missing(tmp_path: Path) -> None:
    shutil.copy(SCRIPT, tmp_path)
    printed = run(
        tmp_path,
        "import obs_eoam as script\n"
        "script.script_defaults(None); script.script_update(None); script.script_load(None)\n"
        "print(script.script_properties()); print(script.script_description()); script.script_unload()",
    )
    assert f"LOG The folders eoam_core and eoam_obs must be beside obs_eoam.py in {tmp_path}" in printed
    assert printed.count("The folders eoam_core and eoam_obs must be beside") == 2  # in the log and in the panel


def test_files_that_do_not_load_are_reported_in_the_panel(tmp_path: Path) -> None:
    shutil.copy(SCRIPT, tmp_path)
    (tmp_path / "eoam_core").mkdir()
    (tmp_path / "eoam_core" / "__init__.py").write_text("")
    (tmp_path / "eoam_core" / "errors.py").write_text("raise TypeError('made for a newer Python')")
    printed = run(tmp_path, "import obs_eoam as script; print(script.script_properties())")
    assert "do not load in Python" in printed
    assert "made for a newer Python" in printed


def test_the_package_loads_without_any_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import eoam_obs.implementation; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"numpy", "cv2", "onnxruntime", "obspython"}


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("file", sorted((REPOSITORY / "eoam_obs").rglob("*.py")), ids=lambda file: file.name)
def test_arrows_point_one_way(file: Path) -> None:
    assert not imported(file) & {"obspython", "obs_eoam", "models", "torch", "scripts", "tests"}


def test_the_script_is_small_and_defines_what_obs_calls() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    names = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    assert {name for name in names if not name.startswith("_")} == {
        f"script_{name}" for name in ("description", "properties", "defaults", "update", "load", "unload")
    }
    assert "script_tick" not in text
