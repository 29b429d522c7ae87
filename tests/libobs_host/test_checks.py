"""What the sessions in libobs draw and how they judge it, without libobs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_core.settings import Settings, View, describe_settings
from tools.libobs_host import check
from tools.libobs_host.cases import NETWORKS, cases, complete
from tools.libobs_host.compare import differences

Bytes = NDArray[np.uint8]


@pytest.fixture
def person() -> Bytes:
    """A premultiplied picture, (60, 80, 4) BGRA: a grey disc with a soft edge, and nothing around it."""
    rows, columns = np.mgrid[0:60, 0:80]
    alpha = np.clip(20 - np.hypot(rows - 30, columns - 40), 0, 1) * 255
    return np.dstack([alpha * 0.5, alpha * 0.5, alpha * 0.5, alpha]).astype(np.uint8)


def test_every_choice_of_every_setting_is_drawn() -> None:
    drawn = [complete(case) for case in cases(Path("behind.png")).values()]
    for info in describe_settings():
        for value, _label in info.choices:
            assert any(case[info.name] == value for case in drawn), f"{info.name}={value}"
    assert {case["model"] for case in drawn} >= set(NETWORKS)


def test_every_case_can_be_stored_and_none_is_there_twice() -> None:
    drawn = [Settings.validated(**complete(case)).to_mapping() for case in cases(Path("behind.png")).values()]
    assert all(case not in drawn[:number] for number, case in enumerate(drawn))


def test_the_picture_itself_is_like_the_reference(person: Bytes) -> None:
    assert check.compare(person, person, Settings()).is_small


@pytest.mark.parametrize("wrong", ["moved", "empty", "darker", "a colour under alpha 0"])
def test_a_wrong_picture_is_not_like_the_reference(person: Bytes, wrong: str) -> None:
    found = person.copy()
    if wrong == "moved":
        found = np.roll(found, 3, axis=1)
    elif wrong == "empty":
        found[:] = 0
    elif wrong == "darker":
        found[..., :3] //= 2
    else:
        found[0, 0, 0] = 1
    assert not check.compare(found, person, Settings()).is_small


def test_an_outline_that_is_not_drawn_is_not_like_the_reference(person: Bytes) -> None:
    opaque = person.copy()
    opaque[..., 3] = 255
    assert not check.compare(np.zeros_like(opaque), opaque, Settings(view=View.OUTLINE)).is_small


def test_two_sessions_are_compared_by_the_pictures_names(tmp_path: Path) -> None:
    for folder, names in (("one", ["same", "other", "alone"]), ("two", ["other", "same"])):
        (tmp_path / folder / "pictures").mkdir(parents=True)
        (tmp_path / folder / "results.json").write_text(json.dumps({"pictures": names}))
        for number, name in enumerate(names):
            level = {"same": 7, "other": 9 if folder == "one" else 12, "alone": 0}[name]
            np.save(tmp_path / folder / "pictures" / f"{number:03}.npy", np.full((2, 2, 4), level, np.uint8))
    assert differences(tmp_path / "one", tmp_path / "two") == {"same": 0, "other": 3, "alone": None}
