from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.doubles import save_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A working network of the user's own."""
    folder = tmp_path / "network"
    folder.mkdir()
    return save_network(folder / "red.onnx", metadata={"name": "red", "version": "3"})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder to write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
