"""List the video sources of the current scene collection, and add the filter to one of them."""

from __future__ import annotations

from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.libobs import LibObs

_CAMERAS: Final = (
    "v4l2_input",
    "dshow_input",
    "av_capture_input",
    "macos-avcapture",
    "macos-avcapture-fast",
    "ndi_source",
)


def video_sources(obs: LibObs) -> list[str]:
    """Return the names of all sources with a picture, cameras first. On OBS's UI thread.

    Python's lock and libobs's list of sources must never be held while waiting for the other: libobs up to 29 locks the
    list while one of OBS's own filters waits for the graphics context, which our worker may hold while it waits for
    Python's lock. `obspython.obs_enum_sources` waits for the list with Python's lock held, and a callback of
    `obs_enum_sources` does the reverse. So libobs makes the list itself, as for saving, with Python's lock released.
    """
    found: list[tuple[bool, str]] = []
    for name in _saved_names(obs):
        source = obs.obs_get_source_by_name(name)
        if not source:
            continue  # removed just now
        try:
            is_input = obs.obs_source_get_type(source) == libobs.OBS_SOURCE_TYPE_INPUT
            if is_input and obs.obs_source_get_output_flags(source) & libobs.OBS_SOURCE_VIDEO:
                kind = (obs.obs_source_get_unversioned_id(source) or b"").decode(errors="replace")
                found.append((kind not in _CAMERAS, name))
        finally:
            obs.obs_source_release(source)
    return [name for _, name in sorted(found)]


def _saved_names(obs: LibObs) -> list[str]:
    array = obs.obs_save_sources()
    if not array:
        return []
    names = []
    try:
        for index in range(obs.obs_data_array_count(array)):
            data = obs.obs_data_array_item(array, index)
            if data:
                names.append((obs.obs_data_get_string(data, "name") or b"").decode(errors="replace"))
                obs.obs_data_release(data)
    finally:
        obs.obs_data_array_release(array)
    return names


def add_filter(obs: LibObs, source_name: str, filter_id: str, filter_name: str) -> bool:
    """Add a new filter to a source, under an unused name; return False if that failed."""
    source = obs.obs_get_source_by_name(source_name)
    if not source:
        return False
    try:
        name, number = filter_name, 1
        while taken := obs.obs_source_get_filter_by_name(source, name):
            obs.obs_source_release(taken)
            number += 1
            name = f"{filter_name} {number}"
        added = obs.obs_source_create(filter_id, name, None, None)
        if not added:
            return False
        try:
            obs.obs_source_filter_add(source, added)
        finally:
            obs.obs_source_release(added)
    finally:
        obs.obs_source_release(source)
    return True
