"""The exported file is the trained network, says so in grey levels, and holds nothing twice."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from models import export as export_module  # noqa: E402
from models.graph import measure_graph  # noqa: E402
from models.net import FUSIONS, Eoam, NetConfig  # noqa: E402

from .networks import checkpoint_of, randomised  # noqa: E402


@pytest.fixture(scope="module")
def net() -> Eoam:
    return randomised()


@pytest.fixture(scope="module")
def file(net: Eoam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network that is trained by default, exported."""
    folder = tmp_path_factory.mktemp("export")
    export_module.export(checkpoint_of(net, folder / "c.safetensors"), folder / "n.onnx")
    return folder / "n.onnx"


def difference(net: Eoam, file: Path, height: int, width: int) -> float:
    """Return by how many grey levels file and network differ at most, on coarse noise."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (1, height // 16, width // 16, 4)).repeat(16, 1).repeat(16, 2)
    frame = np.clip(coarse + rng.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (mask,) = session.run(None, {"frame": frame})
    rgb = torch.from_numpy(frame[..., 2::-1].copy()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = torch.sigmoid(net(rgb))[:, 0].numpy() * 255
    assert mask.shape == expected.shape
    assert np.ptp(expected) > 100
    return float(np.abs(np.round(expected) - mask.astype(float)).max())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 80), (144, 256), (224, 224), (256, 144)])
def test_the_exported_graph_is_the_network_to_one_grey_level(net: Eoam, file: Path, height: int, width: int) -> None:
    assert difference(net, file, height, width) <= 1


@pytest.mark.parametrize(
    "config", [NetConfig(), NetConfig(half=8), *(NetConfig(eighth_rounds=3, fusion=f) for f in FUSIONS)]
)
def test_other_configurations_are_exported_as_well(config: NetConfig, tmp_path: Path) -> None:
    net = randomised(config)
    export_module.export(checkpoint_of(net, tmp_path / "c.safetensors"), tmp_path / "n.onnx")
    assert difference(net, tmp_path / "n.onnx", 48, 80) <= 1


def test_the_file_has_at_most_the_papers_parameters_and_operations(file: Path) -> None:
    size = measure_graph(file, 224, 224)
    assert 20_000 < size.parameters <= 21_500
    assert 20e6 < size.multiply_adds <= 30.5e6


def test_alpha_takes_no_part_and_the_colours_keep_their_places(file: Path) -> None:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    frame = np.random.default_rng(1).integers(0, 256, (1, 48, 80, 4), np.uint8)
    (mask,) = session.run(None, {"frame": frame})
    for channel in range(4):
        other = frame.copy()
        other[..., channel] = 255 - other[..., channel]
        assert np.array_equal(session.run(None, {"frame": other})[0], mask) == (channel == 3)


def test_weights_that_several_rounds_share_are_in_the_file_once(file: Path) -> None:
    shapes = Counter(tuple(t.dims) for t in onnx.load(str(file)).graph.initializer)
    assert shapes[48, 1, 5, 5] == 2  # the two blocks at 1/16, three rounds each
    assert shapes[48, 48, 1, 1] == 2
    assert shapes[48, 1, 1, 1] == 2 * 2 * 2  # a factor for each convolution of each further round


def test_bytes_are_handled_only_by_operators_that_the_oldest_allowed_onnxruntime_has_for_them(file: Path) -> None:
    model = onnx.shape_inference.infer_shapes(onnx.load(str(file)))
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    types = {v.name: v.type.tensor_type.elem_type for v in values}
    found = {
        node.op_type
        for node in model.graph.node
        if any(types.get(name) == TensorProto.UINT8 for name in (*node.input, *node.output))
    }
    assert found == {"Unsqueeze", "DequantizeLinear", "QuantizeLinear", "Transpose", "Reshape", "Shape"}


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


@pytest.mark.parametrize("part", ["depthwise_bias", "pointwise_bias", "depthwise_factor", "pointwise_factor"])
def test_a_round_that_is_folded_wrongly_is_not_exported(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fold = export_module.FoldedRound.__init__

    def wrong(self: object, *given: object) -> None:
        fold(self, *given)  # type: ignore[arg-type]
        getattr(self, part).data *= 1.1

    monkeypatch.setattr(export_module.FoldedRound, "__init__", wrong)
    words = [str(checkpoint_of(randomised(), tmp_path / "c.safetensors")), str(tmp_path / "n.onnx")]
    assert export_module.main(words) == 2
    assert "Folding changes the logits" in capsys.readouterr().err


def test_a_channel_that_is_switched_off_where_weights_are_shared_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = randomised()
    net.fuse.depthwise.bn.weight.data[3] = 0
    words = [str(checkpoint_of(net, tmp_path / "c.safetensors")), str(tmp_path / "n.onnx")]
    assert export_module.main(words) == 2
    assert "switched off" in capsys.readouterr().err


def test_what_cannot_be_read_or_written_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"bad")
    assert export_module.main([str(tmp_path / "bad.safetensors"), str(tmp_path / "n.onnx")]) == 2
    assert "bad.safetensors" in capsys.readouterr().err
    good = checkpoint_of(randomised(), tmp_path / "c.safetensors")
    assert export_module.main([str(good), str(tmp_path / "nowhere" / "n.onnx")]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_the_sums_beside_the_networks_follow_an_export(net: Eoam, tmp_path: Path) -> None:
    checkpoint, target = checkpoint_of(net, tmp_path / "c.safetensors"), tmp_path / "n.onnx"
    assert export_module.main([str(checkpoint), str(target)]) == 0
    sums = tmp_path / export_module.SUMS
    assert not sums.exists()  # only where there were some
    sums.write_text("of an older one  n.onnx\n")
    assert export_module.main([str(checkpoint), str(target)]) == 0
    assert sums.read_text() == f"{hashlib.sha256(target.read_bytes()).hexdigest()}  n.onnx\n"
