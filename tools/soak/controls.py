"""Prove that the search finds the background: cameras without the filter, recorded like all others.

* the raw camera: in every frame;
* the background at an opacity of 1 %: in every frame;
* a clip whose person stands before nothing but, in one frame of a loop, in the room: in each of these frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from tools.obs_driver import clips
from tools.obs_driver.session import video_entry
from tools.soak import search
from tools.soak.report import Part, Plan
from tools.soak.search import Picture
from tools.soak.stage import BARE, FPS, GUARD_KIND, GUARDED, HEIGHT, WIDTH, Beside, Props, stage

RAW, FAINT, SINGLE = "the raw camera", "the room at an opacity of 1 %", "the room in one frame of 20"
CHANGE: Final = "change"  # the frames between two controls, which belong to none
_AROUND: Final = 15
_TAKES: Final = 4 * FPS // 2  # frames of every control
_FLASH: Final = 20  # frames of the loop; in one of them is the room


def run(plan: Plan, props: Props) -> Part:
    """Record the controls; a background that was not found is a failure."""
    flash = plan.folder / "flash.mkv"
    clips.write_video(flash, _flashing(), FPS, lossless=True)
    sources = [video_entry(props.clip, name=BARE), video_entry(flash, name=GUARDED)]
    with stage(plan.folder / "controls", plan.display, props, plan.seed, scripts=(),
               collections={"Main": Beside(sources)}) as session:  # fmt: skip
        obs = session.obs
        session.show(GUARDED, False)
        obs.wait_frames(10)
        session.start_recording()
        for name in (RAW, FAINT, SINGLE):
            if name == FAINT:
                obs.request(
                    "CreateSourceFilter",
                    sourceName=BARE,
                    filterName="faint",
                    filterKind=GUARD_KIND,
                    filterSettings={"opacity": 0.01},
                )
            elif name == SINGLE:
                session.show(BARE, False)
                session.show(GUARDED, True)
            obs.wait_frames(_AROUND)
            session.mark(name)
            obs.wait_frames(_TAKES)
            session.mark(CHANGE)
        searched = session.stop_recording()
    with_room = Counter(leak.during for leak in searched.leaks)
    found = {name: (with_room[name], searched.by_cause[name]) for name in (RAW, FAINT, SINGLE)}
    failures = list(session.failures)
    for name in (RAW, FAINT):
        if found[name][0] != found[name][1] or not found[name][1]:
            failures.append(f"Control: {name} was found in {found[name][0]} of {found[name][1]} frames, not in all")
    single, of = found[SINGLE]
    # A loaded machine shows a frame twice or skips it; found everywhere or nowhere, it would prove nothing.
    if not of / _FLASH / 3 <= single <= of / _FLASH * 3:
        failures.append(f"Control: one frame in {_FLASH} has the room; it was found in {single} of {of}")
    figures = {f"control: {name}, found in": f"{count} of {of} frames" for name, (count, of) in found.items()}
    return Part(title="Controls", figures=figures, failures=failures)


def _flashing() -> Iterator[Picture]:
    frame = next(search.person_frames(WIDTH, HEIGHT, 1, 0.0))
    alone = frame.copy()
    alone[cv2.min(cv2.min(frame[..., 0], frame[..., 1]), frame[..., 2]) < 255] = 0
    for number in range(_FLASH):
        yield frame if number == _FLASH // 2 else np.asarray(alone, np.uint8)
