"""List the steps done to a script, its filters and two sources in OBS's script host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows import portrait
from tools.windows.script_host import Step
from tools.windows.wine import Wine, windows_path

STILL: Final = "still"
CLIP: Final = "clip"
SOURCES: Final = (STILL, CLIP)
MOMENTS: Final = ("first", "reloaded", "added again")  # at which the pictures are saved
CHANGED: Final = {"softness": 0.45}  # a setting in the script's panel
_MODULES: Final = ("image-source", "obs-filters", "obs-ffmpeg", "end_scripting")
_FILTER: Final = "eoam_background_removal"
_RUNNING: Final = "Removing the background: "  # how the status of a filter that draws begins
_RELOADS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Files:
    """Wine, and where the files lie that the steps name; `folder` is for what OBS writes."""

    wine: Wine
    folder: Path
    script: Path
    trivial: Path
    still: Path
    clip: Path

    def picture(self, renderer: str, source: str, moment: str) -> Path:
        """Return the file for what the host drew of a source."""
        return self.folder / f"{renderer}-{source}-{moment}.rgba"


def trivial_life(files: Files, renderer: str) -> list[Step]:
    """Return what is done to both sources and the script, without any filter."""
    reload: list[Step] = [("reload",)] * _RELOADS
    return [
        *_start(files, renderer),
        _script(files.trivial),
        *_sources(files),
        *_watch(),
        *reload,
        ("remove_script",),
        _script(files.trivial),
        *(("await_drawn", name) for name in SOURCES),
        *_watched(),
        *_end(),
    ]


def long_life(files: Files, renderer: str) -> list[Step]:
    """Return a script's whole life, at the end of which its filters are still there."""
    reload = [("reload",), *_running()] * _RELOADS
    return [
        *_start(files, renderer),
        _script(files.script),
        ("type", _FILTER),
        *_sources(files),
        *_filters(),
        *_watch(),
        *_running(),
        *_save(files, renderer, "first"),
        ("panel",),
        ("change", json.dumps(CHANGED)),
        *reload,
        *_save(files, renderer, "reloaded"),
        ("remove_script",),
        *(("await_clear", name) for name in SOURCES),
        _script(files.script, CHANGED),
        *_running(),
        *_save(files, renderer, "added again"),
        *_watched(),
        *_end(),
    ]


def short_life(files: Files, renderer: str) -> list[Step]:
    """Return a short life, in which the filters are removed before the script is."""
    return [
        *_start(files, renderer),
        _script(files.script),
        ("type", _FILTER),
        *_sources(files),
        *_filters(),
        *_running(),
        *(("remove_filter", name) for name in SOURCES),
        *_end(),
    ]


def _start(files: Files, renderer: str) -> list[Step]:
    modules: list[Step] = [("module", name) for name in _MODULES]
    start = ("start", renderer, _slashed(files.folder))
    return [start, *modules, ("scripting", _slashed(files.wine.python))]


def _script(file: Path, settings: dict[str, float] | None = None) -> Step:
    return ("script", _slashed(file), json.dumps(settings or {}))


def _sources(files: Files) -> list[Step]:
    still = {"file": _slashed(files.still)}
    clip = {"is_local_file": True, "local_file": _slashed(files.clip), "looping": True, "hw_decode": False}
    return [
        ("source", "image_source", STILL, json.dumps(still)),
        ("source", "ffmpeg_source", CLIP, json.dumps(clip)),
        *(("await_picture", name) for name in SOURCES),
    ]


def _filters() -> list[Step]:
    return [("filter", _FILTER, name) for name in SOURCES]


def _running() -> list[Step]:
    says: list[Step] = [("await_status", name, _RUNNING) for name in SOURCES]
    return [*says, *(("await_drawn", name) for name in SOURCES)]


def _save(files: Files, renderer: str, moment: str) -> list[Step]:
    return [("save", name, windows_path(files.picture(renderer, name, moment))) for name in SOURCES]


def _watch() -> list[Step]:
    places = {STILL: portrait.room_in_still(), CLIP: portrait.room_in_clip()}
    return [("watch", name, str(x), str(y)) for name, (x, y) in places.items()]


def _watched() -> list[Step]:
    return [("watched", name) for name in SOURCES]


def _end() -> list[Step]:
    return [("remove_script",), ("remove_sources",), ("end",)]


def _slashed(path: Path) -> str:
    """Return a Windows path as OBS stores it."""
    return windows_path(path).replace("\\", "/")
