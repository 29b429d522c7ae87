"""Control OBS's windows on an X11 display: find, resize, type into and photograph them. Needs xdotool and PyAV.

Without a window manager: windows stand where they are put, and the newest has the keyboard once it is focused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_COMMAND_TIMEOUT_S: Final = 15.0


class DesktopError(Exception):
    """A window did not appear, or xdotool failed."""


def missing_programs() -> list[str]:
    """Return the programs that are needed and not installed."""
    return [program for program in ("xdotool",) if shutil.which(program) is None]


@dataclass(frozen=True)
class Desktop:
    """The windows of a display, `size` pixels large."""

    display: str
    size: tuple[int, int] = (1600, 1000)

    def window(self, title: str, *, timeout_s: float = 20.0) -> str:
        """Wait for a visible window whose title matches a regular expression, and return its number.

        Raises:
            DesktopError: none came.
        """
        give_up = time.monotonic() + timeout_s
        while True:
            found = self._run("search", "--onlyvisible", "--name", title, may_fail=True).split()
            if found:
                return found[-1]
            if time.monotonic() > give_up:
                raise DesktopError(f"no window {title!r} within {timeout_s:g} s")
            time.sleep(0.2)

    def place(self, window: str, width: int, height: int) -> None:
        """Put a window into the corner and give it a size; it takes both a moment later."""
        self._run("windowmove", window, "0", "0", "windowsize", window, str(width), str(height))

    def geometry(self, window: str) -> tuple[int, int, int, int]:
        """Return (x, y, width, height) of a window."""
        lines = self._run("getwindowgeometry", "--shell", window).splitlines()
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return int(values["X"]), int(values["Y"]), int(values["WIDTH"]), int(values["HEIGHT"])

    def focus(self, window: str) -> None:
        """Give a window the keyboard, and wait until it has it."""
        self._run("windowfocus", "--sync", window)

    def press(self, *keys: str, delay_ms: int = 120) -> None:
        """Press keys one after the other, such as "alt+t" or "Down"."""
        self._run("key", "--delay", str(delay_ms), *keys)

    def write(self, text: str) -> None:
        """Type a text."""
        self._run("type", "--delay", "60", text)

    def click(self, x: int, y: int, *, button: int = 1, times: int = 1) -> None:
        """Click at a point of the display."""
        self._run("mousemove", str(x), str(y), "click", "--repeat", str(times), "--delay", "80", str(button))

    def photograph(self, window: str | None = None) -> Picture:
        """Return what the display shows where a window lies, or all of it: (h, w, 3) uint8 RGB."""
        import av

        width, height = self.size
        with av.open(self.display, format="x11grab", options={"video_size": f"{width}x{height}"}) as screen:
            picture = np.asarray(next(screen.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
        if window is None:
            return picture
        x, y, wide, high = self.geometry(window)
        return picture[max(y, 0) : y + high, max(x, 0) : x + wide]

    def settled(self, window: str, *, pause_s: float = 1.5, timeout_s: float = 30.0) -> Picture:
        """Photograph a window once it has stopped changing for so long, or after `timeout_s` as it is then."""
        give_up = time.monotonic() + timeout_s
        before = self.photograph(window)
        while True:
            time.sleep(pause_s)
            now = self.photograph(window)
            if np.array_equal(now, before) or time.monotonic() > give_up:
                return now
            before = now

    def _run(self, *command: str, may_fail: bool = False) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        try:
            done = subprocess.run(
                ["xdotool", *command],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMMAND_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            raise DesktopError(f"xdotool {' '.join(command)}: no answer within {_COMMAND_TIMEOUT_S:g} s") from None
        if done.returncode and not may_fail:
            raise DesktopError(f"xdotool {' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout


def open_scripts_dialog(desktop: Desktop) -> str:
    """Open Tools > Scripts with the keyboard, choose the first script in it, and return the dialog's window.

    Raises:
        DesktopError: it did not open.
    """
    # Where it stands in the menu depends on the plugins and on OBS's version.
    ways = [["Down"] * below + ["Return"] for below in (3, 2, 4, 5, 1, 6)]
    window = _open_from_menu(desktop, "alt+t", ways, "^Scripts$")
    desktop.press("Tab", "Down", "Up")
    return window


def open_hotkeys_page(desktop: Desktop) -> str:
    """Open the hotkeys in OBS's settings, and return the settings' window.

    Raises:
        DesktopError: it did not open.
    """
    window = _open_from_menu(desktop, "alt+f", [["s"]], "^Settings$")
    desktop.press("h")  # in the list of pages, which has the keyboard
    return window


def _open_from_menu(desktop: Desktop, menu: str, ways: Sequence[Sequence[str]], title: str) -> str:
    main = desktop.window("^OBS ")
    for keys in ways:
        desktop.focus(main)
        desktop.press(menu)
        desktop.press(*keys)
        with contextlib.suppress(DesktopError):
            window = desktop.window(title, timeout_s=4.0 if len(ways) > 1 else 20.0)
            desktop.focus(window)
            return window
        desktop.press("Escape")
    raise DesktopError(f"no window {title!r} opens from OBS's menu")
