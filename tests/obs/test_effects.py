"""The product's own shaders as Direct3D and Metal take them: no fault, and what they read is set before each draw."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import eoam_obs
from eoam_core.settings import BackgroundKind, Settings, View
from eoam_obs.frame.background_file import BackgroundFile
from eoam_obs.frame.drawing import Drawing
from eoam_obs.frame.gpu import RenderTarget
from eoam_obs.frame.placeholder import Placeholder
from eoam_obs.frame.scene_effect import SceneEffect
from tests.obs.shader_check import Draw, faults, uniforms, unset
from tests.obs.test_parts import NoteTaking

FILES = sorted((Path(eoam_obs.__file__).parent / "effects").glob("*.effect"))


def test_there_are_shaders_to_look_at() -> None:
    assert len(FILES) >= 2


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_products_shaders_have_no_faults(file: Path) -> None:
    assert faults(file.name, file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "now", "before", "fault"),
    [
        ("scene", "lowest", "least", "scene.effect, function line_at: the local least"),
        (
            "scene",
            "picture_at(uv) * background_share(uv)",
            "background_share(uv) * image.Sample(linear_clamp, uv)",
            "scene.effect, technique Room, function PSRoom",
        ),
        (
            "eoam",
            "float level = refined(level_at(place), coefficients_at(place), picture_at(place).rgb);",
            "float level = refined(level_at(place), coefficients_at(place), image.Sample(linear_clamp, place).rgb);",
            "eoam.effect, technique Moved, function PSMoved",
        ),
    ],
)
def test_the_faults_that_once_were_in_them_are_seen(name: str, now: str, before: str, fault: str) -> None:
    (file,) = (file for file in FILES if file.stem == name)
    text = file.read_text(encoding="utf-8")
    assert now in text
    found = faults(file.name, text.replace(now, before))
    assert any(line.startswith(fault) for line in found), found


def looks() -> Iterator[Settings]:
    """Give every combination of the settings that decide what is drawn."""
    for view, background, cleaning, shift, refinement, blur in itertools.product(
        View, BackgroundKind, (0.0, 0.5), (0.0, 3.0), (0.0, 1.0), (1.0, 10.0)
    ):
        yield Settings.validated(
            view=view,
            background=background,
            decontamination=cleaning,
            edge_shift=shift,
            refinement=refinement,
            blur_strength=blur,
        )


def matte(*, has_coefficients: bool, has_confidence: bool) -> Any:
    """Return what a worker hands over, with or without what not every network gives."""
    mask = np.zeros((36, 64), np.uint8)
    coefficients = np.zeros((9, 16, 4), np.uint16) if has_coefficients else None
    confidence = np.zeros((36, 64), np.uint16) if has_confidence else None
    addresses = (1, 2 * has_coefficients, 3 * has_confidence)
    return SimpleNamespace(mask=mask, coefficients=coefficients, confidence=confidence, addresses=addresses)


def draw_everything(obs: NoteTaking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw every look by the product's own code, and the cover."""
    libobs: Any = obs
    obs.obs_enter_graphics()
    read = obs.handle("texture")
    picture, drawing, cover = RenderTarget(libobs), Drawing(libobs), Placeholder(libobs)
    picture.begin(640, 360)
    picture.end()
    for number, (settings, has_coefficients, has_confidence, texture) in enumerate(
        itertools.product(looks(), (False, True), (False, True), (0, read))
    ):
        if texture and settings.background is not BackgroundKind.PICTURE:
            continue
        monkeypatch.setattr(BackgroundFile, "texture", lambda *_, texture=texture: texture)  # not read yet, or read
        drawing.upload(matte(has_coefficients=has_coefficients, has_confidence=has_confidence))
        drawing.show(picture, settings, (640, 360), number, number)
        drawing.draw()
    cover.take(picture, 640, 360)
    cover.draw()
    for part in (picture, drawing, cover):
        part.destroy()
    obs.obs_leave_graphics()
    drawing.close()
    assert not obs.faults


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> NoteTaking:
    obs = NoteTaking()
    draw_everything(obs, monkeypatch)
    return obs


def test_every_look_sets_all_that_its_shaders_read(drawn: NoteTaking) -> None:
    assert drawn.omissions() == []
    assert drawn.undrawn() == []
    assert {file for file, _, _ in drawn.draws()} == {file.name for file in FILES}


def test_every_value_that_is_left_out_is_seen(drawn: NoteTaking) -> None:
    seen = set()
    for file, text, draw in drawn.draws():
        for name in draw.given:
            less = {other: setter for other, setter in draw.given.items() if other != name}
            if any(f"reads {name}," in fault for fault in unset(file, text, [Draw(draw.technique, less)])):
                seen.add((file, name))
    assert seen == {
        (file.name, name) for file in FILES for name in uniforms(file.name, file.read_text()) - {"ViewProj"}
    }


@pytest.mark.parametrize("method", ["set_number", "set_pair", "set_colour", "set_levels", "set_colours"])
def test_a_call_that_the_product_loses_is_seen(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SceneEffect, method, lambda *_: None)
    obs = NoteTaking()
    draw_everything(obs, monkeypatch)
    assert any("which is not set before the draw" in fault for fault in obs.omissions())
