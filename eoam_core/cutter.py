"""Cut the person out of pictures of any size; handles the network's size, its session and the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.compose import compose_frame
from eoam_core.geometry import network_size
from eoam_core.pictures.picture import BackgroundPicture, fit_network
from eoam_core.pipeline import Matte, Pipeline
from eoam_core.segmenter import OnnxSegmenter, default_model_path
from eoam_core.settings import BackgroundKind, Settings, View
from eoam_core.turned import turned

Bytes = NDArray[np.uint8]


class Cutter:
    """Cut people out of pictures. One thread at a time; use it with `with`, or call `close`.

    Consecutive pictures are treated as a video: the mask is smoothed over time. Call `reset` between unrelated
    pictures.

    Args:
        settings: as in OBS; `timing` and `every` have no meaning here, every picture gets its own mask.
        model: the .onnx file; the default is the one that comes with the project.
        make_pipeline: called with the network's (height, width), once per size, to make the pipeline instead.

    Raises:
        InputError: the background picture is missing or cannot be read.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        model: Path | str | None = None,
        make_pipeline: Callable[[int, int], Pipeline] | None = None,
    ) -> None:
        self._settings = settings if settings is not None else Settings()
        self._model = Path(model) if model is not None else default_model_path()
        self._make_pipeline = make_pipeline or self._own_pipeline
        self._pipelines: dict[tuple[int, int], Pipeline] = {}  # there are few sizes: see geometry.py
        self._last: Pipeline | None = None
        self._behind = background_of(self._settings)
        self._closed = False

    @property
    def settings(self) -> Settings:
        """The settings that it uses."""
        return self._settings

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is lost of the background picture's file."""
        return () if self._behind is None else self._behind.notes

    def matte(self, picture: Bytes) -> Matte:
        """Return the matte of a picture, (h, w, 3) uint8 BGR or (h, w, 4) uint8 BGRA; its mask has the network's size.

        Raises:
            ValueError: the picture's type or shape is another.
            ModelError, InstallationError: as `OnnxSegmenter` and `Pipeline.process`.
            RuntimeError: the cutter is closed.
        """
        return self._matte(_with_alpha(picture))

    def cut(self, picture: Bytes) -> Bytes:
        """Return what the filter would show of a picture, (h, w, 3) uint8 BGR or (h, w, 4) uint8 BGRA.

        Returns:
            RGBA, (h, w, 4) uint8, straight alpha; where alpha is 0 the colour is 0 as well.

        Raises:
            ValueError, ModelError, InstallationError, RuntimeError: as `matte`.
        """
        frame = _with_alpha(picture)
        matte = self._matte(frame)
        height, width = frame.shape[:2]
        behind = self.background(height, width)
        return compose_frame(frame, matte.mask, self._settings, picture=behind, confidence=matte.confidence)

    def background(self, height: int, width: int) -> Bytes | None:
        """Return the picture behind the person, (height, width, 3) uint8 BGR, or None if there is none."""
        return None if self._behind is None else self._behind.at(height=height, width=width)

    def reset(self) -> None:
        """Forget the previous pictures; the next one is unrelated."""
        for pipeline in self._pipelines.values():
            pipeline.reset()

    def close(self) -> None:
        """Free the network; may be called more than once."""
        self._closed = True
        while self._pipelines:
            self._pipelines.popitem()[1].close()

    def __enter__(self) -> Cutter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _matte(self, frame: Bytes) -> Matte:
        if self._closed:
            raise RuntimeError("this cutter is closed")
        width, height = network_size(frame.shape[1], frame.shape[0], self._settings.detail)
        pipeline = self._pipelines.get((height, width))
        if pipeline is None:
            pipeline = self._pipelines[height, width] = self._make_pipeline(height, width)
        if pipeline is not self._last:
            pipeline.reset()  # its memory predates the frames of the other size
            self._last = pipeline
        need = pipeline.segmenter
        return pipeline.process(fit_network(frame, height=need.height, width=need.width))

    def _own_pipeline(self, height: int, width: int) -> Pipeline:
        return pipeline_of(self._model, height, width, self._settings)


def pipeline_of(model: Path, height: int, width: int, settings: Settings) -> Pipeline:
    """Return a pipeline for frames of this size, as the settings want it.

    Raises:
        ModelError, InstallationError: as `OnnxSegmenter`.
    """

    def open_segmenter(height: int, width: int) -> OnnxSegmenter:
        return OnnxSegmenter(model, height=height, width=width, threads=settings.threads)

    return Pipeline(turned(open_segmenter, settings.turn)(height, width), settings)


def background_of(settings: Settings) -> BackgroundPicture | None:
    """Return the background picture, or None if the settings show none.

    Raises:
        InputError: the settings want one, and it is missing or cannot be read.
    """
    if settings.background is BackgroundKind.PICTURE and settings.view in (View.RESULT, View.SIDE_BY_SIDE):
        return BackgroundPicture.chosen(settings.background_picture)
    return None


def _with_alpha(picture: Bytes) -> Bytes:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4) or not picture.size:
        raise ValueError(f"picture is {picture.dtype} {picture.shape}, need uint8 (h, w, 3) or (h, w, 4)")
    if picture.shape[2] == 4:
        return picture
    return cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)  # type: ignore[return-value]
