"""EOAM Background Removal: the OBS script. Add this file under Tools > Scripts.

It finds the packages, connects the filter to OBS and shows a panel; the work is done in eoam_obs and eoam_core. It owns
nothing that libobs or a thread could still use after OBS executed this file again (the button Reload does that).
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import obspython

_FOLDER = Path(__file__).resolve().parent  # of the file itself: people put a symbolic link where OBS looks


def _find_packages() -> None:
    """Look beside this script first, then in the .venv beside it, then wherever this Python looks anyway."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [_FOLDER, _FOLDER / ".venv" / "lib" / version / "site-packages"]
    if sys.platform == "win32" and _windows_venv_fits():
        places.append(_FOLDER / ".venv" / "Lib" / "site-packages")
    found = [str(place) for place in places if place.is_dir()]
    sys.path[:] = [*found, *(entry for entry in sys.path if entry not in found)]


def _windows_venv_fits() -> bool:
    """Whether .venv was made with this Python: on Windows its folder does not say, and wheels fit one version only."""
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
    from eoam_core.installation import check_installation
    from eoam_core.settings import Settings
    from eoam_obs import panel, source_type
    from eoam_obs.implementation import FilterImplementation
except ModuleNotFoundError as error:
    _BROKEN = f"The folders eoam_core and eoam_obs must lie beside {Path(__file__).name} in {_FOLDER} ({error})."
except Exception as error:  # a Python that is too old fails in any way it likes
    _BROKEN = (
        f"The files in {_FOLDER} do not load in Python {sys.version.split()[0]}; 3.10 or newer is needed ({error})."
    )
else:
    _BROKEN = ""

_state = SimpleNamespace(problem=_BROKEN, defaults={}, implementation=None)


def script_description() -> str:
    """Say what to do with this script."""
    return (
        "<b>EOAM Background Removal</b><br>Cuts the person out of any video source, on the CPU."
        "<br>Right-click a source, choose Filters, and add <i>EOAM Background Removal</i> under Effect Filters."
        "<br>The settings below are the defaults for filters you add from now on."
    )


def script_defaults(settings: Any) -> None:
    """Write the project's defaults."""
    if not _BROKEN:
        panel.write_defaults(obspython, settings, Settings().to_mapping())


def script_update(settings: Any) -> None:
    """Take the defaults for new filters."""
    if _BROKEN:
        return
    _state.defaults = json.loads(obspython.obs_data_get_json(settings) or "{}")
    if _state.implementation is not None:
        _state.implementation.defaults = _defaults()


def script_properties() -> Any:
    """Build the script's panel: the state of the installation, how the filters do, the defaults."""
    properties = obspython.obs_properties_create()
    if _BROKEN:
        obspython.obs_properties_add_text(properties, "broken", _BROKEN, obspython.OBS_TEXT_INFO)
        return properties
    for component in check_installation():
        if not component.ok:
            text = f"{component.name} {component.required} is missing. {component.remedy}"
            panel.add_text(obspython, properties, f"missing_{component.name}", text, warning=True)
    panel.add_text(obspython, properties, "installation", _installation())
    panel.add_text(obspython, properties, panel.STATUS, _status())
    obspython.obs_properties_add_button(properties, "refresh", "Refresh", _refresh)
    panel.add_settings(obspython, properties)
    return properties


def script_load(settings: Any) -> None:
    """Put the filter into OBS; called again after every script_unload."""
    if _BROKEN:
        obspython.script_log(obspython.LOG_ERROR, _BROKEN)
        return
    importlib.invalidate_caches()  # a library may have been installed since OBS started
    # The libraries are imported here, on the main thread: numpy's first import elsewhere has hung OBS on Windows.
    missing = [component for component in check_installation() if not component.ok]
    script_update(settings)
    implementation = FilterImplementation(_defaults())
    try:
        source_type.attach(implementation)
    except EoamError as error:
        _state.problem = str(error)
        obspython.script_log(obspython.LOG_ERROR, str(error))
        return
    _state.problem, _state.implementation = "", implementation
    for component in missing:
        _LOG.error(
            "component_missing name=%s required=%s remedy=%s", component.name, component.required, component.remedy
        )


def script_unload() -> None:
    """Stop all work; the filters that are still there draw nothing from now on."""
    _state.implementation = None
    if not _BROKEN:
        source_type.detach()


def _defaults() -> Settings:
    return Settings.from_mapping(_state.defaults).settings


def _installation() -> str:
    return ", ".join(f"{part.name} {part.version}" for part in check_installation() if part.ok)


def _status() -> str:
    if _state.problem:
        return str(_state.problem)
    return "\n".join(source_type.status_lines()) or "No filter is in use."


def _refresh(properties: Any, _button: Any) -> bool:
    panel.show_text(obspython, properties, panel.STATUS, _status())
    return True
