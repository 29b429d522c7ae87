"""Model tests need torch; those that need the data folder say so with the `shared` mark."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("EOAM_SHARED", ROOT.parent / "shared"))


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
    """The network that ships."""
    return ROOT / "models" / "eoam.onnx"
