"""Write a trivial network whose mask is the picture's brightness, so that every expectation can be computed."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def write_brightness_model(file: Path) -> None:
    """Write an ONNX file that keeps the export contract: mask = rounded mean of blue, green and red."""
    indices = {"start": 0, "end": 3, "axis": 3}
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["frame", "start", "end", "axis"], ["bgr"]),
            helper.make_node("Cast", ["bgr"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["real"], ["mean"], axes=[3], keepdims=0),
            helper.make_node("Round", ["mean"], ["level"]),
            helper.make_node("Cast", ["level"], ["mask"], to=TensorProto.UINT8),
        ],
        "brightness",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"])],
        [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in indices.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"name": "brightness", "version": "1"})
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
