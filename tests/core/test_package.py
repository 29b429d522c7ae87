"""What the package shows of itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import eoam_core

PACKAGE = Path(eoam_core.__file__).parent


def test_without_the_installer_the_network_is_found_and_judged() -> None:
    code = """
import sys
sys.modules["eoam_install"] = None
from eoam_core.installation import check_model
component = check_model()
assert component.ok, component
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=PACKAGE.parent)


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


def _project() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
    content: dict[str, Any] = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def test_the_required_versions_are_the_projects() -> None:
    installation = importlib.import_module("eoam_core.installation")
    project = _project()
    required = {f"{package}>={minimum}" for _, _, package, minimum in installation._LIBRARIES}
    assert required == set(project["dependencies"])
    python = ".".join(str(part) for part in installation.MINIMUM_PYTHON)
    assert project["requires-python"] == f">={python}"


def test_what_has_moved_out_of_the_core_is_still_found_there_with_a_word_about_it() -> None:
    with pytest.warns(DeprecationWarning, match=r"convert_video has moved: import it from eoam_cli\.video\.convert"):
        moved = eoam_core.convert_video
    assert moved.__module__ == "eoam_cli.video.convert"
    for name, module in eoam_core._MOVED.items():
        assert hasattr(importlib.import_module(module), name)


def test_the_command_by_its_old_name_is_the_command() -> None:
    command = [sys.executable, "-m", "eoam_core", "--version"]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == eoam_core.__version__
