"""Write eoam_install/wheels.lock.json: the newest wheel of each library per Python and platform, with hash and sizes.

Asks the package index that pip is set up for. scripts/lock-wheels calls this.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

REPOSITORY: Final = Path(__file__).resolve().parents[2]

from eoam_install import wheels  # noqa: E402

# The smallest versions are those of pyproject.toml.
NUMPY: Final = "numpy>=2.0"
OTHERS: Final = ("onnxruntime>=1.19", "opencv-python-headless>=4.12")
PYTHONS: Final = ((3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
# Per platform what pip may take, the most modest first: a wheel for an older macOS fits more computers.
PLATFORMS: Final = {
    "linux_x86_64": [["manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 29))]],
    "linux_aarch64": [["manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 29))]],
    "macosx_arm64": [["macosx_13_0_arm64"], ["macosx_14_0_arm64"], ["macosx_15_0_arm64"]],
    "macosx_x86_64": [["macosx_13_0_x86_64"], ["macosx_14_0_x86_64"], ["macosx_15_0_x86_64"]],
    "win_amd64": [["win_amd64"]],
}


def main() -> int:
    """Write the lock, and print what it could not find."""
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        cache.mkdir(parents=True, exist_ok=True)
        environments: dict[str, list[str]] = {}
        for platform, choices in PLATFORMS.items():
            for python in PYTHONS:
                environment = wheels.Environment(python, platform)
                found = [_download(library, environment, choices, cache) for library in OTHERS]
                limits = [limit for name in found if name for limit in _numpy_limits(cache / name, environment)]
                found.insert(0, _download(",".join([NUMPY, *limits]), environment, choices, cache))
                if all(found):
                    environments[str(environment)] = [str(name) for name in found]
                print(environment, *(name or "-" for name in found), flush=True)
        names = sorted({name for chosen in environments.values() for name in chosen})
        lock = {
            "made_by": "scripts/lock-wheels",
            "environments": dict(sorted(environments.items())),
            "licences": {name.split("-")[0].replace("_", "-"): _licence(cache / name) for name in names},
            "files": {name: _describe(cache / name) for name in names},
        }
    wheels.LOCK.write_text(json.dumps(lock, indent=1) + "\n", encoding="utf-8")
    return 0


def _download(library: str, environment: wheels.Environment, choices: list[list[str]], cache: Path) -> str | None:
    for tags in choices:
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder]
            command += ["--implementation", "cp", "--python-version", ".".join(map(str, environment.python))]
            command += ["--abi", f"cp{environment.python[0]}{environment.python[1]}"]
            for tag in tags:
                command += ["--platform", tag]
            if subprocess.run([*command, library], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                (path,) = _files(Path(folder))
                path.replace(cache / path.name)
                return path.name
    return None


def _numpy_limits(path: Path, environment: wheels.Environment) -> list[str]:
    """Return which versions of numpy a wheel wants, for this environment."""
    version = ".".join(map(str, environment.python))
    system = environment.platform.partition("_")[0]
    values = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": {"macosx": "darwin", "win": "win32"}.get(system, "linux"),
        "platform_system": {"macosx": "Darwin", "win": "Windows"}.get(system, "Linux"),
        "platform_machine": environment.platform.partition("_")[2],
        "extra": "",
    }
    limits = []
    for text in _metadata(path).get_all("Requires-Dist", []):
        wanted = Requirement(text)
        if wanted.name == "numpy" and (wanted.marker is None or wanted.marker.evaluate(values)):
            limits += [str(limit) for limit in wanted.specifier]
    return limits


def _metadata(path: Path) -> Message:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def _licence(path: Path) -> str:
    """Return what a wheel says its licence is: an expression, a short text, or the classifier's name."""
    metadata = _metadata(path)
    named = metadata.get("License-Expression") or metadata.get("License") or ""
    if named and "\n" not in named.strip():
        return str(named).strip()
    classifiers = [str(text) for text in metadata.get_all("Classifier", []) if str(text).startswith("License ::")]
    return classifiers[0].rpartition(" :: ")[2] if classifiers else str(named).strip().splitlines()[0]


def _files(folder: Path) -> Iterator[Path]:
    return folder.glob("*.whl")


def _describe(path: Path) -> dict[str, object]:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": digest, "size": path.stat().st_size, "unpacked": unpacked}


if __name__ == "__main__":
    sys.exit(main())
