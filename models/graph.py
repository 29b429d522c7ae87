"""Measure the size of an exported network, in the graph that users run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


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
    """Count weights and biases of all nodes and the multiply-adds of its layers at `height` x `width`.

    Every float initialiser with more than one value counts as parameters, except the scales of a Resize and our own
    table of bilinear weights (`enlargement`). Operations are those of convolutions and matrix products, as in the
    papers' tables, less what only makes weights of constants (onnxruntime does that once). Inputs whose size is fixed
    keep it.
    """
    model = onnx.load(str(path))
    layers = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm")]
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    shapes = _run_for_shapes(model, {n for layer in layers for n in (*layer.input, *layer.output)}, height, width)
    shapes |= {name: w.shape for name, w in weights.items()}
    multiply_adds = 0
    for layer in layers:
        given, made = shapes.get(layer.input[0], ()), shapes[layer.output[0]]
        if layer.op_type == "MatMul":
            multiply_adds += int(np.prod(made)) * given[-1]
        elif layer.op_type == "Gemm":
            multiply_adds += int(np.prod(shapes[layer.input[1]])) * made[0]
        else:
            # A convolution does its kernel's work once per output place, a transposed one once per input place.
            _, channels, h, w = made if layer.op_type == "Conv" else given
            multiply_adds += int(np.prod(shapes[layer.input[1]][1:])) * channels * h * w
    scales = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[1:]}
    scales |= {name for name in weights if name.endswith("enlargement")}
    parameters = sum(w.size for name, w in weights.items() if w.dtype.kind == "f" and w.size > 1 and name not in scales)
    return GraphSize(parameters, multiply_adds)


def _run_for_shapes(model: onnx.ModelProto, names: set[str], height: int, width: int) -> dict[str, tuple[int, ...]]:
    # Shape inference fails after some nodes of the peers' graphs; a run gives all shapes.
    made = [name for node in model.graph.node for name in node.output if name in names]
    known = {o.name for o in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused nodes lose names
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    free = iter((height, width))
    shape = [d if isinstance(d, int) else next(free) for d in source.shape]
    frame = np.zeros(shape, np.uint8 if source.type == "tensor(uint8)" else np.float32)
    outputs = session.run(made, {source.name: frame})
    return {source.name: frame.shape, **{n: o.shape for n, o in zip(made, outputs, strict=True)}}
