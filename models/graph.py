"""Size of an exported network, counted in the graph that users run rather than in the code that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference


@dataclass(frozen=True)
class GraphSize:
    """Parameters and multiply-adds of a graph; `flops` counts two per multiply-add."""

    parameters: int
    multiply_adds: int

    @property
    def flops(self) -> int:
        """Floating-point operations at two per multiply-add (the poster's way of counting)."""
        return 2 * self.multiply_adds


def measure_graph(path: Path, height: int = 224, width: int = 224) -> GraphSize:
    """Count weights and biases of all nodes and the multiply-adds of all convolutions at `height` x `width`.

    Every float initialiser with more than one value counts as parameters, except the scales of a Resize. A graph with a
    MatMul or Gemm would be under-counted, so it is refused with ValueError.
    """
    model = onnx.load(str(path))
    for dim, value in zip(model.graph.input[0].type.tensor_type.shape.dim[1:3], (height, width), strict=True):
        dim.Clear()
        dim.dim_value = value
    for output in model.graph.output:  # symbolic sizes stated there would contradict the inferred ones
        output.type.tensor_type.ClearField("shape")
    model = shape_inference.infer_shapes(model, data_prop=True)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*model.graph.value_info, *model.graph.output, *model.graph.input]
    }
    scales = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
    multiply_adds = 0
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm", "ConvTranspose"):
            raise ValueError(f"{path} has a {node.op_type} node, which this counter does not know.")
        if node.op_type == "Conv":
            _, c_out, h, w = shapes[node.output[0]]
            multiply_adds += int(np.prod(weights[node.input[1]].shape[1:])) * c_out * h * w
    parameters = sum(w.size for name, w in weights.items() if w.dtype.kind == "f" and w.size > 1 and name not in scales)
    return GraphSize(parameters, multiply_adds)
