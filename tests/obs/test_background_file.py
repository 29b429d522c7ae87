"""The filter's background picture, read on its own thread, with textures that are only counted."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eoam_obs.frame.background_file import BackgroundFile
from tests.pictures.pictures import DISPLAY_P3, animated, exif, noise, profile, saved, srgb_curve

_SECOND = 1_000_000_000


def _shown(path: Path, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> tuple[BackgroundFile, list[Any]]:
    """Return the file after it was asked for its texture, and the pixels that each texture got."""
    given: list[Any] = []
    obs: Any = SimpleNamespace(
        gs_texture_create=lambda *_: 7, gs_texture_set_image=lambda *_: None, gs_texture_destroy=lambda _: None
    )
    file = BackgroundFile(obs)
    take = file._take

    def noted(loaded: Any, now: int) -> None:
        given.append(loaded.pixels)
        take(loaded, now)

    monkeypatch.setattr(file, "_take", noted)
    for number in range(times):
        for later in (0, 1):
            file.texture(str(path), 80 + number, 60, (10 * number + later) * _SECOND)
            file.join()
    return file, given


def test_an_animation_is_said_once_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "waving.gif"
    path.write_bytes(animated("GIF", 12))
    with caplog.at_level(logging.WARNING, "eoam"):
        file, given = _shown(path, monkeypatch, times=3)
    assert (file.problem, len(given)) == ("", 3)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"background_picture_changed notes={path} has 12 frames; only the first is used."


def test_a_photo_is_shown_upright_and_in_srgb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    wide = profile(DISPLAY_P3, srgb_curve())
    path.write_bytes(saved(np.rot90(noise()), "PNG", exif=exif(6), icc_profile=wide) + b"a video" * 999)
    _, (pixels,) = _shown(path, monkeypatch)
    assert pixels.shape == (60, 80, 4)
    difference = pixels[..., 2::-1].astype(int) - noise()
    assert 4 < np.abs(difference).mean() < 20  # the colours are converted, and the picture is the same


def test_a_heic_says_in_the_panel_how_it_becomes_a_jpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    file, given = _shown(path, monkeypatch)
    assert "is a HEIC image" in file.problem
    assert given == [None]
