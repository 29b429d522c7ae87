"""Scene collections that older versions have saved, in a real OBS.

scenes/version1.json is what OBS 29 saved with the first version of this project's settings (commit f6d40e3), after the
filter had been added and set over obs-websocket; only the paths are words that are replaced here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eoam_core.settings import VERSION
from eoam_obs.source.stored import VERSION_KEY
from tests.obs_live.obs_helpers import SCRIPT, crash_report, disc, is_drawn, save_picture, saved_scenes
from tools.obs_driver.session import CAMERA, FILTER, Collection, Json, ObsSession

SCENES = Path(__file__).parent / "scenes"


@dataclass
class Saved(Collection):
    """A collection as OBS saved it."""

    document: Json = field(default_factory=dict)

    def to_json(self, name: str, canvas: tuple[int, int]) -> Json:
        return {**self.document, "name": name}


def test_a_collection_of_the_first_version_looks_as_it_did_and_is_saved_anew(
    display: str, brightness_model: Path, tmp_path: Path
) -> None:
    picture = save_picture(tmp_path / "disc.png", disc(640, 360))
    text = (SCENES / "version1.json").read_text(encoding="utf-8")
    document = json.loads(text.replace("SCRIPT", str(SCRIPT)).replace("PICTURE", str(picture)))
    environment = {"EOAM_MODEL": str(brightness_model)}
    obs = ObsSession(tmp_path, display, {"Test": Saved([], document=document)}, (640, 360), environment=environment)
    with obs:
        seen = obs.wait_for_picture(is_drawn, "the person")
        assert (seen[130, 230] == (205, 225, 250, 255)).all()
        assert not seen[300:, :].any()
        assert not seen[:, 400:].any()
        values = obs.request("GetSourceFilter", sourceName=CAMERA, filterName=FILTER)["filterSettings"]
        wanted = {"threshold": 0.6, "softness": 0.2, "smoothing": 0.4, "refinement": 1.0, "edge_shift": 0.0}
        assert {name: values[name] for name in wanted} == pytest.approx(wanted)
        assert {name: values[name] for name in ("timing", "view", "regions", "holes", "preset")} == {
            "timing": "low_latency",
            "view": "result",
            "regions": "largest",  # what contour_fill was
            "holes": "all",
            "preset": "custom",
        }
        assert [scene["sceneName"] for scene in obs.request("GetSceneList")["scenes"]] == ["Second", "Scene"]
        saved = saved_scenes(obs)
        ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)
    camera = next(source for source in saved["sources"] if source["name"] == CAMERA)
    stored = camera["filters"][0]["settings"]
    assert stored[VERSION_KEY] == VERSION
    assert "contour_fill" not in stored
    assert stored["threshold"] == pytest.approx(0.6)
    assert stored["smoothing"] == pytest.approx(0.4)
