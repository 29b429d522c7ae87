"""The teacher softens masks, and only those of photographs it agrees with."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from models import train as train_module  # noqa: E402
from models.checkpoint import read_header  # noqa: E402
from models.data import DataError, Person, read_training_set  # noqa: E402
from models.teacher import FILES, Teacher, open_teacher, soften, teach  # noqa: E402


def disc(radius: int = 20) -> Person:
    alpha = np.zeros((64, 48), np.uint8)
    cv2.circle(alpha, (24, 32), radius, 255, -1)
    return Person(np.zeros((64, 48, 3), np.uint8), alpha)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_the_soft_mask_is_the_mean_of_mask_and_matte_at_the_teachers_weight(weight: float) -> None:
    person = disc()
    matte = cv2.GaussianBlur(person.alpha, (5, 5), 0).astype(np.uint8)
    soft = soften(person, matte, weight)
    expected = weight * matte.astype(float) + (1 - weight) * person.alpha
    assert np.abs(soft.target - expected).max() <= 0.5 + 1e-9
    assert soft.target.dtype == np.uint8
    assert np.array_equal(soft.alpha, person.alpha)  # composites need the exact one


def test_a_mask_that_the_teacher_contradicts_stays_as_it_is() -> None:
    person = disc()
    for matte in (np.zeros_like(person.alpha), 255 - person.alpha, disc(10).alpha):
        assert soften(person, matte, 0.5).soft is None
        assert np.array_equal(soften(person, matte, 0.5).target, person.alpha)


def test_photographs_are_taught_and_cutouts_are_not(tiny_data: Path) -> None:
    data = read_training_set(tiny_data)
    masks = {p.bgr.tobytes(): p.alpha for p in [*data.portraits, *data.street, *data.mixed]}
    taught = teach(data, Teacher(lambda bgr: masks[bgr.tobytes()] // 2 + 100, "s"), 0.5)
    for people in (taught.portraits, taught.street, taught.mixed):
        assert all(p.soft is not None and set(np.unique(p.soft)) == {50, 241} for p in people)
    assert all(p.soft is None for p in taught.cutouts)
    assert taught.sha256 == data.sha256


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mediapipe\.onnx and .*selfie_segmentation\.onnx missing.*--peers"):
        open_teacher(tmp_path)


def start(data: Path, *more: str) -> int:
    words = ["--data", str(data), "--run", "t", "--samples", "8", "--batch", "2", "--every", "2", "--workers", "0"]
    return train_module.main([*words, *more])


@pytest.mark.parametrize("weight", ["-0.1", "1.5"])
def test_a_weight_out_of_range_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], weight: str
) -> None:
    assert start(tiny_data, f"--teacher={weight}") == 2
    assert f"--teacher is {weight}, need 0" in capsys.readouterr().err


def test_a_run_without_the_teachers_files_ends_with_one_sentence(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert start(tiny_data, "--teacher", "0.5", "--peers", str(tmp_path / "nowhere")) == 2
    assert "nowhere" in capsys.readouterr().err


def test_resuming_with_another_teacher_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_white(bgr: np.ndarray) -> np.ndarray:
        return np.asarray((bgr.min(2) > 120) * 255, np.uint8)

    monkeypatch.setattr(train_module, "open_teacher", lambda _: Teacher(is_white, "a" * 64))
    assert start(tiny_data, "--teacher", "0.5") == 0
    assert read_header(runs / "t" / "last.safetensors")["teacher_sha256"] == "a" * 64
    assert start(tiny_data, "--resume") == 0
    before = (runs / "t" / "last.safetensors").read_bytes()
    monkeypatch.setattr(train_module, "open_teacher", lambda _: Teacher(is_white, "b" * 64))
    assert start(tiny_data, "--resume") == 2
    assert "--peers" in capsys.readouterr().err
    assert (runs / "t" / "last.safetensors").read_bytes() == before


@pytest.mark.shared
def test_the_teacher_finds_the_astronaut_and_sees_no_difference_between_left_and_right(
    shared: Path, tmp_path: Path
) -> None:
    from skimage import data

    for name in FILES:  # and nothing else: the other peer must teach nothing
        shutil.copyfile(shared / "peers" / name, tmp_path / name)
    teacher = open_teacher(tmp_path)
    picture = np.ascontiguousarray(np.asarray(data.astronaut())[:288, :, ::-1])
    matte = teacher.matte(picture)
    assert matte.shape == picture.shape[:2]
    assert matte[60:160, 200:250].min() > 200  # the face
    assert matte[:40, 110:170].max() < 60  # the wall
    mirrored = teacher.matte(np.ascontiguousarray(picture[:, ::-1]))
    assert np.abs(mirrored[:, ::-1].astype(int) - matte).max() <= 1


@pytest.mark.shared
def test_the_hash_names_the_teachers_files(shared: Path, tmp_path: Path) -> None:
    for name in FILES:
        shutil.copyfile(shared / "peers" / name, tmp_path / name)
    digest = open_teacher(tmp_path).sha256
    assert digest == open_teacher(shared / "peers").sha256
    with (tmp_path / FILES[0]).open("ab") as file:
        file.write(b"\x72\x00")  # an empty metadata entry, which changes nothing but the bytes
    assert open_teacher(tmp_path).sha256 != digest
