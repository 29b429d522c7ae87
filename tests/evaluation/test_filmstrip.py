"""A film strip shows a video before and after."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from evaluation.filmstrip import draw_strips, main
from models.data import DataError
from tools.obs_driver import clips


def test_a_strip_shows_every_kth_frame_cut_out_twice(tmp_path: Path, exported: Path) -> None:
    video = tmp_path / "astronaut.mkv"
    clips.write_video(video, clips.astronaut_frames(320, 180, 5), 30)
    (written,) = draw_strips(video, exported, tmp_path / "out", every=2, height=180)
    strip = cv2.imread(str(written))
    assert strip is not None
    assert strip.shape[0] == 2 * 180 + 4
    assert strip.shape[1] >= 3 * 320
    for top in (0, 180):  # above the network alone, below the filter
        assert abs(int(strip[top + 10, 310, 1]) - 160) < 12  # the wall has gone
        assert strip[top + 80, 140, 2] > 90  # the face is still there


def test_what_is_no_video_is_named(tmp_path: Path, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no video")
    with pytest.raises(DataError, match=r"notes\.txt"):
        draw_strips(file, exported, tmp_path, every=1)
    assert main([str(file), "--out", str(tmp_path)]) == 2
    assert "notes.txt" in capsys.readouterr().err
