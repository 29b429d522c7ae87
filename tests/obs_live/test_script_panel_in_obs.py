"""The script's panel in a real OBS, made while another script is at work.

Slow: it has 2,000 panels made: the lock-up it looks for came within some hundred.
"""

from __future__ import annotations

from pathlib import Path

from tests.obs_live.obs_helpers import SCRIPT, Starter

TICKING = Path(__file__).parent / "ticking_script.py"


def test_the_panel_is_made_while_another_scripts_tick_runs(start_obs: Starter, tmp_path: Path) -> None:
    made = tmp_path / "made"
    obs = start_obs({"x": []}, scripts={"x": [(SCRIPT, {}), (TICKING, {})]}, environment={"EOAM_TEST_MADE": str(made)})
    obs.request("CreateScene", sceneName="Other")

    def panels() -> int:
        return int(made.read_text() or 0) if made.exists() else 0  # nothing yet where it is being written

    for scene in ("Other", "Scene") * 10:
        before = panels()
        obs.request("SetCurrentProgramScene", sceneName=scene)

        def has_more(before: int = before) -> bool:
            return panels() > before

        obs.wait(has_more, f"more than {before} panels", timeout_s=60.0)
    assert panels() >= 2000
    assert "callback_failed" not in obs.log  # that it ends well is seen to where it was started
