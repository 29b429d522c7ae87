"""The network, its losses, and a training that can be stopped and resumed."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from models import ablation  # noqa: E402
from models import export as export_module  # noqa: E402
from models import train as train_module  # noqa: E402
from models.augment import MixConfig, SampleMaker  # noqa: E402
from models.data import DataError, read_training_set, room_paths, validation_ids  # noqa: E402
from models.losses import class_targets, edge_band, soft_iou, total_loss  # noqa: E402
from models.net import BACKGROUND, EDGE, FUSIONS, PORTRAIT, Eoam, count_parameters  # noqa: E402


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of drawn discs on noise, laid out as docs/training.md says."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("eg1800_train", "ccp_upper", "mixed_people"):
        (root / name / "images").mkdir(parents=True)
        (root / name / "masks").mkdir()
        for i in range(6):
            mask = np.zeros((64, 48), np.uint8)
            cv2.circle(mask, (24, 40), 18 + i, 255, -1)
            picture = rng.integers(0, 90, (64, 48, 3), np.uint8)
            picture[mask > 0] += 150
            cv2.imwrite(str(root / name / "images" / f"{i:03}.png"), picture)
            cv2.imwrite(str(root / name / "masks" / f"{i:03}.png"), mask)
    for folder in ("cutouts", "backgrounds"):
        (root / folder).mkdir()
    for i in range(12):
        picture = rng.integers(0, 90, (60, 80, 4), np.uint8)
        cv2.imwrite(str(root / "backgrounds" / f"{i:03}.png"), picture[..., :3])
        cv2.imwrite(str(root / "cutouts" / f"{i:03}.png"), picture)
    (root / "eg1800_val.txt").write_text("004\n005\n")
    return root


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(train_module, "RUNS", tmp_path)
    return tmp_path


def start(data: Path, *more: str) -> int:
    return train_module.main(
        ["--data", str(data), "--run", "t", "--samples", "8", "--batch", "2", "--every", "2", *more]
    )


def test_the_network_has_the_papers_number_of_parameters() -> None:
    assert count_parameters(Eoam()) <= 21_500


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


def test_a_stopped_and_resumed_run_ends_where_an_uninterrupted_one_does(tiny_data: Path, runs: Path) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    whole = train_module.load_weights(runs / "t" / "last.safetensors", prefix="net").state_dict()
    # Take the run back to step 2 by training it anew and keeping the checkpoint of that step.
    (runs / "t" / "last.safetensors").unlink()
    kept: list[bytes] = []
    save = train_module.save_checkpoint

    def save_and_keep(path: Path, *rest: object) -> None:
        save(path, *rest)  # type: ignore[arg-type]
        kept.append(path.read_bytes())

    train_module.save_checkpoint = save_and_keep  # type: ignore[assignment]
    try:
        assert start(tiny_data, "--workers", "0") == 0
    finally:
        train_module.save_checkpoint = save
    (runs / "t" / "last.safetensors").write_bytes(kept[0])
    assert train_module.read_header(runs / "t" / "last.safetensors")["step"] == 2
    assert start(tiny_data, "--workers", "0", "--resume") == 0
    resumed = train_module.load_weights(runs / "t" / "last.safetensors", prefix="net").state_dict()
    for name, value in whole.items():
        assert torch.allclose(value.float(), resumed[name].float(), atol=1e-5), name


def test_a_checkpoint_names_its_data_and_configuration(tiny_data: Path, runs: Path) -> None:
    assert start(tiny_data, "--workers", "0") == 0
    header = train_module.read_header(runs / "t" / "last.safetensors")
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
    net = randomised()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    train_module.Validation(tiny_data)(net, torch.device("cpu"))
    assert not net.training
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


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


def test_the_ablation_trains_three_fusions_and_prints_a_table(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--data", str(tiny_data), "--samples", "64", "--seeds", "1", "--workers", "0"]
    assert ablation.main([*words, "--figure", str(tmp_path / "f.png")]) == 0
    table = capsys.readouterr().out
    assert all(f"| {fusion} | " in table for fusion in FUSIONS)
    assert cv2.imread(str(tmp_path / "f.png")).shape[1] == 5 * 224
    header = train_module.read_header(runs / ablation.run_name("none", 1, 64) / "last.safetensors")
    assert header["net"]["fusion"] == "none"


def randomised() -> Eoam:
    torch.manual_seed(1)
    net = Eoam()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def checkpoint_of(net: Eoam, path: Path) -> Path:
    optimiser = train_module.make_optimiser(net, train_module.TrainConfig())
    header = {"net": net.config.to_dict(), "train": {"batch": 32}, "data_sha256": "0" * 64}
    train_module.save_checkpoint(path, net, copy.deepcopy(net), optimiser, 1, header)
    return path


def test_the_exported_graph_is_the_network_to_one_grey_level(tmp_path: Path) -> None:
    net = randomised()
    export_module.export(checkpoint_of(net, tmp_path / "c.safetensors"), tmp_path / "n.onnx")
    frame = np.random.default_rng(5).integers(0, 256, (1, 48, 80, 4), np.uint8)
    session = onnxruntime.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
    (mask,) = session.run(None, {"frame": frame})
    rgb = torch.from_numpy(frame[..., 2::-1].copy()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = torch.sigmoid(net(rgb))[:, 0].numpy() * 255
    assert np.ptp(expected) > 2
    assert np.abs(np.round(expected) - mask.astype(float)).max() <= 1


def test_an_export_that_differs_is_refused_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "n.onnx"
    target.write_bytes(b"the old one")
    fold = export_module.Deployed.__init__

    def wrong(self: object, net: Eoam) -> None:
        fold(self, net)  # type: ignore[arg-type]
        self.net.head.bias.data += 0.5  # type: ignore[attr-defined]

    monkeypatch.setattr(export_module.Deployed, "__init__", wrong)
    assert export_module.main([str(checkpoint_of(randomised(), tmp_path / "c.safetensors")), str(target)]) == 2
    assert target.read_bytes() == b"the old one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.safetensors", "n.onnx"]
