"""The demonstration where there is no OBS."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.demo import demo, without_obs


def test_without_obs_the_same_clip_goes_through_the_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert without_obs.show(None, tmp_path, size=(320, 180)) == 0
    assert "pictures:" in capsys.readouterr().out
    together = cv2.imread(str(tmp_path / "demo.png"))
    assert together is not None
    assert together.shape == (360, 3 * 640, 3)
    source = cv2.imread(str(tmp_path / "demo_source.png"), cv2.IMREAD_UNCHANGED)
    assert source is not None
    alpha = source[..., 3]
    assert 0.1 < float((alpha > 127).mean()) < 0.6
    scene = cv2.imread(str(tmp_path / "demo_scene.png"))
    assert scene is not None
    np.testing.assert_array_equal(scene[alpha == 0], np.broadcast_to((176, 96, 58), scene.shape)[alpha == 0])


def test_what_is_missing_is_said_in_one_sentence_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(demo, "missing_programs", lambda: ["Xvfb"])
    assert demo._lacking() == "Not installed: xvfb; `sudo apt-get install xvfb` on Debian and Ubuntu."
    monkeypatch.setattr(demo, "missing_programs", list)
    assert demo._lacking() == ""
    monkeypatch.setattr(sys, "platform", "win32")
    assert "install.py" in demo._lacking()
