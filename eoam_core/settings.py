"""Every setting with its default, range, unit, label and help: the only place that holds one.

The OBS panel, the command line's flags and the table in docs/cli.md are generated from `describe_settings()`;
`python -m eoam_core.settings` prints that table. Standard library only: the panel must come up without numpy.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

SettingValue = float | bool | str


class View(str, Enum):
    """What the filter shows."""

    RESULT = "result"
    MASK = "mask"


class Timing(str, Enum):
    """Which picture a mask is put on."""

    ALIGNED = "aligned"
    LOW_LATENCY = "low_latency"
    SAME_FRAME = "same_frame"


def _level(
    label: str, help: str, *, minimum: float, maximum: float, step: float, unit: str = "mask level"
) -> dict[str, Any]:
    return {"label": label, "help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "step": step}


def _choice(label: str, help: str, choices: Mapping[Enum, str], *, live_only: bool = False) -> dict[str, Any]:
    by_value = {str(member.value): text for member, text in choices.items()}
    return {"label": label, "help": help, "choices": by_value, "live_only": live_only}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Hold one consistent set of values; change it with `replace`, never in place.

    Enums may be given by the value OBS stores ("mask") and whole numbers stand for floats.

    Raises:
        ValueError: a value is of the wrong type or out of its range; the message names both.
    """

    threshold: float = field(
        default=0.50,
        metadata=_level(
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
        metadata=_level(
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
        metadata=_level(
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
        metadata=_level(
            "Edge shift",
            "Moves the edge by so many pixels of the source. Negative values shrink the person, which removes a rim of "
            "room; positive values show more round it.",
            minimum=-10.0,
            maximum=10.0,
            step=0.5,
            unit="pixels",
        ),
    )
    contour_fill: bool = field(
        default=True,
        metadata={
            "label": "Contour fill",
            "help": "Keep the largest connected region only and fill the holes in it. Switch it off if several people "
            "are in the picture, or if gaps such as the one under a bent arm are filled.",
        },
    )
    smoothing: float = field(
        default=0.40,
        metadata=_level(
            "Smoothing",
            "Share of the previous mask that is kept where the picture stands still. "
            "Higher values flicker less; moving parts follow at once whatever the value.",
            minimum=0.0,
            maximum=0.95,
            step=0.05,
            unit="share",
        ),
    )
    timing: Timing = field(
        default=Timing.ALIGNED,
        metadata=_choice(
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
    view: View = field(
        default=View.RESULT,
        metadata=_choice(
            "Show",
            "Mask shows in white what is kept and in black what is cut away; useful while setting the other values.",
            {View.RESULT: "Result", View.MASK: "Mask"},
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
        `adjusted`. Names nobody knows are reported in `unknown`.
        """
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

    def replace(self, **changes: object) -> Settings:
        """Return a copy with some values changed, checked like a new one (ValueError)."""
        return Settings.validated(**{**self.to_mapping(), **changes})

    def to_mapping(self) -> dict[str, SettingValue]:
        """Return the values as OBS and JSON store them: floats, bools, and an enum's value as a string."""
        return {info.name: info.stored(getattr(self, info.name)) for info in describe_settings()}


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedSettings:
    """Stored settings as they could be read, with the names of what was not understood as it stood."""

    settings: Settings
    unknown: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingInfo:
    """Describe one setting for a panel, a flag or a table.

    `kind` is "float", "bool" or "enum". `default` is the value as it is stored (an enum's as a string). `minimum`,
    `maximum`, `step` and `unit` matter for "float", `choices` (value, label) for "enum". `live_only` marks what has a
    meaning in a live source only, not for a file.
    """

    name: str
    kind: str
    default: SettingValue
    label: str
    help: str
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 0.0
    step: float = 0.0
    choices: tuple[tuple[str, str], ...] = ()
    live_only: bool = False
    enum: type[Enum] | None = None

    def checked(self, value: object) -> float | bool | Enum:
        """Return `value` in the field's own type, or raise ValueError naming it and what was expected."""
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
            raise ValueError(f"{self.name} is {value!r}, need True or False")
        if self.enum is not None:
            try:
                return self.enum(value)
            except ValueError:
                allowed = ", ".join(repr(choice) for choice, _ in self.choices)
                raise ValueError(f"{self.name} is {value!r}, need one of {allowed}") from None
        number = _as_float(value)
        if number is None or not self.minimum <= number <= self.maximum:
            raise ValueError(f"{self.name} is {value!r}, need a number from {self.minimum:g} to {self.maximum:g}")
        return number

    def nearest(self, value: object) -> object:
        """Return the allowed value nearest to `value`: clamped if it is a number, otherwise the default."""
        number = _as_float(value)
        if self.kind == "float" and number is not None:
            return min(max(number, self.minimum), self.maximum)
        try:
            return self.checked(value)
        except ValueError:
            return self.default

    def stored(self, value: object) -> SettingValue:
        """Return the field's value as OBS and JSON store it."""
        if isinstance(value, Enum):
            return str(value.value)
        if isinstance(value, bool | float):
            return value
        raise ValueError(f"{self.name} is {value!r}, which cannot be stored")

    @property
    def flag(self) -> str:
        """The command line's flag."""
        return "--" + self.name.replace("_", "-")


def describe_settings() -> tuple[SettingInfo, ...]:
    """Return one description per setting, in the order a panel shows them."""
    return _INFOS


def settings_table() -> str:
    """Return the settings as a Markdown table; docs/cli.md holds a copy and a test compares the two."""
    rows = ["| Setting | Flag | Default | Values | What it does |", "| --- | --- | --- | --- | --- |"]
    for info in describe_settings():
        if info.kind == "float":
            default = f"{info.default:.2f}"
            values = f"{info.minimum:g} to {info.maximum:g} ({info.unit})"
        elif info.kind == "bool":
            default = "on" if info.default else "off"
            values = "on, off"
        else:
            default = f"`{info.default}`"
            values = ", ".join(f"`{value}`" for value, _ in info.choices)
        if info.live_only:
            flag = "in OBS only"
        elif info.kind == "bool":
            flag = f"`{info.flag}`, `--no-{info.flag[2:]}`"
        else:
            flag = f"`{info.flag}`"
        rows.append(f"| {info.label} | {flag} | {default} | {values} | {info.help} |")
    return "\n".join(rows) + "\n"


def _as_float(value: object) -> float | None:
    # A bool is a number to Python, but "threshold: true" in a scene file is a mistake.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _build_infos() -> tuple[SettingInfo, ...]:
    infos = []
    for item in dataclasses.fields(Settings):
        default: Any = item.default
        meta = item.metadata
        infos.append(
            SettingInfo(
                name=item.name,
                kind="enum" if isinstance(default, Enum) else "bool" if isinstance(default, bool) else "float",
                default=str(default.value) if isinstance(default, Enum) else default,
                label=meta["label"],
                help=meta["help"],
                unit=meta.get("unit", ""),
                minimum=meta.get("minimum", 0.0),
                maximum=meta.get("maximum", 0.0),
                step=meta.get("step", 0.0),
                choices=tuple(meta.get("choices", {}).items()),
                live_only=meta.get("live_only", False),
                enum=type(default) if isinstance(default, Enum) else None,
            )
        )
    return tuple(infos)


_INFOS: Final = _build_infos()

if __name__ == "__main__":
    sys.stdout.write(settings_table())
