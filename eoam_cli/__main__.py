"""`python -m eoam_cli` is `eoam`, for where the script is not on the path (the Python that OBS uses)."""

from __future__ import annotations

import sys
from pathlib import Path

# The libraries that the installer has put beside the packages; the script in OBS looks there as well.
_libraries = Path(__file__).resolve().parent.parent / "libraries" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
if _libraries.is_dir():
    sys.path.insert(1, str(_libraries))

from eoam_cli.main import main  # noqa: E402

sys.exit(main())
