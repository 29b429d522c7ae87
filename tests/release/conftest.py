"""What is published, built once for the tests of this folder, and a place for it that every user may look into."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that scripts/release builds."""
    folder = tmp_path_factory.mktemp("release")
    command: list[str | Path] = [REPOSITORY / "scripts" / "release", "--working-tree", "--out", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty folder outside pytest's own, which only its owner may enter: people without rights work here."""
    folder = Path(tempfile.mkdtemp(prefix="eoam-release-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
