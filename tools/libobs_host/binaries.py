"""Find libobs, its renderers, modules and data: in a folder of OBS, in pylibobs, or in a Linux system."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """Paths of one libobs. `modules` and `module_data` do not exist where the package has no modules (macOS)."""

    library: Path
    data: Path
    modules: Path
    module_data: Path
    renderers: tuple[str, ...]

    @property
    def module_suffix(self) -> str:
        """The end of a module's file name."""
        return ".dll" if sys.platform == "win32" else ".so"


def in_obs_folder(folder: Path) -> Binaries:
    """Return the parts of an OBS for Windows as its installer lays them out."""
    return Binaries(
        library=folder / "bin" / "64bit" / "obs.dll",
        data=folder / "data" / "libobs",
        modules=folder / "obs-plugins" / "64bit",
        module_data=folder / "data" / "obs-plugins",
        renderers=("libobs-d3d11", "libobs-opengl"),
    )


def in_pylibobs() -> Binaries:
    """Return the parts in the installed package pylibobs, Windows or macOS; ModuleNotFoundError if it is not there."""
    found = importlib.util.find_spec("pylibobs")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pylibobs is not installed: pip install pylibobs==32.2.2")
    base = Path(found.origin).parent / "_libs"
    if sys.platform == "win32":
        folder = base / "windows" / "x86_64"
        library, data = folder / "obs.dll", folder / "data" / "libobs"
        renderers = ("libobs-d3d11", "libobs-opengl")
    else:
        folder = base / "macos" / "arm64"
        library = folder / "Frameworks" / "libobs.framework" / "Versions" / "A" / "libobs"
        data = library.parent / "Resources"
        renderers = ("libobs-opengl", "libobs-metal")
    return Binaries(
        library=library,
        data=data,
        modules=folder / "obs-plugins",
        module_data=folder / "data" / "obs-plugins",
        renderers=renderers,
    )


def in_system() -> Binaries:
    """Return the parts of the OBS that a Linux distribution has installed; FileNotFoundError if there is none."""
    found = sorted(Path("/usr/lib").glob("**/libobs.so.*"))
    if not found:
        raise FileNotFoundError("OBS Studio is not installed: apt-get install obs-studio")
    folder = found[-1].parent
    return Binaries(
        library=found[-1],
        data=Path("/usr/share/obs/libobs"),
        modules=folder / "obs-plugins",
        module_data=Path("/usr/share/obs/obs-plugins"),
        renderers=("libobs-opengl",),
    )


def installed() -> Binaries:
    """Return the libobs of this computer: a Linux distribution's, or pylibobs'."""
    return in_system() if sys.platform == "linux" else in_pylibobs()
