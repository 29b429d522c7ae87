"""Read and write what OBS stores for a filter or for the script: the settings, their version, and a few more values.

`api` is either `LibObs` (a filter's settings, through ctypes) or the module `obspython` (the script's): both have the
same functions with the same arguments.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eoam_core.presets import effective, normalised, values_of
from eoam_core.settings import VERSION, Preset, Settings, SettingValue, describe_settings, migrated

VERSION_KEY: Final = "settings_version"
FOLLOW_KEY: Final = "follow_defaults"
# Written by the panel's file chooser; becomes the value of `model` and is removed.
MODEL_FILE_KEY: Final = "model_file"
# In the script's panel only: the source that gets the filter, a text to copy, and whether the source gets the privacy
# guard as well.
ADD_TO_KEY: Final = "add_to"
DIAGNOSTICS_KEY: Final = "diagnostics"
GUARD_KEY: Final = "guard"
# In a filter only: the number in its hotkeys' names, see eoam_obs.source.hotkeys.
HOTKEY_NUMBER_KEY: Final = "hotkey_number"

_KEYS: Final = (
    VERSION_KEY,
    FOLLOW_KEY,
    MODEL_FILE_KEY,
    ADD_TO_KEY,
    DIAGNOSTICS_KEY,
    GUARD_KEY,
    HOTKEY_NUMBER_KEY,
)
_FORMER: Final = ("contour_fill",)  # names of older versions, see eoam_core.settings.migrated
_LOG: Final = logging.getLogger("eoam")
_logged: Final[set[str]] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The normalised stored values: `settings` as stored, and the `effective` settings that result.

    `follows` says that a filter uses the script panel's settings instead, and `changed` that a stored value was
    changed, so that an open panel is outdated.
    """

    settings: Settings
    effective: Settings
    follows: bool = False
    changed: bool = False


class UnreadableError(ValueError):
    """The stored values cannot be read at all: not JSON, or nested thousands deep."""


def read(api: Any, data: Any) -> dict[str, object]:
    """Return the values stored in an obs_data, including unknown names and values of a wrong type.

    Raises:
        UnreadableError: see there; a scene file may hold anything.
    """
    try:
        values = json.loads(api.obs_data_get_json(data) or "{}")
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)) from error
    return values if isinstance(values, dict) else {}


def normalise(api: Any, data: Any, known: Settings | None, fallback: Settings, *, complete: bool = True) -> Stored:
    """Normalise an obs_data: complete, in range, of this version, and consistent with its preset.

    Unreadable data is left as it is: the known settings are kept, and nothing is overwritten.

    Args:
        api: see the module.
        data: the obs_data.
        known: the settings as they were last time, or None if unknown.
        fallback: the values of names that are not stored.
        complete: store every value, so that changing the defaults later does not affect this one. Otherwise values that
            equal the fallback and were not stored are left out.
    """
    try:
        values = read(api, data)
    except UnreadableError as error:
        _log_once(
            "unreadable", f"error={error}: the stored settings are left unchanged; the Defaults button resets them"
        )
        settings = known if known is not None else fallback
        return Stored(settings=settings, effective=effective(settings))
    settings = _settings(values, known, fallback)
    assumed = values if complete else {**fallback.to_mapping(), **values}
    changed = _write(api, data, assumed, settings)
    return Stored(
        settings=settings, effective=effective(settings), follows=values.get(FOLLOW_KEY) is True, changed=changed
    )


def write(api: Any, data: Any, settings: Settings) -> None:
    """Store these settings."""
    try:
        values = read(api, data)
    except UnreadableError:
        api.obs_data_clear(data)  # or it would stay unreadable; pressing Defaults asks for this
        values = {}
    _write(api, data, values, settings)


def write_defaults(api: Any, data: Any, settings: Settings) -> None:
    """Write the values as defaults into an obs_data."""
    setters = {
        "float": api.obs_data_set_default_double,
        "int": api.obs_data_set_default_int,
        "color": api.obs_data_set_default_int,
        "bool": api.obs_data_set_default_bool,
    }
    for info in describe_settings():
        setters.get(info.kind, api.obs_data_set_default_string)(data, info.name, settings.to_mapping()[info.name])


def _settings(values: Mapping[str, object], known: Settings | None, fallback: Settings) -> Settings:
    own = migrated({name: value for name, value in values.items() if name not in _KEYS})
    if values.get(MODEL_FILE_KEY):
        own["model"] = values[MODEL_FILE_KEY]
    version = values.get(VERSION_KEY)
    if isinstance(version, int) and version > VERSION:
        _log_once("newer_version", f"version={version}: saved by a newer EOAM; unknown settings are ignored")
    missing = fallback.to_mapping()
    if known is None:
        missing.update(values_of(_preset(own)))
    parsed = Settings.from_mapping({**missing, **own})
    for kind, names in (("unknown", parsed.unknown), ("adjusted", parsed.adjusted)):
        for name in names:
            _log_once(kind, f"{name}={own.get(name)!r}")
    settings = parsed.settings
    if "advanced" not in own:
        # Not decided yet: stored values apply, and if that makes no difference the panel stays short.
        plain = effective(settings.replace(advanced=False))
        settings = settings.replace(advanced=plain != settings.replace(advanced=False))
    return normalised(settings, known)


def _preset(values: Mapping[str, object]) -> Preset:
    try:
        return Preset(values.get("preset"))
    except ValueError:
        return Preset.CUSTOM


def _write(api: Any, data: Any, values: Mapping[str, object], settings: Settings) -> bool:
    setters = {
        "float": api.obs_data_set_double,
        "int": api.obs_data_set_int,
        "color": api.obs_data_set_int,
        "bool": api.obs_data_set_bool,
    }
    changed = False
    stored: Mapping[str, SettingValue] = settings.to_mapping()
    for info in describe_settings():
        value = stored[info.name]
        if info.name not in values or not _same(values[info.name], value):
            setters.get(info.kind, api.obs_data_set_string)(data, info.name, value)
            changed = True
    if values.get(VERSION_KEY) != VERSION:
        api.obs_data_set_int(data, VERSION_KEY, VERSION)
    for name in (MODEL_FILE_KEY, *_FORMER):
        if name in values:
            api.obs_data_erase(data, name)
            changed = True
    return changed


def _same(one: object, other: SettingValue) -> bool:
    # JSON may store 1.0 as 1; but a bool is not a number here.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _log_once(kind: str, what: str) -> None:
    if f"{kind} {what}" not in _logged:
        _logged.add(f"{kind} {what}")
        _LOG.warning("settings_%s %s", kind, what)
