"""The errors of the project. Standard library only, Python 3.9 or newer: the installer uses them, too.

    EoamError
    ├── InputError          a picture, a video or an argument that cannot be used
    ├── InstallationError   a library is missing, too old or does not load
    ├── ModelError          the network's file is missing, damaged or of another kind, or its output is not a mask
    ├── GraphicsError       the graphics driver or libobs refused something (eoam_obs.frame.gpu)
    └── InstallError        something prevents the installation (eoam_machine.errors)

A message is one sentence that names the offending value and says what to do about it. Plain misuse of a function by a
programmer (a wrong shape, a value out of range) is a ValueError and not in this tree.
"""

from __future__ import annotations

from eoam_core.printable import printable


class EoamError(Exception):
    """Base of everything this project raises on purpose.

    The message becomes one printable line, whatever the names of files in it hold: it goes to terminals, panels and
    logs.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class InputError(EoamError):
    """A picture, a video or a command line argument cannot be used."""


class InstallationError(EoamError):
    """A library that is needed is missing, too old or does not load."""


class ModelError(EoamError):
    """The network's file cannot be used, or what it returned is not a mask."""
