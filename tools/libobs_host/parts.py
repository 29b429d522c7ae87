"""The parts of a session: every case, other picture shapes, numbered and moving pictures, a filter's whole life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.pictures.picture import BackgroundPicture
from eoam_core.settings import BackgroundKind
from eoam_obs.source import source_type
from tools.libobs_host import check, life
from tools.libobs_host.cases import Case, cases
from tools.libobs_host.host import GS_RGBA
from tools.libobs_host.results import Results
from tools.libobs_host.stage import Stage
from tools.obs_driver import clips, numbered, toy_model

Bytes = NDArray[np.uint8]

WIDE: Final = (640, 360)
SHAPES: Final = {"upright": (300, 500), "small": (160, 90), "square": (480, 480)}
SHAPE_CASES: Final = ("default", "moved out", "blurred, cleaned", "view outline", "on a picture, cleaned")
# What numbered pictures are cut with: their mask is exact, so nothing may touch it up.
EXACT: Final[Case] = {
    "regions": "share", "region_share": 0.0, "holes": "open", "smoothing": 0.0, "refinement": 0.0,
    "background": "color", "background_color": 0xFF00FF00,
}  # fmt: skip
_NUMBERED: Final = 40
_MOVING: Final = 24
_MOST_BEHIND: Final = 8  # pictures, in low latency on a machine that is busy


def draw_looks(stage: Stage, results: Results) -> None:
    """Draw a person at rest with every case of cases.py."""
    behind = _background_picture(stage)
    picture = _person(*WIDE)
    stage.give(picture)
    for name, case in cases(behind).items():
        settings = stage.choose(case)
        stage.settle()
        ground = BackgroundPicture(behind) if settings.background is BackgroundKind.PICTURE else None
        found, difference = stage.drawn_like_the_reference(picture, settings, ground)
        _note(stage, results, name, found, difference)


def draw_shapes(stage: Stage, results: Results) -> None:
    """Draw pictures of other shapes with a few of the cases; the camera changes its size while it runs."""
    behind = _background_picture(stage)
    known = cases(behind)
    for shape, (width, height) in SHAPES.items():
        picture = _person(width, height)
        stage.give(picture)
        for name in SHAPE_CASES:
            settings = stage.choose(known[name])
            stage.settle()
            ground = BackgroundPicture(behind) if settings.background is BackgroundKind.PICTURE else None
            found, difference = stage.drawn_like_the_reference(picture, settings, ground)
            _note(stage, results, f"{shape}, {name}", found, difference)


def play_numbered(stage: Stage, results: Results) -> None:
    """Play pictures that carry their number, and see that picture and mask belong together in every timing."""
    model = stage.folder / "brightness.onnx"
    toy_model.write_brightness_model(model)
    for timing in ("aligned", "low_latency", "same_frame"):
        stage.choose({**EXACT, "timing": timing, "model": str(model)})
        seen, odd = _play(stage, timing, most_behind=_MOST_BEHIND if timing == "low_latency" else 0)
        results.check(not odd, f"{timing}: pictures with another's mask (picture, mask): {odd[:5]}")
        if timing != "low_latency":
            for number in sorted(seen)[:20]:
                results.save(f"{timing}, picture {number}", seen[number])


def _play(stage: Stage, timing: str, *, most_behind: int) -> tuple[dict[int, Bytes], list[tuple[int, int]]]:
    """Play until enough pictures were seen; return them by number, and the (picture, mask) that do not belong together.

    Moments in which nothing is drawn are no fault: on a machine that is too busy no mask comes in time.
    """
    seen: dict[int, Bytes] = {}
    odd: list[tuple[int, int]] = []
    given: set[int] = set()
    frames = enumerate(_endless(lambda: numbered.frames(*WIDE)))

    def show_next() -> bool:
        number, frame = next(frames)
        given.add(number % numbered.FRAMES)
        stage.camera.give(_bgra(frame))
        stage.host.wait_frames(2)
        cut, _matte = stage.drawn()
        rgb = cut[..., 2::-1]
        read = numbered.read(np.hstack([rgb, rgb]))
        if not cut[..., 3].any() or (not seen and not {read.picture, read.mask} <= given):
            return False  # nothing, or still what was there before the numbers
        seen[read.picture] = cut
        if numbered.behind(read.mask, read.picture) > most_behind:
            odd.append((read.picture, read.mask))
        return len(seen) >= _NUMBERED

    stage.give(_bgra(next(frames)[1]))
    stage.host.wait(show_next, f"{_NUMBERED} numbered pictures, {timing}")
    return seen, odd


def play_person(stage: Stage, results: Results) -> None:
    """Play a person who moves, cut by the real network: each picture is as the CPU cuts it with its own mask."""
    settings = stage.choose({})
    frames = _endless(lambda: clips.astronaut_frames(*WIDE, 120))
    stage.give(_bgra(next(frames)))
    stage.host.wait(lambda: source_type.states()[0][1].kind == "running", "masks of a person")
    worst: check.Difference | None = None
    compared = 0
    for _ in range(_MOVING):
        for _ in range(3):
            stage.camera.give(_bgra(next(frames)))
            stage.host.wait_frames(1)
        shown = _shown(stage)
        if shown is None:
            continue
        cut, picture, matte = shown
        difference = check.compare(cut, check.reference(picture, matte, settings, None), settings)
        compared += 1
        if worst is None or (difference.colour, difference.alpha) > (worst.colour, worst.alpha):
            worst = difference
        results.check(difference.is_small, f"a moving person: {difference}")
        opaque, empty = float((cut[..., 3] > 250).mean()), float((cut[..., 3] < 5).mean())
        results.check(0.1 < opaque < 0.7 and empty > 0.2, f"a moving person: {opaque:.0%} opaque, {empty:.0%} empty")
    results.check(compared >= _MOVING // 2, f"a moving person: only {compared} of {_MOVING} pictures had a mask")
    results.facts["moving"] = str(worst)


def live_a_life(stage: Stage, results: Results) -> None:
    """Break and mend the network, show both panels, add the guard, reload the script three times."""
    life.live(stage, results, _person(*WIDE))


def _note(stage: Stage, results: Results, name: str, found: Bytes, difference: check.Difference) -> None:
    results.facts.setdefault("differences", {})[name] = [
        difference.alpha,
        difference.colour,
        round(difference.share, 5),
    ]
    results.check(difference.is_small, f"{name}: {difference}")
    results.check(bool(found[..., 3].any()), f"{name}: nothing is drawn")
    results.save(name, found)


def _shown(stage: Stage) -> tuple[Bytes, Bytes, Any] | None:
    """Return what is drawn, the picture it was cut from and the matte, at one moment; None if nothing is drawn."""
    width, height = stage.camera.size()
    with stage.host.graphics():
        cut = stage.host.grab(stage.camera.source, width, height)
        live = stage.live
        matte = live._matte
        canvas = live._pictures.find(matte.sequence) if matte is not None else None
        if canvas is None:
            return None
        picture = stage.host.read(canvas.texture, width, height, form=GS_RGBA)
    picture[..., 3] = 255
    return cut, picture, matte


def _background_picture(stage: Stage) -> Path:
    file = stage.folder / "behind.png"
    colours = np.random.default_rng(1).integers(0, 255, (7, 9, 3)).astype(np.uint8)
    cv2.imencode(".png", cv2.resize(colours, (320, 180)))[1].tofile(file)
    return file


def _person(width: int, height: int) -> Bytes:
    return _bgra(next(clips.astronaut_frames(width, height, 1)))


def _bgra(bgr: Bytes) -> Bytes:
    return np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])


def _endless(make: Any) -> Iterator[Bytes]:
    while True:
        yield from make()
