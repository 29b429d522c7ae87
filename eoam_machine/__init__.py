"""Find every OBS on this computer, its settings and scenes, and what is installed there.

For the installer and `eoam doctor`. Standard library only, Python 3.9 or newer: the installer runs before anything is
installed.
"""

from __future__ import annotations
