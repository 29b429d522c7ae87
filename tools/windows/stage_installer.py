"""The stage that installs, updates and removes the filter for real with Windows' Python, as two users."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
from skimage import data

from tools.windows.computer import PEOPLE, Person, make_computer
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import fetch
from tools.windows.installer_visit import Visit, alpha_of
from tools.windows.lock import OBS
from tools.windows.obs_tree import windows_obs
from tools.windows.stage import REPOSITORY, Outcome, Workplace


def run(place: Workplace) -> Outcome:
    """Look, install, use, update, diagnose and remove as both users, side by side.

    Raises:
        WindowsToolError: what is needed cannot be had, or an installation failed.
    """
    fetch("libraries")
    obs = windows_obs(place.libobs)
    picture, alpha = _cut_out_here(place.folder)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        visits = [pool.submit(_visit, person, place, obs, picture, alpha) for person in PEOPLE]
    whole = Outcome()
    for outcome in [visit.result() for visit in visits]:
        whole.passed += outcome.passed
        whole.failed += outcome.failed
        whole.skipped += outcome.skipped
        whole.notes += outcome.notes
    return whole


def _cut_out_here(folder: Path) -> tuple[Path, Any]:
    """Write a picture of a person; return its path and the alpha channel that this machine cuts out, (h, w) uint8."""
    picture, cut = folder / "astronaut.png", folder / "cut.png"
    person = data.astronaut()  # type: ignore[no-untyped-call]
    cv2.imwrite(str(picture), cv2.cvtColor(person, cv2.COLOR_RGB2BGR))
    command = [sys.executable, "-m", "eoam_core", "image", str(picture), str(cut)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    alpha = alpha_of(cut)
    if done.returncode or alpha is None:
        raise WindowsToolError(f"`eoam image` fails on this machine already: {done.stderr.strip()}")
    return picture, alpha


def _visit(person: Person, place: Workplace, obs: Path, picture: Path, alpha: Any) -> Outcome:
    started = time.monotonic()
    folder = place.folder / f"user-{PEOPLE.index(person) + 1}"
    folder.mkdir()
    computer = make_computer(person, folder, place.wine, obs)
    visit = Visit(computer, folder, place.libobs or OBS, Outcome())
    try:
        visit.look()
        visit.install()
        visit.use(picture, alpha)
        visit.update()
        visit.diagnose()
        visit.remove()
    finally:
        computer.wine.end()
    visit.outcome.notes.append(f"{person.name}: {time.monotonic() - started:.0f} s.")
    return visit.outcome
