"""Manage the privacy guard: one of OBS's own filters, which hides the camera whenever ours is missing.

If OBS cannot load a script (no Python, a moved folder, an update), it keeps the script's filters as inactive entries
and draws what lies before them: the background. So a Color Correction with opacity 0 is put directly before our filter.
Ours bypasses the guard by drawing the guard's own target; without ours only the guard is active, and nothing is
visible.

    camera -> other filters -> guard -> ours

A chain of filters is linked by targets: the last one's target is the one before it, and so on to the camera itself.
"""

from __future__ import annotations

from typing import Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Source
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source import stored
from eoam_obs.source.instances import settings_of

NAME: Final = "EOAM privacy guard"
_KIND: Final = "color_filter"  # without its version: OBS has had two, and opacity 0 has the same effect in both
_LONGEST_CHAIN: Final = 100  # filters on one source; more can only mean an error in following the links


def is_guard(obs: LibObs, source: Source) -> bool:
    """Return whether a source is our guard: by its kind, and by its name, which the scene file keeps."""
    if (obs.obs_source_get_unversioned_id(source) or b"") != _KIND.encode():
        return False
    return (obs.obs_source_get_name(source) or b"").startswith(NAME.encode())


def has_guard(obs: LibObs, ours: Source) -> bool:
    """Return whether a guard is directly before our filter and hides everything. Not for the graphics thread."""
    target = obs.obs_filter_get_target(ours) or NULL
    return _is_before(obs, ours) and _is_closed(obs, target)


def is_open(obs: LibObs, ours: Source) -> bool:
    """Return whether a guard before our filter hides nothing: it is disabled, or no longer at opacity 0.

    Not for the graphics thread. False if there is no guard, or one that hides everything but is in the wrong place.
    """
    parent = obs.obs_filter_get_parent(ours) or NULL
    guard = _guard_before(obs, parent, ours) if parent else NULL
    return bool(guard) and not _is_closed(obs, guard)


def add_guard(obs: LibObs, parent: Source, ours: Source) -> bool:
    """Ensure a guard directly before our filter `ours` on the source `parent`; return False if OBS cannot make one.

    A guard elsewhere before ours is moved: filters in between, and ours, would get nothing. One that hides nothing any
    more is repaired: its panel is the first one OBS shows, and its button Defaults makes it opaque. Not for the
    graphics thread.
    """
    if has_guard(obs, ours):
        return True
    guard = _guard_before(obs, parent, ours)
    if guard:
        if not _is_before(obs, ours):
            _move_before(obs, parent, guard, ours)
        _close(obs, guard)
        return has_guard(obs, ours)
    settings = obs.obs_data_create()
    added = None
    try:
        obs.obs_data_set_double(settings, "opacity", 0.0)
        added = obs.obs_source_create(_newest_kind(obs), _free_name(obs, parent), settings, None)
        if not added:
            return False
        obs.obs_source_filter_add(parent, added)  # it is added last, after ours, and moved into place below
        _move_before(obs, parent, added, ours)
        return has_guard(obs, ours)
    finally:
        if added:
            obs.obs_source_release(added)
        obs.obs_data_release(settings)


def _is_before(obs: LibObs, ours: Source) -> bool:
    target = obs.obs_filter_get_target(ours) or NULL
    return bool(target) and is_guard(obs, target)


def _is_closed(obs: LibObs, guard: Source) -> bool:
    return obs.obs_source_enabled(guard) and _opacity(obs, guard) == 0


def _opacity(obs: LibObs, guard: Source) -> float:
    with settings_of(obs, guard) as data:
        try:
            value = stored.read(obs, data).get("opacity") if data else None
        except stored.UnreadableError:
            value = None
    return value if isinstance(value, int | float) else 1.0  # what is not stored is at OBS's default


def _close(obs: LibObs, guard: Source) -> None:
    with settings_of(obs, guard) as data:
        obs.obs_data_set_double(data, "opacity", 0.0)
    obs.obs_source_update(guard, None)
    obs.obs_source_set_enabled(guard, True)


def _newest_kind(obs: LibObs) -> str:
    return (obs.obs_get_latest_input_type_id(_KIND) or _KIND.encode()).decode()


def _guard_before(obs: LibObs, parent: Source, ours: Source) -> Source:
    """Return a guard anywhere between the source and our filter, or NULL."""
    step = ours
    for _ in range(_LONGEST_CHAIN):
        step = obs.obs_filter_get_target(step) or NULL
        if step in (NULL, parent):
            return Source(0)
        if is_guard(obs, step):
            return step
    return Source(0)


def _move_before(obs: LibObs, parent: Source, guard: Source, ours: Source) -> None:
    """Move the guard step by step until our filter's target is the guard."""
    last = ours
    towards = libobs.OBS_ORDER_MOVE_UP  # "up" is towards the camera
    for _ in range(_LONGEST_CHAIN):  # the guard is before ours, so it must move away from the camera
        last = obs.obs_filter_get_target(last) or NULL
        if last == guard:
            towards = libobs.OBS_ORDER_MOVE_DOWN
        if last in (0, parent, guard):
            break
    for _ in range(_LONGEST_CHAIN):
        if obs.obs_filter_get_target(ours) == guard:
            return
        obs.obs_source_filter_set_order(parent, guard, towards)


def _free_name(obs: LibObs, parent: Source) -> str:
    name, number = NAME, 1
    while taken := obs.obs_source_get_filter_by_name(parent, name):
        obs.obs_source_release(taken)
        number += 1
        name = f"{NAME} {number}"
    return name
