"""Stand-ins that the tests share: tiny networks, segmenters under a test's control, drawn frames."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

Bytes = NDArray[np.uint8]

HEIGHT, WIDTH = 48, 64  # small, multiples of 16, and different


def save_network(
    path: Path,
    *,
    input_name: str = "frame",
    output_name: str = "mask",
    kind: int = TensorProto.UINT8,
    channels: int = 4,
    height: int | str = "height",
    width: int | str = "width",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a network that calls whatever is red a person: its mask is the frame's red channel."""
    nodes = [
        helper.make_node("Slice", [input_name, "from", "to", "axis"], ["red"]),
        helper.make_node("Squeeze", ["red", "axis"], [output_name]),
    ]
    constants = [
        helper.make_tensor(name, TensorProto.INT64, [1], [value])
        for name, value in (("from", 2), ("to", 3), ("axis", 3))
    ]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info(input_name, kind, [1, height, width, channels])],
        [helper.make_tensor_value_info(output_name, kind, [1, height, width])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(path))
    return path


def broken_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an onnxruntime found first that was built for another numpy: it prints, and raises."""
    folder.mkdir()
    (folder / "onnxruntime.py").write_text(
        "import sys\nsys.stderr.write('A module that was compiled using NumPy 1.x cannot be run\\n')\n"
        "raise ImportError('numpy.core.multiarray failed to import')\n",
        encoding="utf-8",
    )
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(str(folder))


def frame_with_person(height: int = HEIGHT, width: int = WIDTH) -> Bytes:
    """Draw a grey-blue room with a red block in its middle: (height, width, 4) BGRA."""
    frame = np.full((height, width, 4), (120, 90, 0, 255), np.uint8)
    frame[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4, :3] = (20, 30, 255)
    return frame


class RedSegmenter:
    """Return the frame's red channel as the mask."""

    def __init__(self, height: int = HEIGHT, width: int = WIDTH) -> None:
        self.height = height
        self.width = width
        self.name = "red"
        self.closed = 0

    def segment(self, frame: Bytes) -> Bytes:
        return frame[..., 2].copy()

    def close(self) -> None:
        self.closed += 1


class FailingSegmenter(RedSegmenter):
    """Raise for frames whose first byte is 1, otherwise as RedSegmenter."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def segment(self, frame: Bytes) -> Bytes:
        if frame[0, 0, 0] == 1:
            raise self.error
        return super().segment(frame)


class GatedSegmenter(RedSegmenter):
    """Say when a frame has been begun, and wait for leave to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)

    def segment(self, frame: Bytes) -> Bytes:
        self.begun.release()
        assert self.leave.acquire(timeout=10)
        return super().segment(frame)
