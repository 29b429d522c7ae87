"""Provide the panels' texts in OBS's language.

`locale/*.ini` has OBS's own format, one line per text: `key="text"`. English is complete: texts of settings come from
`eoam_core.settings` (`settings_texts`), the rest from en-US.ini. Keys missing in another language are shown in English.
`python -m eoam_obs.source.locale` prints the settings' part of en-US.ini.

Standard library only: the panel must come up without numpy.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from eoam_core.settings import describe_settings

FOLDER: Final = Path(__file__).resolve().parents[2] / "locale"
ENGLISH: Final = "en-US"

_LOG: Final = logging.getLogger("eoam")
_LINE: Final = re.compile(r'([\w.]+)="(.*)"\s*')
_ESCAPED: Final = {"n": "\n", '"': '"', "\\": "\\"}


class Texts:
    """Texts by key; call it with a key and the text's fields."""

    def __init__(self, language: str = ENGLISH, folder: Path = FOLDER) -> None:
        self.language = language
        self._texts = {**settings_texts(), **_read(folder / f"{ENGLISH}.ini")}
        if language != ENGLISH:
            self._texts.update(_read(folder / f"{_nearest(language, folder)}.ini"))

    def __call__(self, key: str, /, **fields: object) -> str:
        """Return the text with its fields filled in; an unknown key is returned unchanged."""
        text = self._texts.get(key, key)
        try:
            return text.format(**fields)
        except (LookupError, ValueError):  # an error in a translation must not break the panel
            _LOG.warning("text_not_formatted language=%s key=%s", self.language, key)
            return text


def texts_for(api: Any) -> Texts:
    """Return the texts in the language of OBS; `api` is `LibObs` or `obspython`."""
    language = api.obs_get_locale() or ENGLISH
    return Texts(language.decode(errors="replace") if isinstance(language, bytes) else str(language))


def settings_texts() -> dict[str, str]:
    """Return the English texts of all settings: NAME, NAME.help, NAME.VALUE for choices, unit.SLUG for units."""
    texts = {}
    for info in describe_settings():
        texts[info.name] = info.label
        texts[f"{info.name}.help"] = info.help
        for value, label in info.choices:
            texts[f"{info.name}.{value}"] = label
        if info.unit:
            texts[unit_key(info.unit)] = info.unit
    return texts


def unit_key(unit: str) -> str:
    """Return the key of a unit's text."""
    return "unit." + re.sub(r"\W+", "_", unit)


def read_file(file: Path) -> dict[str, str]:
    """Return the texts of one file.

    Raises:
        ValueError: a line is neither a text nor empty nor a comment; the message names it.
    """
    texts: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith(("#", ";")):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] in texts:
            raise ValueError(f'{file.name}:{number} is {line!r}, need key="text", each key once')
        texts[match[1]] = re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[0]), match[2])
    return texts


def as_lines(texts: Mapping[str, str]) -> str:
    """Return texts as the lines of a file."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "".join(f'{key}="{escaped(text)}"\n' for key, text in texts.items())


def _read(file: Path) -> dict[str, str]:
    try:
        return read_file(file)
    except (OSError, ValueError) as error:
        _LOG.warning("texts_not_read file=%s error=%r", file.name, error)
        return {}


def _nearest(language: str, folder: Path) -> str:
    """Return the language itself, or its variant of another country, or English."""
    languages = sorted(file.stem for file in folder.glob("*.ini"))
    if language in languages:
        return language
    same = [other for other in languages if other.partition("-")[0] == language.partition("-")[0]]
    # Traditional Chinese is not replaced by simplified, or the reverse.
    return same[0] if same and not language.startswith("zh") else ENGLISH


if __name__ == "__main__":
    sys.stdout.write(as_lines(settings_texts()))
