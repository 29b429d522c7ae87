"""`python -m eoam_core` is `eoam`, for where the script is not on the path (the Python that OBS uses)."""

from __future__ import annotations

import sys

from eoam_core.cli import main

sys.exit(main())
