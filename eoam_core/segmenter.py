"""Turn one small frame into one small mask: the seam behind which the network lies.

What the exported network promises (see models/export.py): input `frame`, uint8, (1, height, width, 4), BGRA; output
`mask`, uint8, (1, height, width), 255 = person; height and width free, multiples of 16. Casting, channel order,
normalisation and scaling are inside, so one call goes from bytes to bytes.
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InstallationError, ModelError
from eoam_core.geometry import STRIDE
from eoam_core.installation import check_installation, default_model_path

__all__ = ["ModelInfo", "NullSegmenter", "OnnxSegmenter", "Segmenter", "default_model_path", "read_model_info"]

Bytes = NDArray[np.uint8]

# Sessions that somebody uses.
_sessions: Final[weakref.WeakValueDictionary[tuple[bytes, int, tuple[int, int]], Any]] = weakref.WeakValueDictionary()
_sessions_lock: Final = threading.Lock()
_EXPECTED: Final = (
    "expected input 'frame' uint8 (1, height, width, 4) and output 'mask' uint8 (1, height, width) "
    "with free dimensions named 'height' and 'width'"
)


@runtime_checkable
class Segmenter(Protocol):
    """Find the person in frames of one fixed size."""

    @property
    def height(self) -> int:
        """Rows of a frame and of its mask."""

    @property
    def width(self) -> int:
        """Columns of a frame and of its mask."""

    @property
    def name(self) -> str:
        """What to show a user."""

    def segment(self, frame: Bytes) -> Bytes:
        """Return the mask (height, width) uint8, 255 = person, of a BGRA `frame` (height, width, 4) uint8."""

    def close(self) -> None:
        """Free what is held; may be called more than once."""


@runtime_checkable
class Openable(Protocol):
    """A segmenter that is not ready at once.

    `Pipeline` calls `open` before every frame that it leads through, and leaves that out of its times.
    """

    def open(self) -> None:
        """Get ready for frames; does nothing if it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """Describe a model file: what it says about itself, and the hash that tells two files apart."""

    path: Path
    name: str
    version: str
    sha256: str
    size_bytes: int
    metadata: Mapping[str, str]


class NullSegmenter:
    """Find nobody: every mask is zero, so nothing is shown. Stands in where there is no usable network."""

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.name = "none"

    def segment(self, frame: Bytes) -> Bytes:
        """Return zeros (height, width) uint8."""
        return np.zeros((self.height, self.width), np.uint8)

    def close(self) -> None:
        """Do nothing: nothing is held."""


class OnnxSegmenter:
    """Run the exported network with onnxruntime on the CPU, at one input size chosen at the start.

    Args:
        path: the .onnx file.
        height, width: rows and columns of the frames, multiples of 16 (see `geometry.network_size`).
        threads: CPU threads of one inference. More than one gains little at this size and takes them from the game.

    Raises:
        ModelError: the file is missing, damaged or keeps another contract; the message names it.
        InstallationError: onnxruntime is missing or does not load; the message holds the command.
        ValueError: a size that is no positive multiple of 16, or fewer than one thread.
    """

    def __init__(self, path: Path | str, *, height: int, width: int, threads: int = 1) -> None:
        for side, length in (("height", height), ("width", width)):
            if length < STRIDE or length % STRIDE:
                raise ValueError(f"{side} is {length}, need a positive multiple of {STRIDE}")
        if threads < 1:
            raise ValueError(f"threads is {threads}, need at least 1")
        self.height = height
        self.width = width
        self._path = Path(path)
        content = _read(self._path)
        self._session: Any = _shared_session(content, self._path, threads=threads, size=(height, width))
        self.info = _describe(self._session, self._path, content)
        self.name = f"{self.info.name} {self.info.version}".strip()
        # A graph can be declared well and still fail or lie when it runs; better here than on the first live frame.
        self.segment(np.zeros((height, width, 4), np.uint8))

    def segment(self, frame: Bytes) -> Bytes:
        """Return the mask (height, width) uint8, 255 = person, of a BGRA `frame` (height, width, 4) uint8.

        Raises:
            ModelError: onnxruntime failed, or what came back is not a mask of this size.
        """
        if self._session is None:
            raise RuntimeError("this segmenter is closed")
        try:
            (mask,) = self._session.run(("mask",), {"frame": frame[np.newaxis]})
        except Exception as error:  # onnxruntime's own exception types are private
            raise ModelError(f"{self._path} failed to run: {_first_line(error)}") from error
        if mask.dtype != np.uint8 or mask.shape != (1, self.height, self.width):
            got = f"{mask.dtype} {mask.shape}"
            raise ModelError(f"{self._path} returned {got}, need uint8 (1, {self.height}, {self.width})")
        result: Bytes = mask[0]
        return result

    def close(self) -> None:
        """Free the session; may be called more than once."""
        self._session = None


def read_model_info(path: Path | str) -> ModelInfo:
    """Read what a model file says about itself, and check that it keeps the contract.

    Raises:
        ModelError: as OnnxSegmenter.
        InstallationError: as OnnxSegmenter.
    """
    path = Path(path)
    content = _read(path)
    session = _open_session(content, path, threads=1, size=None)
    _check_contract(session, path, size=None)
    return _describe(session, path, content)


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"There is no model file {path}; put the project's eoam.onnx there.") from None
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from error
    if not content:
        raise ModelError(f"The model file {path} is empty; put the project's eoam.onnx there.")
    return content


def _shared_session(content: bytes, path: Path, *, threads: int, size: tuple[int, int]) -> Any:
    """Return the session of this content at this size; a second filter gets the first one's.

    onnxruntime allows several threads in one session. The content, not the path, tells networks apart: a file that was
    replaced is another network, and one that was copied is the same.
    """
    key = (hashlib.sha256(content).digest(), threads, size)
    with _sessions_lock:
        session = _sessions.get(key)
        if session is None:
            session = _open_session(content, path, threads=threads, size=size)
            _check_contract(session, path, size=size)
            _sessions[key] = session
    return session


def _open_session(content: bytes, path: Path, *, threads: int, size: tuple[int, int] | None) -> Any:
    # Newer ones keep an identity of the computer and a data base of events in the user's home, from the import on.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime  # type: ignore[import-untyped, unused-ignore]
    except Exception as error:
        remedy = next(part.remedy for part in check_installation() if part.name == "onnxruntime")
        raise InstallationError(f"onnxruntime does not load ({_first_line(error)}); install it: {remedy}") from error
    onnxruntime.disable_telemetry_events()  # what builds for Windows have besides
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: stderr belongs to OBS
    # Waiting threads must sleep: spinning would burn the cores that the game and the encoder need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if size is None:
        # Only the description is wanted, so do not spend time on optimising.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    else:
        # Fixed dimensions let onnxruntime fold every shape computation away and plan its memory once.
        options.add_free_dimension_override_by_name("height", size[0])
        options.add_free_dimension_override_by_name("width", size[1])
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exception types are private
        raise ModelError(
            f"The model file {path} is damaged or not an ONNX model ({_first_line(error)}); "
            f"put the project's eoam.onnx there, {_EXPECTED}."
        ) from error


def _check_contract(session: Any, path: Path, *, size: tuple[int, int] | None) -> None:
    height, width = size or ("height", "width")
    needs = {"frame": [1, height, width, 4], "mask": [1, height, width]}
    inputs, outputs = session.get_inputs(), session.get_outputs()
    found = ", ".join(f"{value.name!r} {value.type} {tuple(value.shape)}" for value in (*inputs, *outputs))
    fits = [value.name for value in inputs] == ["frame"] and [value.name for value in outputs] == ["mask"]
    for value in (*inputs, *outputs):
        fits = fits and value.type == "tensor(uint8)" and _same_shape(value.shape, needs[value.name])
    if not fits:
        raise ModelError(f"The model file {path} is of another kind: found {found}; {_EXPECTED}.")


def _same_shape(found: list[int | str | None], need: list[int | str]) -> bool:
    # Shape inference may lose the output's free dimensions (None or a made-up name); a number must be the right one.
    if len(found) != len(need):
        return False
    return all(a == b or (isinstance(b, str) and not isinstance(a, int)) for a, b in zip(found, need, strict=True))


def _describe(session: Any, path: Path, content: bytes) -> ModelInfo:
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    return ModelInfo(
        path=path,
        name=metadata.get("name") or path.stem,
        version=metadata.get("version", ""),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        metadata=metadata,
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
