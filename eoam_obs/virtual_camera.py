"""OBS's virtual camera: whether there is one, and switching it; `api` is `obspython`, on OBS's UI thread."""

from __future__ import annotations

import sys
from typing import Any, Final

from eoam_obs.libobs import LibObs
from eoam_obs.locale import Texts

_OUTPUT_ID: Final = "virtualcam_output"


def missing(obs: LibObs, texts: Texts) -> str:
    """Say what is missing and how to get it, or ""."""
    if obs.obs_output_get_display_name(_OUTPUT_ID) is not None:
        return ""
    if sys.platform == "linux":  # OBS offers it only if the kernel's module was there when OBS started
        return texts("script.camera.linux")
    return texts("script.camera.none")


def is_on(api: Any) -> bool:
    """Whether it runs."""
    return bool(api.obs_frontend_virtualcam_active())


def switch(api: Any) -> None:
    """Start it, or stop it if it runs; OBS does so a little later."""
    if is_on(api):
        api.obs_frontend_stop_virtualcam()
    else:
        api.obs_frontend_start_virtualcam()
