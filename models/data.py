"""Read the training pictures: folders, splits, and a hash that identifies what a network was trained on.

A data folder holds the subfolders below; docs/developer/training.md says how to lay one out. Pictures are read whole
into memory (about 700 MB for the project's own set), because decoding would cost more than augmenting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

PICTURE_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")
# Of every ten rooms, in name order, two are only for testing and one for validation: a network that has seen a room
# knows that it is empty.
ROOM_SPLITS = {"test": (0, 5), "val": (1,), "train": (2, 3, 4, 6, 7, 8, 9)}
# Folders that a run uses only with `--with`: runs without them, and their data hash, are unaffected.
PLACES = "rooms_places"
PACKS = ("people_pd", "people_open")
EXTRAS = (PLACES, *PACKS)
PLACES_KINDS = ("hard", "plain")  # "hard" are the rooms in which an earlier network saw somebody
PLACES_KEPT_OUT = 10  # every tenth of each kind, in name order, is for validation


class DataError(Exception):
    """A data folder is missing or not laid out as docs/developer/training.md says; the message says which and how."""


@dataclass(frozen=True)
class Person:
    """One picture with a person: `bgr` is `(h, w, 3)` uint8, `alpha` `(h, w)` uint8, 255 = person.

    `soft`, if a teacher made one (teacher.py), is the training target where the picture is used as photographed.
    """

    bgr: Image
    alpha: Image
    soft: Image | None = None

    @property
    def target(self) -> Image:
        """The mask to learn from, `(h, w)` uint8."""
        return self.alpha if self.soft is None else self.soft


def is_uncut(person: Person) -> bool:
    """Return whether the photograph cuts neither head nor shoulders, so that the person can be placed in a room."""
    inside = person.alpha > 127
    high = inside[: round(0.6 * len(inside))]
    return not (inside[0].any() or high[:, 0].any() or high[:, -1].any()) and bool(inside.any())


@dataclass(frozen=True)
class TrainingSet:
    """Everything train.py needs, by kind; `hard_rooms`, `plain_rooms` and `packs` are empty unless requested."""

    portraits: list[Person]  # eg1800_train less its validation ids
    street: list[Person]  # ccp_upper
    mixed: list[Person]  # mixed_people
    cutouts: list[Person]  # people without a background
    rooms: list[Image]  # places without people: the project's own `backgrounds`
    sha256: str
    hard_rooms: list[Image] = field(default_factory=list)  # rooms_places/hard less what is kept out
    plain_rooms: list[Image] = field(default_factory=list)  # rooms_places/plain likewise
    packs: list[Person] = field(default_factory=list)  # people_pd, people_open: portraits with soft masks


def read_picture(path: Path, flags: int = cv2.IMREAD_COLOR) -> Image:
    """Read a picture as BGR (or as `flags` say), any path; raise DataError naming the file if it cannot be decoded."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    if picture is None:
        raise DataError(f"{path} is not a picture that OpenCV can decode; delete it or fetch it again.")
    return np.asarray(picture, np.uint8)


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder in name order; raise DataError if there are none."""
    if not folder.is_dir():
        raise DataError(
            f"{folder} does not exist; docs/developer/training.md says how a data folder is laid out (--data DIR)."
        )
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise DataError(f"{folder} has no pictures ({', '.join(PICTURE_SUFFIXES)}).")
    return found


def read_pairs(folder: Path, keep: set[str] | None = None, drop: set[str] | None = None) -> list[Person]:
    """Read `folder/images` with `folder/masks` (same stem, PNG, 0/255), optionally only or without some stems."""
    people = []
    for path in list_pictures(folder / "images"):
        if (keep is not None and path.stem not in keep) or (drop is not None and path.stem in drop):
            continue
        mask_path = folder / "masks" / f"{path.stem}.png"
        if not mask_path.is_file():
            raise DataError(f"{mask_path} is missing: every picture needs a mask with the same stem.")
        bgr, alpha = read_picture(path), read_picture(mask_path, cv2.IMREAD_GRAYSCALE)
        if bgr.shape[:2] != alpha.shape:
            raise DataError(f"{path.name} is {bgr.shape[:2]} but its mask is {alpha.shape} (height, width).")
        people.append(Person(bgr, alpha))
    return people


def read_cutouts(folder: Path) -> list[Person]:
    """Read pictures with an alpha channel (a person without a background)."""
    people = []
    for path in list_pictures(folder):
        bgra = read_picture(path, cv2.IMREAD_UNCHANGED)
        if bgra.ndim != 3 or bgra.shape[2] != 4:
            raise DataError(f"{path} has no alpha channel; a cut-out needs one.")
        people.append(Person(np.ascontiguousarray(bgra[..., :3]), np.ascontiguousarray(bgra[..., 3])))
    return people


def validation_ids(data: Path) -> set[str]:
    """Return the stems of eg1800_train that are for selecting models, never for training."""
    path = data / "eg1800_val.txt"
    if not path.is_file():
        raise DataError(f"{path} is missing: one stem per line of the portraits kept for validation.")
    return set(path.read_text().split())


def room_paths(data: Path, split: str) -> list[Path]:
    """Return the rooms of a split: "train", "val" or "test"."""
    return [p for i, p in enumerate(list_pictures(data / "backgrounds")) if i % 10 in ROOM_SPLITS[split]]


def read_rooms(data: Path, split: str) -> list[Image]:
    """Read the rooms of a split as BGR pictures."""
    return [read_picture(p) for p in room_paths(data, split)]


def places_paths(data: Path, kind: str, *, kept_out: bool) -> list[Path]:
    """Return the pictures of `rooms_places`/`kind` that are for training, or those that are kept out."""
    found = list_pictures(data / PLACES / kind)
    return [p for i, p in enumerate(found) if (i % PLACES_KEPT_OUT == 0) == kept_out]


def read_kept_out_places(data: Path) -> list[Image]:
    """Read the rooms of `rooms_places` that no run trains on; none if the folder is not there."""
    if not (data / PLACES).is_dir():
        return []
    return [read_picture(p) for kind in PLACES_KINDS for p in places_paths(data, kind, kept_out=True)]


def read_training_set(data: Path, extras: Collection[str] = ()) -> TrainingSet:
    """Read every training folder of `data`, and those of `EXTRAS` that are named. Raises DataError."""
    if unknown := set(extras) - set(EXTRAS):
        raise DataError(f"{min(unknown)} is not a folder to train with; there are {', '.join(EXTRAS)}.")
    validation = validation_ids(data)
    hard, plain = (
        [read_picture(p) for p in places_paths(data, kind, kept_out=False)] if PLACES in extras else []
        for kind in PLACES_KINDS
    )
    return TrainingSet(
        portraits=read_pairs(data / "eg1800_train", drop=validation),
        street=read_pairs(data / "ccp_upper"),
        mixed=read_pairs(data / "mixed_people"),
        cutouts=read_cutouts(data / "cutouts"),
        rooms=read_rooms(data, "train"),
        sha256=hash_data(data, extras),
        hard_rooms=hard,
        plain_rooms=plain,
        packs=[person for name in PACKS if name in extras for person in read_pairs(data / name)],
    )


def hash_data(data: Path, extras: Collection[str] = ()) -> str:
    """Return one SHA-256 over the names and contents of all training files, independent of their location."""
    digest = hashlib.sha256()
    files = [data / "eg1800_val.txt", *room_paths(data, "train"), *list_pictures(data / "cutouts")]
    names = ["eg1800_train", "ccp_upper", "mixed_people", *(name for name in PACKS if name in extras)]
    for name in names:
        files += [*list_pictures(data / name / "images"), *list_pictures(data / name / "masks")]
    if PLACES in extras:
        files += [p for kind in PLACES_KINDS for p in places_paths(data, kind, kept_out=False)]
    for path in files:
        digest.update(path.relative_to(data).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
