"""Make the demonstration's picture: the source, its cut-out, and the scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from eoam_core.colour import encoded, linear_light
from tools.obs_driver.clips import Picture


def share_of(picture: Picture) -> float:
    """Return the share of the picture that is more opaque than transparent."""
    return float((picture[..., 3] > 127).mean())


def write(out: Path, original: Picture, source: Picture, scene: Picture) -> None:
    """Write the pictures of the original, the cut-out and the scene, each (h, w, 4) uint8.

    `source` is RGBA, premultiplied in linear light as OBS does it.
    """
    height, width = 360, round(360 * original.shape[1] / original.shape[0])
    scene_width = round(360 * scene.shape[1] / scene.shape[0])
    parts = [
        cv2.resize(original[..., :3], (width, height), interpolation=cv2.INTER_AREA),
        cv2.resize(_over_checkerboard(source), (width, height), interpolation=cv2.INTER_AREA),
        cv2.resize(scene[..., :3], (scene_width, height), interpolation=cv2.INTER_AREA),
    ]
    for name, picture in (
        ("demo_source.png", _straight(source)),
        ("demo_scene.png", scene[..., :3]),
        ("demo.png", np.hstack(parts)),
    ):
        code = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
        if not cv2.imwrite(str(out / name), cv2.cvtColor(picture, code)):
            raise OSError(f"{out / name} cannot be written")


def _straight(premultiplied: Picture) -> Picture:
    """Return an RGBA picture as a PNG holds it: colours not multiplied with alpha."""
    alpha = premultiplied[..., 3:]
    share = np.maximum(alpha, 1) / 255
    return np.concatenate([encoded(linear_light(premultiplied[..., :3]) / share), alpha], axis=2)


def _over_checkerboard(premultiplied: Picture) -> Picture:
    rows, columns = np.indices(premultiplied.shape[:2]) // 24
    board = np.where((rows + columns) % 2 == 0, 255, 200).astype(np.uint8)[..., None].repeat(3, axis=2)
    behind = 1 - premultiplied[..., 3:] / 255
    return encoded(linear_light(premultiplied[..., :3]) + linear_light(board) * behind)
