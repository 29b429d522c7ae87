"""Photograph the panels in a real OBS under Xvfb, for docs/pictures. Linux with X11 only; see --help.

Needs xdotool and ImageMagick's import (Debian: apt install xdotool imagemagick).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from obs_session import (
    CAMERA,
    REPOSITORY,
    SCENE,
    Collection,
    ObsSession,
    filter_entry,
    image_entry,
    virtual_display,
)

_FOLDER: Final = REPOSITORY / "docs" / "pictures"
_FILTER_NAME: Final = "EOAM Background Removal"
_LARGEST_BYTES: Final = 150_000
_SETTLE_S: Final = 2.5  # the panel looks at its filter twice a second, and waits for a quiet moment
_ADVANCED: Final = {"advanced": True}
_DIALOGS: Final = {"de-DE": "Filter für", "es-ES": "Filtros para", "fr-FR": "Filtres", "pt-BR": "Filtros"}
# File name: what is set for it, and how high the dialog is made.
_SHOTS: Final[Mapping[str, tuple[Mapping[str, object], int]]] = {
    "panel": ({}, 980),
    "panel-meeting": ({"preset": "meeting"}, 980),
    "panel-low-cpu": ({"preset": "low_cpu"}, 980),
    "panel-color": ({"background": "color"}, 980),
    "panel-picture": ({"background": "picture"}, 980),
    "panel-mask": ({"view": "mask"}, 980),
    "panel-outline": ({"view": "outline"}, 980),
    "panel-side-by-side": ({"view": "side_by_side"}, 980),
    "panel-confidence": ({"view": "confidence"}, 980),
    "panel-advanced": ({**_ADVANCED, "regions": "people", "holes": "size", "every": 1}, 1500),
    "panel-follow": ({"follow_defaults": True}, 980),
}


@dataclass
class Desktop:
    """The windows of a display."""

    display: str

    def run(self, *command: str) -> str:
        """Run a program on the display and return what it prints; what it fails with is left to what follows."""
        environment = {**os.environ, "DISPLAY": self.display}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30).stdout

    def window(self, title: str, *, timeout_s: float = 20.0) -> str:
        """Wait for a visible window whose title holds a text, and return its number.

        Raises:
            TimeoutError: none came.
        """
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            found = self.run("xdotool", "search", "--onlyvisible", "--name", title).split()
            if found:
                return found[-1]
            time.sleep(0.2)
        raise TimeoutError(f"no window {title!r} within {timeout_s:g} s")

    def resize(self, window: str, width: int, height: int) -> None:
        """Put a window into the corner and give it a size, a moment later."""
        self.run("xdotool", "windowmove", window, "0", "0", "windowsize", window, str(width), str(height))

    def photograph(self, window: str, file: Path) -> None:
        """Write a picture of a window; as JPEG where the PNG would be too large for a repository."""
        self.run("import", "-window", window, str(file))
        if file.stat().st_size > _LARGEST_BYTES:
            picture = cv2.imread(str(file))
            file.unlink()
            for quality in (85, 70, 50):
                cv2.imwrite(str(file.with_suffix(".jpg")), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
                if file.with_suffix(".jpg").stat().st_size <= _LARGEST_BYTES:
                    break


def open_scripts_dialog(desktop: Desktop) -> str:
    """Open Tools > Scripts with the keyboard, choose our script in it, and return the dialog's window.

    Raises:
        TimeoutError: it did not open.
    """
    main = desktop.window("^OBS ")
    for below in (3, 2, 4, 5, 1, 6):  # where it stands in the menu depends on the plugins and on OBS's version
        desktop.run("xdotool", "windowfocus", "--sync", main, "key", "--delay", "150", "alt+t")
        desktop.run("xdotool", "key", "--delay", "100", *["Down"] * below, "Return")
        with contextlib.suppress(TimeoutError):
            window = desktop.window("^Scripts$", timeout_s=2.0)
            desktop.run("xdotool", "windowfocus", "--sync", window, "key", "--delay", "150", "Tab", "Down", "Up")
            return window
        desktop.run("xdotool", "key", "Escape")
    raise TimeoutError("Tools > Scripts does not open")


def camera_picture(folder: Path) -> Path:
    """Write the picture of the stand-in for a camera: NASA's portrait of Eileen Collins, in the public domain."""
    from skimage.data import astronaut

    portrait = cv2.resize(astronaut()[..., ::-1], (720, 720), interpolation=cv2.INTER_CUBIC)
    sides = cv2.GaussianBlur(cv2.resize(portrait, (1280, 1280))[280:1000], (0, 0), 25)
    picture = np.ascontiguousarray(sides)
    picture[:, 280:1000] = portrait
    file = folder / "camera.png"
    if not cv2.imwrite(str(file), picture):
        raise OSError(f"{file} could not be written")
    return file


def take_all(folder: Path, names: Sequence[str], language: str, say: Callable[[str], None]) -> None:
    """Start OBS in a language and take the pictures of these names, "script" among them, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="eoam-screenshots-") as temporary, virtual_display("1600x2200") as display:
        place = Path(temporary)
        entry = image_entry(camera_picture(place), filter_entry(_FILTER_NAME))
        collections = {"Screenshots": Collection([entry], [(REPOSITORY / "obs_eoam.py", {})])}
        with ObsSession(place, display, collections, canvas=(1280, 720), language=language) as obs:
            desktop = Desktop(display)
            obs.request("SetCurrentProgramScene", sceneName=SCENE)
            # The first mask's time holds the opening of the network; of a picture that stands still there is no second.
            obs.set_filter(name=_FILTER_NAME, edge_shift=0.5)
            time.sleep(_SETTLE_S)
            if "script" in names:
                window = open_scripts_dialog(desktop)
                desktop.resize(window, 900, 1180)
                time.sleep(_SETTLE_S)
                desktop.photograph(window, folder / "script-panel.png")
                desktop.run("xdotool", "key", "--window", window, "Escape")
                say("script-panel")
            obs.request("OpenInputFiltersDialog", inputName=CAMERA)
            dialog = desktop.window(_DIALOGS.get(language, "Filters for"))
            for name in names:
                if name not in _SHOTS:
                    continue
                settings, height = _SHOTS[name]
                fresh = {"preset": "streaming", "view": "result", "advanced": False, "follow_defaults": False}
                obs.set_filter(name=_FILTER_NAME, **{**fresh, "preset": "custom"})
                time.sleep(0.3)
                obs.set_filter(name=_FILTER_NAME, **fresh)
                time.sleep(0.3)
                obs.set_filter(name=_FILTER_NAME, **settings)
                desktop.resize(dialog, 900, height)
                time.sleep(_SETTLE_S)
                obs.wait_for_picture(lambda picture: bool(picture.any()), f"the picture of {name}", timeout_s=60)
                desktop.photograph(dialog, folder / f"{name}.png")
                say(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__.partition("\n")[0])
    every = ["script", *_SHOTS]
    parser.add_argument("names", nargs="*", help=f"which pictures, of {', '.join(every)}; all if none is named")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where they are written (default: docs/pictures)")
    parser.add_argument("--language", default="en-US", help="OBS's language, such as de-DE; the documents show English")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(every))
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}; there are {', '.join(every)}")
    missing = [program for program in ("xdotool", "import") if shutil.which(program) is None]
    if missing:
        parser.exit(1, f"{missing[0]} is not installed; on Debian: apt install xdotool imagemagick\n")
    take_all(given.folder, given.names or every, given.language, lambda name: print(name, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
