"""What is installed and how it does, as the script's panel shows it, and as a text for a report of a problem.

The text holds no names of sources, no folders and no names of people: those of the system are left out, and what a
message quotes of the home folder is replaced.
"""

from __future__ import annotations

import getpass
import hashlib
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import eoam_core
from eoam_core.installation import check_installation
from eoam_core.model_path import default_model_path
from eoam_core.settings import Settings
from eoam_obs.binding import libobs
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One thing that is needed: `cure` is "" where all is well, `note` says what else there is to know."""

    key: str
    name: str
    found: str
    cure: str = ""
    note: str = ""

    def line(self, texts: Texts) -> str:
        """Return it as one line."""
        if self.cure:
            return texts("script.missing", name=self.name, cure=self.cure)
        return texts("script.ok", name=f"{self.name} {self.found}".strip()) + (f" ({self.note})" if self.note else "")


def parts(obs: libobs.LibObs | None, texts: Texts) -> tuple[Part, ...]:
    """Return everything that must be there; the libraries are imported, so the first time on the main thread."""
    found = []
    for component in check_installation():
        key, cure = component.name, component.remedy
        if key != "model":
            found.append(Part(key=key, name=key, found=component.version, cure="" if component.ok else cure))
        elif component.ok:
            path = default_model_path()
            found.append(Part(key=key, name=texts(key), found=path.stem, note=f"sha256 {sha256(path)[:16]}"))
        else:
            found.append(Part(key=key, name=texts(key), found="", cure=cure))
    if obs is not None:
        found.append(Part(key="obs", name="OBS Studio", found=obs.version, note="; ".join(_notes(obs, texts))))
    return tuple(found)


def _notes(obs: libobs.LibObs, texts: Texts) -> Iterator[str]:
    if not re.match(rf"{obs.major}\b", obs.version):  # built from sources without the tags that name a release
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
    """Return the text for a report, in English whatever the panel speaks.

    Args:
        obs: the libobs in this process, if it could be used.
        settings: those of the script's panel.
        filters: the state and the acting settings of each filter in use.
    """
    english = Texts()
    path = default_model_path()
    lines = [
        f"EOAM for OBS {eoam_core.__version__}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        *(part.line(english) for part in parts(obs, english)),
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
    """Name what is not at its default; of a file only that there is one."""
    defaults = Settings().to_mapping()
    said = []
    for name, value in settings.to_mapping().items():
        if value != defaults[name]:
            private = name == "background_picture" or name == "model"
            said.append(f"{name}={'(a file)' if private else value}")
    return ", ".join(said) or "all at their defaults"
