"""Damage bytes as disks, networks and enemies do."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

_ODD = [0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]
_WORDS = [0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def damaged(samples: Callable[[], Sequence[bytes]]) -> Any:
    """Return a strategy of damaged `samples`, which are made when the first is needed."""

    def mutate(number: int) -> bytes:
        dice = random.Random(number)
        return mutated(dice.choice(_cached(samples)), dice)

    return st.integers(0, 2**63).map(mutate)


_made: dict[Callable[[], Sequence[bytes]], Sequence[bytes]] = {}


def _cached(samples: Callable[[], Sequence[bytes]]) -> Sequence[bytes]:
    if samples not in _made:
        _made[samples] = samples()
    return _made[samples]


def require_sentence(error: Exception, *named: object) -> None:
    """Raise AssertionError unless an error's text is one printable line that names what it is about."""
    text = str(error)
    assert text.isprintable(), text
    assert len(text) > 20, text
    assert all(str(one) in text for one in named), text


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Return `content` with a few bits, bytes, numbers or stretches changed."""
    data = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        if not data:
            break
        # Half of the time near the beginning, where the headers are.
        at = dice.randrange(min(len(data), 96) if dice.random() < 0.5 else len(data))
        kind = dice.randrange(7)
        if kind == 0:
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at] = dice.choice(_ODD)
        elif kind == 2:
            word = struct.pack(dice.choice("<>") + "I", dice.choice(_WORDS))
            data[at : at + 4] = word[: max(0, len(data) - at)]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + dice.randrange(1, 64)]
        elif kind == 5:
            data[at:at] = dice.randbytes(dice.randrange(1, 32))
        else:
            start = dice.randrange(len(data))
            data[at:at] = data[start : start + dice.randrange(1, 256)]
    return bytes(data)
