"""A real OBS for the tests of this folder, started as few times as possible: once per module where that will do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.obs_live.obs_helpers import Starter, crash_report
from tools.obs_driver.session import ObsSession, missing_programs, virtual_display
from tools.obs_driver.toy_model import write_brightness_model


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    missing = missing_programs()
    for item in items:
        if "display" not in getattr(item, "fixturenames", ()):
            continue
        item.add_marker("obs")
        if missing and os.environ.get("EOAM_REQUIRE_OBS") != "1":
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    missing = missing_programs()
    if missing:
        pytest.fail(f"EOAM_REQUIRE_OBS=1, but these are not installed: {', '.join(missing)}")
    with virtual_display() as name:
        yield name


@pytest.fixture(scope="session")
def brightness_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "brightness.onnx"
    write_brightness_model(file)
    return file


class _RememberingStarter(Starter):
    """Keeps the sessions, to see how they end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sessions: list[ObsSession] = []

    def __call__(self, *arguments: Any, **options: Any) -> ObsSession:
        session = super().__call__(*arguments, **options)
        self.sessions.append(session)
        return session


@pytest.fixture(scope="module")
def start_obs(display: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Start OBS; each one that was started must end with exit code 0 and no leak, whatever it was started for."""
    with ExitStack() as stack:
        starter = _RememberingStarter(display, tmp_path_factory, stack)
        yield starter
    for session in starter.sessions:
        ended = session.end()  # says again how it ended
        assert ended.is_clean or ended.fault_of_obs, crash_report(ended, session)
