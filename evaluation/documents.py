"""Update the tables in documents that a command generates.

Each stands between the lines `<!-- figures: NAME -->` and `<!-- end of figures -->`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.data import DataError

_SECTION = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def names_in(document: Path) -> list[str]:
    """Return the names of a document's tables, in order."""
    return [found[2] for found in _SECTION.finditer(document.read_text())]


def check(document: Path, names: Iterable[str]) -> None:
    """Check, before minutes of work, that a document has one of these tables. Raises DataError."""
    wanted = list(names)
    if not document.is_file():
        raise DataError(f"{document} does not exist: name a document with marked tables.")
    if not set(wanted) & set(names_in(document)):
        lines = "<!-- figures: NAME --> and <!-- end of figures -->"
        raise DataError(f"{document} has no table between {lines} with one of the names {', '.join(wanted)}.")


def fill(document: Path, tables: Mapping[str, str]) -> None:
    """Replace a document's tables by `tables`, Markdown by name; raises DataError if it has none of them."""
    check(document, tables)

    def replaced(found: re.Match[str]) -> str:
        return f"{found[1]}\n{tables[found[2]]}\n{found[3]}" if found[2] in tables else found[0]

    document.write_text(_SECTION.sub(replaced, document.read_text()))
