"""Define the installer's error, and explain the system's errors to users."""

from __future__ import annotations

import errno

from eoam_core.errors import EoamError


class InstallError(EoamError):
    """Something prevents the installation; the message names it and the remedy in one or two sentences."""


def explain(error: OSError) -> InstallError:
    """Turn an error of the operating system into a sentence."""
    place = error.filename or "a file"
    if error.errno == errno.ENOSPC or getattr(error, "winerror", None) == 112:
        return InstallError(f"The disk is full (while writing {place}). Free some space and run this again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InstallError(f"{place} cannot be written to. Choose a folder that you can write to with --target.")
    if error.errno == errno.ENAMETOOLONG or getattr(error, "winerror", None) == 206:
        return InstallError(f"The path {place} is too long. Choose a shorter one with --target.")
    return InstallError(f"{place}: {error.strerror or error}.")
