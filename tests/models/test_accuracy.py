"""The network that ships holds the accuracy that the documents state: on portraits, on a webcam, in an empty room."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from models.evaluate import evaluate

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def figures(shared: Path, exported: Path) -> dict[str, dict[str, float]]:
    sets = ["portraits", "rooms", "empty"]
    data = shared / "data"
    args = Namespace(models=[exported], data=data, peers=None, sets=sets, pipeline=False, sheets=None, table=None)
    return {name: rows[exported.stem] for name, rows in evaluate(args).items()}


def test_portraits_reach_92_per_cent_foreground_iou(figures: dict[str, dict[str, float]]) -> None:
    assert figures["portraits"]["fg"] >= 92.0


def test_a_person_in_a_room_reaches_92_per_cent_foreground_iou(figures: dict[str, dict[str, float]]) -> None:
    assert figures["rooms"]["fg"] >= 92.0


def test_at_most_one_per_cent_of_an_empty_room_is_called_person(figures: dict[str, dict[str, float]]) -> None:
    assert figures["empty"]["mean"] <= 1.0
