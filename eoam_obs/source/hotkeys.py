"""Register the filter's hotkeys, which OBS's settings list under the name of the filter's source.

libobs accepts no hotkeys for filters, so they are registered on the filter's source and stored with it. Their names
must be the same after every start: a source's first filter has "eoam.toggle" and so on, its second one "eoam.toggle.2".
The number is stored with the filter's settings, so the second keeps it, and its keys, when the first is removed.
Bindings that are not registered by the time OBS saves are lost. So a filter from a scene file registers as soon as it
is loaded, and a new one as soon as it has its source.

Imported once, never reloaded: libobs keeps the callbacks. They run on OBS's UI thread with libobs's hotkey lock held;
unregistering takes the same lock, so no callback runs afterwards.
"""

from __future__ import annotations

import time
from typing import Final

from eoam_core.settings import BackgroundKind
from eoam_obs.binding import libobs
from eoam_obs.binding.callbacks import callback, keep
from eoam_obs.binding.functions import Data, Event, Source
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source.instances import INSTANCES, Instance, settings_of
from eoam_obs.source.locale import Texts
from eoam_obs.source.stored import HOTKEY_NUMBER_KEY

_MOST_ATTEMPTS: Final = 20
_HIGHEST: Final = 1000


class _Actions:
    """What the callbacks need: libobs and the texts, set once the filter is registered in OBS."""

    obs: LibObs | None = None
    texts: Texts | None = None


def attach(obs: LibObs, texts: Texts) -> None:
    """Enable the callbacks."""
    _Actions.obs, _Actions.texts = obs, texts


def register(obs: LibObs, instance: Instance, texts: Texts) -> bool:
    """Register a filter's hotkeys if it has none; return False while it is not on a source. On OBS's UI thread."""
    if instance.hotkeys:
        return True
    parent = obs.obs_filter_get_parent(instance.source)
    if not parent:
        return False
    number = _number(obs, instance, parent)
    instance.hotkey_number = number
    with settings_of(obs, instance.source) as data:
        remember(obs, instance, data)
    name = (obs.obs_source_get_name(instance.source) or b"").decode(errors="replace")
    ids = []
    for action, pressed in _CALLBACKS.items():
        key = f"eoam.{action}" + (f".{number}" if number > 1 else "")
        said = texts(f"hotkey.{action}", filter=name)
        ids.append(obs.obs_hotkey_register_source(parent, key, said, pressed, instance.handle))
    instance.hotkeys = tuple(ids)
    return True


def remember(obs: LibObs, instance: Instance, data: Data) -> None:
    """Store a filter's number in its obs_data, once it has one, even if it was removed there. On OBS's UI thread."""
    number = instance.hotkey_number
    if number and data and obs.obs_data_get_int(data, HOTKEY_NUMBER_KEY) != number:
        obs.obs_data_set_int(data, HOTKEY_NUMBER_KEY, number)


def register_soon(obs: LibObs, instance: Instance) -> None:
    """Schedule `register` on OBS's UI thread; for every other thread."""
    if not instance.hotkeys and instance.hotkey_attempts < _MOST_ATTEMPTS:
        instance.hotkey_attempts += 1
        obs.obs_queue_task(libobs.OBS_TASK_UI, _register_now, instance.handle, False)


def unregister(obs: LibObs, instance: Instance) -> None:
    """Unregister a filter's hotkeys; if its source is gone, libobs has done so."""
    ids, instance.hotkeys = instance.hotkeys, ()
    for number in ids:
        if number != libobs.INVALID_HOTKEY:
            obs.obs_hotkey_unregister(number)


def _number(obs: LibObs, instance: Instance, parent: Source) -> int:
    """Return a filter's stored number, or the first that no other filter of its source has or had."""
    taken = set()
    for other in list(INSTANCES.values()):
        if other is instance:
            continue
        with other.held(obs) as source, settings_of(obs, source) as data:
            if source and obs.obs_filter_get_parent(source) == parent:
                taken.add(other.hotkey_number or obs.obs_data_get_int(data, HOTKEY_NUMBER_KEY))
    with settings_of(obs, instance.source) as data:
        before = obs.obs_data_get_int(data, HOTKEY_NUMBER_KEY) if data else 0
    # A copied filter has the number of its original, and a scene file may contain anything.
    if 0 < before <= _HIGHEST and before not in taken:
        return before
    return next(number for number in range(1, len(taken) + 2) if number not in taken)


@callback(libobs.Task, failed=None)
def _register_now(handle: Event) -> None:
    instance = INSTANCES.get(handle)
    if instance is None or _Actions.obs is None or _Actions.texts is None:
        return
    with instance.held(_Actions.obs) as source:
        if source:
            register(_Actions.obs, instance, _Actions.texts)


@callback(libobs.HotkeyPressed, failed=None)
def _toggle(handle: Event, _hotkey_id: int, _hotkey: int, pressed: bool) -> None:
    instance, obs = INSTANCES.get(handle), _Actions.obs
    if instance is not None and obs is not None and pressed:
        obs.obs_source_set_enabled(instance.source, not obs.obs_source_enabled(instance.source))


@callback(libobs.HotkeyPressed, failed=None)
def _next_background(handle: Event, _hotkey_id: int, _hotkey: int, pressed: bool) -> None:
    instance, obs = INSTANCES.get(handle), _Actions.obs
    if instance is None or obs is None or not pressed or instance.stored is None:
        return
    settings = instance.stored.settings
    kinds = [kind for kind in BackgroundKind if kind is not BackgroundKind.PICTURE or settings.background_picture]
    position = kinds.index(settings.background) if settings.background in kinds else -1
    following = kinds[(position + 1) % len(kinds)]
    with settings_of(obs, instance.source) as data:
        obs.obs_data_set_string(data, "background", following.value)
    obs.obs_source_update(instance.source, None)
    instance.refresh_at = time.monotonic()


@callback(libobs.HotkeyPressed, failed=None)
def _hide(handle: Event, _hotkey_id: int, _hotkey: int, pressed: bool) -> None:
    instance = INSTANCES.get(handle)
    if instance is not None and instance.video_filter is not None:
        instance.video_filter.hidden = pressed


_CALLBACKS: Final = {"toggle": _toggle, "next_background": _next_background, "hide": _hide}
keep(_CALLBACKS)
