from __future__ import annotations

import re
from pathlib import Path

import cv2
import pytest

from eoam_cli import bench

from .doubles import save_network


@pytest.fixture(autouse=True)
def avif_can_be_read(request: pytest.FixtureRequest) -> None:
    """Skip what is about AVIF where OpenCV was built without it, as Windows' is."""
    if "avif" in request.node.name.lower():
        built = re.search(r"^\s*AVIF:\s*(?!NO\b)\S", cv2.getBuildInformation(), re.MULTILINE)
        if built is None and "updating" not in request.node.name:
            pytest.skip("this OpenCV does not read AVIF")


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
