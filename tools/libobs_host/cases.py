"""List settings to draw, generated from the settings' own descriptions, so that new choices are included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from eoam_core.settings import Settings, SettingValue, describe_settings

Case = Mapping[str, SettingValue]

NETWORKS: Final = ("eoam", "eoam_plus")
_COLOUR: Final = 0xFFC8901A
# Combinations of settings, besides each setting alone.
_TOGETHER: Final[Mapping[str, Case]] = {
    "plain": {"refinement": 0.0},
    "half refined": {"refinement": 0.5},
    "moved in": {"edge_shift": -4.0},
    "moved out": {"edge_shift": 6.0},
    "moved, plain": {"edge_shift": 5.0, "refinement": 0.0},
    "mask, plain": {"view": "mask", "refinement": 0.0},
    "mask, moved": {"view": "mask", "edge_shift": 5.0},
    "mask, moved, plain": {"view": "mask", "edge_shift": 5.0, "refinement": 0.0},
    "side by side, blurred": {"view": "side_by_side", "background": "blur"},
    "side by side, cleaned": {"view": "side_by_side", "decontamination": 1.0},
    "outline, blurred, cleaned": {"view": "outline", "background": "blur", "decontamination": 1.0},
    "blurred, cleaned": {"background": "blur", "decontamination": 1.0},
    "on a colour, cleaned": {"background": "color", "background_color": _COLOUR, "decontamination": 1.0},
    "on a colour, moved": {"background": "color", "background_color": _COLOUR, "edge_shift": 5.0},
    "on a picture, cleaned": {"background": "picture", "decontamination": 0.7},
    "soft, on a picture": {"background": "picture", "softness": 1.0},
}


def cases(picture: Path) -> dict[str, Case]:
    """Return named settings; `picture` is the file of the background picture. Presets are named `preset ...`.

    Settings that a case does not name have their defaults; equal cases are listed once.
    """
    found: dict[str, Case] = {"default": {}}
    for info in describe_settings():
        needed = dict(info.shown_if[:1])
        for value in _values(info.name):
            found[f"{info.name} {value}"] = {**needed, info.name: value}
    found.update(_TOGETHER)
    known: dict[str, Case] = {}
    for name, case in found.items():
        if complete(case) not in map(complete, known.values()):
            known[name] = case
    return {name: _with_picture(case, picture) for name, case in known.items()}


def _values(name: str) -> Iterator[SettingValue]:
    """Yield the values to try of a setting: all choices, or both ends of its range."""
    info = next(info for info in describe_settings() if info.name == name)
    if info.enum is not None:
        yield from (value for value, _label in info.choices)
    elif info.kind == "float":
        yield from (info.minimum, info.maximum)
    elif info.kind == "int":
        yield from (int(info.minimum), int(info.maximum))
    elif info.kind == "bool":
        yield from (False, True)
    elif info.kind == "color":
        yield _COLOUR
    elif name == "model":
        yield from NETWORKS


def _with_picture(case: Case, picture: Path) -> Case:
    return {**case, "background_picture": str(picture)} if case.get("background") == "picture" else case


def complete(case: Case) -> dict[str, SettingValue]:
    """Return all settings of a case, as OBS stores them: those that it does not name at their defaults."""
    return {**Settings().to_mapping(), "preset": "custom", **case}
