"""The script in OBS's own script host: obs-scripting.dll embeds Python and loads the unchanged obs_eoam.py.

Once with each renderer. The filters must draw what this machine computes for the same pictures, at no moment show the
room, and leave nothing behind, however OBS ends.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoam_install.payload import payload
from tools.windows import portrait
from tools.windows.script_host import Report, Step, run_steps
from tools.windows.script_life import CHANGED, CLIP, MOMENTS, STILL, Files, long_life, short_life, trivial_life
from tools.windows.stage import REPOSITORY, Outcome, Workplace

Bytes = NDArray[np.uint8]

RENDERERS: Final = ("libobs-d3d11", "libobs-opengl")
_FILTER_NAME: Final = "EOAM Background Removal"
# What the script's panel has when two filters run and nothing is missing.
_PANEL: Final = {"add_to", "guard", "add", "filters", "refresh", "preset", "background", "softness", "copy", "logs"}
_STORED: Final = {**CHANGED, "preset": "custom"}  # what the script makes of that
# Grey levels of 255, as a mean over the picture: the GPU shrinks the frame a little differently than this machine does.
_MOST_DIFFERENCE: Final = 1.0
_MOST_SHARE: Final = 0.005  # of all pixels
_OPAQUE: Final = 250
_TRANSPARENT: Final = 5
# A script that does nothing: what the host itself leaves behind.
_TRIVIAL: Final = '''"""Do nothing."""
import obspython


def script_load(settings):
    obspython.obs_get_locale()
'''


def run(place: Workplace) -> Outcome:
    """Run the script with both renderers, and a trivial one for comparison."""
    outcome = Outcome()
    files = _prepare(place)
    still = portrait.alpha_of_still(files.still)
    clip = portrait.alphas_of_clip(files.clip)
    for renderer in RENDERERS:
        _check_renderer(files, renderer, still, clip, outcome)
    return outcome


def _prepare(place: Workplace) -> Files:
    """Copy what is installed of the project, and make the pictures."""
    folder = place.folder
    installed = folder / "installed"
    for name, source in payload(REPOSITORY).items():
        target = installed / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    files = Files(
        wine=place.wine,
        folder=folder,
        script=installed / "obs_eoam.py",
        trivial=folder / "trivial.py",
        still=folder / "still.png",
        clip=folder / "clip.mp4",
    )
    files.trivial.write_text(_TRIVIAL, encoding="utf-8")
    portrait.save_still(files.still)
    portrait.save_clip(files.clip)
    return files


def _check_renderer(files: Files, renderer: str, still: Bytes, clip: Sequence[Bytes], outcome: Outcome) -> None:
    trivial = _do(files, renderer, "trivial script", trivial_life(files, renderer), outcome)
    alive = _do(files, renderer, "filters alive at the end", long_life(files, renderer), outcome)
    removed = _do(files, renderer, "filters removed before the end", short_life(files, renderer), outcome)
    if trivial is None or alive is None or removed is None:
        return
    _check_script(renderer, alive, outcome)
    _check_room(renderer, trivial, alive, outcome)
    for moment in MOMENTS:
        for source, wanted in ((STILL, [still]), (CLIP, clip)):
            file = files.picture(renderer, source, moment)
            _check_picture(f"{renderer}, {source}, {moment}", np.fromfile(file, np.uint8), wanted, outcome)
    _check_end(f"{renderer}, filters alive at the end", alive, trivial, outcome)
    _check_end(f"{renderer}, filters removed before the end", removed, trivial, outcome)


def _do(files: Files, renderer: str, what: str, steps: Sequence[Step], outcome: Outcome) -> Report | None:
    """Have the host do the steps; None if it did not get through them."""
    report = run_steps(files.wine, steps, files.folder / f"{renderer} {what}.txt".replace(" ", "-"))
    outcome.check(
        not report.problem, f"{renderer}, {what}: the host should do all steps and end with 0. {report.problem}"
    )
    return None if report.problem else report


def _check_script(renderer: str, report: Report, outcome: Outcome) -> None:
    version = report.last("python")
    outcome.check(version.startswith("3.11"), f"{renderer}: OBS should report Python 3.11, not {version!r}")
    name = report.last("type")
    outcome.check(name == _FILTER_NAME, f"{renderer}: OBS should offer {_FILTER_NAME!r}, not {name!r}")
    lacking = _PANEL - set(report.all("panel"))
    outcome.check(not lacking, f"{renderer}: the script's panel lacks {', '.join(sorted(lacking))}")
    missing = [found for found in report.all("panel") if found.startswith(("missing_", "problem"))]
    outcome.check(not missing, f"{renderer}: the script's panel complains: {', '.join(missing)}")
    for stored in report.all("settings")[1:]:  # after the change, and after the script was added again with it
        values = json.loads(stored)
        kept = {key: values.get(key) for key in _STORED}
        outcome.check(kept == _STORED, f"{renderer}: the script's settings should hold {_STORED}, and have {kept}")


def _check_room(renderer: str, trivial: Report, report: Report, outcome: Outcome) -> None:
    """Check that no frame showed the room, from the first with a filter on, reloads included."""
    for line in trivial.all("watched"):
        name, frames, opaque = line.split()
        outcome.check(
            0 < int(frames) == int(opaque),
            f"{renderer}: without a filter each frame should show the room of {name}, not {opaque} of {frames}",
        )
    for line in report.all("watched"):
        name, frames, opaque = line.split()
        outcome.check(
            int(frames) > 0 == int(opaque), f"{renderer}: {opaque} of {frames} frames of {name} show the room, need 0"
        )


def _check_picture(what: str, pixels: Bytes, wanted: Sequence[Bytes], outcome: Outcome) -> None:
    """Compare what was drawn, RGBA one after the other, with the alpha (h, w) of the nearest of these frames."""
    height, width = wanted[0].shape
    if pixels.size != height * width * 4:
        outcome.check(False, f"{what}: {width}x{height} pixels should be drawn, and {pixels.size // 4} are")
        return
    found = pixels.reshape(height, width, 4)
    differences = [float(np.abs(found[..., 3].astype(np.int16) - alpha).mean()) for alpha in wanted]
    nearest = wanted[int(np.argmin(differences))]
    outcome.notes.append(f"{what}: alpha is {min(differences):.2f} grey levels off, {_opaque(nearest):.1%} are opaque")
    outcome.check(
        min(differences) <= _MOST_DIFFERENCE,
        f"{what}: alpha should be what this machine computes, and is {min(differences):.2f} grey levels off",
    )
    for name, share in (("opaque", _opaque), ("transparent", _transparent)):
        there, here = share(nearest), share(found[..., 3])
        outcome.check(
            abs(here - there) <= _MOST_SHARE,
            f"{what}: {there:.1%} of the pixels should be {name}, and {here:.1%} are",
        )
    hidden = found[found[..., 3] == 0]
    outcome.check(not hidden.any(), f"{what}: a transparent pixel should be black, and one has a colour")


def _check_end(what: str, report: Report, trivial: Report, outcome: Outcome) -> None:
    found, allowed = int(report.last("allocations")), int(trivial.last("allocations"))
    outcome.check(
        found <= allowed,
        f"{what}: {found} allocations are left, need at most the {allowed} that a trivial script leaves",
    )
    errors = report.all("error")
    outcome.check(not errors, f"{what}: OBS's log should have no errors, and has {' | '.join(errors[:5])}")


def _opaque(alpha: Bytes) -> float:
    return float((alpha >= _OPAQUE).mean())


def _transparent(alpha: Bytes) -> float:
    return float((alpha <= _TRANSPARENT).mean())
