"""Which colour space a source's picture is drawn in, and how levels come to a canvas of linear light; without OBS."""

from __future__ import annotations

from typing import Any

import pytest

from eoam_core.settings import BackgroundKind, Settings, View
from eoam_obs.binding import functions, libobs
from eoam_obs.frame.camera import Camera
from eoam_obs.frame.compositor import has_chosen_colours
from eoam_obs.frame.gpu import RenderTarget
from tests.obs.libobs_double import LibobsDouble

SRGB, SRGB_16F, HDR = libobs.GS_CS_SRGB, libobs.GS_CS_SRGB_16F, libobs.GS_CS_709_EXTENDED
SDR_CANVAS, PQ_CANVAS, HLG_CANVAS = 2, 4, 5


class Source(LibobsDouble):
    """A libobs with one source, on a canvas."""

    def __init__(self, space: int, canvas: int | None) -> None:
        super().__init__()
        self.space, self.canvas = space, canvas

    def obs_filter_get_target(self, source: int) -> int:
        return 8

    def obs_source_get_base_width(self, source: int) -> int:
        return 640

    def obs_source_get_base_height(self, source: int) -> int:
        return 360

    def obs_source_get_color_space(self, source: int, count: int, preferred: Any) -> int:
        return self.space

    def obs_get_video_info(self, info: Any) -> bool:
        if self.canvas is not None:
            info._obj.colorspace = self.canvas
        return self.canvas is not None


@pytest.mark.parametrize(
    ("space", "canvas", "as_shown", "drawn"),
    [
        (HDR, SDR_CANVAS, True, SRGB_16F),
        (HDR, None, True, SRGB_16F),
        (HDR, SDR_CANVAS, False, HDR),
        (HDR, PQ_CANVAS, True, HDR),
        (HDR, HLG_CANVAS, True, HDR),
        (SRGB, SDR_CANVAS, True, SRGB),
        (SRGB, PQ_CANVAS, True, SRGB),
        (SRGB_16F, SDR_CANVAS, True, SRGB_16F),
    ],
)
def test_only_what_obs_would_tone_map_afterwards_is_tone_mapped_before(
    space: int, canvas: int | None, as_shown: bool, drawn: int
) -> None:
    obs: Any = Source(space, canvas)
    camera = Camera(obs, functions.Source(7))
    with obs.graphics():
        assert camera.look(as_shown=as_shown)
    assert camera.space == drawn


def test_a_setting_that_changes_acts_at_once_and_not_when_the_source_is_asked_again() -> None:
    obs: Any = Source(HDR, SDR_CANVAS)
    camera = Camera(obs, functions.Source(7))
    with obs.graphics():
        spaces = []
        for as_shown in (False, True, False):
            camera.look(as_shown=as_shown)
            spaces.append(camera.space)
    assert spaces == [HDR, SRGB_16F, HDR]


def test_a_canvas_that_becomes_hdr_is_noticed() -> None:
    obs: Any = Source(HDR, SDR_CANVAS)
    camera = Camera(obs, functions.Source(7))
    with obs.graphics():
        camera.look(as_shown=True)
        obs.canvas = PQ_CANVAS
        for _ in range(16):
            camera.look(as_shown=True)
    assert camera.space == HDR


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("background", BackgroundKind)
def test_only_the_bare_cut_out_and_the_blur_have_no_colours_but_the_source_s(
    view: View, background: BackgroundKind
) -> None:
    bare = view is View.RESULT and background in (BackgroundKind.TRANSPARENT, BackgroundKind.BLUR)
    assert has_chosen_colours(Settings(view=view, background=background)) is not bare


class Target(LibobsDouble):
    """A libobs that draws into `space`, and notes how it was drawn with OBS's own effect."""

    def __init__(self, space: int) -> None:
        super().__init__()
        self.space = space
        self.direct: list[tuple[int, bool]] = []

    def gs_get_color_space(self) -> int:
        return SRGB if self.inside else self.space

    def gs_effect_loop(self, effect: int, technique: bytes) -> bool:
        if not self.direct or self.direct[-1] != (self.inside, self.framebuffer_srgb):
            self.direct.append((self.inside, self.framebuffer_srgb))
            return True
        return False


@pytest.mark.parametrize("view", [View.MASK, View.CONFIDENCE])
@pytest.mark.parametrize(
    ("space", "steps"),
    [(SRGB, [(0, False)]), (SRGB_16F, [(1, False), (0, True)]), (HDR, [(1, False), (0, True)])],
)
def test_levels_are_decoded_on_their_way_to_linear_light(view: View, space: int, steps: list[object]) -> None:
    """Inside a texture of bytes they are drawn as they are; that texture is drawn as linear light."""
    from eoam_obs.frame.drawing import Drawing
    from tests.obs.test_effects import matte

    obs: Any = Target(space)
    with obs.graphics():
        picture, drawing = RenderTarget(obs), Drawing(obs)
        picture.begin(64, 36)
        picture.end()
        drawing.upload(matte(has_coefficients=False, has_confidence=False))
        drawing.show(picture, Settings(view=view), (64, 36), 1, 1)
        del obs.direct[:]
        obs.gs_blend_state_push()
        drawing.draw()
        obs.gs_blend_state_pop()
        obs.gs_enable_framebuffer_srgb(False)
        for part in (picture, drawing):
            part.destroy()
    drawing.close()
    assert obs.direct == steps
    assert not obs.faults
    assert not obs.alive
