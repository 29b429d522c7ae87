"""Make soft masks of the training photographs with MediaPipe's selfie models, as additional targets.

A hand-drawn mask is 0 or 1 and a pixel or two off; a good network's mask shows where it is uncertain. The two MediaPipe
models (Apache-2.0) process every photograph once before the training starts, plain and mirrored; the target of a
photograph is then a mean of both masks, at no cost per sample. Composites keep their own masks, which are exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from .data import DataError, Image, Person, TrainingSet
from .metrics import foreground_iou

FILES = ("mediapipe.onnx", "selfie_segmentation.onnx")
TRUSTED_IOU = 0.85  # below it one of the two is entirely wrong, and it is rarely the hand-drawn one


@dataclass(frozen=True)
class Teacher:
    """`matte(bgr)` returns the soft mask `(h, w)` uint8; `sha256` names the files it comes from."""

    matte: Callable[[Image], Image]
    sha256: str


def open_teacher(folder: Path) -> Teacher:
    """Open MediaPipe's models in `folder`. Raises DataError."""
    from models.networks import Network, peer_networks

    missing = [str(folder / name) for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{' and '.join(missing)} missing: the teacher's files (--peers DIR, or --teacher 0 for none).")
    networks: list[Network] = peer_networks(folder, FILES)
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((folder / name).read_bytes())

    def matte(bgr: Image) -> Image:
        total = np.zeros(bgr.shape[:2], np.float32)
        for network in networks:
            size = network.sizes["wide"]
            total += network.run(bgr, size)
            total += network.run(np.ascontiguousarray(bgr[:, ::-1]), size)[:, ::-1]
        return np.asarray(np.round(total / (2 * len(networks))), np.uint8)

    return Teacher(matte, digest.hexdigest())


def soften(person: Person, matte: Image, weight: float) -> Person:
    """Return the person with `soft`, the mean of mask and matte at `weight` for the matte, unless they contradict."""
    if foreground_iou(matte > 127, person.alpha > 127) < TRUSTED_IOU:
        return person
    return replace(person, soft=cv2.addWeighted(matte, weight, person.alpha, 1 - weight, 0).astype(np.uint8))


def teach(data: TrainingSet, teacher: Teacher, weight: float) -> TrainingSet:
    """Return the training set with soft masks for its photographs, at `weight` (0 to 1) for the teacher's part."""

    def softened(people: list[Person], name: str) -> list[Person]:
        return [soften(p, teacher.matte(p.bgr), weight) for p in tqdm(people, desc=f"teacher, {name}", disable=None)]

    return replace(
        data,
        portraits=softened(data.portraits, "portraits"),
        street=softened(data.street, "street"),
        mixed=softened(data.mixed, "mixed"),
    )
