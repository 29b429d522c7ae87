"""This computer as the installer and `eoam doctor` see it: its OBS, their settings and scenes, what is installed there.

Standard library only, Python 3.9 or newer: the installer runs before anything is installed.
"""

from __future__ import annotations
