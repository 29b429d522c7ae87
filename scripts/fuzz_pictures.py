"""Pictures: of the command line, and behind the person in the filter."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from fuzz import Target
from fuzz_mutations import damaged, require_sentence

from eoam_core.errors import InputError
from eoam_core.picture import BackgroundPicture, read_picture
from eoam_core.picture_decoding import MAX_PIXELS


def samples() -> list[bytes]:
    """Return a small picture of each kind and depth that there is."""
    dice = np.random.default_rng(0)
    colour = cv2.resize(dice.integers(0, 256, (6, 8, 4), np.uint8), (40, 30))
    made = []
    for ending, picture in (
        (".png", colour),
        (".png", colour[..., 0].astype(np.uint16) * 257),
        (".jpg", colour[..., :3]),
        (".webp", colour),
        (".bmp", colour[..., :3]),
        (".tiff", colour),
        (".tiff", colour[..., :3].astype(np.float32) / 255),
        (".gif", colour[..., :3]),
        (".avif", colour[..., :3]),
    ):
        done, content = cv2.imencode(ending, picture)
        assert done
        made.append(content.tobytes())
    return made


def _check(content: bytes, folder: Path) -> None:
    path = folder / "picture"
    path.write_bytes(content)
    try:
        picture = read_picture(path)
    except InputError as error:
        require_sentence(error, path)
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 4
    assert 0 < picture.shape[0] * picture.shape[1] <= MAX_PIXELS
    assert BackgroundPicture(path).with_alpha(height=36, width=64).shape == (36, 64, 4)


TARGETS = (Target("pictures", lambda: damaged(samples), _check),)
