"""Test the filter in Windows' libobs, through the unchanged obs_eoam.py, and compare Direct3D 11 with OpenGL.

Each renderer has a process of its own, and one more each that lives the same life without the filter: what libobs has
not freed at its end must not be more with the filter than without.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tools.windows.errors import WindowsToolError
from tools.windows.obs_tree import windows_obs
from tools.windows.stage import REPOSITORY, Outcome, Workplace
from tools.windows.wine import windows_path

RENDERERS: Final = ("libobs-d3d11", "libobs-opengl")
_MOST_DIFFERENT: Final = 1  # grey levels between two renderers
_FEWEST_PICTURES: Final = 60
_LIMIT_S: Final = 580.0


def run(place: Workplace) -> Outcome:
    """Draw everything with both renderers and compare."""
    outcome = Outcome()
    obs = windows_obs(place.libobs)
    _forget_shaders(place)
    with ThreadPoolExecutor(len(RENDERERS)) as pool:
        found = list(pool.map(lambda renderer: _session(place, obs, renderer), RENDERERS))
        bare = list(pool.map(lambda renderer: _session(place, obs, renderer, "--without-filter"), RENDERERS))
    for renderer, with_filter, without in zip(RENDERERS, found, bare, strict=True):
        outcome.passed += with_filter["passed"]
        outcome.failed += [f"{renderer}: {sentence}" for sentence in with_filter["failures"]]
        outcome.failed += [f"{renderer}, without the filter: {sentence}" for sentence in without["failures"]]
        left, bare_left = with_filter.get("allocations"), without.get("allocations")
        outcome.check(
            left is not None and bare_left is not None and left <= bare_left,
            f"{renderer}: {left} allocations are left at the end, {bare_left} without the filter",
        )
        outcome.notes.append(
            f"{renderer}, libobs {with_filter.get('libobs')}: {with_filter['passed']} checks in "
            f"{with_filter['seconds']:.0f} s; allocations left {left} (without the filter {bare_left})"
        )
    _compare(place, outcome)
    return outcome


def _session(place: Workplace, obs: Path, renderer: str, *options: str) -> dict[str, Any]:
    folder = place.folder / (renderer + "".join(options))
    parts = ("--parts", "lifecycle") if options else ()
    command = ["-X", "faulthandler", "-m", "tools.libobs_host.session", windows_path(folder)]
    command += ["--renderer", renderer, "--obs", windows_path(obs), *options, *parts]
    folder.mkdir()
    done = place.wine.run_python(*command, folder=REPOSITORY, timeout=_LIMIT_S)
    (folder / "output.txt").write_text(done.stdout, encoding="utf-8")
    try:
        found: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WindowsToolError(
            f"The session with {renderer} ended with exit code {done.returncode} and no results; see "
            f"{folder / 'output.txt'}: {done.stdout.strip()[-600:]}"
        ) from None
    if done.returncode and not found["failures"]:
        found["failures"].append(f"the process ended with exit code {done.returncode} after its last check")
    return found


def _compare(place: Workplace, outcome: Outcome) -> None:
    folders = [windows_path(place.folder / renderer) for renderer in RENDERERS]
    done = place.wine.run_python("-m", "tools.libobs_host.compare", *folders, folder=REPOSITORY)
    try:
        differences: dict[str, int | None] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise WindowsToolError(f"The pictures could not be compared: {done.stdout.strip()[-600:]}") from None
    compared = {name: levels for name, levels in differences.items() if levels is not None}
    for name, levels in compared.items():
        outcome.check(
            levels <= _MOST_DIFFERENT, f"{name}: the renderers differ by {levels} grey levels, at most 1 is allowed"
        )
    # Of what plays not every picture is seen by both.
    lacking = [name for name, levels in differences.items() if levels is None and ", picture " not in name]
    outcome.check(not lacking, f"only one of the renderers drew {lacking[:5]}")
    outcome.check(len(compared) >= _FEWEST_PICTURES, f"only {len(compared)} pictures could be compared")
    table = "\n".join(f"    {levels}  {name}" for name, levels in compared.items())
    (place.folder / "differences.txt").write_text(table + "\n", encoding="utf-8")
    largest = max(compared.values(), default=0)
    outcome.notes.append(
        f"Direct3D 11 against OpenGL: {len(compared)} pictures, largest difference {largest} grey levels"
    )


def _forget_shaders(place: Workplace) -> None:
    """Empty libobs's cache of compiled shaders, so that every run compiles them, as after an installation."""
    cache = place.wine.prefix / "drive_c" / "ProgramData" / "obs-studio" / "shader-cache"
    shutil.rmtree(cache, ignore_errors=True)
