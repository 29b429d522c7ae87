"""What the tests of several rooms share: a network of one's own, an empty folder, the data beside the project.

Tests that need the data folder say so with the `shared` mark.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("EOAM_SHARED", ROOT.parent / "shared"))


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
    from tests.core.doubles import save_network

    folder = tmp_path / "network"
    folder.mkdir()
    return save_network(folder / "red.onnx", metadata={"name": "red", "version": "3", "licence": "none"})


@pytest.fixture
def brief_warm_up(monkeypatch: pytest.MonkeyPatch) -> int:
    """Two rounds that the benchmark does not count, in place of many: no test looks at how fast anything is."""
    from eoam_cli import bench

    monkeypatch.setattr(bench, "_WARM_UP", 2)
    return 2


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder to write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with `data` and `peers`; without it the test is skipped, in CI it fails."""
    if not (SHARED / "data").is_dir():
        if os.environ.get("EOAM_REQUIRE_SHARED") == "1":
            pytest.fail(f"{SHARED}/data is missing, and EOAM_REQUIRE_SHARED=1 says it must be there.")
        pytest.skip(f"{SHARED}/data is not here (EOAM_SHARED names another place)")
    return SHARED


@pytest.fixture(scope="session")
def exported() -> Path:
    """The network that is the default."""
    return ROOT / "models" / "eoam.onnx"


@pytest.fixture(scope="session", params=["eoam", "eoam_plus"])
def shipped(request: pytest.FixtureRequest) -> Path:
    """Each of the networks that ship."""
    return ROOT / "models" / f"{request.param}.onnx"


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of drawn discs on noise, laid out as docs/developer/training.md says."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("eg1800_train", "eg1800_test", "ccp_upper", "mixed_people"):
        (root / name / "images").mkdir(parents=True)
        (root / name / "masks").mkdir()
        for i in range(6):
            mask = np.zeros((64, 48), np.uint8)
            cv2.circle(mask, (24, 40), 18 + i, 255, -1)
            picture = rng.integers(0, 90, (64, 48, 3), np.uint8)
            picture[mask > 0] += 150
            cv2.imwrite(str(root / name / "images" / f"{i:03}.png"), picture)
            cv2.imwrite(str(root / name / "masks" / f"{i:03}.png"), mask)
    for folder in ("cutouts", "backgrounds"):
        (root / folder).mkdir()
    for i in range(12):
        picture = rng.integers(0, 90, (60, 80, 4), np.uint8)
        cv2.imwrite(str(root / "backgrounds" / f"{i:03}.png"), picture[..., :3])
        cv2.imwrite(str(root / "cutouts" / f"{i:03}.png"), picture)
    (root / "eg1800_val.txt").write_text("004\n005\n")
    return root


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that runs are written to, empty."""
    from models import train as train_module

    monkeypatch.setattr(train_module, "RUNS", tmp_path)
    return tmp_path
