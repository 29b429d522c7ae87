"""Report what the program needs, what is installed, and the exact command that repairs it.

Standard library only, and nothing here raises: the OBS panel shows this when everything else fails to import.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.metadata
import io
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoam_core.model_path import default_model_path

MINIMUM_PYTHON: Final = (3, 10)
_LONGEST: Final = 300  # characters of a library's own error; numpy writes a page
_ROOT: Final = Path(__file__).resolve().parent.parent

# (name shown, module to import, name on the package index, smallest version); as in pyproject.toml
_LIBRARIES: Final = (
    ("numpy", "numpy", "numpy", "2.0"),
    ("onnxruntime", "onnxruntime", "onnxruntime", "1.19"),
    ("opencv", "cv2", "opencv-python-headless", "4.12"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One thing the program needs: whether it is usable, what was found, and what to do if it is not.

    `version` is "" if nothing was found, and `remedy` is "" if nothing needs doing. `fault` is why an installed library
    does not load, or "".
    """

    name: str
    ok: bool
    version: str
    required: str
    remedy: str
    fault: str = ""


def check_installation(model: Path | None = None) -> tuple[Component, ...]:
    """Check Python, the libraries and the model file (`model`, or the default one); never raises.

    The libraries are imported, because an installed package may not load (a missing system library, a wheel for another
    Python or numpy). Call it on the main thread first: numpy must be imported there.
    """
    return (
        _check_python(),
        *(_check_library(*library) for library in _LIBRARIES),
        check_model(model),
    )


def check_model(model: Path | None = None) -> Component:
    """Check the model file only (`model`, or the default one), on any thread; never raises."""
    path = model or default_model_path()
    required = str(path)
    # Imported here, so that this module stays importable by everything that it checks.
    from eoam_core.errors import ModelError
    from eoam_core.model_file import read_model

    try:
        content = read_model(path).content
    except ModelError as error:
        size = f"{os.stat(path).st_size} bytes" if os.path.isfile(path) else ""
        return Component(name="model", ok=False, version=size, required=required, remedy=str(error))
    return Component(name="model", ok=True, version=f"{len(content)} bytes", required=required, remedy="")


def update_command() -> str:
    """Return the command that updates all libraries together, whatever their state.

    Updating one is not enough: a library built for another numpy loads only when both are changed, and pip accepts an
    installed library, broken or not, unless told otherwise.
    """
    return install_command(options="--upgrade --force-reinstall ")


def install_command(packages: Iterable[str] | None = None, *, options: str = "") -> str:
    """Return the command that installs the requirements into this Python, or only `packages`.

    Where the system forbids pip (PEP 668: the Python of most Linux distributions) and the project's own setup script
    or installer is at hand, that is the command.
    """
    setup, installer = _ROOT / "scripts" / "setup", _ROOT / "install.py"
    if packages is None:
        packages = [f"{package}>={minimum}" for _, _, package, minimum in _LIBRARIES]
    requirements = " ".join(f'"{package}"' for package in packages)
    if not _is_externally_managed():
        return f"{_python_command()} -m pip install {options}{requirements}"
    if setup.is_file():
        return _quoted(setup)
    if installer.is_file():
        return f"{_python_command()} {_quoted(installer)}"
    return f"{_python_command()} -m pip install --user --break-system-packages {options}{requirements}"


def _check_python() -> Component:
    return Component(
        name="Python",
        ok=sys.version_info >= MINIMUM_PYTHON,
        version=".".join(str(part) for part in sys.version_info[:3]),
        required=">=" + ".".join(str(part) for part in MINIMUM_PYTHON),
        remedy=""
        if sys.version_info >= MINIMUM_PYTHON
        else "Install Python 3.12 from python.org and choose it in OBS under Tools > Scripts > Python Settings.",
    )


def _check_library(name: str, module: str, package: str, minimum: str) -> Component:
    # Otherwise newer versions of onnxruntime, once imported, store an identity of the computer and a database of events
    # in the user's home folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    required = f">={minimum}"
    command = install_command([f"{package}{required}"])
    printed = io.StringIO()
    try:
        # numpy prints a page about a library that was built for another one.
        with contextlib.redirect_stderr(printed):
            version = str(getattr(importlib.import_module(module), "__version__", ""))
    except Exception as error:  # a wheel for another Python or another numpy may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            return Component(name=name, ok=False, version="", required=required, remedy=_foreign_numpy() or command)
        return Component(
            name=name,
            ok=False,
            version=_installed_version(package),
            required=required,
            remedy=_foreign_numpy()
            or f"{update_command()} ({module} does not load: {_one_line(error, printed.getvalue())})",
            fault="does not load",
        )
    ok = _numbers(version) >= _numbers(minimum)
    remedy = "" if ok else (module == "numpy" and _foreign_numpy()) or command
    return Component(name=name, ok=ok, version=version, required=required, remedy=remedy)


def _installed_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except Exception:  # it is another build, or its files are damaged
        return ""


def _foreign_numpy() -> str:
    """Return the remedy if this process has loaded another numpy than a new import would load, or "".

    All scripts share OBS's Python and its imported modules. Libraries built for a newer numpy than the imported one do
    not load.
    """
    loaded = sys.modules.get("numpy")
    place = getattr(loaded, "__file__", None)
    try:
        spec = importlib.machinery.PathFinder.find_spec("numpy")
    except Exception:  # whatever lies in the path
        return ""
    if place is None or spec is None or spec.origin is None or Path(place).resolve() == Path(spec.origin).resolve():
        return ""
    version = getattr(loaded, "__version__", "")
    return (
        f"Another script has loaded numpy {version} from {Path(place).parent} before this one. Remove that script "
        "under Tools > Scripts, restart OBS, and add it again below this one."
    )


def _python_command() -> str:
    # Inside OBS sys.executable is OBS itself (running it with -m pip would start a second OBS), or whatever python3
    # comes first in PATH, which may be another Python than the one inside OBS.
    program, home = Path(sys.executable or ""), Path(sys.prefix)
    if program.name.lower().startswith("python") and program.parent in (home, home / "bin", home / "Scripts"):
        return _quoted(program)
    if sys.platform == "win32":
        return _quoted(Path(sys.base_prefix) / "python.exe")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = Path(sys.base_prefix) / "bin" / f"python{version}"
    return _quoted(found) if found.exists() else f"python{version}"


def _is_externally_managed() -> bool:
    if sys.prefix != sys.base_prefix:
        return False  # a virtual environment
    return (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file()


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _one_line(error: Exception, printed: str) -> str:
    """Return an error's text, or the beginning of what was printed where it has none."""
    text = " ".join(str(error).split())[:_LONGEST]
    return text or " ".join(printed.split("Traceback")[0].split())[:_LONGEST] or type(error).__name__
