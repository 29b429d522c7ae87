"""Run commands in a script inside OBS that obs-websocket cannot do."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, Final

from tools.obs_driver.session import ObsSession

PROBE: Final = Path(__file__).parent / "probe_script.py"


class Probe:
    """Make probe_script.py run a command on OBS's UI thread; the folder is its $EOAM_PROBE."""

    def __init__(self, obs: ObsSession, folder: Path) -> None:
        self._obs = obs
        self._folder = folder
        self._numbers = itertools.count(1)

    def __call__(self, name: str, /, **arguments: object) -> Any:
        number = next(self._numbers)
        command = self._folder / "command.json"
        command.with_suffix(".part").write_text(json.dumps({"id": number, "name": name, "arguments": arguments}))
        command.with_suffix(".part").rename(command)
        self._obs.request("CreateScene", sceneName=f"probe {number}")  # the event that wakes the script
        file = self._folder / f"answer-{number}.json"
        self._obs.wait(file.exists, f"the probe's answer to {name}")
        self._obs.request("RemoveScene", sceneName=f"probe {number}")
        removed = f"User Removed scene 'probe {number}'"
        self._obs.wait(lambda: removed in self._obs.log, "the end of the probe's scene")
        answer = json.loads(file.read_text())
        assert "error" not in answer, f"{name}: {answer['error']}"
        return answer["result"]
