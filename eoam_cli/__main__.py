"""Run `eoam` as `python -m eoam_cli`, for a Python whose scripts are not on the path, such as OBS's."""

from __future__ import annotations

import sys
from pathlib import Path

# The installer puts the libraries beside the packages; the script in OBS uses the same folder.
_libraries = Path(__file__).resolve().parent.parent / "libraries" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
if _libraries.is_dir():
    sys.path.insert(1, str(_libraries))

from eoam_cli.main import main  # noqa: E402

sys.exit(main())
