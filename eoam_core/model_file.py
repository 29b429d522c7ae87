"""A network's file: read once and bounded, and judged before onnxruntime sees a byte of it.

Networks that come with EOAM are known by their SHA-256, in the list `SHA256SUMS` beside them. The list and not the
code, because it travels with the network into the wheel, the download and the installation, and `models.export` writes
both in one go in a developer's clone. It guards against damage and mix-ups, not against somebody who may write into the
installation: they could change this very file as well.

Everything else is a network of the user's own. It is not trusted: what reads other files, repeats itself without end or
claims absurd sizes is refused here, and `segmenter` bounds its memory and its first run.
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
_MAX_FIELDS: Final = 1_000_000  # walked through here, in Python: about a second
_MAX_ELEMENTS: Final = 1 << 30
_DOMAINS: Final = ("", "ai.onnx", "com.microsoft")  # whose operators onnxruntime brings along
_DAMAGED: Final = "is damaged or not an ONNX model"
_OWN: Final = "choose another network or one supplied with EOAM"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFile:
    """The bytes of a network and their hash; `is_ours` says that it is one that comes with EOAM, wherever it lies."""

    path: Path
    content: bytes
    sha256: str
    is_ours: bool


def read_model(path: Path) -> ModelFile:
    """Read a network's file and judge it. What is judged is what is returned: the file is not opened again.

    Raises:
        ModelError: it is missing, no file, too large, cut short, another one than SHA256SUMS says, or, a file of the
            user's own, does what no network needs to do; the message says which, and what to do.
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
        # Not a pipe or a device: to open one may wait for ever, and its end may never come.
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
    """Refuse what no network for pictures needs; numbers of fields as in onnx.proto."""
    # onnxruntime has formats of its own besides, which it would tell by other bytes.
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
                # They may call each other, two times two times two: a small file would become a huge network.
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
