"""Run `install.py` from the wheel as `python -m eoam_install`."""

from __future__ import annotations

import sys

from eoam_install.command import main

if __name__ == "__main__":
    sys.exit(main())
