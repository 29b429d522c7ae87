"""Write a file either completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eoam_core.errors import InputError


@contextmanager
def replacing(target: Path, *, source: Path) -> Iterator[Path]:
    """Yield the path of an empty file beside `target` to write to; on success it replaces the target.

    Any exception inside, including a keyboard interrupt, removes it and leaves an older target unchanged.

    Args:
        target: the file to write; may exist.
        source: the file that is read meanwhile; must be another one.

    Raises:
        InputError: the target is a folder, is the source, or cannot be written.
    """
    if os.path.isdir(target):  # Path.is_dir raises for names that are too long
        raise InputError(f"{target} is a folder; specify an output file.")
    if not os.path.isdir(target.parent):
        raise InputError(f"{target} cannot be written: there is no folder {target.parent}; create it first.")
    if os.path.exists(target) and os.path.exists(source) and target.samefile(source):
        raise InputError(f"{target} is the input itself; choose another name for the output.")
    # The suffix stays at the end, since video libraries choose the container by it.
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        yield temporary
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise _unwritable(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn an OSError (a full disk, a lost network folder) into an InputError that names `target`."""
    try:
        yield
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> InputError:
    return InputError(f"{target} cannot be written: {error.strerror or error}; choose another folder.")
