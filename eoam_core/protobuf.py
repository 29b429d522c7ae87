"""Parse a protobuf message without a library: its fields, their positions, and whether it ends where they do.

The encoding: protobuf.dev, "Encoding". Groups, an obsolete feature, are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

NUMBER, BYTES = 0, 2  # kinds


class NoMessage(ValueError):
    """These bytes are no protobuf message."""


class Field(NamedTuple):
    """One field: its number, its kind, and the position of its value; `value` is that of a number, otherwise 0."""

    number: int
    kind: int
    start: int
    end: int
    value: int


def fields(content: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Yield the fields of the message in `content[start:end]`; NoMessage where there is none.

    Nothing is copied: a field that holds a message is parsed with its own `start` and `end`.
    """
    end = len(content) if end is None else end
    at = start
    while at < end:
        key, at = _varint(content, at, end)
        number, kind, begin, value = key >> 3, key & 7, at, 0
        if kind == NUMBER:
            value, at = _varint(content, at, end)
        elif kind == 1:
            at += 8
        elif kind == BYTES:
            length, begin = _varint(content, at, end)
            at = begin + length
        elif kind == 5:
            at += 4
        else:
            raise NoMessage(f"no field of kind {kind}")
        if at > end:
            raise NoMessage("cut short")
        yield Field(number, kind, begin, at, value)


def numbers(content: bytes, field: Field) -> Iterator[int]:
    """Yield the whole numbers of a repeated field, packed or not; NoMessage if it holds something else."""
    if field.kind == NUMBER:
        yield field.value
        return
    if field.kind != BYTES:
        raise NoMessage(f"no numbers in a field of kind {field.kind}")
    at = field.start
    while at < field.end:
        value, at = _varint(content, at, field.end)
        yield value


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        if shift > 63:
            raise NoMessage("no number")
    raise NoMessage("cut short")
