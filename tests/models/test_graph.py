"""The exported network keeps its size and its contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from models.graph import measure_graph


def test_the_exported_network_has_at_most_the_papers_parameters_and_operations(exported: Path) -> None:
    size = measure_graph(exported, 224, 224)
    # The lower bounds catch a counter that has gone blind.
    assert 15_000 < size.parameters <= 21_500
    assert 15e6 < size.multiply_adds <= 30.5e6
    assert size.flops <= 0.061e9


def test_the_larger_network_keeps_its_size(exported: Path) -> None:
    size = measure_graph(exported.with_name("eoam_plus.onnx"), 224, 224)
    assert 50_000 < size.parameters <= 100_000
    assert 50e6 < size.multiply_adds <= 107e6


def test_the_counter_counts_a_convolution_exactly(tmp_path: Path) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [8, 3, 3, 3], np.zeros(216, np.float32))
    bias = helper.make_tensor("b", TensorProto.FLOAT, [8], np.zeros(8, np.float32))
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["t", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "height", "width", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight, bias],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "g.onnx")
    size = measure_graph(tmp_path / "g.onnx", 32, 64)
    assert size.parameters == 224
    assert size.multiply_adds == 8 * 27 * 16 * 32


@pytest.mark.parametrize(("height", "width"), [(144, 256), (224, 224), (256, 144), (16, 16), (160, 224)])
def test_the_exported_network_takes_bytes_and_returns_bytes_at_any_multiple_of_sixteen(
    shipped: Path, height: int, width: int
) -> None:
    session = onnxruntime.InferenceSession(str(shipped), providers=["CPUExecutionProvider"])
    frame = np.random.default_rng(0).integers(0, 256, (1, height, width, 4), np.uint8)
    (mask,) = session.run(["mask"], {"frame": frame})
    assert mask.dtype == np.uint8
    assert mask.shape == (1, height, width)


def test_the_network_ignores_the_alpha_byte(shipped: Path) -> None:
    session = onnxruntime.InferenceSession(str(shipped), providers=["CPUExecutionProvider"])
    frame = np.random.default_rng(0).integers(0, 256, (1, 144, 256, 4), np.uint8)
    (one,) = session.run(["mask"], {"frame": frame})
    frame[..., 3] = 255 - frame[..., 3]
    (other,) = session.run(["mask"], {"frame": frame})
    assert np.array_equal(one, other)


def test_the_file_says_what_it_is(exported: Path) -> None:
    metadata = {p.key: p.value for p in onnx.load(str(exported)).metadata_props}
    assert metadata["name"] == "eoam"
    assert metadata["version"]
    assert len(metadata["training_data_sha256"]) == 64
    assert "MODEL_CARD" in metadata["licence"]
