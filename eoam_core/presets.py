"""The presets: what each of them sets, and how stored settings and their preset are kept in step.

A preset governs

* *Streaming* and *Meeting*: the background and the strength of its blur, the edge (`threshold`, `softness`,
  `refinement`, `edge_shift`, `decontamination`), and of the advanced settings `detail`, `timing`, `regions`,
  `region_share`, `people`, `holes`, `hole_share`, `smoothing`, `every` and `threads`;
* *Low CPU* and *Best edges*: the same without the background, because they are about quality, not purpose.

No preset governs the background's colour and picture, how the camera is mounted (`turn`), the network (`model`), what
is shown without a mask (`no_mask`: a question of privacy), the view, and whether the advanced settings apply.

Standard library only: the panel must come up without numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eoam_core.settings import BackgroundKind, Detail, Preset, Regions, Settings, SettingValue, describe_settings

__all__ = ["effective", "normalised", "values_of"]

_PURPOSE: Final = ("background", "blur_strength")
_QUALITY: Final = (
    *("threshold", "softness", "refinement", "edge_shift", "decontamination"),
    *("detail", "timing", "regions", "region_share", "people", "holes", "hole_share", "smoothing", "every"),
    "threads",
)
# What differs from the defaults. Streaming is the defaults.
_DIFFERENT: Final[Mapping[Preset, Mapping[str, SettingValue]]] = {
    Preset.STREAMING: {},
    # One person in front of a blurred background; people passing behind belong to the background. Slightly more
    # smoothing: little motion is expected.
    Preset.MEETING: {"background": BackgroundKind.BLUR.value, "regions": Regions.LARGEST.value, "smoothing": 0.8},
    # Half of the masks, each with three quarters of the network's time. Edge refinement takes a tenth of it and stays
    # on.
    Preset.LOW_CPU: {"detail": Detail.NORMAL.value, "every": 2},
    # The largest network input; a wider alpha ramp keeps more hair; the background's colour is removed from it.
    Preset.BEST_EDGES: {"softness": 0.4, "decontamination": 0.5, "detail": Detail.FINEST.value},
}
_WITHOUT_PURPOSE: Final = (Preset.LOW_CPU, Preset.BEST_EDGES)
_ADVANCED: Final = tuple(
    info.name for info in describe_settings() if info.group == "advanced" and info.name != "advanced"
)
_NEARLY: Final = 1e-6  # what a number may lose on its way through a slider and a scene file


def values_of(preset: Preset) -> dict[str, SettingValue]:
    """Return what a preset sets, as OBS stores it; nothing for `custom`."""
    if preset is Preset.CUSTOM:
        return {}
    names = _QUALITY if preset in _WITHOUT_PURPOSE else (*_PURPOSE, *_QUALITY)
    defaults = Settings().to_mapping()
    return {**{name: defaults[name] for name in names}, **_DIFFERENT[preset]}


def effective(settings: Settings) -> Settings:
    """Return the effective settings: without `advanced` the advanced ones are the preset's, or the defaults."""
    if settings.advanced:
        return settings
    values = {**Settings().to_mapping(), **values_of(settings.preset)}
    return settings.replace(**{name: values[name] for name in _ADVANCED})


def normalised(settings: Settings, known: Settings | None) -> Settings:
    """Return stored settings made consistent with their preset.

    A preset other than the last known one sets what it governs, except values that were changed together with it: a
    value that the user set is never lost. A value that differs from the preset makes it custom. Changing an advanced
    setting while `advanced` is off switches it on, because a change over obs-websocket is meant to apply.

    Args:
        settings: as they are stored now.
        known: as they were last time, or None if unknown; then the stored values win over the preset.
    """
    if known is not None:
        changed = _differing(settings, known)
        if settings.preset is not known.preset:
            chosen = {name: value for name, value in values_of(settings.preset).items() if name not in changed}
            settings = settings.replace(**chosen)
        if not (settings.advanced or known.advanced) and changed & _differing(settings, effective(settings)):
            settings = settings.replace(advanced=True)
    values = effective(settings).to_mapping()
    if any(not _equal(values[name], value) for name, value in values_of(settings.preset).items()):
        return settings.replace(preset=Preset.CUSTOM)
    return settings


def _differing(one: Settings, other: Settings) -> set[str]:
    ones, others = one.to_mapping(), other.to_mapping()
    return {name for name, value in ones.items() if not _equal(value, others[name])}


def _equal(one: SettingValue, other: SettingValue) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < _NEARLY
    return one == other
