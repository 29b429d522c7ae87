"""What a part of the long test is given and what it gives back, and the report made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a part may use: an X display, an empty folder of its own, about so many seconds, and a seed."""

    display: str
    folder: Path
    seconds: float
    seed: int


@dataclass(kw_only=True)
class Part:
    """What a part found: figures by name for the report's table, and a sentence for everything that went wrong."""

    title: str
    figures: Mapping[str, str | int | float]
    failures: Sequence[str] = field(default_factory=list)


def report(parts: Sequence[Part]) -> str:
    """Return the parts as Markdown: a table of figures each, then what went wrong, in full."""
    lines: list[str] = []
    for part in parts:
        lines += [f"## {part.title}", "", "| what | figure |", "| --- | ---: |"]
        lines += [f"| {name} | {value} |" for name, value in part.figures.items()]
        lines += ["", f"**{len(part.failures)} failures**" if part.failures else "No failure.", ""]
        lines += [f"- {failure}" for failure in part.failures]
        lines += [""] if part.failures else []
    return "\n".join(lines)
