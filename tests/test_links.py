"""The documents lead somewhere: every link to a file and every link to a heading in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = [
    *REPOSITORY.glob("*.md"),
    *(REPOSITORY / "docs").rglob("*.md"),
    REPOSITORY / "models" / "MODEL_CARD.md",
    *(REPOSITORY / ".github").rglob("*.md"),
]
# Not a code block, where brackets are code.
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = _HEADING.findall(_BLOCK.sub("", text))
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in words}


def broken(document: Path) -> list[str]:
    """Return the links of a document that lead nowhere."""
    result = []
    for link in _LINK.findall(_BLOCK.sub("", document.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            result.append(link)
    return result


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_to_files_and_headings_that_are_there(document: Path) -> None:
    assert broken(document) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# It's *there*: 2 of them\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#its-there-2-of-them) [b](gone.md) [c](there.md#gone) [d](https://example.org)\n")
    assert broken(page) == ["gone.md", "there.md#gone"]
