"""Tables in documents are replaced by their names, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.card import ROOT
from evaluation.documents import fill, names_in
from evaluation.over_time import TABLES
from models.data import DataError

SECTION = "<!-- figures: {} -->\n{}\n<!-- end of figures -->\n"
TEXT = "a\n" + SECTION.format("one", "old") + "b\n" + SECTION.format("two", "old") + "c\n"


def test_only_the_tables_that_are_named_are_replaced(tmp_path: Path) -> None:
    document = tmp_path / "card.md"
    document.write_text(TEXT)
    for _ in range(2):  # the second time over its own work
        fill(document, {"two": "new\n", "three": "nowhere\n"})
        new = SECTION.format("two", "\nnew\n")
        assert document.read_text() == TEXT.replace(SECTION.format("two", "old"), new)
    assert names_in(document) == ["one", "two"]


def test_a_document_that_is_not_there_or_has_no_such_table_is_named(tmp_path: Path) -> None:
    document = tmp_path / "card.md"
    with pytest.raises(DataError, match=r"card\.md does not exist"):
        fill(document, {"one": "new\n"})
    document.write_text(TEXT)
    with pytest.raises(DataError, match=r"card\.md has no table .* three"):
        fill(document, {"three": "new\n"})
    assert document.read_text() == TEXT


def test_the_document_on_masks_has_the_sequences_tables() -> None:
    assert names_in(ROOT / "docs" / "user" / "masks.md") == [TABLES]
