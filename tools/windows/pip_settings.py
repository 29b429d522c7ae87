"""Hand this machine's settings of pip over to a Windows pip, so that both ask the same index in the same way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.windows.wine import windows_path

_SECTIONS: Final = ("global", "download", ":env:")  # the later one counts
_LISTS: Final = ("extra-index-url", "find-links", "trusted-host", "constraint")  # of words
_FILE: Final = "file:///"
# What the modules that pip uses read of the environment.
ELSEWHERE: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def pip_environment() -> dict[str, str]:
    """Return the environment variables that give a Windows pip under Wine what pip is set to here."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    settings: dict[tuple[str, str], str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if value:
            settings[section, option] = ast.literal_eval(value)
    found: dict[str, str] = {}
    for wanted in _SECTIONS:
        for (section, option), value in settings.items():
            if section == wanted:
                words = value.split() if option in _LISTS else [value]
                found[f"PIP_{option.upper().replace('-', '_')}"] = " ".join(map(_translated, words))
    for name in ELSEWHERE:
        value = os.environ.get(name, "") or os.environ.get(name.lower(), "")
        if value:
            found[name] = _translated(value)
    return found


def _translated(word: str) -> str:
    """Return a setting with a path of this machine as Wine's programs see it."""
    if word.startswith(_FILE):
        return f"{_FILE}Z:/{word.removeprefix(_FILE)}"
    return windows_path(Path(word)) if word.startswith("/") else word
