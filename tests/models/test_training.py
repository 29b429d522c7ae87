"""The network, its losses, and a training that can be stopped and resumed.

Slow: it trains whole runs, of which one is stopped and resumed: only then can their ends be compared.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from models import train as train_module  # noqa: E402
from models.augment import MixConfig, SampleMaker  # noqa: E402
from models.checkpoint import load_weights, read_header, save_checkpoint, sha256_of  # noqa: E402
from models.data import DataError, read_training_set, room_paths, validation_ids  # noqa: E402
from models.losses import class_targets, edge_band, lovasz_hinge, soft_iou, total_loss  # noqa: E402
from models.net import BACKGROUND, EDGE, PORTRAIT, Eoam, NetConfig, count_parameters  # noqa: E402
from models.train import Batches, TrainConfig, config_of  # noqa: E402
from models.validation import Validation, difference  # noqa: E402
from models.validation import main as validate  # noqa: E402

from .networks import randomised  # noqa: E402


def start(data: Path, *more: str) -> int:
    return train_module.main(
        ["--data", str(data), "--run", "t", "--samples", "8", "--batch", "2", "--every", "2", *more]
    )


def test_the_network_has_the_papers_number_of_parameters() -> None:
    assert all(count_parameters(Eoam(c)) <= 21_500 for c in (NetConfig(), train_module.VARIANTS["eoam"]))


def test_the_gate_lets_the_low_level_feature_through_only_where_the_coarse_prediction_is_unsure() -> None:
    torch.manual_seed(0)
    net = Eoam().eval()
    frame = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        net.bn_e.bias.copy_(torch.tensor([60.0, 0.0, 0.0]))  # sure of the portrait everywhere: CM = 0
        sure = net(frame)
        net.project_a.bn.bias.add_(5)  # another f_a ...
        assert torch.allclose(sure, net(frame), atol=1e-5)  # ... is blocked
        net.bn_e.bias.zero_()
        unsure = net(frame)
        net.project_a.bn.bias.add_(5)
        assert not torch.allclose(unsure, net(frame), atol=1e-2)


def test_the_three_classes_are_portrait_edge_band_and_background() -> None:
    alpha = torch.zeros(1, 1, 64, 64)
    alpha[..., 16:48, 16:48] = 1
    target = class_targets(alpha, 4, 3)[0]  # 16 x 16 cells
    assert target[8, 8] == PORTRAIT
    assert target[0, 0] == BACKGROUND
    assert target[4, 8] == EDGE
    assert target[3, 8] == EDGE
    assert target[2, 8] == BACKGROUND
    assert edge_band(alpha, 3).sum() < alpha.sum()


def test_a_right_mask_costs_less_than_a_wrong_one_and_an_empty_picture_does_not_divide_by_zero() -> None:
    alpha = torch.zeros(2, 1, 32, 32)
    alpha[0, :, 8:24, 8:24] = 1
    right, wrong = (alpha - 0.5) * 20, (0.5 - alpha) * 20
    classes8, classes4 = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8)
    assert soft_iou(right, alpha) < 0.01 < soft_iou(wrong, alpha)
    assert total_loss(right, classes8, classes4, alpha)[0] < total_loss(wrong, classes8, classes4, alpha)[0]
    assert soft_iou(right[1:], alpha[1:]) < 0.01 < soft_iou(wrong[1:], alpha[1:])  # nobody is there


def test_the_lovasz_hinge_is_the_share_of_wrong_pixels_in_the_union_and_ignores_empty_pictures() -> None:
    alpha = torch.zeros(1, 1, 8, 8)
    alpha[..., :4, :] = 1  # 32 pixels
    logits = (alpha * 2 - 1) * 5
    assert lovasz_hinge(logits, alpha) == 0
    logits[..., 0, :4] = -1  # four of them missed by a hinge of 2: IoU 28/32
    assert lovasz_hinge(logits, alpha).item() == pytest.approx(2 * 4 / 32)
    assert lovasz_hinge(logits, torch.zeros_like(alpha)) == 0
    loss = total_loss(logits.requires_grad_(), torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 2, 2), alpha, lovasz=1.0)[0]
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_training_rooms_validation_rooms_and_test_rooms_are_disjoint(tiny_data: Path) -> None:
    splits = [set(room_paths(tiny_data, s)) for s in ("train", "val", "test")]
    assert all(splits)
    assert sum(map(len, splits)) == len(set().union(*splits)) == 12


def test_validation_portraits_are_not_trained_on(tiny_data: Path) -> None:
    assert len(read_training_set(tiny_data).portraits) == 6 - len(validation_ids(tiny_data))


def test_a_batch_depends_on_seed_and_number_alone(tiny_data: Path) -> None:
    maker = SampleMaker(read_training_set(tiny_data), MixConfig())
    frames, alphas = maker.batch(3, 5, (48, 80), 6)
    again, _ = SampleMaker(read_training_set(tiny_data), MixConfig()).batch(3, 5, (48, 80), 6)
    other, _ = maker.batch(3, 6, (48, 80), 6)
    assert frames.shape == (6, 48, 80, 3)
    assert alphas.shape == (6, 48, 80)
    assert np.array_equal(frames, again)
    assert not np.array_equal(frames, other)


def test_a_run_for_wider_inputs_trains_and_is_judged_on_them() -> None:
    usual, wide = TrainConfig(samples=320, small_share=0.5), TrainConfig(samples=320, small_share=0.5, wide=304)
    assert usual.sizes(0) == ((160, 160), (112, 192), (192, 112))
    assert usual.sizes(9) == ((224, 224), (144, 256), (256, 144))
    assert wide.sizes(0) == ((160, 160), (128, 224), (224, 128))
    assert wide.sizes(9) == ((224, 224), (176, 304), (304, 176))
    assert wide.wide_size == (176, 304)


def test_a_run_can_have_every_size_that_the_filter_gives_a_picture() -> None:
    usual = [TrainConfig(small_share=0).size(index) for index in range(600)]
    asked = [TrainConfig(small_share=0, details=("normal", "fine", "fine")).size(index) for index in range(len(usual))]
    assert set(usual) == {(224, 224), (144, 256), (256, 144)}
    normal = {(224, 224), (240, 176), (144, 256), (256, 144)}
    assert set(asked) == normal | {(272, 272), (288, 224), (176, 304), (304, 176)}
    assert 0.25 < sum(size in normal for size in asked) / len(asked) < 0.42
    # Which batches are wide stays as it was drawn.
    assert [h < w for h, w in usual] == [h < w for h, w in asked]


def test_the_details_are_kept_in_the_checkpoint() -> None:
    config = TrainConfig(details=("fine", "finest"))
    header = json.loads(json.dumps({"train": asdict(config)}))
    assert config_of(header) == config
    del header["train"]["details"]  # as runs had it before
    assert config_of(header) == TrainConfig()


def test_a_run_draws_as_many_wide_batches_as_it_was_told(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TrainConfig().shares == (0.5, 0.4, 0.1)  # what the kept checkpoints were trained with
    assert TrainConfig(wide_share=0.9).shares == pytest.approx((0, 0.9, 0.1))
    batches = Batches(read_training_set(tiny_data), TrainConfig(batch=1, small_share=0, wide_share=0.9), MixConfig())
    assert {batches[i][0].shape[1:3] for i in range(30)} == {(144, 256), (256, 144)}
    assert start(tiny_data, "--wide-share", "1") == 2
    assert "--wide-share is 1.0, need 0 to 0.9" in capsys.readouterr().err


def test_a_width_that_the_network_cannot_take_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(tiny_data, "--wide", "300") == 2
    assert "--wide is 300, need a positive multiple of 16" in capsys.readouterr().err


def test_a_stopped_and_resumed_run_ends_where_an_uninterrupted_one_does(
    tiny_data: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    whole = load_weights(runs / "t" / "last.safetensors", prefix="net").state_dict()
    # Take the run back to step 2 by training it anew and keeping the checkpoint of that step.
    (runs / "t" / "last.safetensors").unlink()
    kept: list[bytes] = []
    save = save_checkpoint

    def save_and_keep(path: Path, *rest: object) -> None:
        save(path, *rest)  # type: ignore[arg-type]
        kept.append(path.read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "save_checkpoint", save_and_keep)
        assert start(tiny_data, "--workers", "0") == 0
    (runs / "t" / "last.safetensors").write_bytes(kept[0])
    assert read_header(runs / "t" / "last.safetensors")["step"] == 2
    assert start(tiny_data, "--workers", "0", "--resume") == 0
    resumed = load_weights(runs / "t" / "last.safetensors", prefix="net").state_dict()
    for name, value in whole.items():
        assert torch.allclose(value.float(), resumed[name].float(), atol=1e-5), name


def test_a_run_can_be_saved_more_often_than_it_is_judged(
    tiny_data: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[tuple[int, object]] = []
    save = save_checkpoint

    def save_and_note(path: Path, *rest: object) -> None:
        save(path, *rest)  # type: ignore[arg-type]
        header = read_header(path)
        saved.append((header["step"], header.get("val_fg")))

    monkeypatch.setattr(train_module, "save_checkpoint", save_and_note)
    assert start(tiny_data, "--workers", "0", "--save", "1") == 0  # judged at steps 2 and 4
    assert [step for step, _ in saved] == [1, 2, 3, 4]
    assert saved[0][1] is None
    assert saved[2][1] == saved[1][1] is not None
    assert len((runs / "t" / "curves.csv").read_text().splitlines()) == 3


def test_a_resumed_run_can_be_given_another_length(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    first = read_header(runs / "t" / "last.safetensors")
    assert start(tiny_data, "--workers", "0", "--resume", "--samples", "24") == 0
    longer = read_header(runs / "t" / "last.safetensors")
    batch = first["train"]["batch"]
    assert (longer["step"], longer["train"]["samples"]) == (24 // batch, 24)
    assert start(tiny_data, "--workers", "0", "--resume", "--samples", "4") == 2
    assert "--samples is 4, and run t has seen 24" in capsys.readouterr().err


def test_a_run_is_given_another_mix_and_keeps_it(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = runs / "t" / "last.safetensors"
    assert start(tiny_data, "--workers", "0", "--mix", "empty=0.2", "wide_empty=0.28") == 0
    mix = MixConfig(empty=0.2, wide_empty=0.28)
    assert read_header(last)["mix"] == mix.to_dict()
    assert start(tiny_data, "--workers", "0", "--resume", "--samples", "24") == 0
    assert read_header(last)["mix"] == mix.to_dict()
    assert start(tiny_data, "--workers", "0", "--resume", "--samples", "32", "--mix", "empty=0.3") == 2
    assert "--remix" in capsys.readouterr().err
    assert start(tiny_data, "--workers", "0", "--resume", "--samples", "32", "--remix", "--mix", "empty=0.3") == 0
    assert read_header(last)["mix"] == MixConfig(empty=0.3).to_dict()


@pytest.mark.parametrize("share", ["emtpy=0.2", "empty", "empty=much", "empty=1.5", "empty=-1", "empty=nan"])
def test_a_share_of_the_mix_that_makes_no_sense_is_named(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    assert start(tiny_data, "--mix", share) == 2
    assert f"--mix {share}: " in capsys.readouterr().err


def test_a_mix_without_any_sample_of_a_shape_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = [f"{name}=0" for name in ("portrait", "street", "mixed", "composite", "empty")]
    assert start(tiny_data, "--mix", *none) == 2
    assert "portrait" in capsys.readouterr().err


def test_a_large_variants_run_goes_on_from_a_kept_checkpoint_under_1_mb(
    tiny_data: Path, runs: Path, tmp_path: Path
) -> None:
    kept, last = tmp_path / "kept.safetensors", runs / "t" / "last.safetensors"
    options = ("--workers", "0", "--variant", "plus", "--keep", str(kept))
    assert start(tiny_data, *options) == 0
    assert kept.stat().st_size <= 1_000_000 < last.stat().st_size
    weights = load_weights(last).state_dict()
    assert all(torch.equal(weights[n], v) for n, v in load_weights(kept).state_dict().items())
    last.unlink()
    cut = tmp_path / "step-2.safetensors"
    header = {**read_header(kept), "step": 2}
    with safe_open(kept, "pt") as file:
        names = list(file.keys())
        save_file({n: file.get_tensor(n) for n in names}, cut, {"eoam": json.dumps(header)})
    assert start(tiny_data, "--workers", "0", "--variant", "plus", "--keep", str(cut), "--resume") == 0
    assert read_header(last)["step"] == 4


def test_a_run_learns_from_a_larger_network_and_goes_on_only_with_the_same(
    tiny_data: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = tmp_path / "larger.safetensors"
    assert start(tiny_data, "--workers", "0", "--variant", "plus", "--keep", str(larger)) == 0
    shutil.rmtree(runs / "t")
    assert start(tiny_data, "--workers", "0", "--distil", "0.5") == 2
    assert "--larger" in capsys.readouterr().err
    assert start(tiny_data, "--workers", "0", "--distil", "0.5", "--larger", str(larger)) == 0
    header = read_header(runs / "t" / "last.safetensors")
    assert header["larger_sha256"] == sha256_of(larger)
    other = runs / "t" / "last.safetensors"
    assert start(tiny_data, "--workers", "0", "--resume", "--larger", str(other)) == 2
    assert "hash differs" in capsys.readouterr().err


def test_a_larger_network_is_believed_only_where_it_agrees_with_the_mask() -> None:
    larger = randomised(NetConfig()).eval()
    pictures = torch.rand(2, 3, 32, 32)
    opinion = torch.sigmoid(larger(pictures))
    alpha = (opinion > 0.5).float()
    alpha[1] = 1 - alpha[1]
    target = train_module.blend(alpha, larger, pictures, 0.25)
    assert torch.allclose(target[0], 0.75 * alpha[0] + 0.25 * opinion[0])
    assert torch.equal(target[1], alpha[1])


def test_a_checkpoint_names_its_data_and_configuration(tiny_data: Path, runs: Path) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    header = read_header(runs / "t" / "last.safetensors")
    assert header["data_sha256"] == read_training_set(tiny_data).sha256
    assert header["train"]["seed"] == 1
    assert (runs / "t" / "last.safetensors").stat().st_size < 1 << 20


def test_a_run_leaves_curves_and_masks_to_look_at(tiny_data: Path, runs: Path) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    rows = (runs / "t" / "curves.csv").read_text().splitlines()
    assert rows[0].startswith("step,loss,rate,val_fg")
    assert [row.split(",")[0] for row in rows[1:]] == ["2", "4"]
    assert cv2.imread(str(runs / "t" / "curves.png")) is not None
    assert cv2.imread(str(runs / "t" / "masks-000004.png")) is not None


def test_validation_leaves_the_network_as_it_was(tiny_data: Path) -> None:
    net = randomised(NetConfig())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Validation(tiny_data)(net, torch.device("cpu"))
    assert not net.training
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def test_a_difference_comes_with_its_standard_error() -> None:
    assert difference([0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.52, 0.54]) == "+1.50 ± 0.96"
    assert difference([0.5], [0.25]) == "-25.00"  # of one picture nothing is known about the error


def test_a_kept_checkpoint_is_judged_with_inputs_of_several_widths(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept.safetensors"
    net = randomised()
    save_checkpoint(
        file, net, randomised(), train_module.make_optimiser(net, TrainConfig()), 1, {"net": net.config.to_dict()}
    )
    assert validate([str(file), "--data", str(tiny_data), "--wide", "256", "304"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["| kept", "256x144"], ["| kept", "304x176"]]
    assert all(0 <= float(value.strip(" |")) <= 100 for row in rows for value in row[2:])
    other, net = tmp_path / "other.safetensors", randomised()
    with torch.no_grad():
        net.head.weight.neg_()
    optimiser = train_module.make_optimiser(net, TrainConfig())
    save_checkpoint(other, randomised(), net, optimiser, 1, {"net": net.config.to_dict()})
    assert validate([*map(str, (file, other, file)), "--data", str(tiny_data)]) == 0
    table, gains = capsys.readouterr().out.split("\nAgainst kept,")
    fgs = [float(line.split(" | ")[2]) for line in table.splitlines()[2:]]
    found = [line.split(" | ") for line in gains.splitlines()[4:]]
    assert [row[0] for row in found] == ["| other", "| kept"]
    assert float(found[0][2].split()[0]) == pytest.approx(fgs[1] - fgs[0], abs=0.02)
    assert found[1][2] == "+0.00 ± 0.00"
    assert fgs[0] != fgs[1]
    assert validate([str(file), "--data", str(tiny_data), "--wide", "100"]) == 2
    assert "--wide is 100, need a positive multiple of 16" in capsys.readouterr().err
    sizes = []
    for portrait in ("64x80", "80x64"):
        assert validate([str(file), "--data", str(tiny_data), "--portrait", portrait]) == 0
        sizes.append(capsys.readouterr().out.splitlines()[2].split(" | ")[2])
    assert sizes[0] != sizes[1] or sizes[0] != rows[0][2]
    for wrong in ("64", "64x", "60x80", "64x80x96", "-64x80"):
        assert validate([str(file), "--data", str(tiny_data), f"--portrait={wrong}"]) == 2
        assert f"--portrait is {wrong}, need COLUMNSxROWS" in capsys.readouterr().err


def test_a_missing_data_folder_is_one_sentence_and_exit_code_2(
    tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(tmp_path / "nowhere") == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_run_that_exists_is_not_overwritten(tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    assert start(tiny_data, "--workers", "0") == 2
    assert "--resume" in capsys.readouterr().err


def test_resuming_on_other_data_is_refused(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    other = tmp_path / "other"
    shutil.copytree(tiny_data, other)
    (other / "backgrounds" / "003.png").write_bytes((other / "backgrounds" / "004.png").read_bytes())
    assert start(other, "--workers", "0", "--resume") == 2
    assert "hash" in capsys.readouterr().err


def test_a_mask_of_another_size_than_its_picture_is_named(tiny_data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_data, other)
    cv2.imwrite(str(other / "ccp_upper" / "masks" / "003.png"), np.zeros((3, 3), np.uint8))
    with pytest.raises(DataError, match=r"003\.png"):
        read_training_set(other)


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match=r"c\.safetensors cannot be read"):
        read_header(tmp_path / "c.safetensors")
    with pytest.raises(DataError, match=r"none\.safetensors cannot be read"):
        read_header(tmp_path / "none.safetensors")
