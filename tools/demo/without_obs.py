"""Run the demonstration without OBS: the same clip through the filter's core, and the same picture."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from eoam_core import Cutter, Settings
from eoam_core.colour import encoded, linear_light
from eoam_core.presets import effective
from tools.demo.picture import share_of, write
from tools.obs_driver import clips
from tools.obs_driver.clips import Picture

_FRAMES: Final = 60
_SCENE: Final = (58, 96, 176)  # the colour behind the person, red, green, blue


def show(clip: Path | None, out: Path, *, size: tuple[int, int]) -> int:
    """Write the pictures to `out`; `size` is (width, height). Return 0 if a person was cut out, else 1."""
    times = []
    with Cutter(effective(Settings(advanced=False))) as cutter:
        for frame in itertools.islice(_frames(clip, size), _FRAMES):
            began = time.perf_counter()
            rgba = cutter.cut(frame)
            times.append(time.perf_counter() - began)
    if not times:
        print(f"{clip} has no pictures.", file=sys.stderr)
        return 1
    alpha = rgba[..., 3:]
    light = linear_light(rgba[..., :3]) * (alpha / 255)
    source = np.concatenate([encoded(light), alpha], axis=2)
    behind = linear_light(np.array(_SCENE, np.uint8)) * (1 - alpha / 255)
    opaque = np.full_like(alpha, 255)
    scene = np.concatenate([encoded(light + behind), opaque], axis=2)
    original = np.concatenate([frame[..., 2::-1], opaque], axis=2)
    write(out, original, source, scene)
    share = share_of(source)
    print(f"one frame:          {1000 * median(times):.1f} ms, drawn on the CPU as well, which OBS does on the GPU")
    print(f"opaque:             {100 * share:.0f} % of the picture")
    print(f"pictures:           {out}/demo.png, demo_source.png, demo_scene.png")
    if not 0.02 < share < 0.98:
        print("The picture is empty or whole: nobody was cut out.", file=sys.stderr)
        return 1
    return 0


def _frames(clip: Path | None, size: tuple[int, int]) -> Iterator[Picture]:
    if clip is None:
        yield from clips.astronaut_frames(*size, _FRAMES)
        return
    import av

    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
