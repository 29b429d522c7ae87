"""Devices for webcams: a camera through OpenCV, a virtual camera through pyvirtualcam, a preview window."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoam_core.errors import InputError, InstallationError
from eoam_core.installation import install_command
from eoam_core.pictures.decoding import silent_opencv

Bytes = NDArray[np.uint8]

_FALLBACK_RATE: Final = 30.0
_KEYS_THAT_END: Final = (27, ord("q"))  # Esc
_WAYS_TO_A_DEVICE: Final = {
    "linux": "install v4l2loopback and run: sudo modprobe v4l2loopback",
    "darwin": "install OBS 30 or newer, start its virtual camera once and stop it again",
    "win32": "install OBS, whose virtual camera is used, and stop it there if it is running",
}


class OpenedCamera:
    """A camera, or a video file in its place, through OpenCV.

    Args:
        source: the number of a camera, or the path or address of anything that OpenCV opens.
        size: (width, height) to ask the camera for; it may give another.
        rate: requested frame rate, or the rate to play a file at.
        paced: play a file as fast as it was recorded, not as fast as it can be read.
        clock, sleep: seconds.

    Raises:
        InputError: there is no such camera or file, or it is in use by another program.
    """

    def __init__(
        self,
        source: int | str,
        *,
        size: tuple[int, int] | None = None,
        rate: float | None = None,
        paced: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self.ended = False
        with silent_opencv():
            capture = _opened(source)
        if capture is None:
            raise InputError(_no_camera(source))
        self._capture = capture
        self._is_file = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        if not self._is_file:
            if size is not None:
                self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
                self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
            if rate is not None:
                self._capture.set(cv2.CAP_PROP_FPS, rate)
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # queued pictures would be old when they are shown
        told = self._capture.get(cv2.CAP_PROP_FPS)
        self._rate = rate if rate is not None and self._is_file else told if 1 <= told <= 240 else _FALLBACK_RATE
        self._due = clock() if self._is_file and paced else None

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return self._rate

    def read(self) -> Bytes | None:
        """Wait for the next picture and return it, (h, w, 3) uint8 BGR, or None if there is none this time."""
        if self._due is not None:
            self._sleep(max(0.0, self._due - self._clock()))
            self._due = max(self._due + 1 / self._rate, self._clock() - 1)  # no rush after a pause
        found, picture = self._capture.read()
        if not found:
            self.ended = self._is_file
            return None
        if picture.ndim == 2:
            return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
        return np.asarray(picture, np.uint8)

    def close(self) -> None:
        """Release the device; may be called more than once."""
        self._capture.release()


class VirtualCamera:
    """A virtual camera through pyvirtualcam, which other programs see as a webcam.

    Args:
        height, width: rows and columns of the pictures.
        rate: pictures per second.
        device: its name, such as "/dev/video2" or "OBS Virtual Camera"; "" uses the first free one.

    Raises:
        InstallationError: pyvirtualcam is missing or does not load.
        InputError: there is no virtual camera, or it is in use.
    """

    def __init__(self, height: int, width: int, rate: float, *, device: str = "") -> None:
        module = import_pyvirtualcam()
        try:
            self._camera: Any = module.Camera(
                width=width, height=height, fps=rate, fmt=module.PixelFormat.BGR, device=device or None
            )
        except Exception as error:  # RuntimeError; OSError and ValueError for some names of devices
            remedy = _WAYS_TO_A_DEVICE.get(sys.platform, "see what pyvirtualcam says about this system")
            reason = " ".join(str(error).split())
            raise InputError(
                f"The virtual camera {device or '(any)'} cannot be opened ({reason}); {remedy}, or use "
                "--preview --no-virtual-camera."
            ) from error
        self.device = str(self._camera.device)

    def send(self, picture: Bytes) -> bool:
        """Show a picture, (h, w, 3) uint8 BGR; always True."""
        self._camera.send(np.ascontiguousarray(picture))
        return True

    def close(self) -> None:
        """Release the device; may be called more than once."""
        self._camera.close()


class PreviewWindow:
    """A window with the picture; Esc, Q and its close button end it.

    Raises:
        InstallationError: the installed OpenCV has no windows, like the headless build.
        InputError: there is no screen.
    """

    def __init__(self, title: str = "EOAM") -> None:
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise InputError(
                "There is no screen for --preview (neither DISPLAY nor WAYLAND_DISPLAY is set); leave it out."
            )
        self._title = title
        self._open = True
        self._sized = False  # afterwards the user decides the size
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except (cv2.error, AttributeError) as error:
            command = install_command(["opencv-python>=4.12"])
            raise InstallationError(
                f"OpenCV {cv2.__version__} cannot open windows (opencv-python-headless); leave out --preview, or, in a "
                f"Python that OBS does not use, run: pip uninstall opencv-python-headless, and then: {command}"
            ) from error

    def send(self, picture: Bytes) -> bool:
        """Show a picture, (h, w, 3) uint8 BGR; return False once the user has closed the window or pressed Esc or Q."""
        if self._open:
            if not self._sized:
                cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
                self._sized = True
            cv2.imshow(self._title, picture)
            key = cv2.waitKey(1) & 0xFF
            self._open = key not in _KEYS_THAT_END and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        return self._open

    def close(self) -> None:
        """Close the window; may be called more than once."""
        self._open = False
        with contextlib.suppress(cv2.error):  # the user may have closed it
            cv2.destroyWindow(self._title)


def import_pyvirtualcam() -> Any:
    """Return the module.

    Raises:
        InstallationError: it is missing or does not load.
    """
    try:
        return importlib.import_module("pyvirtualcam")
    except Exception as error:
        command = install_command(["pyvirtualcam>=0.11"])
        raise InstallationError(
            f"A virtual camera needs pyvirtualcam, which does not load ({error}); install it: {command}"
        ) from error


def _opened(source: int | str) -> cv2.VideoCapture | None:
    """Open and return the camera or file, or None if that fails."""
    # A number means a camera, so only the system's camera backends are tried, in OpenCV's own order. FFmpeg is in that
    # list, too, but cannot open a number, and on Windows its library prints a warning past OpenCV's log.
    backends = [cv2.CAP_ANY]
    if isinstance(source, int):
        backends = [each for each in cv2.videoio_registry.getCameraBackends() if each != cv2.CAP_FFMPEG]
    for backend in backends:
        capture = cv2.VideoCapture(source, backend)
        if capture.isOpened():
            return capture
        capture.release()
    return None


def _no_camera(source: int | str) -> str:
    if isinstance(source, int):
        return (
            f"The camera {source} cannot be opened; plug it in, close other programs that use it (OBS too), or "
            "choose another with --camera NUMBER."
        )
    return f"{source} cannot be opened as a camera; give a number, the path of a video, or an address."
