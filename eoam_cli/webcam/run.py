"""Run a webcam without OBS: camera in, virtual camera and preview out, and never a picture without its mask.

Every picture is cut out with its own mask before it is sent, so the edge fits in any movement. One plain colour is sent
before the first mask, after an error, while the camera gives nothing, and at the end, because some programs keep
showing the last picture.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.compose import has_alpha
from eoam_core.cutter import Cutter
from eoam_core.errors import InputError
from eoam_core.settings import BackgroundKind, Settings

Bytes = NDArray[np.uint8]

_PATIENCE_S: Final = 3.0  # a camera may miss a few pictures while it wakes up or changes its exposure
_RETRY_S: Final = 0.05


class Camera(Protocol):
    """A source of pictures."""

    @property
    def rate(self) -> float:
        """Pictures per second."""

    @property
    def ended(self) -> bool:
        """Return whether there will be no more pictures: the end of a file."""

    def read(self) -> Bytes | None:
        """Wait for the next picture and return it, (h, w, 3) uint8 BGR, or None if there is none this time."""

    def close(self) -> None:
        """Release the device; may be called more than once."""


class Sink(Protocol):
    """A target of pictures."""

    def send(self, picture: Bytes) -> bool:
        """Show a picture, (h, w, 3) uint8 BGR; return False to stop."""

    def close(self) -> None:
        """Release the device; may be called more than once."""


OpenSink = Callable[[int, int, float], Sink]  # of height, width and pictures per second


def settings_for_webcam(settings: Settings) -> Settings:
    """Return the settings with a colour instead of transparency, which a virtual camera cannot hold."""
    return settings.replace(background=BackgroundKind.COLOR) if has_alpha(settings) else settings


def run_webcam(
    camera: Camera,
    open_sinks: Sequence[OpenSink],
    cutter: Cutter,
    *,
    frames: int | None = None,
    say: Callable[[str], None] = lambda text: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send the camera's pictures, cut out by `cutter`, to the sinks, until something ends it.

    It ends when a file ends, when the user closes the preview, after `frames` pictures, or by KeyboardInterrupt, which
    is the normal end and not raised. Camera, sinks and cutter are closed in any case.

    Args:
        camera: where the pictures come from.
        open_sinks: each is called with the first picture's height and width and the rate.
        cutter: its settings must not ask for transparency (see `settings_for_webcam`).
        frames: how many pictures to send at most, covers not counted.
        say: gets a sentence when an error occurs or is over.
        clock, sleep: seconds.

    Returns:
        How many pictures were sent, covers not counted.

    Raises:
        InputError: the camera gives no pictures any more, or a sink accepts none.
        EoamError: a picture could not be cut out for 3 seconds on end; whatever else was raised is passed on, too.
        ValueError: the cutter's settings ask for transparency.
    """
    if has_alpha(cutter.settings):
        raise ValueError("a webcam cannot be transparent; use settings_for_webcam(settings)")
    sent = 0
    with contextlib.ExitStack() as ending:
        ending.callback(cutter.close)
        ending.callback(camera.close)
        stage = _Stage(cutter.settings, open_sinks)
        ending.callback(stage.close)
        ending.enter_context(contextlib.suppress(KeyboardInterrupt))
        troubled_since: float | None = None
        while frames is None or sent < frames:
            result: Bytes | None = None
            trouble: Exception = InputError(
                "The camera sends no frames; reconnect it, or close other programs that use it."
            )
            picture = camera.read()
            if picture is None and camera.ended:
                break
            if picture is not None:
                stage.open(picture.shape[0], picture.shape[1], camera.rate)
                try:
                    result = cutter.cut(picture)
                except Exception as error:  # whatever it is, neither the last picture nor the background may show
                    trouble = error
            if result is not None:
                if troubled_since is not None:
                    say("The video is shown again.")
                    troubled_since = None
                if not stage.show(cv2.cvtColor(result, cv2.COLOR_RGBA2BGR)):  # type: ignore[arg-type]
                    break
                sent += 1
                continue
            wanted = stage.cover()
            if troubled_since is None:
                troubled_since = clock()
                say(f"A plain colour is shown instead of the video: {trouble}")
            elif clock() - troubled_since >= _PATIENCE_S:
                raise trouble
            if not wanted:
                break
            if picture is None:
                sleep(_RETRY_S)
    return sent


class _Stage:
    """The sinks, opened with the first picture; they get one plain colour until a picture is shown."""

    def __init__(self, settings: Settings, open_sinks: Sequence[OpenSink]) -> None:
        self._settings = settings
        self._open_sinks = open_sinks
        self._sinks: list[Sink] = []
        self._size: tuple[int, int] | None = None

    def open(self, height: int, width: int, rate: float) -> None:
        """Open the sinks at the size of the first picture; later calls do nothing."""
        if self._size is None:
            self._size = height, width
            for make in self._open_sinks:
                self._sinks.append(make(height, width, rate))
            self.cover()

    def show(self, picture: Bytes) -> bool:
        """Send a picture, at the size of the first; return False to stop."""
        assert self._size is not None, "nothing is shown before the sinks are open"
        height, width = self._size
        if picture.shape[:2] != self._size:  # a camera may change its size, a virtual camera cannot
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        wanted = True
        for sink in self._sinks:
            try:
                wanted = sink.send(picture) and wanted
            except Exception as error:
                raise InputError(f"Frames can no longer be sent ({error}); start again.") from error
        return wanted

    def cover(self) -> bool:
        """Send one colour: the background's, or black; return False to stop."""
        if self._size is None:
            return True
        settings = self._settings
        colour = settings.background_color if settings.background is BackgroundKind.COLOR else 0
        bgr = [colour >> shift & 255 for shift in (16, 8, 0)]
        return self.show(np.full((*self._size, 3), bgr, np.uint8))

    def close(self) -> None:
        """Send the plain colour and close the sinks, each of them even if another fails."""
        with contextlib.suppress(Exception):
            self.cover()
        for sink in self._sinks:
            with contextlib.suppress(Exception):
                sink.close()
        self._sinks = []
