"""The video sources of the current scene collection, and putting the filter on one of them."""

from __future__ import annotations

from typing import Any, Final

from eoam_obs import libobs
from eoam_obs.libobs import LibObs

_CAMERAS: Final = (
    "v4l2_input",
    "dshow_input",
    "av_capture_input",
    "macos-avcapture",
    "macos-avcapture-fast",
    "ndi_source",
)


def video_sources(api: Any) -> list[str]:
    """Return the names of all sources with a picture, cameras first; `api` is `obspython`, on OBS's UI thread.

    `obspython` and not `LibObs`: the list is made under a lock of libobs, and scripts ask for that with Python's own
    lock held.
    """
    found: list[tuple[bool, str]] = []
    sources = api.obs_enum_sources() or []
    try:
        for source in sources:
            if api.obs_source_get_output_flags(source) & libobs.OBS_SOURCE_VIDEO:
                camera = api.obs_source_get_unversioned_id(source) in _CAMERAS
                found.append((not camera, api.obs_source_get_name(source)))
    finally:
        api.source_list_release(sources)
    return [name for _, name in sorted(found)]


def add_filter(obs: LibObs, source_name: str, filter_id: str, filter_name: str) -> bool:
    """Put a new filter on a source, by a name that is free there; False if that failed."""
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
