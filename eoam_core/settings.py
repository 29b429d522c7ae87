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
            "Sets the other values for a purpose. Change any of them afterwards and this becomes Custom.",
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
            "What takes the place of the room: nothing, so that what lies below in the scene shows; the room, blurred; "
            "one colour; or a picture.",
            {
                BackgroundKind.TRANSPARENT: "Transparent",
                BackgroundKind.BLUR: "Blurred room",
                BackgroundKind.COLOR: "One colour",
                BackgroundKind.PICTURE: "Picture",
            },
        ),
    )
    blur_strength: float = field(
        default=3.0,
        metadata=_number(
            "output",
            "Blur strength",
            "How far the room is smeared. Low values leave it recognisable: writing can be read below about 2.",
            minimum=0.5,
            maximum=10.0,
            step=0.5,
            unit="per cent of the picture's height",
            shown_if=(("background", "blur"), ("no_mask", "blur")),
        ),
    )
    background_color: int = field(
        default=0xFF40B100,  # OBS stores 0xAABBGGRR: #00b140
        metadata={
            "group": "output",
            "kind": "color",
            "label": "Background colour",
            "help": "The colour behind the person; the default is the green that chroma keys expect.",
            "shown_if": (("background", "color"),),
        },
    )
    background_picture: str = field(
        default="",
        metadata={
            "group": "output",
            "kind": "path",
            "label": "Background picture",
            "help": "The picture behind the person, enlarged until it covers the frame. While there is none, or it "
            "cannot be read, nothing is behind the person.",
            "shown_if": (("background", "picture"),),
        },
    )
    turn: Turn = field(
        default=Turn.NONE,
        metadata=_choice(
            "output",
            "Camera is turned",
            "If your camera is mounted on its side, choose the rotation that you set under Transform in OBS. The "
            "filter gets the picture before that rotation, and the network finds people badly who lie on their side. "
            "Best: put the camera into a group, rotate it there, and put this filter on the group; then leave this at "
            "No.",
            {
                Turn.NONE: "No",
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
            "How sure the network must be before a pixel counts as person. "
            "Raise it if parts of the room stay visible, lower it if parts of the person are missing.",
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
            "Width of the passage from transparent to opaque round the threshold. "
            "0 cuts hard, higher values keep more of hair and motion blur.",
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
            "How far the edge follows the colours of the full-size picture instead of the network's coarse mask. "
            "Lower it if patterns on clothes or walls show in the edge; 0 switches it off.",
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            unit="share",
        ),
    )
    edge_shift: float = field(
        default=0.0,
        metadata=_number(
            "edge",
            "Edge shift",
            "Moves the edge by so many pixels of the source. Negative values shrink the person, which removes a rim of "
            "room; positive values show more round it.",
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
            "Colour cleaning",
            "How much of the old room's colour is taken out of the soft edge: of hair above all. Raise it if a rim of "
            "the room glows round the person; too much tints the edge in the person's own colours.",
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            unit="share",
        ),
    )
    advanced: bool = field(
        default=True,  # stored values apply; a panel hides the ones at their default, see presets.py
        metadata={
            "group": "advanced",
            "label": "Advanced settings",
            "help": "Shows the settings for special cases and lets them act. Unticked they are as the preset says, or "
            "at their defaults, and what you had set is kept.",
            "live_only": True,
        },
    )
    model: str = field(
        default="eoam",
        metadata={
            "group": "advanced",
            "kind": "text",
            "label": "Network",
            "help": "The network that finds the person: one that comes with EOAM, by its name, or a file of your own.",
            "live_only": True,
        },
    )
    detail: Detail = field(
        default=Detail.FINE,
        metadata=_choice(
            "advanced",
            "Detail",
            "How fine the picture is that the network sees. Fine has half as many pixels again as Normal, Finest "
            "nearly two and a half times as many: the edge is better, people who are small in the picture above all, "
            "and a mask takes up to a third longer, or up to twice as long.",
            {Detail.NORMAL: "Normal", Detail.FINE: "Fine", Detail.FINEST: "Finest"},
        ),
    )
    timing: Timing = field(
        default=Timing.ALIGNED,
        metadata=_choice(
            "advanced",
            "Timing",
            "Aligned holds each picture back until its own mask is ready, normally one frame, so that the edge "
            "follows fast movement. Low latency shows the newest picture with the newest mask. Same frame makes OBS "
            "wait for the mask of every picture: no delay and no edge behind, for a few milliseconds of OBS's time.",
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
            "Which separate parts of the mask are kept: only the largest, so one person; every one that is large "
            "enough, so a second person and what is held away from the body stay; or the largest few.",
            {
                Regions.LARGEST: "Only the largest",
                Regions.SHARE: "Every large one",
                Regions.PEOPLE: "Up to a number of people",
            },
        ),
    )
    region_share: float = field(
        default=1.0,
        metadata=_number(
            "advanced",
            "Smallest region",
            "Parts of the mask smaller than this vanish. Raise it if pieces of furniture appear, lower it if people "
            "far away are dropped; 0 keeps everything.",
            minimum=0.0,
            maximum=20.0,
            step=0.1,
            unit="per cent of the frame",
            shown_if=(("regions", "share"), ("regions", "people")),
        ),
    )
    people: int = field(
        default=2,
        metadata=_number(
            "advanced",
            "People",
            "How many regions are kept at most, the largest first.",
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
            "Which holes in a person are filled: those that something held in front cut out, while real gaps, as under "
            "a bent arm, stay open; those up to a size; all, as in the EOAM paper; or none.",
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
            "Holes up to this size are filled.",
            minimum=0.0,
            maximum=20.0,
            step=0.1,
            unit="per cent of the frame",
            shown_if=(("holes", "size"),),
        ),
    )
    smoothing: float = field(
        default=0.70,
        metadata=_number(
            "advanced",
            "Smoothing",
            "Share of the previous mask that is kept where the picture stands still. "
            "Higher values flicker less; moving parts follow at once whatever the value.",
            minimum=0.0,
            maximum=0.95,
            step=0.05,
            unit="share",
        ),
    )
    every: int = field(
        default=1,
        metadata=_number(
            "advanced",
            "Mask every",
            "A mask for every frame, every second, and so on. Higher values take less CPU; the edge of what moves "
            "then lags behind.",
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
            "How many threads the network may use. One is enough for every camera; more make each mask a little "
            "faster and take more CPU in all.",
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
            "What is shown while there is no mask, as in the first moment or after an error: nothing, or the whole "
            "picture blurred beyond recognition.",
            {NoMask.NOTHING: "Nothing", NoMask.BLUR: "Everything blurred"},
            live_only=True,
        ),
    )
    view: View = field(
        default=View.RESULT,
        metadata=_choice(
            "view",
            "Show",
            "What is seen while setting the other values. All but the result are for you: every one of them but the "
            "mask and the confidence map shows the room. Confidence is what the network itself said.",
            {
                View.RESULT: "Result",
                View.MASK: "Mask",
                View.OUTLINE: "Outline over the picture (shows the room)",
                View.SIDE_BY_SIDE: "Side by side (shows the room)",
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
            raise ValueError(f"unknown setting {unknown[0]!r}; there are {known}")
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
