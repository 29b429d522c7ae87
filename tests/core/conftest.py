from __future__ import annotations

from pathlib import Path

import pytest

from eoam_core import bench

from .doubles import save_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A working network in a file of its own, away from where a test writes."""
    folder = tmp_path / "network"
    folder.mkdir()
    return save_network(folder / "red.onnx", metadata={"name": "red", "version": "3", "licence": "none"})


@pytest.fixture
def brief_warm_up(monkeypatch: pytest.MonkeyPatch) -> int:
    """Two rounds that the benchmark does not count, in place of many: no test looks at how fast anything is."""
    monkeypatch.setattr(bench, "_WARM_UP", 2)
    return 2


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder to write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
