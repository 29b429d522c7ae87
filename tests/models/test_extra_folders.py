"""The folders that a run uses only if it is told to, and the places that are kept out of every run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from models import train as train_module  # noqa: E402
from models.augment import MixConfig, SampleMaker  # noqa: E402
from models.checkpoint import read_header  # noqa: E402
from models.data import EXTRAS, DataError, hash_data, places_paths, read_kept_out_places, read_training_set  # noqa: E402
from models.train import config_of  # noqa: E402
from models.validation import Validation, record  # noqa: E402
from models.validation import main as validate  # noqa: E402

from .networks import checkpoint_of, randomised  # noqa: E402


@pytest.fixture(scope="module")
def more_data(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn data folder with 11 hard and 12 plain places and two packs of people, all of one colour each."""
    root = tmp_path_factory.mktemp("more") / "data"
    shutil.copytree(tiny_data, root)
    for kind, count, shade in (("hard", 11, 10), ("plain", 12, 20)):
        (root / "rooms_places" / kind).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(
                str(root / "rooms_places" / kind / f"{i:03}.png"), np.full((64, 64, 3), shade + i % 2, np.uint8)
            )
    for name, shade in (("people_pd", 90), ("people_open", 200)):
        for part in ("images", "masks"):
            (root / name / part).mkdir(parents=True)
        mask = np.zeros((64, 48), np.uint8)
        cv2.circle(mask, (24, 44), 20, 255, -1)
        for i in range(3):
            cv2.imwrite(str(root / name / "images" / f"{i}.png"), np.full((64, 48, 3), shade, np.uint8))
            cv2.imwrite(str(root / name / "masks" / f"{i}.png"), cv2.GaussianBlur(mask, (5, 5), 0))
    return root


def start(data: Path, *more: str) -> int:
    words = ["--data", str(data), "--run", "t", "--samples", "4", "--batch", "2", "--every", "2", "--workers", "0"]
    return train_module.main([*words, *more])


def test_a_run_without_the_folders_is_what_it_was_before_they_were_there(tiny_data: Path, more_data: Path) -> None:
    before, now = read_training_set(tiny_data), read_training_set(more_data)
    assert now.sha256 == before.sha256
    assert not now.packs
    assert not now.hard_rooms
    batches = [SampleMaker(data, MixConfig()).batch(3, 5, (48, 80), 8) for data in (before, now)]
    assert all(np.array_equal(a, b) for a, b in zip(*batches, strict=True))


def test_the_hash_covers_the_folders_that_are_used_and_only_those(more_data: Path, tmp_path: Path) -> None:
    assert len({hash_data(more_data, extras) for extras in ((), *((name,) for name in EXTRAS), EXTRAS)}) == 5
    other = tmp_path / "other"
    shutil.copytree(more_data, other)
    shutil.copyfile(other / "people_pd" / "masks" / "0.png", other / "people_open" / "masks" / "3.png")
    assert hash_data(other, ("people_pd",)) == hash_data(more_data, ("people_pd",))
    assert hash_data(other, ("people_open",)) != hash_data(more_data, ("people_open",))
    kept_out = places_paths(other, "hard", kept_out=True)[0]
    cv2.imwrite(str(kept_out), np.zeros((8, 8, 3), np.uint8))
    assert hash_data(other, ("rooms_places",)) == hash_data(more_data, ("rooms_places",))


def test_every_tenth_place_of_each_kind_is_kept_out_of_training(more_data: Path) -> None:
    data = read_training_set(more_data, EXTRAS)
    assert (len(data.hard_rooms), len(data.plain_rooms)) == (9, 10)
    names = [[p.stem for p in places_paths(more_data, kind, kept_out=True)] for kind in ("hard", "plain")]
    assert names == [["000", "010"], ["000", "010"]]
    trained = {p for kind in ("hard", "plain") for p in places_paths(more_data, kind, kept_out=False)}
    assert not trained & {p for kind in ("hard", "plain") for p in places_paths(more_data, kind, kept_out=True)}
    assert len(read_kept_out_places(more_data)) == 4


def test_each_kind_of_rooms_is_drawn_equally_often(more_data: Path) -> None:
    maker, rng = SampleMaker(read_training_set(more_data, EXTRAS), MixConfig()), np.random.default_rng(0)
    levels = np.array([maker.any_room(rng).mean() for _ in range(900)])
    hard, plain = ((levels >= low) & (levels < low + 2) for low in (10, 20))
    assert 250 < hard.sum() < 350
    assert 250 < plain.sum() < 350


def test_the_packs_people_are_used_as_photographed_and_in_rooms(more_data: Path) -> None:
    data = read_training_set(more_data, ("people_open",))
    assert len(data.packs) == 3
    assert set(np.unique(data.packs[0].alpha)) - {0, 255}  # soft masks stay soft
    nothing = dict.fromkeys(("portrait", "street", "mixed", "composite", "empty"), 0.0)
    maker = SampleMaker(data, MixConfig(**nothing, pack=1.0, microphone=0))
    frames, alphas = maker.batch(1, 1, (64, 64), 12)
    assert np.median(frames[..., 0].std((1, 2))) < 40  # of one colour but for what cameras do
    assert all(alpha.any() for alpha in alphas)
    assert any(person is data.packs[0] for person in maker.seated)


def test_a_share_of_people_who_were_not_asked_for_is_refused(
    more_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(more_data, "--mix", "pack=0.2") == 2
    assert "--with people_pd people_open" in capsys.readouterr().err


def test_a_folder_that_is_named_but_missing_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(tiny_data, "--with", "rooms_places") == 2
    assert "rooms_places" in capsys.readouterr().err
    with pytest.raises(DataError, match="rooms is not a folder to train with"):
        read_training_set(tiny_data, ("rooms",))


def test_a_checkpoint_names_its_folders_and_a_resumed_run_uses_them_again(more_data: Path, runs: Path) -> None:
    assert start(more_data, "--with", "people_open", "rooms_places", "--mix", "pack=0.5") == 0
    header = read_header(runs / "t" / "last.safetensors")
    assert config_of(header).extras == ("rooms_places", "people_open")
    assert header["data_sha256"] == hash_data(more_data, ("rooms_places", "people_open"))
    assert header["val_places"] >= 0
    assert start(more_data, "--resume", "--samples", "8") == 0
    assert read_header(runs / "t" / "last.safetensors")["step"] == 4


def test_a_header_from_before_the_folders_were_known_has_none() -> None:
    header = json.loads(json.dumps({"train": {"seed": 3, "details": ["fine"]}}))
    assert config_of(header) == train_module.TrainConfig(seed=3, details=("fine",))


def test_the_validation_says_what_the_kept_out_places_are_called_if_they_are_there(
    tiny_data: Path, more_data: Path
) -> None:
    net = randomised()
    assert net.head.bias is not None
    assert "val_places" not in Validation(tiny_data, count=1)(net, torch.device("cpu"))
    judge = Validation(more_data, count=1)
    assert {place.shape for place in judge.places} == {(224, 224, 3)}
    shares = []
    for bias in (-1000.0, 1000.0):
        with torch.no_grad():
            net.head.bias.fill_(bias)
        shares.append(judge(net, torch.device("cpu"))["val_places"])
    assert shares == [0, 100]


def test_kept_checkpoints_are_compared_on_the_places_too(
    more_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = checkpoint_of(randomised(), tmp_path / "kept.safetensors")
    assert validate([str(file), str(file), "--data", str(more_data), "--count", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| empty | places |")
    assert all(line.count("|") == lines[0].count("|") for line in lines[:4])
    assert lines[-1].endswith("| +0.00 ± 0.00 |")
    assert lines[-3].endswith("| empty | places |")


def test_a_run_that_is_judged_by_more_than_before_keeps_its_curves(tmp_path: Path) -> None:
    row = {"step": 1, "loss": 0.5, "val_fg": 90.0, "val_room_fg": 80.0}
    record(tmp_path, row)
    record(tmp_path, {**row, "step": 2, "val_places": 3.0})
    lines = (tmp_path / "curves.csv").read_text().split()
    assert lines == ["step,loss,val_fg,val_room_fg,val_places", "1,0.5,90.0,80.0,nan", "2,0.5,90.0,80.0,3.0"]
    assert cv2.imread(str(tmp_path / "curves.png")) is not None
