"""The settings as OBS properties, generated from `eoam_core.settings`; nowhere else holds a default or a label.

`api` is either `LibObs` (the filter's own panel, through ctypes) or the module `obspython` (the script's panel): both
have the same functions with the same arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eoam_core.settings import SettingInfo, describe_settings
from eoam_obs import libobs

STATUS: Final = "status"


def add_settings(api: Any, properties: Any) -> None:
    """Add one property per setting."""
    for info in describe_settings():
        if info.kind == "float":
            item = api.obs_properties_add_float_slider(
                properties, info.name, info.label, info.minimum, info.maximum, info.step
            )
        elif info.kind == "bool":
            item = api.obs_properties_add_bool(properties, info.name, info.label)
        else:
            item = api.obs_properties_add_list(
                properties, info.name, info.label, libobs.OBS_COMBO_TYPE_LIST, libobs.OBS_COMBO_FORMAT_STRING
            )
            for value, label in info.choices:
                api.obs_property_list_add_string(item, label, value)
        api.obs_property_set_long_description(item, info.help)


def add_text(api: Any, properties: Any, name: str, text: str, *, warning: bool = False) -> None:
    """Add a line that is only read."""
    item = api.obs_properties_add_text(properties, name, text, libobs.OBS_TEXT_INFO)
    level = libobs.OBS_TEXT_INFO_WARNING if warning else libobs.OBS_TEXT_INFO_NORMAL
    api.obs_property_text_set_info_type(item, level)


def show_text(api: Any, properties: Any, name: str, text: str) -> None:
    """Change a line made by `add_text`; OBS draws it again if the button's callback returns True."""
    item = api.obs_properties_get(properties, name)
    if item:
        api.obs_property_set_description(item, text)


def write_defaults(api: Any, settings: Any, defaults: Mapping[str, object]) -> None:
    """Write the values as defaults into an obs_data."""
    setters = {
        "float": api.obs_data_set_default_double,
        "bool": api.obs_data_set_default_bool,
        "enum": api.obs_data_set_default_string,
    }
    for info in describe_settings():
        setters[info.kind](settings, info.name, defaults[info.name])


def keep_defaults(api: Any, settings: Any, defaults: Mapping[str, object]) -> None:
    """Store the values that an obs_data does not have yet, so that changing the defaults later leaves it alone."""
    setters = {"float": api.obs_data_set_double, "bool": api.obs_data_set_bool, "enum": api.obs_data_set_string}
    for info in _absent(api, settings):
        setters[info.kind](settings, info.name, defaults[info.name])


def _absent(api: Any, settings: Any) -> list[SettingInfo]:
    return [info for info in describe_settings() if not api.obs_data_has_user_value(settings, info.name)]
