"""Choose the wheels for a Python, fetch them with pip or find them in a folder, check and unpack them.

`wheels.lock.json`, made by scripts/lock-wheels, names one wheel of each library for every Python and platform, with its
SHA-256. pip only downloads them: `pip download` runs with any Python and is not restricted by PEP 668. Dependencies are
left out, because the filter needs only the three libraries.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eoam_install import archive
from eoam_machine.errors import InstallError

LOCK = Path(__file__).with_name("wheels.lock.json")
LIBRARIES = "libraries"  # the folder beside the script, in it one folder per version of Python

Progress = Callable[[float, str], None]  # the share that is done, 0 to 1, and a sentence
Run = Callable[[Sequence[str], Path, Callable[[], None]], "tuple[int, str]"]


@dataclass(frozen=True)
class Wheel:
    """One file of the lock; sizes in bytes."""

    name: str
    sha256: str
    size: int
    unpacked: int

    @property
    def library(self) -> str:
        """The library's name on the package index."""
        return self.name.partition("-")[0].replace("_", "-")

    @property
    def version(self) -> str:
        """The library's version."""
        return self.name.split("-")[1]

    @property
    def platforms(self) -> list[str]:
        """The platform tags, as pip takes them."""
        return self.name[: -len(".whl")].rpartition("-")[2].split(".")


@dataclass(frozen=True)
class Environment:
    """The target of wheels: a Python version and a platform such as `linux_x86_64`."""

    python: tuple[int, int]
    platform: str

    def __str__(self) -> str:
        return f"cp{self.python[0]}{self.python[1]}-{self.platform}"

    @property
    def folder(self) -> str:
        """The folder of its libraries below the script's."""
        return f"{LIBRARIES}/python{self.python[0]}.{self.python[1]}"


def platform_of(system: str, architecture: str) -> str:
    """Return the platform's name in the lock: `system` is linux, macos or windows."""
    machine = architecture.lower()
    machine = {"amd64": "x86_64", "x64": "x86_64"}.get(machine, machine)
    if system == "windows":
        return {"x86_64": "win_amd64"}.get(machine, f"win_{machine}")
    if system == "macos":
        return f"macosx_{machine}"
    return f"linux_{'aarch64' if machine == 'arm64' else machine}"


def read_lock(path: Path = LOCK) -> dict[str, Any]:
    """Return the lock; InstallError if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InstallError(
            f"The list of libraries {path} cannot be read ({error}). Unpack the download again."
        ) from None
    return dict(content)


def choose(environment: Environment, lock: dict[str, Any] | None = None) -> list[Wheel]:
    """Return the wheels for an environment; InstallError if there are none."""
    lock = read_lock() if lock is None else lock
    names = lock["environments"].get(str(environment))
    if names is None:
        version = ".".join(map(str, environment.python))
        known = sorted(
            {entry.partition("-")[0] for entry in lock["environments"] if entry.endswith(environment.platform)}
        )
        if not known:
            raise InstallError(f"There are no libraries for this platform ({environment.platform}).")
        fitting = ", ".join(f"3.{entry[3:]}" for entry in sorted(known, key=lambda entry: int(entry[3:])))
        raise InstallError(
            f"There are no libraries for Python {version} on {environment.platform}, only for {fitting}."
        )
    return [Wheel(name, **lock["files"][name]) for name in names]


def check_system(wheels: Sequence[Wheel], *, libc: tuple[str, str], macos: str) -> None:
    """Refuse a system that is too old for the wheels; `libc` and `macos` as the module platform gives them."""
    for wheel in wheels:
        glibc = [tuple(map(int, found)) for found in re.findall(r"manylinux_(\d+)_(\d+)_", wheel.name)]
        if glibc and libc[0] not in ("glibc", ""):
            raise InstallError(f"{wheel.library} has no libraries for the C library of this system ({libc[0]}).")
        if glibc and libc[1] and _numbers(libc[1]) < min(glibc):
            needs = ".".join(map(str, min(glibc)))
            raise InstallError(f"{wheel.library} {wheel.version} needs glibc {needs}; this system has {libc[1]}.")
        apple = [tuple(map(int, found)) for found in re.findall(r"macosx_(\d+)_(\d+)_", wheel.name)]
        if apple and macos and _numbers(macos) < min(apple):
            needs = ".".join(map(str, min(apple)))
            raise InstallError(f"{wheel.library} {wheel.version} needs macOS {needs}; this is {macos}. Update macOS.")


def find_offline(wheels: Sequence[Wheel], folder: Path) -> list[Path]:
    """Return the wheels' files in a folder; InstallError names what is missing or is for another Python."""
    if not folder.is_dir():
        raise InstallError(f"There is no folder {folder}.")
    found = []
    for wheel in wheels:
        path = folder / wheel.name
        if not path.is_file():
            others = sorted(other.name for other in folder.glob(f"{wheel.name.partition('-')[0]}-*.whl"))
            instead = f"; {', '.join(others)} is for another version, Python or system" if others else ""
            raise InstallError(f"{folder} lacks {wheel.name}{instead}.")
        _check(path, wheel)
        found.append(path)
    return found


def run_quietly(command: Sequence[str], folder: Path, on_wait: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """Run a command without a window and return its exit code and what it printed.

    Its temporary files go into `folder` as well; `on_wait` is called while it runs, and may raise to end it.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment.update(PIP_REQUIRE_VIRTUALENV="0", TMPDIR=str(folder), TEMP=str(folder), TMP=str(folder))
    environment.update(PYTHONIOENCODING="utf-8", PYTHONDONTWRITEBYTECODE="1", ORT_DISABLE_TELEMETRY="1")
    hidden = {"creationflags": 0x08000000} if sys.platform == "win32" else {}  # CREATE_NO_WINDOW
    with tempfile.TemporaryFile(dir=folder) as output:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **hidden,  # type: ignore[call-overload, unused-ignore]
            )
        except OSError as error:
            return 127, f"{command[0]}: {error.strerror or error}"
        try:
            while True:
                try:
                    code = process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    on_wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        return code, output.read().decode("utf-8", "replace")


def fetch(
    wheels: Sequence[Wheel],
    environment: Environment,
    folder: Path,
    pip: Sequence[str],
    *,
    on_progress: Progress = lambda share, message: None,
    run: Run = run_quietly,
) -> list[Path]:
    """Download the wheels into an existing folder with pip and return their files.

    `pip` is the command that runs pip, of any Python; `run` executes it. An exception of `on_progress` ends it. Raises
    InstallError with the cause.
    """
    total, before, found = sum(wheel.size for wheel in wheels), 0, []
    for number, wheel in enumerate(wheels, 1):
        size = f"{wheel.size / 1e6:.0f} MB"
        message = f"Downloading {wheel.library} {wheel.version} ({size}, {number} of {len(wheels)})"

        def show(before: int = before, until: int = before + wheel.size, message: str = message) -> None:
            on_progress(min(max(_bytes_in(folder), before), until) / total, message)

        show()
        requirement = folder / f"{wheel.library}.txt"
        requirement.write_text(f"{wheel.library}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        code, output = run([*pip, *_download_options(wheel, environment, folder), "-r", str(requirement)], folder, show)
        requirement.unlink()
        path = folder / wheel.name
        if code != 0 or not path.is_file():
            raise InstallError(explain_pip(output, wheel))
        _check(path, wheel)
        found.append(path)
        before += wheel.size
    return found


def unpack(wheels: Sequence[Wheel], found: Sequence[Path], folder: Path) -> None:
    """Unpack the importable files and metadata of wheels, whose files were `found`, into one folder.

    Each file is read once, and exactly the bytes whose hash is right are unpacked, so changing the files meanwhile has
    no effect.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for wheel, path in zip(wheels, found):
        with path.open("rb") as file:
            content = file.read(wheel.size + 1)
        _require(hashlib.sha256(content).hexdigest(), wheel, path)
        archive.unpack(wheel.name, content, folder, most_bytes=wheel.unpacked)


def explain_pip(output: str, wheel: Wheel) -> str:
    """Return a sentence on why pip did not download a wheel."""
    name = f"{wheel.library} {wheel.version}"
    reasons = (
        (
            r"DO NOT MATCH THE HASHES",
            f"{name} was downloaded with wrong contents (SHA-256); nothing was installed.",
        ),
        (r"No space left|\[Errno 28\]|WinError 112", "The disk is full. Free some space and run this again."),
        (
            r"CERTIFICATE_VERIFY_FAILED",
            "The connection's certificate is not trusted, probably because of a proxy or virus scanner. "
            "Set the environment variable PIP_CERT to the certificate that it uses.",
        ),
        (r"ProxyError|Cannot connect to proxy", "The proxy configured for pip does not respond."),
        (
            r"NewConnectionError|ConnectTimeout|name resolution|getaddrinfo|Network is unreachable|Max retries|"
            r"ReadTimeout|Connection (refused|reset)|RemoteDisconnected",
            f"{name} could not be downloaded: there is no connection to the package index. Go online and run this "
            "again, or download the libraries on another computer and use --offline (docs/user/install.md).",
        ),
        (
            r"No matching distribution|Could not find a version",
            f"The package index that pip uses has no {wheel.name}. If that is not the default index, use that one.",
        ),
        (r"No module named pip", "That Python has no pip."),
    )
    for pattern, sentence in reasons:
        if re.search(pattern, output):
            return sentence
    last = [line for line in output.strip().splitlines() if line.strip()]
    return f"pip could not fetch {name}: {last[-1].strip() if last else 'no output'}"


def _download_options(wheel: Wheel, environment: Environment, folder: Path) -> list[str]:
    options = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir", "--no-input"]
    options += ["--disable-pip-version-check", "--progress-bar", "off", "--retries", "2", "--timeout", "20"]
    options += ["--implementation", "cp", "--python-version", ".".join(map(str, environment.python))]
    options += ["--abi", f"cp{environment.python[0]}{environment.python[1]}"]
    for platform in wheel.platforms:
        options += ["--platform", platform]
    return [*options, "--dest", str(folder)]


def _bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except OSError:  # pip has moved it meanwhile
                continue
    return total


def _check(path: Path, wheel: Wheel) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    _require(digest.hexdigest(), wheel, path)


def _require(found: str, wheel: Wheel, path: Path) -> None:
    if found != wheel.sha256:
        raise InstallError(f"{path} is damaged: its SHA-256 is not the one in {LOCK.name}. Download it again.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
