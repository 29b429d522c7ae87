"""The documents' tables of figures are made from what was measured, each in its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation import card
from evaluation.documents import names_in
from models.scenarios import SCENARIOS

NAMES = ("eoam", "eoam, fine", "eoam_plus", "eoam_plus, fine", "MediaPipe landscape")


def measured() -> card.Figures:
    """Figures that are all different: set 1 has 10.xx, set 2 has 20.xx..."""

    def rows(base: float, columns: tuple[str, ...], names: tuple[str, ...] = NAMES) -> card.Rows:
        return {n: {c: base + i + j / 10 for j, c in enumerate(columns)} for i, n in enumerate(names)}

    portraits, room = ("fg", "two-class", "boundary"), ("fg", "two-class", "boundary", "MAD", "flicker", "lag")
    speed = {
        name: {"wide ms": 1.0, "wide p95": 2.0, "wide ratio": 3.0}
        | {"wide width input": 288.0, "wide height input": 80.0}
        for name in NAMES
    }
    for name in NAMES:
        shape = "upright" if name.endswith("fine") else "square"
        speed[name] |= {
            f"{shape} ms": 4.0,
            f"{shape} p95": 5.0,
            f"{shape} ratio": 6.0,
            f"{shape} width input": 320.0 if shape == "square" else 224.0,
            f"{shape} height input": 320.0,
        }
    bare = {
        "portraits": rows(10, portraits),
        "rooms": rows(20, room),
        "scenarios": rows(30, (*SCENARIOS, "mean")),
        "empty": rows(60, ("mean", "worst", "over 5 %")),
        "speed": speed,
    }
    return {"bare": bare, "shown": {"portraits": rows(70, portraits), "rooms": rows(80, room)}}


def lines(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_every_table_has_as_many_cells_in_a_row_as_in_its_head_and_its_own_set_in_them() -> None:
    figures = measured()
    for name, make in card.TABLES.items():
        found = lines(make(figures))
        assert len({len(row) for row in found}) == 1, name
    assert lines(card.empty(figures))[2][1:] == ["60.00", "60.10", "60"]
    assert lines(card.networks(figures))[2][1:] == [
        "10.00",
        "10.10",
        "10.20",
        "20.00",
        "20.10",
        "20.20",
        "20.30",
        "20.40",
    ]
    assert lines(card.shown(figures))[2][1:3] == ["70.00", "70.10"]
    assert lines(card.summary(figures))[3][1:6] == ["11.00", "11.10", "11.20", "21.00", "21.20"]
    assert lines(card.situations(figures))[-1][0] == "mean"
    assert lines(card.speed(figures))[2][1:] == ["320x320", "4.00 (5.00)", "6.0", "288x80", "1.00 (2.00)", "3.0"]
    assert lines(card.speed(figures))[3][1] == "224x320"


def test_the_short_table_has_one_row_for_each_network_with_the_default_detail() -> None:
    found = lines(card.short(measured()))[2:]
    assert [row[0] for row in found] == [card.label(name) for name in NAMES if name not in ("eoam", "eoam_plus")]
    assert found[0][1:] == ["11.00", "21.00", "21.40", "1.00"]


def test_exactly_one_network_is_called_the_default() -> None:
    assert sum("(default)" in card.label(name) for name in NAMES) == 1
    assert card.label("MediaPipe landscape") == "MediaPipe landscape"


def test_the_command_fills_documents_from_kept_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, document = tmp_path / "figures.json", tmp_path / "card.md"
    kept.write_text(json.dumps(measured()))
    document.write_text("<!-- figures: speed -->\n<!-- end of figures -->\n")
    assert card.main(["--figures", str(kept), "--into", str(document)]) == 0
    assert "320x320" in document.read_text()
    document.write_text("nothing to fill")
    assert card.main(["--figures", str(kept), "--into", str(document)]) == 2
    assert "has no table" in capsys.readouterr().err


def test_the_documents_have_every_table() -> None:
    assert {name for path in card.DOCUMENTS for name in names_in(path)} == set(card.TABLES)
