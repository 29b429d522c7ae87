"""Describe the installation, the model and the settings: what a bug report needs. Works without any library."""

from __future__ import annotations

import dataclasses
import platform
from pathlib import Path

import eoam_core
from eoam_core.errors import EoamError
from eoam_core.installation import check_installation
from eoam_core.printable import printable
from eoam_core.settings import describe_settings


def collect(model: Path) -> dict[str, object]:
    """Return everything as JSON-compatible values; missing parts are reported in it and never raise."""
    components = check_installation(model)
    return {
        "version": eoam_core.__version__,
        "system": platform.platform(),
        "components": [dataclasses.asdict(component) for component in components],
        "optional": {name: _optional_version(name) for name in ("av", "tqdm")},
        "model": _model(model),
        "settings": [
            {
                "name": info.name,
                "default": info.default,
                "choices": [value for value, _ in info.choices],
                "minimum": info.minimum if info.kind == "float" else None,
                "maximum": info.maximum if info.kind == "float" else None,
            }
            for info in describe_settings()
        ],
        "ok": all(component.ok for component in components),
    }


def as_text(model: Path) -> str:
    """Return the same as text."""
    lines = [f"EOAM for OBS {eoam_core.__version__} on {platform.platform()}", "", "Installation"]
    for component in check_installation(model):
        found = component.version or "missing"
        lines.append(
            f"  {'ok ' if component.ok else 'BAD'} {component.name:<12} {found} (needs {printable(component.required)})"
        )
        if component.remedy:
            lines.append(f"      {printable(component.remedy)}")
    for name in ("av", "tqdm"):
        lines.append(f"      {name:<12} {_optional_version(name) or 'missing'} (optional, for videos)")
    lines += ["", "Model"]
    lines += [f"  {printable(name):<12} {printable(value)}" for name, value in _model(model).items()]
    lines += ["", "Settings"]
    for info in describe_settings():
        if info.kind == "float":
            values = f"{info.minimum:g} to {info.maximum:g}"
        else:
            values = ", ".join(value for value, _ in info.choices) or "True, False"
        lines.append(f"  {info.name:<12} {info.default!s:<8} ({values})")
    return "\n".join(lines) + "\n"


def _model(path: Path) -> dict[str, str]:
    try:
        from eoam_core.segmenter import read_model_info

        info = read_model_info(path)
    except (EoamError, ImportError) as error:
        return {"path": str(path), "error": str(error)}
    fields = {"path": str(info.path), "name": info.name, "version": info.version, "sha256": info.sha256}
    others = {name: value for name, value in sorted(info.metadata.items()) if name not in fields}
    return {**fields, "size_bytes": str(info.size_bytes), **others}


def _optional_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""
