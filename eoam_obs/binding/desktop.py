"""Use the clipboard and the file manager, which OBS does not offer to scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eoam_obs.binding import windows_clipboard

_TIMEOUT_S: Final = 3.0
_X11: Final = (("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input"))
_WAYLAND: Final = (("wl-copy",),)
_LIBRARY_PATHS: Final = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH")  # set for OBS, not for others


def copy(text: str) -> bool:
    """Put a text on the clipboard, on POSIX with a program of the system; False if there is none or it fails."""
    if sys.platform == "win32":
        return windows_clipboard.copy(text)
    for command in _copy_commands():
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,  # xclip keeps running to serve the text, and would hold a pipe open
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT_S,
                check=False,
                env=_environment(),
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return True
    return False


def show_folder(folder: Path) -> bool:
    """Open a folder in the file manager; False if that fails."""
    if not folder.is_dir():
        return False
    if sys.platform == "win32":
        os.startfile(folder)
        return True
    opener = "open" if sys.platform == "darwin" else "xdg-open"
    if shutil.which(opener) is None:
        return False
    try:
        subprocess.Popen(
            [opener, str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(),
        )
    except OSError:
        return False
    return True


def _copy_commands() -> Sequence[tuple[str, ...]]:
    if sys.platform == "darwin":
        return (("pbcopy",),)
    return (*_WAYLAND, *_X11) if os.environ.get("WAYLAND_DISPLAY") else _X11


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _LIBRARY_PATHS}
