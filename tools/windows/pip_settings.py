"""Hand this machine's settings of pip over to a Windows pip, so that both ask the same index in the same way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.windows.wine import windows_path

_FILE: Final = "file:///"
# What else the modules that pip uses read.
_ELSEWHERE: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def pip_environment() -> dict[str, str]:
    """Return the environment variables that give a Windows pip under Wine what pip is set to here."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in ("global", "download", ":env:") and value:
            # The environment's is named last, and counts.
            found[f"PIP_{option.upper().replace('-', '_')}"] = _translated(str(ast.literal_eval(value)))
    for name in _ELSEWHERE:
        value = os.environ.get(name, "") or os.environ.get(name.lower(), "")
        if value:
            found[name] = _translated(value)
    return found


def _translated(value: str) -> str:
    """Return a setting with the paths of this machine as Wine's programs see them."""
    return " ".join(map(_translated_word, value.split()))


def _translated_word(word: str) -> str:
    if word.startswith(_FILE):
        return f"{_FILE}Z:/{word.removeprefix(_FILE)}"
    return windows_path(Path(word)) if word.startswith("/") else word
