"""Build a Windows Python 3.11 that runs under Wine, with the filter's libraries and what its tests import.

No package index has Windows' Python itself, so it is put together: python311.dll and the extension modules come out of
panda3d's wheel, which carries them for programs that embed Python; the modules written in Python are those of this
machine's own Python 3.11; python.exe and python3.dll are made here with mingw. Microsoft's C runtime lies beside them,
since Wine's own lacks functions that numpy needs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Final

from tools.windows.errors import WindowsToolError
from tools.windows.fetch import fetch
from tools.windows.folders import made

_GROUPS: Final = ("python", "libraries", "tests")
VERSION: Final = "3.11"
COMPILER: Final = "x86_64-w64-mingw32-gcc"
_HERE: Final = Path(__file__).parent
_LEFT_OUT: Final = shutil.ignore_patterns(
    "site-packages", "dist-packages", "test", "tests", "lib-dynload", "config-*", "_sysconfigdata*", "__pycache__",
    "idlelib", "turtledemo", "EXTERNALLY-MANAGED", "sitecustomize.py",
)  # fmt: skip
# Where the wheels have the files that belong beside python.exe.
_RUNTIME: Final = re.compile(r".*/Scripts/(?:msvcp140.*|vcruntime140.*)\.dll|.*/bin/ucrtbase\.dll")
# Python 3.11.8 and newer call this without an instance, and the frozen importlib in the DLL does; the module of an
# older 3.11 has no decorator there.
_METADATA: Final = ("    def invalidate_caches(cls):", "    @classmethod\n    def invalidate_caches(cls):")


def windows_python() -> Path:
    """Return the folder with python.exe, built if need be.

    Raises:
        WindowsToolError: a download, a compiler or Python 3.11's own modules are missing.
    """
    return made("python", _build, of=(Path(__file__), _HERE / "launcher.c"), groups=_GROUPS)


def _build(folder: Path) -> None:
    wheels = fetch("python")
    panda = next(path for path in wheels if path.name.startswith("panda3d-"))
    _unpack_panda(panda, folder)
    for path in wheels:
        _unpack_runtime(path, folder)
    library = folder / "Lib"
    shutil.copytree(_standard_library(), library, ignore=_LEFT_OUT, symlinks=False, ignore_dangling_symlinks=True)
    _mend_metadata(library / "importlib" / "metadata" / "__init__.py")
    packages = library / "site-packages"
    packages.mkdir()
    pip = next(path for path in wheels if path.name.startswith("pip-"))
    for path in [pip, *fetch("libraries"), *fetch("tests")]:
        _unpack_wheel(path, packages)
    _compile(folder)


def _standard_library() -> Path:
    """Return the folder of Python 3.11's own modules on this machine, of whichever 3.11 there is."""
    own = Path(sysconfig.get_path("stdlib"))
    for place in (Path(f"/usr/lib/python{VERSION}"), own if sys.version_info[:2] == (3, 11) else None):
        if place is not None and (place / "os.py").is_file():
            return place
    raise WindowsToolError(
        f"Python {VERSION}'s own modules are needed, and /usr/lib/python{VERSION} has none: apt-get install "
        f"libpython{VERSION}-stdlib (Debian 12), or run this with a Python {VERSION}."
    )


def _unpack_panda(path: Path, folder: Path) -> None:
    (folder / "DLLs").mkdir()
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            file = Path(name)
            if file.parent.name != "deploy_libs" or file.name.startswith("api-ms-") or "RUNTIME140" in file.name:
                continue
            place = folder if file.name == "python311.dll" else folder / "DLLs"
            (place / file.name).write_bytes(wheel.read(name))


def _unpack_runtime(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as wheel:
        for name in filter(_RUNTIME.fullmatch, wheel.namelist()):
            (folder / Path(name).name).write_bytes(wheel.read(name))


def _unpack_wheel(path: Path, packages: Path) -> None:
    """Unpack what a wheel has for import; its commands are not needed."""
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            top, _, rest = name.partition("/")
            if not top.endswith(".data"):
                wheel.extract(name, packages)
            elif rest.startswith(("purelib/", "platlib/")) and not name.endswith("/"):
                target = packages / rest.partition("/")[2]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(name))


def _mend_metadata(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if _METADATA[1] not in text:
        path.write_text(text.replace(*_METADATA), encoding="utf-8")


def _compile(folder: Path) -> None:
    """Make python.exe, and for wheels of the stable ABI a python3.dll that leads every name on to python311.dll."""
    run_compiler("-municode", "-o", "python.exe", str(_HERE / "launcher.c"), "python311.dll", folder=folder)
    table = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", "python311.dll"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(r"^\t\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?(\w+)$", table, re.MULTILINE)
    if len(names) < 1000:
        raise WindowsToolError(f"python311.dll shows only {len(names)} exported names; panda3d's wheel has changed.")
    definition = folder / "python3.def"
    definition.write_text("LIBRARY python3\nEXPORTS\n" + "".join(f"{name} = python311.{name}\n" for name in names))
    run_compiler("-shared", "-nostdlib", "-Wl,--entry=0", "-o", "python3.dll", "python3.def", folder=folder)
    definition.unlink()


def run_compiler(*arguments: str, folder: Path) -> None:
    """Run mingw's C compiler in a folder; WindowsToolError if it is missing or fails."""
    try:
        done = subprocess.run([COMPILER, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise WindowsToolError(f"{COMPILER} is not installed: apt-get install gcc-mingw-w64-x86-64-win32.") from None
    if done.returncode:
        raise WindowsToolError(f"{COMPILER} {' '.join(arguments)} failed: {done.stderr.strip()}")
