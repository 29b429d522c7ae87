"""Define what a stage of scripts/test-windows gets and reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.windows.wine import Wine

REPOSITORY: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where a stage works: Wine with a prefix that is made, and an empty folder for what it writes."""

    wine: Wine
    folder: Path
    libobs: str = ""  # another version of pylibobs than the pinned one


@dataclass(kw_only=True)
class Outcome:
    """What came of a stage: how many checks passed, and one sentence for each that failed or was skipped."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check(self, holds: bool, sentence: str) -> None:
        """Count a check; `sentence` says what should hold, and how it is instead."""
        if holds:
            self.passed += 1
        else:
            self.failed.append(sentence)
