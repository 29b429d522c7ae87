"""What pyproject.toml cannot say: the wheel carries files that lie outside the packages in the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# (files in the repository, folder in the wheel)
CARRIED = (
    ("models/*.onnx", "eoam_core/models"),
    ("models/MODEL_CARD.md", "eoam_core/models"),
    ("models/SHA256SUMS", "eoam_core/models"),
    ("obs_eoam.py", "eoam_install/files"),
    ("install.py", "eoam_install/files"),
    ("LICENSE", "eoam_install/files"),
    ("locale/*.ini", "eoam_install/files/locale"),
)


class BuildWithFiles(build_py):
    """Copy them beside the packages' own files; an editable installation finds them where they lie."""

    def run(self) -> None:
        """Build."""
        super().run()
        if self.editable_mode:
            return
        for pattern, folder in CARRIED:
            target = Path(self.build_lib, folder)
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(ROOT.glob(pattern)):
                shutil.copy(path, target)


setup(cmdclass={"build_py": BuildWithFiles})
