"""Check for OBS's virtual camera and switch it; on OBS's UI thread.

To start it OBS waits for the graphics thread (libobs's list of video mixes is locked while a frame is drawn), and on
Linux it first asks for a password if the kernel module is not loaded. So it is called as `frontend` describes.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from eoam_obs.binding import frontend
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source.locale import Texts

_OUTPUT_ID: Final = "virtualcam_output"


def missing(obs: LibObs, texts: Texts) -> str:
    """Return what is missing and how to get it, or ""."""
    if obs.obs_output_get_display_name(_OUTPUT_ID) is not None:
        return ""
    if sys.platform == "linux":  # OBS offers it only if the kernel's module was there when OBS started
        return texts("script.camera.linux")
    return texts("script.camera.none")


def is_on(api: Any) -> bool:
    """Return whether it runs; `api` is `obspython`."""
    return bool(api.obs_frontend_virtualcam_active())


def switch(api: Any, texts: Texts) -> str:
    """Start it, or stop it if it runs, and return a sentence on the result; `api` is `obspython`."""
    was_on = is_on(api)
    called = frontend.stop_virtual_camera() if was_on else frontend.start_virtual_camera()
    if called and was_on:
        return texts("script.camera.off")
    if is_on(api):
        return texts("script.camera.on")
    if sys.platform == "linux":
        return texts("script.camera.failed_linux")
    # macOS asks the user first, and OBS does not wait for the answer.
    return texts("script.camera.soon" if called else "script.camera.failed")
