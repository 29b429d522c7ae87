"""Describe one setting for panels, flags, tables and translations: its kind, range, unit and texts.

Standard library only: the panel must come up without numpy.
"""

from __future__ import annotations

import math
import numbers
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from eoam_core.printable import printable

SettingValue = float | int | bool | str

_HEX: Final = re.compile(r"#([0-9a-fA-F]{6})")
_OPAQUE: Final = 0xFF000000


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingInfo:
    """Describe one setting.

    `kind` is "float", "int", "bool", "enum", "color", "path" or "text". `default` is the value as stored (an enum's as
    a string, a colour as OBS's integer 0xAABBGGRR). `minimum`, `maximum`, `step` and `unit` matter for numbers,
    `choices` (value, label) for "enum". `live_only` marks settings that have no meaning for files. `group` is the part
    of the panel. `shown_if` lists (name, stored value): the setting has an effect only while one of them holds, or
    always if the list is empty.
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
    group: str = ""
    shown_if: tuple[tuple[str, SettingValue], ...] = ()
    enum: type[Enum] | None = None

    def checked(self, value: object) -> float | int | bool | str | Enum:
        """Return `value` in the field's own type, or raise ValueError naming it and what was expected."""
        try:
            return self._converted(value)
        except ValueError:
            raise ValueError(f"{self.name} is {_shown(value)}, need {self.need}") from None

    def nearest(self, value: object) -> object:
        """Return the allowed value nearest to `value`: clamped if it is a number, otherwise the default."""
        number = as_float(value)
        if self.kind in ("float", "int") and number is not None:
            clamped = min(max(number, self.minimum), self.maximum)
            return round(clamped) if self.kind == "int" else clamped
        try:
            return self.checked(value)
        except ValueError:
            return self.default

    def stored(self, value: object) -> SettingValue:
        """Return the field's value as OBS and JSON store it."""
        if isinstance(value, Enum):
            return str(value.value)
        if isinstance(value, bool | float | int | str):
            return value
        raise ValueError(f"{self.name} is {_shown(value)}, which cannot be stored")

    @property
    def need(self) -> str:
        """A description of the allowed values."""
        if self.kind in ("float", "int"):
            whole = "whole " if self.kind == "int" else ""
            return f"a {whole}number from {self.minimum:g} to {self.maximum:g}"
        if self.enum is not None:
            return "one of " + ", ".join(repr(choice) for choice, _ in self.choices)
        fixed = {"bool": "True or False", "color": "#rrggbb or a whole number 0xBBGGRR", "path": "text"}
        return fixed.get(self.kind, "text that is not empty")

    @property
    def flag(self) -> str:
        """The command line's flag."""
        return "--" + self.name.replace("_", "-")

    def _converted(self, value: object) -> float | int | bool | str | Enum:
        """Return `value` in the field's own type; ValueError, without a message, if that is impossible."""
        if self.enum is not None and isinstance(value, str):  # an Enum's error would print a list, however deep
            return self.enum(value)
        if self.kind == "bool" and isinstance(value, bool):
            return value
        if self.kind in ("path", "text"):
            if isinstance(value, str) and "\0" not in value and (value or self.kind == "path"):
                return value
        elif self.kind == "color":
            return _colour(value)
        elif self.kind in ("float", "int"):
            number = as_float(value)
            if number is not None and self.minimum <= number <= self.maximum:
                if self.kind == "float":
                    return number
                if number == int(number):
                    return int(number)
        raise ValueError


def _colour(value: object) -> int:
    if isinstance(value, str) and (match := _HEX.fullmatch(value)):
        red, green, blue = bytes.fromhex(match.group(1))
        return _OPAQUE | blue << 16 | green << 8 | red
    number = as_float(value)
    if number is not None and number == int(number) and 0 <= number <= 0xFFFFFFFF:
        return _OPAQUE | int(number)  # a transparent background colour would show the real background
    raise ValueError


def _shown(value: object) -> str:
    """Return a short text for a stored value, which may be arbitrarily nested or very large."""
    brief = reprlib.Repr()
    brief.maxlevel, brief.maxstring, brief.maxother, brief.maxlong = 2, 200, 200, 60
    try:
        return printable(brief.repr(value))
    except ValueError:  # a whole number with more digits than Python writes
        return "a huge number"


def as_float(value: object) -> float | None:
    """Return a real, finite number as float, anything else as None."""
    # A bool is a number to Python, but "threshold: true" in a scene file is a mistake.
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def describe(name: str, default: Any, metadata: Mapping[str, Any]) -> SettingInfo:
    """Return the description of one setting from its `metadata` (see settings.py) and its default's type."""
    kind = metadata.get("kind") or (
        "enum"
        if isinstance(default, Enum)
        else "bool"
        if isinstance(default, bool)
        else "int"
        if isinstance(default, int)
        else "float"
    )
    return SettingInfo(
        name=name,
        kind=kind,
        default=str(default.value) if isinstance(default, Enum) else default,
        label=metadata["label"],
        help=metadata["help"],
        unit=metadata.get("unit", ""),
        minimum=metadata.get("minimum", 0.0),
        maximum=metadata.get("maximum", 0.0),
        step=metadata.get("step", 0.0),
        choices=tuple(metadata.get("choices", {}).items()),
        live_only=metadata.get("live_only", False),
        group=metadata["group"],
        shown_if=tuple(metadata.get("shown_if", ())),
        enum=type(default) if isinstance(default, Enum) else None,
    )


def hex_colour(stored: int) -> str:
    """Return a stored colour as #rrggbb."""
    return f"#{stored & 255:02x}{stored >> 8 & 255:02x}{stored >> 16 & 255:02x}"


def table_row(info: SettingInfo) -> str:
    """Return one row of the Markdown table of settings."""
    if info.kind in ("float", "int"):
        default = f"{info.default:.2f}" if info.kind == "float" else str(info.default)
        values = f"{info.minimum:g} to {info.maximum:g}" + (f" ({info.unit})" if info.unit else "")
    elif info.kind == "bool":
        default, values = ("on" if info.default else "off"), "on, off"
    elif info.kind == "enum":
        default, values = f"`{info.default}`", ", ".join(f"`{value}`" for value, _ in info.choices)
    elif info.kind == "color":
        default, values = f"`{hex_colour(int(info.default))}`", "`#rrggbb`"
    else:
        default = f"`{info.default}`" if info.default else "none"
        values = "a file" if info.kind == "path" else "a name or a file"
    if info.live_only:
        flag = "in OBS only"
    elif info.kind == "bool":
        flag = f"`{info.flag}`, `--no-{info.flag[2:]}`"
    else:
        flag = f"`{info.flag}`"
    return f"| {info.label} | {flag} | {default} | {values} | {info.help} |"
