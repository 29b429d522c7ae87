"""Describe what is installed and its state, for the script's panel and for problem reports.

The text has no names of sources, folders or people: those of the system are left out, and the home folder in messages
is replaced.
"""

from __future__ import annotations

import getpass
import hashlib
import platform
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import eoam_core
from eoam_core.installation import Component, check_installation
from eoam_core.model_path import default_model_path
from eoam_core.settings import Settings
from eoam_obs.binding import libobs
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State

_OBS: Final = "obs"


def components(obs: libobs.LibObs | None) -> tuple[Component, ...]:
    """Return every required component, and OBS; this imports the libraries, so call it on the main thread first."""
    found = check_installation()
    if obs is None:
        return found
    return (*found, Component(name=_OBS, ok=True, version=obs.version, required="", remedy=""))


def line(component: Component, texts: Texts, obs: libobs.LibObs | None = None) -> str:
    """Return one line on a component: what was found or how to get it, and for `obs` what is unusual."""
    name = {"model": texts("model"), _OBS: "OBS Studio"}.get(component.name, component.name)
    if not component.ok:
        return texts("script.missing", name=name, cure=component.remedy)
    version, note = component.version, ""
    if component.name == "model":
        path = default_model_path()
        version, note = path.stem, f"sha256 {sha256(path)[:16]}"
    elif component.name == _OBS and obs is not None:
        note = "; ".join(_notes(obs, texts))
    return texts("script.ok", name=f"{name} {version}".strip()) + (f" ({note})" if note else "")


def _notes(obs: libobs.LibObs, texts: Texts) -> Iterator[str]:
    if not re.match(rf"{obs.major}\b", obs.version):  # built from sources without release tags
        yield texts("script.obs_self_built", number=".".join(map(str, obs.number)))
    if not libobs.OLDEST_MAJOR <= obs.major <= libobs.NEWEST_MAJOR:
        yield texts("script.obs_untested", newest=libobs.NEWEST_MAJOR)


def sha256(path: Path) -> str:
    """Return a file's SHA-256, or "unreadable"."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"


def report(obs: libobs.LibObs | None, settings: Settings, filters: Sequence[tuple[State, Settings | None]]) -> str:
    """Return the text for a report, in English whatever the panel's language.

    Args:
        obs: the libobs in this process, if it could be used.
        settings: those of the script's panel.
        filters: the state and the effective settings of each filter in use.
    """
    english = Texts()
    path = default_model_path()
    lines = [
        f"EOAM for OBS {eoam_core.__version__}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        *(line(component, english, obs) for component in components(obs)),
        f"network {path.name}: sha256 {sha256(path)}",
        f"defaults: {_differences(settings)}",
    ]
    for number, (state, own) in enumerate(filters, 1):
        size = f" [{state.width}x{state.height}]" if state.width else ""
        lines.append(f"filter {number}: {state.sentence(english)}{size}")
        if own is not None:
            lines.append(f"  settings: {_differences(own)}")
    return without_person("\n".join(lines) + "\n")


def without_person(text: str) -> str:
    """Return a text without the home folder and the user's name."""
    home = Path.home()
    for private, public in ((str(home), "~"), (home.as_posix(), "~"), (_user(), "USER")):
        if len(private) > 2:
            text = text.replace(private, public)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _differences(settings: Settings) -> str:
    """Return the settings that are not at their defaults; files are not named."""
    defaults = Settings().to_mapping()
    said = []
    for name, value in settings.to_mapping().items():
        if value != defaults[name]:
            private = name == "background_picture" or name == "model"
            said.append(f"{name}={'(a file)' if private else value}")
    return ", ".join(said) or "all at their defaults"
