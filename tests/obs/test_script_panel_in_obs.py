"""The script's panel in a real OBS, made while another script is at work."""

from __future__ import annotations

from pathlib import Path

from obs_helpers import SCRIPT, Starter

TICKING = Path(__file__).parent / "ticking_script.py"


def test_the_panel_is_made_while_another_scripts_tick_runs(start_obs: Starter, tmp_path: Path) -> None:
    made = tmp_path / "made"
    obs = start_obs({"x": []}, scripts={"x": [(SCRIPT, {}), (TICKING, {})]}, environment={"EOAM_TEST_MADE": str(made)})
    obs.request("CreateScene", sceneName="Other")
    obs.request("SetCurrentProgramScene", sceneName="Other")
    obs.wait(made.exists, "2,000 panels", timeout_s=90.0)
    obs.wait(lambda: made.read_text() == "2000", "2,000 panels")
    assert "callback_failed" not in obs.log  # that it ends well is seen to where it was started
