"""Install, update and remove the filter with Windows' Python, as two users."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tools.windows.computer import PEOPLE, Person, make_computer
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import fetch
from tools.windows.installer_visit import InstallationFailed, Visit
from tools.windows.lock import OBS
from tools.windows.obs_tree import windows_obs
from tools.windows.stage import REPOSITORY, Outcome, Workplace
from tools.windows.wine import windows_path

_PERSON: Final = (0.3, 0.6)  # of the picture


def run(place: Workplace) -> Outcome:
    """Look, install, use, update, diagnose and remove as both users, side by side.

    Raises:
        WindowsToolError: what is needed cannot be had, or an installation failed.
    """
    fetch("libraries")
    obs = windows_obs(place.libobs)
    picture, cut = _cut_out(place)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        visits = [pool.submit(_visit, person, place, obs, picture, cut) for person in PEOPLE]
    whole = Outcome()
    for outcome in [visit.result() for visit in visits]:
        whole.passed += outcome.passed
        whole.failed += outcome.failed
        whole.skipped += outcome.skipped
        whole.notes += outcome.notes
    return whole


_CUT_OUT: Final = """
import sys
from pathlib import Path
import cv2
import numpy as np
from skimage import data
from eoam_cli.main import main
picture, cut = sys.argv[1:]
Path(picture).write_bytes(cv2.imencode(".png", data.astronaut()[..., ::-1])[1].tobytes())
code = main(["image", picture, cut])
found = cv2.imdecode(np.frombuffer(Path(cut).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
print((found[..., 3] > 127).mean())
sys.exit(code)
"""


def _cut_out(place: Workplace) -> tuple[Path, Path]:
    """Write a picture of a person and what the project's files cut out of it; return both files."""
    picture, cut = place.folder / "astronaut.png", place.folder / "cut.png"
    done = place.wine.run_python("-c", _CUT_OUT, windows_path(picture), windows_path(cut), folder=REPOSITORY)
    last = done.stdout.strip().splitlines()[-1:] or ["nothing"]
    if done.returncode or not _PERSON[0] < float(last[0]) < _PERSON[1]:
        raise WindowsToolError(f"`eoam image` does not cut the person out with Windows' Python; it said {last[0]}.")
    return picture, cut


def _visit(person: Person, place: Workplace, obs: Path, picture: Path, cut: Path) -> Outcome:
    started = time.monotonic()
    folder = place.folder / f"user-{PEOPLE.index(person) + 1}"
    folder.mkdir()
    computer = make_computer(person, folder, place.wine, obs)
    visit = Visit(computer, folder, place.libobs or OBS, Outcome())
    try:
        visit.look()
        visit.install()
        visit.use(picture, cut)
        visit.update()
        visit.diagnose()
        visit.remove()
    except InstallationFailed:
        pass
    except (OSError, ValueError, LookupError) as error:  # what a step left is not there, or is not what it should be
        visit.outcome.failed.append(f"{person.name}: the steps that were left could not be tried ({error}).")
    finally:
        computer.wine.end()
    visit.outcome.notes.append(f"{person.name}: {time.monotonic() - started:.0f} s.")
    return visit.outcome
