"""Read a network's file, once and with a size limit, and check it before onnxruntime gets any of it.

Networks that ship with EOAM are known by their SHA-256, in the list `SHA256SUMS` beside them. It is a list and not code
because it is copied with the network into the wheel, the download and the installation, and `models.export` writes
both. It protects against damage and mix-ups, not against somebody who can write into the installation and could change
this file as well.

Every other network is the user's own and is not trusted. This module refuses one that reads other files, loops or
claims absurd sizes; `session` limits its memory and its first run.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoam_core.errors import ModelError
from eoam_core.model_path import model_folders
from eoam_core.model_sums import SUMS, is_whole, known_sha256, read_sums
from eoam_core.protobuf import BYTES, NUMBER, Field, NoMessage, fields, numbers

MAX_BYTES: Final = 256 << 20  # the largest networks for cutting out people have some 200 MB
_MAX_NODES: Final = 5_000
_MAX_FIELDS: Final = 1_000_000  # parsed here, in Python: about a second
_MAX_ELEMENTS: Final = 1 << 30
_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")  # whose operators onnxruntime includes
_DAMAGED: Final = "is damaged or not an ONNX model"
_OWN: Final = "choose another network or one supplied with EOAM"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """The bytes of a network and their hash; `is_ours` says that it ships with EOAM, wherever the file is."""

    path: Path
    content: bytes
    sha256: str
    is_ours: bool


def read_model(path: Path) -> ModelFile:
    """Read a network's file and check it. The bytes returned are those checked: the file is not opened again.

    Raises:
        ModelError: it is missing, not a file, too large, truncated, does not match SHA256SUMS, or, for a user's own
            file, does what no network needs to do; the message says which, and the remedy.
    """
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    beside = known_sha256(path)
    if beside and beside != digest:
        raise ModelError(
            f"The model file {path} does not match {SUMS} beside it (its SHA-256 is {digest[:16]}...): it is damaged "
            "or was replaced; reinstall EOAM, or move your own network to another folder."
        )
    # By its hash alone: a copy elsewhere is the same network.
    is_ours = any(digest in read_sums(folder).values() for folder in model_folders())
    if not is_ours and not beside and path.resolve().parent in model_folders():
        raise ModelError(
            f"The model file {path} is not listed in {SUMS} beside it, so it is not EOAM's; reinstall EOAM, or move "
            "your own network to another folder."
        )
    if not is_ours:
        _judge(content, path)
    return ModelFile(path=path, content=content, sha256=digest, is_ours=is_ours)


def _read(path: Path) -> bytes:
    try:
        # Not a pipe or a device: opening or reading one may never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ModelError(
                f"The model file {path} cannot be read: it is not a file; put the project's eoam.onnx there."
            )
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ModelError(f"There is no model file {path}; put the project's eoam.onnx there.") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"The model file {path} cannot be read: {reason}.") from error
    if not content:
        raise ModelError(f"The model file {path} is empty; put the project's eoam.onnx there.")
    if len(content) > MAX_BYTES:
        raise ModelError(f"The model file {path} is larger than {MAX_BYTES >> 20} MiB; {_OWN}.")
    return content


def _judge(content: bytes, path: Path) -> None:
    """Refuse what no network for pictures needs; field numbers as in onnx.proto."""
    # onnxruntime also has formats of its own, which it recognises by other bytes.
    if not is_whole(content):
        raise ModelError(f"The model file {path} {_DAMAGED}; put the project's eoam.onnx there, or {_OWN}.")
    try:
        _Judge(content).model()
    except ValueError as error:
        raise ModelError(f"The model file {path} {error}; {_OWN}.") from None


class _Judge:
    """One walk through a model; every method raises ValueError with what is wrong."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = _MAX_FIELDS
        self._nodes = 0

    def model(self) -> None:
        for field in self._fields(None):
            if field.number == 7:
                self._graph(field)
            elif field.number == 25:
                # Functions may call each other: a small file could expand to a huge network.
                raise ValueError("defines custom functions, which are not allowed")

    def _graph(self, graph: Field) -> None:
        for field in self._fields(graph):
            if field.number == 1:
                self._node(field)
            elif field.number == 5:
                self._tensor(field)
            elif field.number == 15:
                self._sparse(field)

    def _node(self, node: Field) -> None:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise ValueError(f"has more than {_MAX_NODES} operators")
        for field in self._fields(node):
            if field.number == 5:
                self._attribute(field)
            elif field.number == 7 and self._text(field) not in _DOMAINS:
                raise ValueError(f"needs operators from {self._text(field)!r}, which onnxruntime does not have")

    def _attribute(self, attribute: Field) -> None:
        for field in self._fields(attribute):
            if field.number in (6, 11):
                # What Loop, Scan and If are made of.
                raise ValueError("contains a loop or a branch, so its run time cannot be predicted")
            if field.number in (5, 10):
                self._tensor(field)
            elif field.number in (22, 23):
                self._sparse(field)

    def _sparse(self, sparse: Field) -> None:
        for field in self._fields(sparse):
            if field.number in (1, 2):
                self._tensor(field)
            elif field.number == 3:
                self._check_size([*numbers(self._content, field)])

    def _tensor(self, tensor: Field) -> None:
        lengths: list[int] = []
        for field in self._fields(tensor):
            if field.number == 13 or (field.number == 14 and field.value):
                raise ValueError("stores weights in another file, which is not supported: save it as a single file")
            if field.number == 1:
                lengths += numbers(self._content, field)
        self._check_size(lengths)

    def _check_size(self, lengths: list[int]) -> None:
        if len(lengths) > 8 or math.prod(lengths) > _MAX_ELEMENTS or any(one > _MAX_ELEMENTS for one in lengths):
            raise ValueError("has an implausibly large tensor")

    def _fields(self, message: Field | None) -> Iterator[Field]:
        """Yield the fields of a message, the file's own if None."""
        if message is not None and message.kind != BYTES:
            raise ValueError(_DAMAGED)
        try:
            for field in fields(self._content, *(message[2:4] if message is not None else ())):
                self._left -= 1
                if self._left < 0:
                    break
                yield field
        except NoMessage:
            raise ValueError(_DAMAGED) from None
        if self._left < 0:
            raise ValueError(f"has more than {_MAX_FIELDS} parts")

    def _text(self, field: Field) -> str:
        return "" if field.kind == NUMBER else self._content[field.start : field.end].decode("utf-8", "replace")
