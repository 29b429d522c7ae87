"""Collect a session's results and write results.json."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoam_core.printable import printable


class Results:
    """Count the checks that passed, keep a sentence for each that failed, and save pictures for comparing renderers."""

    def __init__(self, folder: Path) -> None:
        self.passed = 0
        self.failures: list[str] = []
        self.facts: dict[str, Any] = {}
        self._folder = folder
        self._numbers: list[str] = []

    def check(self, holds: bool, sentence: str) -> None:
        """Count a check; `sentence` describes the failure."""
        if holds:
            self.passed += 1
            return
        self.failures.append(sentence)
        print(f"FAILED: {printable(sentence)}", flush=True)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Run one part; an exception counts as that part's failure."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            traceback.print_exc(file=sys.stdout)
            self.check(False, f"{name}: {type(error).__name__}: {error}")
        seconds = time.monotonic() - began
        self.facts.setdefault("seconds_by_part", {})[name] = round(seconds, 1)
        print(f"{name}: {seconds:.1f} s", flush=True)

    def save(self, name: str, picture: NDArray[np.uint8]) -> None:
        """Keep a picture under a name that is the same with every renderer."""
        np.save(self._folder / "pictures" / f"{len(self._numbers):03}.npy", picture)
        self._numbers.append(name)

    def write(self) -> None:
        """Write results.json."""
        found = {"passed": self.passed, "failures": self.failures, **self.facts, "pictures": self._numbers}
        (self._folder / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
