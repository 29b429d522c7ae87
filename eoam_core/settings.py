"""Define every setting with its default, range, unit, label and help, here and nowhere else.

The OBS panel, the command line's flags and the table in docs/user/cli.md are generated from `describe_settings()`;
`python -m eoam_core.settings` prints that table. Standard library only: the panel must come up without numpy.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from eoam_core.setting_info import SettingInfo, SettingValue, describe, table_row

__all__ = [
    "VERSION",
    "BackgroundKind",
    "Detail",
    "Holes",
    "NoMask",
    "ParsedSettings",
    "Preset",
    "Regions",
    "SettingInfo",
    "SettingValue",
    "Settings",
    "Timing",
    "Turn",
    "View",
    "describe_settings",
    "migrated",
    "settings_table",
]

_NARROWEST: Final = 1 / 255  # alpha ramp from transparent to opaque
VERSION: Final = 2  # of the stored settings; 1 had `contour_fill` and no version


class Preset(str, Enum):
    """What the settings are for; every choice but the last sets other settings."""

    MEETING = "meeting"
    STREAMING = "streaming"
    LOW_CPU = "low_cpu"
    BEST_EDGES = "best_edges"
    CUSTOM = "custom"


class BackgroundKind(str, Enum):
    """What replaces the background."""

    TRANSPARENT = "transparent"
    BLUR = "blur"
    COLOR = "color"
    PICTURE = "picture"


class Turn(str, Enum):
    """How the source is turned in OBS's Transform, so that people in it are upright; degrees, clockwise."""

    NONE = "none"
    CLOCKWISE = "90"
    HALF = "180"
    COUNTERCLOCKWISE = "270"


class Detail(str, Enum):
    """The size of the network's input."""

    NORMAL = "normal"
    FINE = "fine"
    FINEST = "finest"


class Regions(str, Enum):
    """Which regions of the mask are kept."""

    LARGEST = "largest"
    SHARE = "share"
    PEOPLE = "people"


class Holes(str, Enum):
    """Which holes in a region are filled."""

    SMART = "smart"
    SIZE = "size"
    ALL = "all"
    OPEN = "open"


class NoMask(str, Enum):
    """What is shown while there is no mask."""

    NOTHING = "nothing"
    BLUR = "blur"


class View(str, Enum):
    """What the filter shows."""

    RESULT = "result"
    MASK = "mask"
    OUTLINE = "outline"
    SIDE_BY_SIDE = "side_by_side"
    CONFIDENCE = "confidence"


class Timing(str, Enum):
    """Which picture a mask is put on."""

    ALIGNED = "aligned"
    LOW_LATENCY = "low_latency"
    SAME_FRAME = "same_frame"


def _number(
    group: str,
    label: str,
    help: str,
    *,
    minimum: float,
    maximum: float,
    step: float,
    unit: str = "mask level",
    **more: Any,
) -> dict[str, Any]:
    numbers = {"unit": unit, "minimum": minimum, "maximum": maximum, "step": step}
    return {"group": group, "label": label, "help": help, **numbers, **more}


def _choice(group: str, label: str, help: str, choices: Mapping[Enum, str], **more: Any) -> dict[str, Any]:
    by_value = {str(member.value): text for member, text in choices.items()}
    return {"group": group, "label": label, "help": help, "choices": by_value, **more}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Hold one consistent set of values; change it with `replace`, never in place.

    Enums may be given by the value OBS stores ("mask"), whole numbers stand for floats, and a colour may be "#rrggbb".

    Raises:
        ValueError: a value is of the wrong type or out of its range; the message names both.
    """

    preset: Preset = field(
        default=Preset.STREAMING,
        metadata=_choice(
            "output",
            "Preset",
            "Sets the other options for a typical use. If you change one of them, the preset becomes Custom.",
            {
                Preset.MEETING: "Meeting",
                Preset.STREAMING: "Streaming",
                Preset.LOW_CPU: "Low CPU",
                Preset.BEST_EDGES: "Best edges",
                Preset.CUSTOM: "Custom",
            },
            live_only=True,
        ),
    )
    background: BackgroundKind = field(
        default=BackgroundKind.TRANSPARENT,
        metadata=_choice(
            "output",
            "Background",
            "What appears behind the person: nothing (sources below show through), the real background blurred, a "
            "solid colour, or an image.",
            {
                BackgroundKind.TRANSPARENT: "Transparent",
                BackgroundKind.BLUR: "Blur",
                BackgroundKind.COLOR: "Solid colour",
                BackgroundKind.PICTURE: "Image",
            },
        ),
    )
    blur_strength: float = field(
        default=3.0,
        metadata=_number(
            "output",
            "Blur strength",
            "How strongly the background is blurred. Below about 2, text in the background stays readable.",
            minimum=0.5,
            maximum=10.0,
            step=0.5,
            unit="percent of frame height",
            shown_if=(("background", "blur"), ("no_mask", "blur")),
        ),
    )
    background_color: int = field(
        default=0xFF40B100,  # OBS stores 0xAABBGGRR: #00b140
        metadata={
            "group": "output",
            "kind": "color",
            "label": "Background colour",
            "help": "Colour behind the person. The default is a standard chroma key green.",
            "shown_if": (("background", "color"),),
        },
    )
    background_picture: str = field(
        default="",
        metadata={
            "group": "output",
            "kind": "path",
            "label": "Background image",
            "help": "Image behind the person, scaled to fill the frame. If none is chosen or the file cannot be read, "
            "the background is transparent.",
            "shown_if": (("background", "picture"),),
        },
    )
    turn: Turn = field(
        default=Turn.NONE,
        metadata=_choice(
            "output",
            "Camera rotation",
            "For a camera mounted on its side: choose the rotation that you set under Transform in OBS. The filter "
            "receives the video before that rotation, and the network often misses people who lie sideways. Better "
            "still: put the camera in a group, rotate it inside the group and add this filter to the group. Then "
            "choose None here.",
            {
                Turn.NONE: "None",
                Turn.CLOCKWISE: "Rotated 90 degrees CW",
                Turn.HALF: "Rotated 180 degrees",
                Turn.COUNTERCLOCKWISE: "Rotated 90 degrees CCW",
            },
        ),
    )
    threshold: float = field(
        default=0.50,
        metadata=_number(
            "edge",
            "Threshold",
            "How confident the network must be before a pixel counts as person. Raise it if parts of the background "
            "stay visible; lower it if parts of the person are missing.",
            minimum=0.05,
            maximum=0.95,
            step=0.01,
        ),
    )
    softness: float = field(
        default=0.30,
        metadata=_number(
            "edge",
            "Softness",
            "Width of the transition from transparent to opaque around the threshold. 0 gives a hard edge; higher "
            "values keep more hair and motion blur.",
            minimum=0.0,
            maximum=1.0,
            step=0.01,
        ),
    )
    refinement: float = field(
        default=1.0,
        metadata=_number(
            "edge",
            "Edge refinement",
            "How closely the edge follows the colours of the full-resolution video instead of the network's coarse "
            "mask. Lower it if patterns on clothes or walls show in the edge; 0 turns it off.",
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            unit="fraction",
        ),
    )
    edge_shift: float = field(
        default=0.0,
        metadata=_number(
            "edge",
            "Edge shift",
            "Moves the edge by this many source pixels. Negative values trim the person and remove a rim of "
            "background; positive values keep a margin of background.",
            minimum=-10.0,
            maximum=10.0,
            step=0.5,
            unit="pixels",
        ),
    )
    decontamination: float = field(
        default=0.0,
        metadata=_number(
            "edge",
            "Spill reduction",
            "How much of the real background's colour is removed from soft edges, especially hair. Raise it if the "
            "background leaves a coloured fringe; too much tints the edge with the person's own colours.",
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            unit="fraction",
        ),
    )
    advanced: bool = field(
        default=True,  # stored values apply; a panel hides the ones at their default, see presets.py
        metadata={
            "group": "advanced",
            "label": "Advanced settings",
            "help": "Shows and enables the settings for special cases. When this box is clear, the values of the "
            "preset or the defaults apply, and your own values are kept.",
            "live_only": True,
        },
    )
    model: str = field(
        default="eoam",
        metadata={
            "group": "advanced",
            "kind": "text",
            "label": "Neural network",
            "help": "The network that finds the person. Choose one supplied with EOAM or a file of your own.",
            "live_only": True,
        },
    )
    detail: Detail = field(
        default=Detail.FINE,
        metadata=_choice(
            "advanced",
            "Detail",
            "Resolution of the frame that the network analyses. More detail improves the edge, especially for people "
            "who are small in the frame. Compared with Normal, Fine has about 1.5 times the pixels and takes up to a "
            "third longer; Finest has almost 2.5 times the pixels and takes up to twice as long.",
            {Detail.NORMAL: "Normal", Detail.FINE: "Fine", Detail.FINEST: "Finest"},
        ),
    )
    timing: Timing = field(
        default=Timing.ALIGNED,
        metadata=_choice(
            "advanced",
            "Timing",
            "Aligned delays each frame until its own mask is ready, normally by one frame, so the edge follows fast "
            "movement. Low latency combines the newest frame with the newest mask. Same frame makes OBS wait for "
            "every mask: no delay and no lagging edge, but each frame takes OBS a few milliseconds longer.",
            {
                Timing.ALIGNED: "Aligned (recommended)",
                Timing.LOW_LATENCY: "Low latency",
                Timing.SAME_FRAME: "Same frame",
            },
            live_only=True,
        ),
    )
    regions: Regions = field(
        default=Regions.SHARE,
        metadata=_choice(
            "advanced",
            "Regions",
            "Which separate parts of the mask to keep: only the largest (one person); all large regions, including a "
            "second person or objects held away from the body; or up to a set number, largest first.",
            {
                Regions.LARGEST: "Only the largest",
                Regions.SHARE: "All large regions",
                Regions.PEOPLE: "Up to a set number",
            },
        ),
    )
    region_share: float = field(
        default=1.0,
        metadata=_number(
            "advanced",
            "Smallest region",
            "Removes parts of the mask smaller than this. Raise it if pieces of furniture appear; lower it if "
            "distant people disappear; 0 keeps everything.",
            minimum=0.0,
            maximum=20.0,
            step=0.1,
            unit="percent of frame area",
            shown_if=(("regions", "share"), ("regions", "people")),
        ),
    )
    people: int = field(
        default=2,
        metadata=_number(
            "advanced",
            "People",
            "Maximum number of regions to keep, largest first.",
            minimum=1,
            maximum=6,
            step=1,
            unit="regions",
            shown_if=(("regions", "people"),),
        ),
    )
    holes: Holes = field(
        default=Holes.SMART,
        metadata=_choice(
            "advanced",
            "Holes",
            "Which holes in a person to fill. Smart fills holes cut by objects held in front of the body and leaves "
            "real gaps open, such as under a bent arm. The other choices fill holes up to a size, fill all of them "
            "(as in the EOAM paper) or fill none.",
            {
                Holes.SMART: "Smart (recommended)",
                Holes.SIZE: "Up to a size",
                Holes.ALL: "Fill all",
                Holes.OPEN: "Leave open",
            },
        ),
    )
    hole_share: float = field(
        default=1.0,
        metadata=_number(
            "advanced",
            "Largest hole",
            "Fills holes up to this size.",
            minimum=0.0,
            maximum=20.0,
            step=0.1,
            unit="percent of frame area",
            shown_if=(("holes", "size"),),
        ),
    )
    smoothing: float = field(
        default=0.70,
        metadata=_number(
            "advanced",
            "Smoothing",
            "How much of the previous mask to keep where the video is still. Higher values reduce flicker; moving "
            "parts always update at once.",
            minimum=0.0,
            maximum=0.95,
            step=0.05,
            unit="fraction",
        ),
    )
    every: int = field(
        default=1,
        metadata=_number(
            "advanced",
            "Mask every",
            "Run the network on every Nth frame. Higher values use less CPU, but the edge of moving parts lags behind.",
            minimum=1,
            maximum=10,
            step=1,
            unit="frames",
            live_only=True,
        ),
    )
    threads: int = field(
        default=1,
        metadata=_number(
            "advanced",
            "Threads",
            "Maximum number of CPU threads for the network. One is enough for any camera; more make each mask "
            "slightly faster but use more CPU overall.",
            minimum=1,
            maximum=4,
            step=1,
            unit="threads",
            live_only=True,
        ),
    )
    no_mask: NoMask = field(
        default=NoMask.NOTHING,
        metadata=_choice(
            "advanced",
            "Without a mask",
            "What to show while there is no mask, such as at startup or after an error: nothing, or the whole video "
            "blurred beyond recognition.",
            {NoMask.NOTHING: "Nothing", NoMask.BLUR: "Everything blurred"},
            live_only=True,
        ),
    )
    view: View = field(
        default=View.RESULT,
        metadata=_choice(
            "view",
            "Show",
            "What the filter outputs. Use the modes other than Result only to adjust settings: your viewers see them "
            "too. Outline and Side by side show your real background. Confidence map is the network's raw output.",
            {
                View.RESULT: "Result",
                View.MASK: "Mask",
                View.OUTLINE: "Outline (shows the background)",
                View.SIDE_BY_SIDE: "Side by side (shows the background)",
                View.CONFIDENCE: "Confidence map",
            },
        ),
    )

    def __post_init__(self) -> None:
        for info in _INFOS:
            object.__setattr__(self, info.name, info.checked(getattr(self, info.name)))

    @classmethod
    def validated(cls, **values: object) -> Settings:
        """Build settings from named values of any type; the constructor for callers that hold a plain dict.

        Raises:
            ValueError: a value is of the wrong type or out of its range, or a name is unknown.
        """
        unknown = sorted(set(values) - {info.name for info in describe_settings()})
        if unknown:
            known = ", ".join(info.name for info in describe_settings())
            raise ValueError(f"unknown setting {unknown[0]!r}; valid settings: {known}")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every type

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> ParsedSettings:
        """Read stored settings, such as those of a scene file written by another version; never raises.

        Out-of-range numbers are clamped, values of a wrong type become the default, both are reported by name in
        `adjusted`. Unknown names are reported in `unknown`.
        """
        mapping = migrated(mapping)
        values: dict[str, object] = {}
        adjusted: list[str] = []
        infos = describe_settings()
        for info in infos:
            if info.name not in mapping:
                continue
            value = mapping[info.name]
            values[info.name] = info.nearest(value)
            try:
                info.checked(value)
            except ValueError:
                adjusted.append(info.name)
        unknown = tuple(sorted(str(name) for name in set(mapping) - {info.name for info in infos}))
        return ParsedSettings(settings=cls.validated(**values), unknown=unknown, adjusted=tuple(adjusted))

    @property
    def alpha_ramp(self) -> tuple[float, float]:
        """The mask levels, 0 to 1, between which alpha rises from 0 to 1: threshold -/+ softness / 2, never the same.

        It does not start below 0: where the network is certain that nobody is there, nothing is shown, however soft the
        edge and low the threshold.
        """
        half = max(self.softness, _NARROWEST) / 2
        return max(self.threshold - half, 0.0), self.threshold + half

    def replace(self, **changes: object) -> Settings:
        """Return a copy with some values changed, checked like a new one (ValueError)."""
        return Settings.validated(**{**self.to_mapping(), **changes})

    def to_mapping(self) -> dict[str, SettingValue]:
        """Return the values as OBS and JSON store them: floats, bools, and an enum's value as a string."""
        return {info.name: info.stored(getattr(self, info.name)) for info in describe_settings()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedSettings:
    """Stored settings after reading, with the names of those that were unknown or adjusted."""

    settings: Settings
    unknown: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


def describe_settings() -> tuple[SettingInfo, ...]:
    """Return one description per setting, in the order a panel shows them."""
    return _INFOS


def settings_table() -> str:
    """Return the settings as a Markdown table; docs/user/cli.md holds a copy and a test compares the two."""
    rows = ["| Setting | Flag | Default | Values | What it does |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*rows, *map(table_row, describe_settings())]) + "\n"


def migrated(mapping: Mapping[str, object]) -> dict[str, object]:
    """Return stored settings of an older version under today's names; the result looks the same."""
    current = {name: value for name, value in mapping.items() if name != "settings_version"}
    fill = current.pop("contour_fill", None)  # version 1: "keep the largest region only and fill it", or nothing
    if fill is True:
        current = {"regions": Regions.LARGEST.value, "holes": Holes.ALL.value, **current}
    elif fill is False:
        current = {"regions": Regions.SHARE.value, "region_share": 0.0, "holes": Holes.OPEN.value, **current}
    return current


_INFOS: Final = tuple(describe(item.name, item.default, item.metadata) for item in dataclasses.fields(Settings))

if __name__ == "__main__":
    sys.stdout.write(settings_table())
