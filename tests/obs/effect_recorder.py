"""The effects of a stand-in for libobs: what was set before each draw is noted, and forgotten after it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from tests.obs.shader_check import Draw, undrawn, uniforms, unset

_FIRST_PARAMETER = 1_000_000  # above all other handles


class EffectRecorder:
    """The base of a stand-in for libobs, which says what is opened, begun and ended."""

    def __init__(self) -> None:
        self.unknown: list[str] = []  # parameters that were asked for and are not in the file
        self._texts: dict[str, str] = {}  # by the file's name
        self._draws: dict[str, dict[tuple[object, ...], Draw]] = {}  # each of a kind once
        self._files: dict[int, str] = {}  # by the effect's handle
        self._given: dict[int, dict[str, str]] = {}
        self._parameters: dict[int, tuple[int, str]] = {}

    def omissions(self) -> list[str]:
        """Return what was drawn without all that its shaders read."""
        found = list(self.unknown)
        for file, draws in self._draws.items():
            found += unset(file, self._texts[file], draws.values())
        return found

    def undrawn(self) -> list[str]:
        """Return the techniques of the files that were opened that nothing drew."""
        return [
            fault
            for file, text in self._texts.items()
            for fault in undrawn(file, text, self._draws.get(file, {}).values())
        ]

    def draws(self) -> list[tuple[str, str, Draw]]:
        """Return (file, its text, draw) of every kind of draw there was."""
        return [(file, self._texts[file], draw) for file, draws in self._draws.items() for draw in draws.values()]

    def open_effect(self, effect: int, path: str) -> None:
        """Note that a file has this handle from now on."""
        file = Path(path)
        self._files[effect] = file.name
        self._texts[file.name] = file.read_text(encoding="utf-8")

    def begin_technique(self, effect: int, technique: str) -> None:
        """Note a draw; OBS's own effects, which nobody opened, are left out."""
        if effect in self._files:
            given = self._given.get(effect, {})
            key = (technique, *given.items())
            self._draws.setdefault(self._files[effect], {}).setdefault(key, Draw(technique, given))

    def end_technique(self, effect: int) -> None:
        """Forget what was set, as gs_technique_end does."""
        self._given.pop(effect, None)

    def gs_effect_get_param_by_name(self, effect: int, name: str) -> int:
        """Return a handle for a uniform; one for all where the effect is OBS's own."""
        file = self._files.get(effect)
        if file is None:
            return 1
        if name not in uniforms(file, self._texts[file]):
            self.unknown.append(f"{file} has no uniform {name}, which is asked for. Declare it, or do not ask.")
            return 0
        handle = _FIRST_PARAMETER + len(self._parameters)
        self._parameters[handle] = effect, name
        return handle

    def setter(self, function: str) -> Callable[..., None]:
        """Return the function of this name, `gs_effect_set_...`."""
        return functools.partial(self._set, function)

    def _set(self, function: str, parameter: int, _value: object) -> None:
        if parameter in self._parameters:
            effect, name = self._parameters[parameter]
            self._given.setdefault(effect, {})[name] = function
