"""EOAM Background Removal: the OBS script. Add this file under Tools > Scripts.

It finds the packages, connects the filter to OBS and shows a panel; eoam_obs and eoam_core do the work. It owns nothing
that libobs or a thread could still use after OBS executes this file again, which the button Reload does.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import obspython

_FOLDER = Path(__file__).resolve().parent  # of the file itself, which may be reached through a symbolic link
_TWICE = "EOAM is in Tools > Scripts more than once, but works only once. Remove all copies but one."
_PACKAGES = ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install")


class _Packages:
    """Find the project's packages beside this script, and nothing else there.

    The folder is not put at the front of the path (OBS itself puts it at the end): all scripts share one Python, and a
    clone has folders named `models`, `tests` and `tools`.
    """

    folder = _FOLDER

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Return a package's spec, or None; see importlib.abc.MetaPathFinder."""
        if path is not None or name not in _PACKAGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, [str(_FOLDER)])
        return spec if spec is not None and spec.loader is not None else None


def _find_packages() -> None:
    """Search beside this script first, in its libraries and in the .venv beside it, then on Python's own path."""
    sys.meta_path[:] = [_Packages, *(finder for finder in sys.meta_path if getattr(finder, "folder", None) != _FOLDER)]
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [_FOLDER / "libraries" / version]
    if sys.platform != "win32":
        places.append(_FOLDER / ".venv" / "lib" / version / "site-packages")
    elif _windows_venv_fits():  # and not one made by Linux, in a folder that both systems use
        places.append(_FOLDER / ".venv" / "Lib" / "site-packages")
    found = [str(place) for place in places if place.is_dir()]
    sys.path[:] = [*found, *(entry for entry in sys.path if entry not in found)]


def _windows_venv_fits() -> bool:
    """Return whether .venv was made with this Python; on Windows its path does not say, and wheels fit one version."""
    wanted = f"{sys.version_info[0]}.{sys.version_info[1]}."
    try:
        lines = (_FOLDER / ".venv" / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    versions = [line.partition("=")[2].strip() for line in lines if line.startswith("version")]
    return any(version.startswith(wanted) for version in versions)


_find_packages()
_LOG = logging.getLogger("eoam")

try:
    from eoam_core.errors import EoamError
    from eoam_core.installation import check_installation, check_model
    from eoam_obs.implementation import FilterImplementation
    from eoam_obs.panels import script_panel
    from eoam_obs.panels.script_panel import ScriptPanel
    from eoam_obs.source import source_type
    from eoam_obs.source.locale import texts_for
except ModuleNotFoundError as error:
    _BROKEN = f"The folders eoam_core and eoam_obs must be beside {Path(__file__).name} in {_FOLDER} ({error})."
except Exception as error:  # a Python that is too old may raise anything
    _BROKEN = (
        f"The files in {_FOLDER} do not load in Python {sys.version.split()[0]}; 3.10 or newer is needed ({error})."
    )
else:
    _BROKEN = ""

# Kept when OBS executes this file again. `loads` counts the scripts that share this module: OBS imports by file name,
# so a second copy in another folder is the same module, loaded once more.
_state = globals().get("_state") or SimpleNamespace(panel=None, job=None, implementation=None, loads=0)


def script_description() -> str:
    """Return the script's description."""
    title = "<b>EOAM Background Removal</b><br>"
    return title if _BROKEN else title + texts_for(obspython)("script.description")


def script_defaults(settings: Any) -> None:
    """Write the project's defaults."""
    if not _BROKEN:
        script_panel.write_defaults(obspython, settings)


def script_update(settings: Any) -> None:
    """Use the panel's values as defaults for new filters, and for those that follow them."""
    if _BROKEN:
        return
    defaults = _panel().use(settings)
    if _state.implementation is not None:
        _state.implementation.defaults = defaults
        source_type.use_defaults()


def script_properties() -> Any:
    """Build the script's panel."""
    if not _BROKEN:
        return _panel().properties()
    properties = obspython.obs_properties_create()
    obspython.obs_properties_add_text(properties, "broken", _BROKEN, obspython.OBS_TEXT_INFO)
    return properties


def script_load(settings: Any) -> None:
    """Register the filter in OBS; called again after every script_unload."""
    if _BROKEN:
        obspython.script_log(obspython.LOG_ERROR, _BROKEN)
        return
    _state.loads += 1
    if _state.loads > 1:
        obspython.script_log(obspython.LOG_WARNING, _TWICE)
        return
    importlib.invalidate_caches()  # a library may have been installed since OBS started
    # The libraries are imported here, on the main thread: numpy's first import elsewhere has hung OBS on Windows.
    missing = [component for component in check_installation() if not component.ok]
    panel = _panel()
    implementation = _state.implementation = FilterImplementation(panel.use(settings), texts_for(obspython))
    try:
        panel.obs = source_type.attach(implementation)
    except EoamError as error:
        panel.problem = str(error)
        obspython.script_log(obspython.LOG_ERROR, str(error))
        return
    panel.problem = ""
    for component in missing:
        _LOG.error(
            "component_missing name=%s required=%s remedy=%s", component.name, component.required, component.remedy
        )


def script_unload() -> None:
    """Stop all work, unless another copy of the script is loaded; remaining filters draw nothing from then on."""
    _state.loads = max(_state.loads - 1, 0)
    if _state.loads:
        return
    panel, job, implementation = _state.panel, _state.job, _state.implementation
    _state.panel = _state.job = _state.implementation = None
    if panel is not None:
        panel.close()
    if job is not None:
        job.cancel()
        job.wait(2.0)
    if implementation is not None:
        source_type.detach(implementation)


def _panel() -> Any:
    """Return the panel, which OBS already needs before it loads the script: for defaults and values."""
    if _state.panel is None:
        _state.job = _new_job()
        _state.panel = ScriptPanel(obspython, texts_for(obspython), _state.job)
    return _state.panel


def _new_job() -> Any:
    """Return a job that installs the libraries, or None if the installer is not there."""
    try:
        from eoam_install.components import ComponentInstall
    except ImportError:
        return None
    return ComponentInstall(_FOLDER, lacking=lambda: check_model().remedy)
