"""Turn one input frame into one mask: the interface to the network.

The exported network's contract (see models/export.py): input `frame`, uint8, (1, height, width, 4), BGRA; output
`mask`, uint8, (1, height, width), 255 = person; height and width free, multiples of 16. Casting, channel order,
normalisation and scaling are in the graph, so one call goes from bytes to bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import ModelError
from eoam_core.geometry import STRIDE
from eoam_core.model_file import ModelFile, read_model
from eoam_core.model_path import default_model_path
from eoam_core.printable import printable
from eoam_core.session import described_session, first_line, shared_session

__all__ = ["ModelInfo", "NullSegmenter", "OnnxSegmenter", "Segmenter", "default_model_path", "read_model_info"]

Bytes = NDArray[np.uint8]

_LONGEST_NAME: Final = 60
_LONGEST_VALUE: Final = 2000


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
        """The name shown to users."""

    def segment(self, frame: Bytes) -> Bytes:
        """Return the mask (height, width) uint8, 255 = person, of a BGRA `frame` (height, width, 4) uint8."""

    def close(self) -> None:
        """Free everything; may be called more than once."""


@runtime_checkable
class Openable(Protocol):
    """A segmenter that has to be opened first.

    `Pipeline` calls `open` before every frame, and leaves it out of its timings.
    """

    def open(self) -> None:
        """Get ready for frames; do nothing if ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What a model file says about itself, and its hash."""

    path: Path
    name: str
    version: str
    sha256: str
    size_bytes: int
    metadata: Mapping[str, str]


class NullSegmenter:
    """Find nobody: every mask is zero, so nothing is shown. Used where there is no usable network."""

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self.name = "none"

    def segment(self, frame: Bytes) -> Bytes:
        """Return zeros (height, width) uint8."""
        return np.zeros((self.height, self.width), np.uint8)

    def close(self) -> None:
        """Do nothing."""


class OnnxSegmenter:
    """Run the exported network with onnxruntime on the CPU, at one input size chosen at the start.

    Args:
        path: the .onnx file.
        height, width: rows and columns of the frames, multiples of 16 (see `geometry.network_size`).
        threads: CPU threads of one inference. More than one gains little at this size and takes cores from the game.

    Raises:
        ModelError: the file is missing, damaged or has another contract; the message names it.
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
        file = read_model(self._path)
        self._session: Any = shared_session(file, threads=threads, size=(height, width))
        self.info = _describe(self._session, file)
        self.name = f"{self.info.name} {self.info.version}".strip()
        # A graph with a correct declaration can still fail or return something else; better here than on the first live
        # frame.
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
            raise ModelError(f"{self._path} failed to run: {first_line(error)}") from error
        if mask.dtype != np.uint8 or mask.shape != (1, self.height, self.width):
            got = f"{mask.dtype} {mask.shape}"
            raise ModelError(f"{self._path} returned {got}, need uint8 (1, {self.height}, {self.width})")
        result: Bytes = mask[0]
        return result

    def close(self) -> None:
        """Free the session; may be called more than once."""
        self._session = None


def read_model_info(path: Path | str) -> ModelInfo:
    """Read what a model file says about itself, and check that it has the contract.

    Raises:
        ModelError: as OnnxSegmenter.
        InstallationError: as OnnxSegmenter.
    """
    file = read_model(Path(path))
    return _describe(described_session(file), file)


def _describe(session: Any, file: ModelFile) -> ModelInfo:
    # These texts go to the panel and the log.
    try:
        told = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError:  # what it says is no text
        told = {}
    metadata = {printable(key, _LONGEST_NAME): printable(value, _LONGEST_VALUE) for key, value in told.items()}
    return ModelInfo(
        path=file.path,
        name=printable(metadata.get("name") or file.path.stem, _LONGEST_NAME),
        version=printable(metadata.get("version", ""), _LONGEST_NAME),
        sha256=file.sha256,
        size_bytes=len(file.content),
        metadata=metadata,
    )
