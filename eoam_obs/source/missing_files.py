"""List the filter's files in OBS's dialog *Missing Files*, without a callback of ours.

OBS calls `missing_files` of every source, including filters and private ones, with its list of sources locked
(`obs_enum_all_sources`, all releases). OBS 32.2 also calls it for filters on loading, with their source's filters
locked (`obs_source_enum_filters`). A callback in Python would wait there for Python's lock, which another script may
hold while it waits for one of these locks (`obs_get_source_by_name`, `obs_source_get_width`: `obspython` keeps Python's
lock in every call). OBS would hang.

So OBS's own image source answers. A missing file becomes the file of a private image source, which is never shown and
so never read. OBS lists it under our name and sets the file that the user chooses; the watch finds it there and passes
it to the filter.

OBS's dialog keeps the addresses of the listed sources, without references. So such a source is kept, without a file,
until its filter ends.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from eoam_core.model_path import expanded, is_network_file
from eoam_core.settings import BackgroundKind, Settings
from eoam_obs.binding import libobs
from eoam_obs.binding.callbacks import callback
from eoam_obs.binding.functions import NULL, Data, Event, Source
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source.instances import INSTANCES, Instance, settings_of
from eoam_obs.source.stored import Stored

_LOG: Final = logging.getLogger("eoam")
_KIND: Final = "image_source"
_FILE: Final = "file"  # its setting
_CLEARED: Final = {"background_picture": "", "model": Settings().model}
_PERIOD_S: Final = 5.0  # between two checks of the disk
_PATIENCE: Final = 20  # times the duration of a check: a network drive that is off may take half a minute


@dataclass
class _StandIn:
    """A private image source, and the last file it was given, or ""."""

    source: Source
    file: str = ""


@dataclass
class _Files:
    """The state of one filter's files, by the names of their settings."""

    obs: LibObs
    stored: Stored | None = None  # which were checked on the disk
    look_at: float = 0.0
    missing: dict[str, str] = field(default_factory=dict)
    stand_ins: dict[str, _StandIn] = field(default_factory=dict)  # changed on the UI thread only


_files: Final[dict[Event, _Files]] = {}  # by the filters' handles
_pauses: Final = [0]  # how often the script was unloaded


def look_soon(obs: LibObs, instance: Instance, now: float | None = None) -> None:
    """Check which of a filter's files are missing, and let the UI thread update OBS's list; on the watch's thread."""
    stored = instance.stored
    if stored is None:
        return
    files = _files.get(instance.handle)
    if files is None:
        files = _files[instance.handle] = _Files(obs)
    now = time.monotonic() if now is None else now
    if stored is not files.stored or now >= files.look_at:
        began, pauses = time.monotonic(), _pauses[0]
        missing = {name: file for name, file in used_files(stored).items() if not _is_there(file)}
        if pauses != _pauses[0]:
            return  # the script was unloaded while a drive was slow
        files.stored, files.missing = stored, missing
        took = time.monotonic() - began
        files.look_at = now + took + max(_PERIOD_S, _PATIENCE * took)
    if files.missing or files.stand_ins:
        obs.obs_queue_task(libobs.OBS_TASK_UI, _renew_now, instance.handle, False)


def used_files(stored: Stored) -> dict[str, str]:
    """Return the paths of the user's files that a filter needs, by the names of their settings.

    A filter that follows the script's panel has none of its own.
    """
    if stored.follows:
        return {}
    found = {}
    effective = stored.effective
    if effective.background is BackgroundKind.PICTURE and effective.background_picture:
        found["background_picture"] = str(expanded(effective.background_picture))
    if is_network_file(effective.model):
        found["model"] = str(expanded(effective.model))
    return found


def pause(obs: LibObs) -> None:
    """Stop listing files, since the user's choice could not be applied. On the UI thread."""
    _pauses[0] += 1
    for files in list(_files.values()):
        files.missing, files.stored = {}, None
        for stand_in in files.stand_ins.values():
            _give(obs, stand_in, "")


def let_go(obs: LibObs, handle: Event) -> None:
    """Free everything of a filter that ends; on any thread."""
    files = _files.pop(handle, None)
    if files is not None:
        for stand_in in files.stand_ins.values():
            obs.obs_source_release(stand_in.source)


@callback(libobs.Task, failed=None)
def _renew_now(handle: Event) -> None:
    files, instance = _files.get(handle), INSTANCES.get(handle)
    if files is None or instance is None:
        return
    with instance.held(files.obs) as source:  # nor is the filter destroyed meanwhile
        if source and instance.stored is not None:
            _renew(files, source)


def _renew(files: _Files, source: Source) -> None:
    obs = files.obs
    chosen = {}
    for name, stand_in in files.stand_ins.items():
        with settings_of(obs, stand_in.source) as settings:
            file = (obs.obs_data_get_string(settings, _FILE) or b"").decode(errors="replace")
        if file != stand_in.file:
            chosen[name] = file
            stand_in.file = file
    if chosen:
        _LOG.info("missing_files_replaced settings=%s", ",".join(sorted(chosen)))
        with settings_of(obs, source) as settings:
            for name, file in chosen.items():
                obs.obs_data_set_string(settings, name, file or _CLEARED[name])
        obs.obs_source_update(source, None)
        obs.obs_source_update_properties(source)
    missing = {name: file for name, file in files.missing.items() if name not in chosen}
    files.missing = missing
    for name, file in missing.items():
        known = files.stand_ins.get(name)
        if known is None:
            made = _new(obs, source)
            if not made:
                continue  # tried again at the next check
            known = files.stand_ins[name] = _StandIn(made)
        if known.file != file:
            _LOG.warning("file_is_missing setting=%s: use File > Check for Missing Files to replace it", name)
            _give(obs, known, file)
    for name, known in files.stand_ins.items():
        if name not in missing:
            _give(obs, known, "")


def _new(obs: LibObs, source: Source) -> Source:
    parent = obs.obs_filter_get_parent(source) or NULL
    names = [obs.obs_source_get_name(of) or b"" for of in (parent, source) if of]
    with _new_settings(obs) as settings:
        obs.obs_data_set_bool(settings, "unload", True)  # so it never reads the file, since it is never shown
        return obs.obs_source_create_private(_KIND, b": ".join(names).decode(errors="replace"), settings) or NULL


def _give(obs: LibObs, stand_in: _StandIn, file: str) -> None:
    if stand_in.file == file:
        return
    with settings_of(obs, stand_in.source) as settings:
        obs.obs_data_set_string(settings, _FILE, file)
    obs.obs_source_update(stand_in.source, None)
    stand_in.file = file


def _is_there(file: str) -> bool:
    try:
        return expanded(file).exists()
    except (OSError, ValueError):
        return True  # unknown, or not a path: the filter reports what is wrong with it


@contextlib.contextmanager
def _new_settings(obs: LibObs) -> Iterator[Data]:
    settings = obs.obs_data_create()
    try:
        yield settings
    finally:
        obs.obs_data_release(settings)
