"""Wrap exported networks, ours and the peers', as functions from a picture to its matte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from eoam_core.geometry import network_size
from eoam_core.settings import Detail
from models.data import DataError, Image

LANDSCAPE = "MediaPipe landscape"  # a widely used network, the reference for times
SINET = "SINet_Softmax_simple.onnx"


@dataclass(frozen=True)
class Network:
    """One network to judge: `run(bgr)` takes a picture of any size and returns its matte, uint8, of that size."""

    name: str
    path: Path
    run: Callable[[Image, tuple[int, int]], Image]
    infer: Callable[[tuple[int, int]], Callable[[], object]]  # for timing: input already made, network alone
    sizes: dict[str, tuple[int, int]]  # input (h, w) by shape of the picture: "square" or "upright", and "wide"

    @property
    def portrait_size(self) -> tuple[int, int]:
        """The input (h, w) for portraits, which are upright, about 3:4."""
        return self.sizes["upright" if "upright" in self.sizes else "square"]


def session(model: bytes, size: tuple[int, int] | None = None) -> onnxruntime.InferenceSession:
    """Open a network for one thread; `size` fixes a free height and width, as the filter does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for name, length in zip(("height", "width"), size or (), strict=False):
        options.add_free_dimension_override_by_name(name, length)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def shrink(bgr: Image, size: tuple[int, int]) -> Image:
    """Resize to `(h, w)` by area, as the filter's GPU pass does."""
    return np.asarray(cv2.resize(bgr, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def enlarge(mask: np.ndarray, like: Image) -> Image:
    """Bring a mask in [0, 1] to a picture's size and to bytes."""
    h, w = like.shape[:2]
    matte = np.asarray(cv2.resize(mask, (w, h), interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.clip(matte * 255 + 0.5, 0, 255), np.uint8)


def network(
    name: str,
    path: Path,
    prepare: Callable[[Image], np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    model: bytes | None = None,
    **sizes: tuple[int, int],
) -> Network:
    """Wrap an ONNX file; `prepare` makes its input of a small BGR picture, `read` `(h, w)` in [0, 1] of its output.

    `model` is run instead of the file's content, if given.
    """
    content = path.read_bytes() if model is None else model
    runner = session(content)
    key = runner.get_inputs()[0].name

    def run(bgr: Image, size: tuple[int, int]) -> Image:
        return enlarge(read(runner.run(None, {key: prepare(shrink(bgr, size))})[0]), bgr)

    def infer(size: tuple[int, int]) -> Callable[[], object]:
        feed = {key: prepare(np.full((*size, 3), 127, np.uint8))}
        alone = session(content, size)
        return lambda: alone.run(None, feed)

    return Network(name, path, run, infer, sizes)


def bgra(picture: Image) -> np.ndarray:
    """Convert a BGR picture to OBS's layout."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA))[None]


def rgb01(picture: Image) -> np.ndarray:
    """Make MediaPipe's input: float RGB in [0, 1], channels last."""
    return picture[None, ..., ::-1].astype(np.float32) / 255


def sinet_input(picture: Image) -> np.ndarray:
    """Make SINet's input: normalised BGR, channels first."""
    mean, scale = np.array([102.890434, 111.25247, 126.91212]), np.array([62.93292, 62.82138, 66.355705]) * 255
    return np.ascontiguousarray(((picture - mean) / scale).astype(np.float32).transpose(2, 0, 1)[None])


def softmax_second(logits: np.ndarray) -> np.ndarray:
    """Return the second of two classes' probability from `(1, h, w, 2)` logits."""
    return np.asarray(1 / (1 + np.exp(logits[0, ..., 0] - logits[0, ..., 1])))


def own_network(path: Path, detail: Detail = Detail.NORMAL, *, name: str | None = None) -> Network:
    """Open an exported network of this project at the sizes that pictures have with `detail`. Raises DataError.

    With the normal one portraits are squeezed into the paper's 224x224 instead, so that there are figures to compare.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist: name an exported network (python -m models.export).")
    columns, rows = network_size(3, 4, detail)
    portrait = {"square": (224, 224)} if detail is Detail.NORMAL else {"upright": (rows, columns)}
    sizes = {**portrait, "wide": wide_size(detail)}
    name = name or (path.stem if detail is Detail.NORMAL else f"{path.stem}, {detail.value}")
    return network(name, path, bgra, lambda y: y[0].astype(np.float32) / 255, None, **sizes)


def wide_size(detail: Detail) -> tuple[int, int]:
    """Return the network's input (h, w) for 16:9."""
    columns, rows = network_size(16, 9, detail)
    return rows, columns


def peer_networks(folder: Path, only: tuple[str, ...] | None = None) -> list[Network]:
    """Open the peers of `folder` (its README says what each takes), or `only` those files of them. Raises DataError."""
    square, wide = (256, 256), (144, 256)
    files = {
        LANDSCAPE: ("mediapipe.onnx", rgb01, softmax_second, wide),
        "MediaPipe square": ("selfie_segmentation.onnx", rgb01, lambda y: y[0, ..., 0], square),
        "SINet 320": (SINET, sinet_input, lambda y: y[0, 1], (320, 320)),
    }
    files = {name: entry for name, entry in files.items() if only is None or entry[0] in only}
    missing = [str(folder / f[0]) for f in files.values() if not (folder / f[0]).is_file()]
    if missing:
        raise DataError(f"{', '.join(missing)} missing: --peers names a folder that holds the peers' ONNX files.")
    return [
        network(name, folder / file, prepare, read, square=size, wide=size)
        for name, (file, prepare, read, size) in files.items()
    ]


def sinet_at(path: Path, side: int) -> bytes:
    """Return the SINet file for an input of `side` x `side`, a multiple of 32, with every size in it changed.

    For timing at the paper's 224: the file's own 320 is written into its reshapes and its global poolings. The weights
    were made for 320, so the masks at another size say nothing about SINet.
    """
    model = onnx.load(str(path))
    given = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    if side < 32 or side % 32 or given % 32:
        raise DataError(f"{path} is for {given}, asked for {side}: both must be multiples of 32.")
    # 1/4 and 1/8 of the side are the sizes that occur; no channel count of SINet is one of them (40 and 80 for 320).
    resized = {given // step: side // step for step in (1, 2, 4, 8)}
    shapes = {n.input[1] for n in model.graph.node if n.op_type in ("Reshape", "Expand")}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            values = [resized.get(int(v), int(v)) for v in numpy_helper.to_array(tensor)]
            tensor.CopyFrom(numpy_helper.from_array(np.array(values, np.int64), tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "AveragePool" and attribute.name in ("kernel_shape", "strides"):
                attribute.ints[:] = [resized.get(v, v) for v in attribute.ints]
    for value in (*model.graph.input[:1], *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            dimension.dim_value = resized.get(dimension.dim_value, dimension.dim_value)
    del model.graph.value_info[:]  # written for the old size
    content: bytes = model.SerializeToString()
    return content


def sinet_224(folder: Path) -> Network:
    """Open SINet at 224, the common size of comparisons with the EOAM paper; for timing only."""
    path, size = folder / SINET, (224, 224)
    model = sinet_at(path, size[0])
    return network("SINet 224", path, sinet_input, lambda y: y[0, 1], model=model, square=size, wide=size)
