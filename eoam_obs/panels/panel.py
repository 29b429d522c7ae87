"""Build OBS properties from `eoam_core.settings`, which holds all defaults and labels.

`api` is `LibObs`, for the filter's panel and for the script's (see `script_panel`). Without one, texts can be added
with `obspython`, which has the same functions with the same arguments.
"""

from __future__ import annotations

from typing import Any, Final

from eoam_core.model_path import default_model_path
from eoam_core.settings import SettingInfo, describe_settings
from eoam_obs.binding import libobs
from eoam_obs.source.locale import Texts, unit_key
from eoam_obs.source.stored import FOLLOW_KEY, MODEL_FILE_KEY

STATUS: Final = "status"
REFRESH: Final = "refresh"
RESET: Final = "reset"
GUARD: Final = "guard"
ADVANCED: Final = "advanced"

_INFOS: Final = {info.name: info for info in describe_settings()}
_PICTURES: Final = "*.png *.jpg *.jpeg *.bmp *.webp *.tif *.tiff"


def add_settings(
    api: Any, properties: Any, texts: Texts, *, modified: Any = None, always: bool = False, model: str = ""
) -> None:
    """Add one property per setting, the advanced ones in a group that can be ticked.

    Args:
        api, properties: see the module.
        texts: the translated texts.
        modified: the callback for changes of settings that others depend on.
        always: call it for changes of every setting.
        model: the network in use, listed even if it does not ship with EOAM.
    """
    group = api.obs_properties_create()
    for info in describe_settings():
        if info.name == ADVANCED:
            item = api.obs_properties_add_group(
                properties, ADVANCED, texts(ADVANCED), libobs.OBS_GROUP_CHECKABLE, group
            )
            api.obs_property_set_long_description(item, texts(f"{ADVANCED}.help"))
        else:
            item = _add_setting(api, group if info.group == "advanced" else properties, info, texts, model)
        if modified is not None and (always or info.name in _DECIDING):
            api.obs_property_set_modified_callback(item, modified)


def add_follow(api: Any, properties: Any, texts: Texts, *, modified: Any) -> None:
    """Add the box that makes a filter take all its settings from the script's panel."""
    item = api.obs_properties_add_bool(properties, FOLLOW_KEY, texts("panel.follow"))
    api.obs_property_set_long_description(item, texts("panel.follow.help"))
    api.obs_property_set_modified_callback(item, modified)


def show_relevant(api: Any, properties: Any, data: Any) -> bool:
    """Show the controls that have an effect with the values in the obs_data `data`; return whether any changed."""
    own = not api.obs_data_get_bool(data, FOLLOW_KEY)
    advanced = api.obs_data_get_bool(data, ADVANCED)
    changed = False
    for name, info in {**_INFOS, MODEL_FILE_KEY: _INFOS["model"]}.items():
        shown = not info.shown_if or any(_text(api, data, other) == value for other, value in info.shown_if)
        if info.group == "advanced" and name != ADVANCED:
            shown = shown and advanced
        changed |= show(api, properties, name, shown and own)
    return changed | show(api, properties, RESET, own)


def add_text(api: Any, properties: Any, name: str, text: str, *, warning: bool = False) -> None:
    """Add a read-only line."""
    item = api.obs_properties_add_text(properties, name, text, libobs.OBS_TEXT_INFO)
    api.obs_property_text_set_info_type(item, _level(warning))


def show_text(api: Any, properties: Any, name: str, text: str, *, warning: bool | None = None) -> None:
    """Change a line made by `add_text`; OBS redraws it if the button's callback returns True."""
    item = api.obs_properties_get(properties, name)
    if not item:
        return
    api.obs_property_set_description(item, text)
    if warning is not None:
        api.obs_property_text_set_info_type(item, _level(warning))


def show(api: Any, properties: Any, name: str, shown: bool) -> bool:
    """Show or hide one property; return whether that changed anything."""
    item = api.obs_properties_get(properties, name)
    if not item or bool(api.obs_property_visible(item)) == shown:
        return False
    api.obs_property_set_visible(item, shown)
    return True


def _level(warning: bool) -> int:
    return libobs.OBS_TEXT_INFO_WARNING if warning else libobs.OBS_TEXT_INFO_NORMAL


def described(info: SettingInfo, texts: Texts) -> str:
    """Return a setting's long description, with its unit and range."""
    text = texts(f"{info.name}.help")
    if info.kind not in ("float", "int"):
        return text
    numbers = texts(
        "panel.range", minimum=f"{info.minimum:g}", maximum=f"{info.maximum:g}", unit=texts(unit_key(info.unit))
    )
    return f"{text}\n{numbers}"


def _add_setting(api: Any, properties: Any, info: SettingInfo, texts: Texts, model: str) -> Any:
    name, label = info.name, texts(info.name)
    numbers = (info.minimum, info.maximum, info.step)
    if info.kind == "float":
        item = api.obs_properties_add_float_slider(properties, name, label, *numbers)
        api.obs_property_float_set_suffix(item, _suffix(info))
    elif info.kind == "int":
        item = api.obs_properties_add_int(properties, name, label, *map(int, numbers))
    elif info.kind == "bool":
        item = api.obs_properties_add_bool(properties, name, label)
    elif info.kind == "color":
        item = api.obs_properties_add_color(properties, name, label)
    elif info.kind == "path":
        kinds = f"{texts('panel.pictures')} ({_PICTURES});;{texts('panel.all_files')} (*)"
        item = api.obs_properties_add_path(properties, name, label, libobs.OBS_PATH_FILE, kinds, "")
    elif info.kind == "text":
        item = _add_list(api, properties, name, label, [(value, value) for value in _models(model)])
        kinds = f"ONNX (*.onnx);;{texts('panel.all_files')} (*)"
        chooser = api.obs_properties_add_path(
            properties, MODEL_FILE_KEY, texts("panel.model_file"), libobs.OBS_PATH_FILE, kinds, ""
        )
        api.obs_property_set_long_description(chooser, texts("panel.model_file.help"))
    else:
        choices = [(value, texts(f"{name}.{value}")) for value, _ in info.choices]
        item = _add_list(api, properties, name, label, choices)
    api.obs_property_set_long_description(item, described(info, texts))
    return item


def _add_list(api: Any, properties: Any, name: str, label: str, choices: list[tuple[str, str]]) -> Any:
    item = api.obs_properties_add_list(
        properties, name, label, libobs.OBS_COMBO_TYPE_LIST, libobs.OBS_COMBO_FORMAT_STRING
    )
    for value, text in choices:
        api.obs_property_list_add_string(item, text, value)
    return item


def _models(model: str) -> list[str]:
    """Return the names of the networks that ship with EOAM, and the one in use."""
    names = {file.stem for file in default_model_path().parent.glob("*.onnx")}
    return list(dict.fromkeys([str(_INFOS["model"].default), *sorted(names), *([model] if model else [])]))


def _suffix(info: SettingInfo) -> str:
    return " %" if info.unit.startswith("per cent") else " px" if info.unit == "pixels" else ""


def _text(api: Any, data: Any, name: str) -> str:
    value = api.obs_data_get_string(data, name) or ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


# The settings that decide whether another one is shown.
_DECIDING: Final = {ADVANCED, *(name for info in describe_settings() for name, _ in info.shown_if)}
