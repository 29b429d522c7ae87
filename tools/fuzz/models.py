"""Fuzz the user's own networks: damaged files, and their metadata."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from eoam_core.errors import ModelError
from eoam_core.segmenter import OnnxSegmenter, read_model_info
from tools.fuzz.mutations import damaged, require_sentence
from tools.fuzz.target import REPOSITORY, Target

_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
_KEYS = st.one_of(st.sampled_from(["name", "version"]), _ANY_TEXT)


def toy(metadata: dict[str, str] | None = None) -> bytes:
    """Return a small network that calls red pixels a person."""
    nodes = [
        helper.make_node("Slice", ["frame", "from", "to", "axis"], ["red"]),
        helper.make_node("Squeeze", ["red", "axis"], ["plane"]),
        helper.make_node("Cast", ["plane"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["number", "one"], ["image"]),
        helper.make_node("Conv", ["image", "kernel"], ["smooth"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Squeeze", ["smooth", "one"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["mask"], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("from", 2), ("to", 3), ("axis", 3), ("one", 1))
    ]
    constants.append(helper.make_tensor("kernel", TensorProto.FLOAT, [1, 1, 3, 3], [1 / 9] * 9))
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def _samples() -> list[bytes]:
    ours = (REPOSITORY / "models" / "eoam.onnx").read_bytes()
    return [toy(), toy(), toy({"name": "x", "version": "1"}), ours]


def _check(content: bytes, folder: Path) -> None:
    path = folder / "own.onnx"
    path.write_bytes(content)
    try:
        info = read_model_info(path)
        for text in (info.name, info.version, *info.metadata, *info.metadata.values()):
            assert text.isprintable()
        assert len(info.name) <= 60 * 10  # a character that is not shown is written out with up to ten
        segmenter = OnnxSegmenter(path, height=16, width=32)
    except ModelError as error:
        require_sentence(error, path)
        return
    mask = segmenter.segment(np.full((16, 32, 4), 200, np.uint8))
    assert (mask.dtype, mask.shape) == (np.dtype(np.uint8), (16, 32))
    segmenter.close()


TARGETS = (
    Target("models", lambda: damaged(_samples), _check),
    Target(
        "metadata",
        lambda: st.dictionaries(st.one_of(st.sampled_from(["name", "version"]), _ANY_TEXT), _ANY_TEXT, max_size=3).map(
            toy
        ),
        _check,
    ),
)
