"""Load the background picture once, on a thread of its own, and keep it on the GPU.

Decoding and scaling a photograph takes up to a second, too long for OBS's graphics thread.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eoam_obs.binding import libobs
from eoam_obs.binding.functions import NULL, Texture
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame.gpu import GraphicsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOG: Final = logging.getLogger("eoam")
_RETRY_NS: Final = 5_000_000_000  # a file that cannot be read is tried again: a drive may be connected later
_JOIN_S: Final = 5.0

_Wanted = tuple[str, int, int]  # the file, and the width and height it has to cover


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    wanted: _Wanted
    pixels: NDArray[np.uint8] | None  # (height, width, 4) BGRA
    problem: str


class BackgroundFile:
    """Provide one picture at the requested size."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._texture: Texture = NULL
        self._held: _Wanted | None = None  # what the texture shows, or what failed to load
        self._loaded: _Loaded | None = None  # swapped in by the thread
        self._thread: threading.Thread | None = None
        self._retry_at = 0
        self._noted = ""  # the file whose problems have been logged
        self.problem = ""  # what is wrong with the file, or ""

    def texture(self, file: str, width: int, height: int, now: int) -> Texture:
        """Return the texture of `file`, cropped to `width` x `height` pixels, or NULL while there is none.

        With the graphics context held; never waits. `now` is in nanoseconds.

        Raises:
            GraphicsError: there is no memory for the texture.
        """
        wanted = (file, width, height)
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded.wanted == wanted:
            self._take(loaded, now)
        if self._held != wanted or (self.problem and now >= self._retry_at):
            self._start(wanted)
        return self._texture if self._held == wanted else NULL

    def destroy(self) -> None:
        """Free the texture, with the graphics context held. A thread that is still reading ends by itself."""
        self._held = self._loaded = None
        self.problem = ""
        texture, self._texture = self._texture, NULL
        if texture:
            self._obs.gs_texture_destroy(texture)

    def join(self) -> None:
        """Wait for the thread to end, a few seconds at most; without the graphics context."""
        thread = self._thread
        if thread is not None:
            thread.join(_JOIN_S)

    def _take(self, loaded: _Loaded, now: int) -> None:
        self.destroy()
        self._held = loaded.wanted
        self.problem = loaded.problem
        self._retry_at = now + _RETRY_NS
        if loaded.pixels is not None:
            _, width, height = loaded.wanted
            texture = self._obs.gs_texture_create(width, height, libobs.GS_BGRA, 1, None, libobs.GS_DYNAMIC)
            if not texture:
                raise GraphicsError(f"The graphics driver could not create a texture of {width}x{height} pixels.")
            self._texture = texture
            self._obs.gs_texture_set_image(texture, loaded.pixels.ctypes.data, width * 4, False)

    def _start(self, wanted: _Wanted) -> None:
        if self._thread is not None and self._thread.is_alive():
            return  # one at a time; if its result is outdated by then, the right one is requested again
        if self._loaded is not None:
            return  # the thread ended a moment ago
        self._thread = threading.Thread(target=self._load, args=(wanted,), name="eoam-picture", daemon=True)
        self._thread.start()

    def _load(self, wanted: _Wanted) -> None:
        pixels, problem = None, ""
        try:
            from eoam_core.pictures.picture import BackgroundPicture

            file, width, height = wanted
            picture = BackgroundPicture.chosen(file)
            pixels = picture.with_alpha(height=height, width=width)
            if picture.notes and file != self._noted:
                self._noted = file
                _LOG.warning("background_picture_changed notes=%s", " ".join(picture.notes))
        except Exception as error:  # anything a file can do to a decoder, including exhausting memory
            problem = str(error) or type(error).__name__
            if problem != self.problem:
                _LOG.error("background_picture_failed error=%r", error)
        self._loaded = _Loaded(wanted=wanted, pixels=pixels, problem=problem)
