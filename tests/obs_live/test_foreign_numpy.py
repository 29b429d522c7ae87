"""Another script has loaded another numpy into OBS's Python first: nothing is shown, and a sentence says what to do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.obs_live.obs_helpers import SCRIPT, Starter
from tools.obs_driver.session import filter_entry, image_entry


def test_another_scripts_numpy_is_named_and_nothing_is_shown(start_obs: Starter, tmp_path: Path) -> None:
    old = tmp_path / "old" / "numpy"
    old.mkdir(parents=True)
    (old / "__init__.py").write_text("__version__ = '1.19.5'\n")
    other = tmp_path / "another_script.py"
    other.write_text(f"import sys\nsys.path.insert(0, {str(old.parent)!r})\nimport numpy\n")
    picture = tmp_path / "white.png"
    cv2.imwrite(str(picture), np.full((90, 160, 3), 255, np.uint8))
    obs = start_obs(
        {"x": [image_entry(picture, filter_entry())]}, scripts={"x": [(other, {}), (SCRIPT, {})]}, canvas=(160, 90)
    )
    obs.wait(lambda: f"Another script has loaded numpy 1.19.5 from {old} before this one." in obs.log, "the sentence")
    assert not obs.screenshot().any()
