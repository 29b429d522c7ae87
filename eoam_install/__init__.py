"""Install the filter where OBS finds it, and remove it again. Standard library only, Python 3.9 or newer.

Runs in three places: `install.py` of the download, `python -m eoam_install` of the wheel, and inside OBS, where the
script's panel installs the libraries (`eoam_install.components`). Importing it imports nothing that is not part of
Python.
"""

from __future__ import annotations
