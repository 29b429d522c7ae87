"""Cut a person out of pictures and live frames on the CPU: frames in, masks out. Independent of OBS.

Everything public is re-exported here and loaded on first use, because a broken installation must still be able to
import this package and say what is missing: `eoam_core.errors`, `eoam_core.settings` and `eoam_core.installation`
need nothing beside the standard library.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eoam_core.cleanup import fill_largest_region
    from eoam_core.compose import alpha_from_mask, compose_frame, cut_out, has_alpha
    from eoam_core.cutter import Cutter
    from eoam_core.errors import EoamError, InputError, InstallationError, ModelError
    from eoam_core.geometry import network_size
    from eoam_core.installation import Component, check_installation, install_command
    from eoam_core.model_path import default_model_path
    from eoam_core.pictures.picture import fit_network, read_picture, write_png
    from eoam_core.pipeline import Matte, Pipeline, Timings
    from eoam_core.segmenter import ModelInfo, NullSegmenter, OnnxSegmenter, Segmenter, read_model_info
    from eoam_core.settings import (
        BackgroundKind,
        Holes,
        ParsedSettings,
        Regions,
        SettingInfo,
        Settings,
        Timing,
        View,
        describe_settings,
    )
    from eoam_core.temporal import MaskSmoother
    from eoam_core.worker import Worker

__version__ = "1.0.0"

__all__ = [
    "BackgroundKind",
    "Component",
    "Cutter",
    "EoamError",
    "Holes",
    "InputError",
    "InstallationError",
    "MaskSmoother",
    "Matte",
    "ModelError",
    "ModelInfo",
    "NullSegmenter",
    "OnnxSegmenter",
    "ParsedSettings",
    "Pipeline",
    "Regions",
    "Segmenter",
    "SettingInfo",
    "Settings",
    "Timing",
    "Timings",
    "View",
    "Worker",
    "alpha_from_mask",
    "check_installation",
    "compose_frame",
    "cut_out",
    "default_model_path",
    "describe_settings",
    "fill_largest_region",
    "fit_network",
    "has_alpha",
    "install_command",
    "network_size",
    "read_model_info",
    "read_picture",
    "write_png",
]

_HOMES = {
    "cleanup": ("fill_largest_region",),
    "compose": ("alpha_from_mask", "compose_frame", "cut_out", "has_alpha"),
    "cutter": ("Cutter",),
    "errors": ("EoamError", "InputError", "InstallationError", "ModelError"),
    "geometry": ("network_size",),
    "installation": ("Component", "check_installation", "install_command"),
    "model_path": ("default_model_path",),
    "pictures.picture": ("fit_network", "read_picture", "write_png"),
    "pipeline": ("Matte", "Pipeline", "Timings"),
    "segmenter": ("ModelInfo", "NullSegmenter", "OnnxSegmenter", "Segmenter", "read_model_info"),
    "settings": (
        "BackgroundKind",
        "Holes",
        "ParsedSettings",
        "Regions",
        "SettingInfo",
        "Settings",
        "Timing",
        "View",
        "describe_settings",
    ),
    "temporal": ("MaskSmoother",),
    "worker": ("Worker",),
}
_HOME_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}
# Names that were here up to version 0.1; programs that import them from here still work.
_MOVED = {
    "Camera": "eoam_cli.webcam.run",
    "OpenedCamera": "eoam_cli.webcam.devices",
    "PreviewWindow": "eoam_cli.webcam.devices",
    "Sink": "eoam_cli.webcam.run",
    "VideoReport": "eoam_cli.video.convert",
    "VirtualCamera": "eoam_cli.webcam.devices",
    "convert_video": "eoam_cli.video.convert",
    "run_webcam": "eoam_cli.webcam.run",
    "settings_for_webcam": "eoam_cli.webcam.run",
}


def __getattr__(name: str) -> object:
    """Import the module that holds `name` when it is first asked for (PEP 562)."""
    module = _HOME_OF.get(name) or _MOVED.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MOVED:
        warnings.warn(f"eoam_core.{name} has moved: import it from {module}", DeprecationWarning, stacklevel=2)
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value  # the next access finds it without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
