"""Define a target of the fuzzer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """One target: `strategy()` gives inputs, `check(input, empty folder)` raises for a fault."""

    name: str
    strategy: Callable[[], Any]
    check: Callable[[Any, Path], None]
