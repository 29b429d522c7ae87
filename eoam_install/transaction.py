"""Build a folder completely or not at all: beside its place, then renamed into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from eoam_machine.errors import InstallError, explain

_STALE_S = 3600.0
# On Windows a program that has just ended, or a virus scanner, may still hold files.
_ATTEMPTS = 20 if os.name == "nt" else 1
_PAUSE_S = 0.25


class Staging:
    """A new folder that `commit` moves to the target's place; `roll_back` undoes that until `finish` is called."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.made_parents = _make_parents(target.parent)  # innermost first
        _remove_stale(target)
        self.folder = Path(tempfile.mkdtemp(prefix=_prefix(target, "part"), dir=target.parent))
        self.folder.chmod(0o755)  # mkdtemp's folders are private, so a second user of this computer could not read them
        self._old = self.folder.with_name(self.folder.name.replace(".part-", ".old-"))
        self._is_committed = False

    def commit(self) -> None:
        """Rename the new folder to its target; the old one is kept beside it."""
        replaced = self.target.exists()
        if replaced:
            try:
                _rename(self.target, self._old)
            except OSError as error:
                raise InstallError(
                    f"{self.target} is in use ({error.strerror}). Close OBS and run this again."
                ) from None
        try:
            _rename(self.folder, self.target)
        except OSError:
            if replaced:
                _rename(self._old, self.target)
            raise
        self._is_committed = True

    def roll_back(self) -> None:
        """Restore the old state."""
        if self._is_committed:
            _rename(self.target, self.folder)
            self._is_committed = False
            if self._old.exists():
                _rename(self._old, self.target)
        remove_tree(self.folder)
        for parent in self.made_parents:
            with contextlib.suppress(OSError):
                parent.rmdir()

    def finish(self) -> None:
        """Remove the old folder."""
        remove_tree(self._old)


@contextlib.contextmanager
def staging(target: Path) -> Iterator[Staging]:
    """Yield a `Staging`; any exception rolls it back, and system errors become an InstallError."""
    try:
        new = Staging(target)
    except OSError as error:
        raise explain(error) from None
    try:
        yield new
    except BaseException as error:
        new.roll_back()
        if isinstance(error, OSError):
            raise explain(error) from None
        raise
    new.finish()


def remove_tree(folder: Path) -> None:
    """Remove a folder with its content; what cannot be removed stays."""
    for left in reversed(range(_ATTEMPTS)):
        shutil.rmtree(folder, ignore_errors=True)
        for parent, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    remove_file(Path(parent, name))
        shutil.rmtree(folder, ignore_errors=True)
        if not left or not os.path.lexists(folder):
            return
        time.sleep(_PAUSE_S)


def remove_file(path: Path) -> None:
    """Remove a file, even one that is marked read-only, which Windows refuses at first."""
    try:
        path.unlink()
    except PermissionError:
        if path.is_symlink():
            raise
        path.chmod(stat.S_IREAD | stat.S_IWRITE)
        path.unlink()


def _rename(folder: Path, target: Path) -> None:
    for left in reversed(range(_ATTEMPTS)):
        try:
            folder.rename(target)
            return
        except PermissionError:
            if not left:
                raise
            time.sleep(_PAUSE_S)


def _prefix(target: Path, kind: str) -> str:
    return f".{target.name}.{kind}-"


def _make_parents(folder: Path) -> list[Path]:
    made: list[Path] = []
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        for parent in reversed(missing):
            parent.mkdir()
            made.insert(0, parent)
    except OSError:
        for parent in made:
            parent.rmdir()
        raise
    return made


def _remove_stale(target: Path) -> None:
    """Remove the leftovers of a killed installation: an hour old, so not of one in progress."""
    for kind in ("part", "old"):
        for folder in target.parent.glob(f"{_prefix(target, kind)}*"):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(folder).st_mtime > _STALE_S:
                    remove_tree(folder)
