"""`python -m eoam_install` is `install.py` for those who have the wheel."""

from __future__ import annotations

import sys

from eoam_install.command import main

if __name__ == "__main__":
    sys.exit(main())
