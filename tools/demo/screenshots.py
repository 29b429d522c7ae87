"""Photograph the panels in a real OBS under Xvfb, for docs/pictures. Linux with X11 only; see --help.

Needs xdotool, which `scripts/setup test` installs on Debian as root.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from tools.obs_driver import clips
from tools.obs_driver import desktop as obs_desktop
from tools.obs_driver import session as obs_session
from tools.obs_driver.desktop import Desktop, DesktopError, Picture, open_hotkeys_page, open_scripts_dialog
from tools.obs_driver.session import (
    CAMERA,
    REPOSITORY,
    SCENE,
    Collection,
    ObsError,
    ObsSession,
    filter_entry,
    image_entry,
    virtual_display,
)

_FOLDER: Final = REPOSITORY / "docs" / "pictures"
_FILTER_NAME: Final = "EOAM Background Removal"
_LARGEST_BYTES: Final = 150_000
_SCREEN: Final = (1600, 2200)
_PACKAGES: Final = {"obs": "obs-studio", "Xvfb": "xvfb", "xdotool": "xdotool"}
_SETTLE_S: Final = 5.0  # the panel looks at its filter twice a second, and waits for a quiet moment
_ADVANCED: Final = {"advanced": True}
_DIALOGS: Final = {"de-DE": "Filter für", "es-ES": "Filtros para", "fr-FR": "Filtres", "pt-BR": "Filtros"}
# File name: what is set for it, and how high the dialog is made.
_SHOTS: Final[Mapping[str, tuple[Mapping[str, Any], int]]] = {
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
    "panel-no-mask": ({**_ADVANCED, "no_mask": "blur", "model": "/no/such/network.onnx"}, 980),
    "panel-follow": ({"follow_defaults": True}, 980),
}


class TooSlowError(Exception):
    """A picture was not there in time."""


@contextlib.contextmanager
def deadline(name: str, seconds: float) -> Iterator[None]:
    """Let nothing in the block, whatever it waits for, take longer than this.

    Raises:
        TooSlowError: it did.
    """

    def too_slow(_signal: int, _frame: object) -> None:
        raise TooSlowError(f"{name}: not within {seconds:g} s. Is this machine very busy? --timeout gives it longer")

    before = signal.signal(signal.SIGALRM, too_slow)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write_picture(picture: Picture, file: Path) -> None:
    """Write (h, w, 3) uint8 RGB as PNG; as JPEG where that would be too large for a repository."""
    bgr = np.ascontiguousarray(picture[..., ::-1])
    for other in (file.with_suffix(".png"), file.with_suffix(".jpg")):
        other.unlink(missing_ok=True)
    for suffix, options in (
        (".png", [cv2.IMWRITE_PNG_COMPRESSION, 9]),
        *((".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]) for quality in (85, 70, 50)),
    ):
        data = cv2.imencode(suffix, bgr, options)[1].tobytes()
        if len(data) <= _LARGEST_BYTES:
            break
    file.with_suffix(suffix).write_bytes(data)


def camera_picture(folder: Path) -> Path:
    """Write the picture of the stand-in for a camera: NASA's portrait of Eileen Collins, in the public domain."""
    file = folder / "camera.png"
    if not cv2.imwrite(str(file), next(clips.astronaut_frames(1280, 720, 1))):
        raise OSError(f"{file} could not be written")
    return file


def take_all(folder: Path, names: Sequence[str], language: str, timeout_s: float, say: Callable[[str], None]) -> None:
    """Start OBS in a language and take the pictures of these names into `folder`, each within `timeout_s`.

    Raises:
        TooSlowError, DesktopError, ObsError: what did not come, by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="eoam-screenshots-") as temporary, contextlib.ExitStack() as stack:
        with deadline("starting OBS", timeout_s):
            place = Path(temporary)
            display = stack.enter_context(virtual_display(f"{_SCREEN[0]}x{_SCREEN[1]}"))
            entry = image_entry(camera_picture(place), filter_entry(_FILTER_NAME))
            collections = {"Screenshots": Collection([entry], [(REPOSITORY / "obs_eoam.py", {})])}
            session = ObsSession(place, display, collections, canvas=(1280, 720), language=language)
            obs = stack.enter_context(session)
            desktop = Desktop(display, _SCREEN)
            obs.request("SetCurrentProgramScene", sceneName=SCENE)
            # The first mask's time holds the opening of the network; of a picture that stands still there is no second.
            obs.set_filter(name=_FILTER_NAME, edge_shift=0.5)
            time.sleep(_SETTLE_S)
        for name, take in _WINDOWS.items():
            if name in names:
                with deadline(name, timeout_s):
                    write_picture(take(desktop), folder / name)
                say(name)
        for name in names:
            if name in _SHOTS:
                with deadline(name, timeout_s):
                    write_picture(_panel(obs, desktop, language, name), folder / name)
                say(name)


def _script_panel(desktop: Desktop) -> Picture:
    window = open_scripts_dialog(desktop)
    desktop.place(window, 900, 1180)
    time.sleep(_SETTLE_S)
    picture = desktop.settled(window)
    desktop.press("Escape")
    return picture


def _hotkeys(desktop: Desktop) -> Picture:
    window = open_hotkeys_page(desktop)
    desktop.place(window, 900, 420)
    time.sleep(_SETTLE_S)
    desktop.press("Tab")
    desktop.write("EOAM")  # into the field that filters the list
    time.sleep(_SETTLE_S)
    picture = desktop.settled(window)
    desktop.press("Escape")
    return picture


def _panel(obs: ObsSession, desktop: Desktop, language: str, name: str) -> Picture:
    settings, height = _SHOTS[name]
    title = _DIALOGS.get(language, "Filters for")
    try:
        dialog = desktop.window(title, timeout_s=0)
    except DesktopError:
        obs.request("OpenInputFiltersDialog", inputName=CAMERA)
        dialog = desktop.window(title)
    fresh: dict[str, Any] = {"preset": "streaming", "view": "result", "model": "eoam", "no_mask": "nothing"}
    fresh |= {"advanced": False, "follow_defaults": False}
    for values in ({**fresh, "preset": "custom"}, fresh, settings):
        obs.set_filter(name=_FILTER_NAME, **values)
        time.sleep(0.3)
    _wait_stored(obs, settings)
    desktop.place(dialog, 900, height)
    time.sleep(_SETTLE_S)
    obs.wait_for_picture(lambda picture: bool(picture.any()), f"the picture of {name}", timeout_s=60)
    return desktop.settled(dialog)


def _wait_stored(obs: ObsSession, settings: Mapping[str, object]) -> None:
    """Wait until the filter has read these settings, and brought them in order: the panel is built anew after that."""

    def is_stored() -> bool:
        found = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=_FILTER_NAME)["filterSettings"]
        return all(found.get(name) == value for name, value in settings.items())

    obs.wait(is_stored, f"the filter to have {dict(settings)}", timeout_s=60)


_WINDOWS: Final[Mapping[str, Callable[[Desktop], Picture]]] = {"script-panel": _script_panel, "hotkeys": _hotkeys}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__.partition("\n")[0])
    every = [*_WINDOWS, *_SHOTS]
    parser.add_argument("names", nargs="*", help=f"which pictures, of {', '.join(every)}; all if none is named")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where they are written (default: docs/pictures)")
    parser.add_argument("--language", default="en-US", help="OBS's language, such as de-DE; the documents show English")
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="for each picture (default: 120)"
    )
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(every))
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}; there are {', '.join(every)}")
    missing = [*obs_session.missing_programs(), *obs_desktop.missing_programs()]
    if missing:
        packages = " ".join(_PACKAGES[program] for program in missing)
        parser.exit(1, f"{', '.join(missing)}: not installed; on Debian: apt install {packages}\n")
    try:
        take_all(
            given.folder, given.names or every, given.language, given.timeout, lambda name: print(name, flush=True)
        )
    except (TooSlowError, DesktopError, ObsError) as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
