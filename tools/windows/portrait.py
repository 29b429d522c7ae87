"""A still picture and a video of a person, and the alpha that the project computes for them on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core import Cutter, Settings, read_picture
from eoam_core.presets import effective
from tools.obs_driver import clips

Bytes = NDArray[np.uint8]
Place = tuple[int, int]  # (x, y) in pixels

_CLIP_SIZE: Final = (640, 360)  # width, height
_FPS: Final = 30
_FRAMES: Final = 60
_SETTINGS: Final = effective(Settings(advanced=False))  # a new filter's


def save_still(file: Path) -> None:
    """Write scikit-image's public-domain astronaut, 512x512, as PNG."""
    from skimage import data

    picture = cv2.cvtColor(np.asarray(data.astronaut()), cv2.COLOR_RGB2BGR)  # type: ignore[no-untyped-call]
    file.write_bytes(cv2.imencode(".png", picture)[1].tobytes())


def save_clip(file: Path) -> None:
    """Write two seconds of the same person, moved and zoomed, as MPEG-4."""
    clips.write_video(file, clips.astronaut_frames(*_CLIP_SIZE, _FRAMES), _FPS)


def room_in_still() -> Place:
    """Return a place of the still picture that is background."""
    place: Place = clips.ASTRONAUT_ROOM["upper left"]
    return place


def room_in_clip() -> Place:
    """Return a place of the clip that is background in all of its frames."""
    place: Place = clips.astronaut_point(room_in_still(), *_CLIP_SIZE)
    return place


def alpha_of_still(file: Path) -> Bytes:
    """Return the alpha, (h, w), that a new filter gives a picture."""
    with Cutter(_SETTINGS) as cutter:
        return cutter.cut(read_picture(file))[..., 3]


def alphas_of_clip(file: Path) -> list[Bytes]:
    """Return the alpha, (h, w), of every frame of a clip."""
    with av.open(str(file)) as container, Cutter(_SETTINGS) as cutter:
        return [
            cutter.cut(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))[..., 3]
            for frame in container.decode(video=0)
        ]
