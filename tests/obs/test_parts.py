"""The parts of eoam_obs that need no OBS, and the filter's decisions with a libobs that only takes notes."""

from __future__ import annotations

import ctypes
import itertools
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import eoam_obs.frame.matting
from eoam_core.errors import InstallationError, ModelError
from eoam_core.geometry import network_size
from eoam_core.pipeline import Pipeline
from eoam_core.segmenter import NullSegmenter
from eoam_core.settings import BackgroundKind, Settings, View
from eoam_obs.binding import libobs
from eoam_obs.binding.callbacks import callback
from eoam_obs.binding.functions import Texture
from eoam_obs.frame.deferred import RETRY_S, DeferredSegmenter, file_state
from eoam_obs.frame.drawing import Drawing
from eoam_obs.frame.filter import Filter
from eoam_obs.frame.gpu import Downscaler, GraphicsError, PictureRing, Pixels, Readback, RenderTarget
from eoam_obs.frame.matting import Matting
from eoam_obs.source import source_type
from tests.obs.libobs_double import LibobsDouble

TICK = 33_000_000  # nanoseconds


class Mean(NullSegmenter):
    """Return the mean of blue, green and red."""

    def segment(self, frame: np.ndarray) -> np.ndarray:
        return frame[..., :3].mean(axis=2).astype(np.uint8)


def test_the_prefix_of_the_struct_ends_behind_video_get_color_space() -> None:
    # On 64 bits: the id, two ints, 14 callbacks up to video_render, 20 more, the icon's int, 9 for media, the version's
    # int, two pointers, and video_get_color_space: 50 words, which is all that OBS 28 and 29 have.
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        pytest.skip("counted for 64 bits")
    assert libobs.SourceInfo.get_name.offset == 16
    assert libobs.SourceInfo.video_render.offset == 8 * 15
    assert libobs.SourceInfo.version.offset == 8 * 46
    assert libobs.SourceInfo.video_get_color_space.offset == 8 * 49
    assert ctypes.sizeof(libobs.SourceInfo) == 8 * 50
    info, owner = libobs.source_info_buffer()
    assert ctypes.sizeof(owner) > 1024 > ctypes.sizeof(info)  # type: ignore[arg-type]


def test_a_zero_vector_lies_on_sixteen_bytes() -> None:
    for _ in range(20):
        address, _owner = libobs.aligned_zero_vec4()
        assert address % 16 == 0


def test_the_ring_keeps_what_is_needed_and_stays_small() -> None:
    made: list[SimpleNamespace] = []

    def make() -> Any:
        made.append(SimpleNamespace(destroy=lambda: None))
        return made[-1]

    ring = PictureRing(make, limit=3)
    first = ring.next(1)
    for number in range(2, 50):
        ring.next(number, None, 1, number - 1)
        assert ring.find(1) is first
        assert ring.find(number - 1) is not None
    assert len(made) == 3
    with pytest.raises(ValueError, match="ring has 3"):
        ring.next(50, 1, 48, 49)
    ring.destroy()
    assert ring.find(1) is None


def test_a_network_is_opened_with_the_first_frame_and_not_before() -> None:
    opened = []

    def open_segmenter(height: int, width: int) -> NullSegmenter:
        opened.append((height, width))
        return NullSegmenter(height, width)

    segmenter = DeferredSegmenter(16, 32, open_segmenter=open_segmenter)
    assert not opened
    assert segmenter.name == "no model"
    for _ in range(3):
        assert segmenter.segment(np.zeros((16, 32, 4), np.uint8)).shape == (16, 32)
    assert opened == [(16, 32)]
    segmenter.close()


def test_a_network_that_does_not_open_is_tried_again_now_and_then() -> None:
    now, attempts, broken = [0.0], itertools.count(1), [True]

    def open_segmenter(height: int, width: int) -> NullSegmenter:
        number = next(attempts)
        if broken[0]:
            raise ModelError(f"attempt {number}")
        return NullSegmenter(height, width)

    segmenter = DeferredSegmenter(16, 16, open_segmenter=open_segmenter, clock=lambda: now[0])
    frame = np.zeros((16, 16, 4), np.uint8)
    for moment, attempt in ((0.0, 1), (0.1, 1), (RETRY_S - 0.1, 1), (RETRY_S + 0.1, 2), (RETRY_S + 1, 2)):
        now[0] = moment
        with pytest.raises(ModelError, match=f"attempt {attempt}"):
            segmenter.segment(frame)
    broken[0] = False
    now[0] = 3 * RETRY_S
    assert not segmenter.segment(frame).any()


def test_a_file_that_stays_as_it_is_is_tried_more_and_more_rarely_and_a_changed_one_soon() -> None:
    now, attempts, state = [0.0], [0], ["broken"]

    def open_segmenter(height: int, width: int) -> NullSegmenter:
        attempts[0] += 1
        if state[0] != "whole":
            raise ModelError("it is damaged")
        return NullSegmenter(height, width)

    segmenter = DeferredSegmenter(16, 16, open_segmenter=open_segmenter, state=lambda: state[0], clock=lambda: now[0])
    frame = np.zeros((16, 16, 4), np.uint8)

    def run(seconds: float) -> int:
        before = attempts[0]
        for _ in range(round(seconds)):
            now[0] += 1.0
            with pytest.raises(ModelError, match="damaged"):
                segmenter.segment(frame)
        return attempts[0] - before

    assert run(60) == 4  # at once, and after 5, 10 and 20 s
    assert run(3600) <= 3600 / 300 + 3
    state[0] = "broken in another way"
    assert run(6) in (1, 2)
    state[0] = "whole"
    now[0] += RETRY_S + 1
    assert not segmenter.segment(frame).any()


def test_a_library_that_is_missing_is_looked_for_every_few_seconds() -> None:
    now, attempts = [0.0], [0]

    def open_segmenter(height: int, width: int) -> NullSegmenter:
        attempts[0] += 1
        raise InstallationError("onnxruntime is missing")

    segmenter = DeferredSegmenter(16, 16, open_segmenter=open_segmenter, state=lambda: 0, clock=lambda: now[0])
    for _ in range(600):
        now[0] += 1.0
        with pytest.raises(InstallationError):
            segmenter.segment(np.zeros((16, 16, 4), np.uint8))
    assert attempts[0] == 600 / RETRY_S


def test_the_state_of_a_networks_file_changes_with_it_and_with_its_list(tmp_path: Path) -> None:
    file = tmp_path / "own.onnx"
    seen = [file_state(str(file))]
    for path, content in ((file, b"a"), (file, b"ab"), (tmp_path / "SHA256SUMS", b"c")):
        path.write_bytes(content)
        seen.append(file_state(str(file)))
    assert file_state(str(file)) == seen[-1]
    assert len(set(seen)) == len(seen)


def test_the_opening_of_a_network_is_not_in_the_time_of_a_mask() -> None:
    # A picture that stands still has no other mask than its first, and the panel shows that one's time.
    seconds = [0.0]

    def open_segmenter(height: int, width: int) -> NullSegmenter:
        seconds[0] += 0.4
        return NullSegmenter(height, width)

    segmenter = DeferredSegmenter(16, 32, open_segmenter=open_segmenter)
    with Pipeline(segmenter, clock=lambda: seconds[0]) as pipeline:
        frame = np.zeros((16, 32, 4), np.uint8)
        first = pipeline.process(frame, 1)
        again = pipeline.process(frame, 2, repeated=True)
    assert seconds == [0.4]
    assert first.timings.total_ms == again.timings.total_ms == 0


def test_a_padded_surface_becomes_a_frame_of_its_own() -> None:
    height, width, padding = 16, 32, 12
    surface = np.zeros((height, width * 4 + padding), np.uint8)
    surface[:, width * 4 :] = 99
    surface[:, : width * 4] = np.arange(width, dtype=np.uint8).repeat(4)
    source = Surface(surface)
    matting = Matting(
        height,
        width,
        Settings.validated(regions="share", region_share=0.0, holes="open", smoothing=0.0),
        source,
        make_segmenter=Mean,
    )
    try:
        source.sequence = 7
        matting.process_now(7, 5.0)
        surface[:] = 0  # unmapped, as far as the worker is concerned
        matte = matting.latest()
        assert matte is not None
        assert matte.sequence == 7
        assert (matte.mask == np.arange(width)).all()
        assert matting.in_flight is None
        matting.read_later(0.0, 0.0)  # there is nothing to read
        source.sequence = 8
        matting.read_later(0.0, 0.0)
        matte = matting._worker.wait(8, 5.0)
        assert matte is not None
        assert not matte.mask.any()
    finally:
        matting.close_soon()
        matting.close()
    assert matting.latest() is None
    matting.close()


class Surface:
    """A staging surface in plain memory, copied into two buffers in turn."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows
        self.sequence: int | None = None
        self.copies = [ctypes.create_string_buffer(rows.nbytes) for _ in range(2)]

    def read(self) -> Pixels | None:
        sequence, self.sequence = self.sequence, None
        if sequence is None:
            return None
        self.copies.reverse()
        self.copies[0].raw = self.rows.tobytes()
        return Pixels(self.copies[0], self.rows.strides[0], sequence)


class Memory(LibobsDouble):
    """Hands out one staging surface's memory, and notes who had the graphics context when."""

    def __init__(self, width: int, height: int, padding: int = 0) -> None:
        super().__init__()
        self.linesize = width * 4 + padding
        self.memory = ctypes.create_string_buffer(self.linesize * height)
        self.maps = True
        self.now = 0.0
        self.map_s = 0.0
        self.mapped = False

    def gs_stagesurface_map(self, surface: int, address: Any, linesize: Any) -> bool:
        self.now += self.map_s
        self.mapped = self.maps
        address._obj.value, linesize._obj.value = ctypes.addressof(self.memory), self.linesize
        return self.maps

    def gs_stagesurface_unmap(self, surface: int) -> None:
        assert self.mapped
        self.mapped = False
        ctypes.memset(self.memory, 0xEE, len(self.memory))  # it is the driver's again


def downscaler_of(obs: Memory, width: int, height: int) -> Downscaler:
    downscaler = Downscaler(obs, width, height, clock=lambda: obs.now)  # type: ignore[arg-type]
    stage_into(obs, downscaler, 1)
    return downscaler


def stage_into(obs: Memory, downscaler: Downscaler, sequence: int) -> None:
    obs.obs_enter_graphics()
    texture = Texture(obs.handle("texture"))
    downscaler.stage(texture, 640, 360, sequence)
    obs.obs_leave_graphics()


@pytest.mark.parametrize("padding", [0, 48])
def test_what_is_read_back_is_a_copy_that_lasts_until_the_next_but_one(padding: int) -> None:
    obs = Memory(32, 16, padding)
    downscaler = downscaler_of(obs, 32, 16)
    seen = []
    for number, fill in ((1, 0x11), (2, 0x22), (3, 0x33)):
        ctypes.memset(obs.memory, fill, len(obs.memory))
        pixels = downscaler.read()
        assert pixels is not None
        assert (pixels.sequence, pixels.linesize) == (number, 32 * 4 + padding)
        assert not obs._holders, "the graphics context is given back"
        assert not obs.mapped
        seen.append(pixels)
        for copy, content in [(pixels.copy, fill), *((old.copy, fill - 0x11) for old in seen[-2:-1])]:
            assert len(copy.raw) == pixels.linesize * 16
            assert set(copy.raw) == {content}
        stage_into(obs, downscaler, number + 1)
    assert downscaler.read() is not None
    assert downscaler.read() is None, "it is read once"
    with obs.graphics():
        downscaler.destroy()
    assert not obs.faults


def test_a_frame_outlives_the_driver_that_changes_its_rows_and_who_read_it() -> None:
    obs = Memory(32, 16)
    downscaler = downscaler_of(obs, 32, 16)
    matting = Matting(16, 32, Settings(), downscaler, make_segmenter=Mean)
    frames = []
    try:
        for number, padding in ((1, 0), (2, 48), (3, 16), (4, 0)):
            obs.linesize = 32 * 4 + padding
            obs.memory = ctypes.create_string_buffer(bytes([number]) * obs.linesize * 16)
            stage_into(obs, downscaler, number)
            fetched = matting._fetch()
            assert fetched is not None
            frames.append((number, fetched.frame))
    finally:
        matting.close()
    obs.obs_enter_graphics()
    downscaler.destroy()
    del matting, downscaler
    assert all((frame == number).all() for number, frame in frames)


def test_nobody_has_the_graphics_context_while_frames_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    obs = Memory(32, 16)
    downscaler = downscaler_of(obs, 32, 16)
    held = []
    equal = Matting._equal

    def noted(self: Matting, *arguments: Any) -> bool:
        held.append(bool(obs._holders))
        return equal(self, *arguments)

    monkeypatch.setattr(Matting, "_equal", noted)
    matting = Matting(16, 32, Settings(), downscaler, make_segmenter=Mean)
    try:
        for number in range(2, 6):
            stage_into(obs, downscaler, number)
            matting.process_now(number, 60.0)
        assert held
        assert not any(held)
    finally:
        matting.close()
    obs.obs_enter_graphics()
    downscaler.destroy()


@pytest.mark.parametrize("fails", ["map", "nothing"])
def test_a_driver_that_hands_out_no_pixels_is_an_error_and_lets_go_of_everything(
    monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    obs = Memory(32, 16)
    downscaler = downscaler_of(obs, 32, 16)
    obs.maps = fails != "map"
    if fails == "nothing":
        monkeypatch.setattr(obs, "gs_stagesurface_map", lambda *_: True)
        obs.mapped = True
    with pytest.raises(GraphicsError, match="could not map" if fails == "map" else "null pointer"):
        downscaler.read()
    assert not obs._holders
    assert not obs.mapped


def test_behind_a_busy_gpu_pictures_are_read_later_and_after_a_while_early_again() -> None:
    obs = Memory(32, 16)
    downscaler = downscaler_of(obs, 32, 16)

    def read(count: int, map_s: float) -> float:
        obs.map_s = map_s
        for number in range(count):
            stage_into(obs, downscaler, number)
            downscaler.read()
        return downscaler.readback.after

    assert read(10, 0.001) == Readback.EARLY
    assert read(2, 0.02) == Readback.EARLY
    assert read(1, 0.001) == Readback.EARLY  # three in a row
    assert read(3, 0.02) == Readback.LATE
    assert read(500, 0.001) == Readback.LATE
    assert read(100, 0.001) == Readback.EARLY
    assert read(3, 0.02) == Readback.LATE


class Counting(Mean):
    """Mean, and how often it was asked."""

    asked = 0

    def segment(self, frame: np.ndarray) -> np.ndarray:
        Counting.asked += 1
        return super().segment(frame)


def test_a_frame_equal_to_the_last_is_not_inferred_again() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (16, 32 * 4), dtype=np.uint8)
    source = Surface(rows)
    matting = Matting(
        16,
        32,
        Settings.validated(regions="share", region_share=0.0, holes="open", smoothing=0.0),
        source,
        make_segmenter=Counting,
    )
    Counting.asked = 0

    def process(sequence: int) -> Any:
        source.sequence = sequence
        matting.process_now(sequence, 5.0)
        matte = matting.latest()
        assert matte is not None
        assert matte.sequence == sequence
        return matte

    try:
        process(1)
        settled = process(2)  # the same again: now it is known that the smoothing does nothing more
        assert process(3).mask is settled.mask
        assert process(4).mask is settled.mask
        assert Counting.asked == 2
        rows[15, 127] ^= 1  # a single bit, in the last byte
        process(5)
        assert Counting.asked == 3
        matting.update_settings(Settings(smoothing=0.0))
        process(6)
        assert Counting.asked == 4
        matting.reset()
        process(7)
        assert Counting.asked == 5
    finally:
        matting.close()


def test_nothing_escapes_from_a_callback_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

    @callback(prototype, failed=-7)
    def half(number: int) -> int:
        if number % 2:
            raise KeyboardInterrupt("odd")
        return number // 2

    with caplog.at_level(logging.ERROR, "eoam"):
        assert [half(4), half(3), half(5), half(8)] == [2, -7, -7, 4]
    assert [record.getMessage() for record in caplog.records] == [
        "callback_failed callback=half error=KeyboardInterrupt('odd')"
    ]


def test_a_filter_that_cannot_be_made_still_has_a_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without one libobs would take the filter out of the chain, and show the room.
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    class OnlyEvents(Broken):
        def os_event_init(self, event: Any, kind: int) -> int:
            event._obj.value = 4321
            return 0

    monkeypatch.setattr(source_type, "_obs", Broken())
    monkeypatch.setattr(source_type, "_implementation", Broken())
    handle = source_type._create(11, 12)
    assert handle
    source_type._video_render(handle, None)
    source_type._destroy(handle)
    monkeypatch.setattr(source_type, "_obs", OnlyEvents())
    handle = source_type._create(11, 12)
    assert handle == 4321
    source_type._video_render(handle, None)
    assert source_type.states()[-1][1].kind == "stopped"
    source_type._destroy(handle)
    source_type._destroy(handle)
    source_type._video_render(handle, None)


class NoteTaking(LibobsDouble):
    """A libobs that draws nothing and remembers what it was told to draw."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000_000
        self.size = (640, 360)
        self.has_target = True
        self.shown: list[int] = []  # textures that were drawn to the output
        self.techniques: list[str] = []  # and with what
        self.passes: list[str] = []  # what was drawn anywhere
        self.technique = ""
        self._memory = ctypes.create_string_buffer(1 << 20)
        self._image = 0

    def obs_get_video_frame_time(self) -> int:
        return self.now

    def obs_filter_get_target(self, source: int) -> int:
        return 1 if self.has_target else 0

    def obs_filter_get_parent(self, source: int) -> int:
        return 1

    def obs_source_get_output_flags(self, source: int) -> int:
        return libobs.OBS_SOURCE_VIDEO

    def obs_source_get_base_width(self, source: int) -> int:
        return self.size[0]

    def obs_source_get_base_height(self, source: int) -> int:
        return self.size[1]

    def gs_effect_loop(self, effect: int, technique: bytes) -> bool:
        self._image ^= 1
        self.technique = technique.decode()
        if self._image:
            self.begin_technique(effect, self.technique)
        else:
            self.end_technique(effect)
        return bool(self._image)

    def gs_draw_sprite(self, texture: int, flip: int, width: int, height: int) -> None:
        self.passes.append(self.technique)
        if not self.inside:
            self.shown.append(texture)
            self.techniques.append(self.technique)

    def gs_stagesurface_map(self, surface: int, address: Any, linesize: Any) -> bool:
        address._obj.value = ctypes.addressof(self._memory)
        linesize._obj.value = 256 * 4
        return True


class ByHand:
    """A worker that reads the newest frame in the pause between two ticks and finishes it when the test says so."""

    made: list[ByHand] = []  # noqa: RUF012

    def __init__(self, height: int, width: int, settings: Settings, source: Any) -> None:
        self.height, self.width, self.name, self.frames, self.error = height, width, "by hand", 0, ""
        self.settings = settings
        self.source = source
        self.submitted: list[int] = []
        self.in_flight: int | None = None
        self.is_asked = False
        self.stands_still = False
        self.is_quick = False  # process_now finishes in time
        self.matte: Any = None
        self.is_closed = False
        self.asked: list[tuple[float, float]] = []
        ByHand.made.append(self)

    def read_later(self, due_s: float, period_s: float) -> None:
        self.is_asked = True
        self.asked.append((due_s, period_s))

    def process_now(self, sequence: int, timeout_s: float) -> None:
        if self.in_flight is None:
            self.is_asked = True
            self.read()
            if self.is_quick:
                self.finish()

    def read(self) -> None:
        if not self.is_closed and self.is_asked and self.in_flight is None and self.source.staged is not None:
            self.is_asked = False
            self.in_flight, self.source.staged = self.source.staged, None
            self.submitted.append(self.in_flight)

    def finish(self) -> None:
        if self.in_flight is not None and not self.is_closed:
            mask = np.zeros((self.height, self.width), np.uint8)
            timings = SimpleNamespace(total_ms=1.0)
            levels = mask.astype(np.uint16)
            self.matte = SimpleNamespace(
                mask=mask,
                levels=levels,
                coefficients=None,
                confidence=None,
                addresses=(levels.ctypes.data, 0, 0),
                sequence=self.in_flight,
                timings=timings,
            )
            self.in_flight = None
            self.frames += 1

    def latest(self) -> Any:
        return self.matte

    def reset(self) -> None:
        self.matte = None

    def update_settings(self, settings: Settings) -> None:
        self.settings = settings

    def close(self) -> None:
        self.is_closed, self.matte = True, None

    close_soon = close


class Stage:
    """A filter between a note-taking libobs and a worker by hand."""

    def __init__(self, **settings: object) -> None:
        self.obs = NoteTaking()
        self.filter = Filter(self.obs, 5, Settings.validated(**settings))  # type: ignore[arg-type]

    def choose(self, values: Mapping[str, object]) -> None:
        """Give the filter these settings; the others are the defaults."""
        self.filter.update(Settings.validated(**values))

    @property
    def worker(self) -> ByHand:
        return ByHand.made[-1]

    def render(self) -> None:
        """Draw once, as libobs does: with the graphics context, whose state must be as it was afterwards."""
        with self.obs.graphics():
            self.filter.render()

    def tick(self, count: int = 1, *, finish: bool = False, nanoseconds: int = TICK) -> int:
        """Let time pass and draw; return how often something was shown."""
        before = len(self.obs.shown)
        for _ in range(count):
            self.obs.now += nanoseconds
            self.render()
            if ByHand.made:
                self.worker.read()
                if finish:
                    self.worker.finish()
        return len(self.obs.shown) - before


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", ByHand)
    ByHand.made.clear()
    stage = Stage()
    yield stage
    stage.filter.destroy()
    assert not stage.obs.alive, "GPU objects that were not freed"
    assert not stage.obs.omissions()
    assert not stage.obs.faults
    assert all(worker.is_closed for worker in ByHand.made)


def test_nothing_is_drawn_before_the_first_mask(stage: Stage) -> None:
    assert stage.tick(20) == 0
    stage.worker.finish()
    assert stage.tick() == 1


def test_what_is_set_reaches_the_worker(stage: Stage) -> None:
    stage.choose({"threshold": 0.7})
    stage.tick()
    assert stage.worker.settings.threshold == 0.7
    stage.choose({"threshold": 0.3, "smoothing": 0.1})
    assert (stage.worker.settings.threshold, stage.worker.settings.smoothing) == (0.3, 0.1)


def test_what_is_set_while_the_worker_is_made_reaches_it_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ByHand):
        """Is being made while the panel's slider moves on."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            stage.choose({"threshold": 0.9})

    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", Slow)
    stage.tick()
    assert stage.worker.settings.threshold == 0.9


def test_aligned_is_one_tick_late(stage: Stage) -> None:
    for _ in range(5):
        stage.tick(finish=True)
        drawn = stage.filter._pictures.find(stage.obs.now)
        assert drawn is not None
        assert stage.tick() == 1
        assert stage.obs.shown[-1] == drawn.texture
        stage.worker.finish()


def test_a_frame_takes_few_calls_and_leaves_nothing_behind(stage: Stage) -> None:
    calls: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            function = getattr(stage.obs, name)

            def call(*arguments: Any) -> Any:
                calls.append(name)
                return function(*arguments)

            return call

    stage.tick(10, finish=True)
    video_filter = stage.filter
    counting: Any = Counting()
    drawing, downscaler = video_filter._drawing, video_filter._downscaler
    assert downscaler is not None
    targets = [downscaler._target, *video_filter._pictures._targets.values()]
    parts: list[Any] = [
        video_filter,
        video_filter._camera,
        drawing,
        drawing._mask,
        drawing._effect,
    ]
    parts += [downscaler, *targets]
    for part in parts:
        part._obs = counting
    stage.tick(16, finish=True)
    assert 0 < len(calls) <= 16 * 36, Counter(calls)
    assert calls.count("obs_source_get_color_space") == 1
    for part in parts:
        part._obs = stage.obs
    del calls[:]
    before = sys.getallocatedblocks()
    stage.tick(100, finish=True)
    for noted in (stage.obs.shown, stage.obs.techniques, stage.obs.passes, stage.worker.submitted, stage.worker.asked):
        noted.clear()
    assert sys.getallocatedblocks() - before < 100  # less than one object per frame


def test_same_frame_shows_the_picture_of_this_tick(stage: Stage) -> None:
    stage.choose({"timing": "same_frame"})
    stage.tick()
    stage.worker.is_quick = True
    stage.worker.finish()
    for _ in range(5):
        assert stage.tick() == 1
        drawn = stage.filter._pictures.find(stage.obs.now)
        assert drawn is not None
        assert stage.obs.shown[-1] == drawn.texture


def test_same_frame_repeats_the_last_pair_if_the_mask_comes_late(stage: Stage) -> None:
    stage.choose({"timing": "same_frame"})
    stage.tick()
    stage.worker.is_quick = True
    stage.worker.finish()
    stage.tick(3)
    shown = stage.obs.shown[-1]
    stage.worker.is_quick = False
    assert stage.tick(4) == 4
    assert stage.obs.shown[-4:] == [shown] * 4


def test_low_latency_shows_the_newest_picture(stage: Stage) -> None:
    stage.choose({"timing": "low_latency"})
    stage.tick(3, finish=True)
    for _ in range(3):
        assert stage.tick() == 1
        drawn = stage.filter._pictures.find(stage.obs.now)
        assert drawn is not None
        assert stage.obs.shown[-1] == drawn.texture


def test_an_equal_mask_is_not_uploaded_again(stage: Stage) -> None:
    uploads = []
    mask = stage.filter._drawing._mask
    upload = mask.upload

    def noted(*arguments: Any, **named: Any) -> None:
        uploads.append(arguments)
        upload(*arguments, **named)

    mask.upload = noted  # type: ignore[method-assign]
    stage.tick(3, finish=True)
    before = len(uploads)
    assert before == 2
    for _ in range(4):
        stage.worker.matte = SimpleNamespace(**{**vars(stage.worker.matte), "sequence": stage.obs.now})
        assert stage.tick() == 1
        stage.worker.in_flight = None
    assert len(uploads) <= before + 1


def test_a_picture_is_shown_with_its_own_mask(stage: Stage) -> None:
    stage.tick(2)
    own = stage.filter._pictures.find(stage.worker.submitted[-1])
    assert own is not None
    stage.tick(5)  # the worker is slow; newer pictures are drawn meanwhile
    stage.worker.finish()
    stage.tick()
    assert stage.obs.shown[-1] == own.texture


def test_at_most_three_pictures_are_kept(stage: Stage) -> None:
    for _ in range(10):
        stage.tick(4)
        stage.worker.finish()
        assert stage.tick() == 1
    targets = [kind for kind in stage.obs.alive.values() if kind == "gs_texrender_create"]
    assert len(targets) == 3 + 1  # and the one that is shrunk into


def test_what_stands_still_is_looked_at_in_every_other_tick_and_stays_shown(stage: Stage) -> None:
    stage.tick(5, finish=True)
    stage.worker.stands_still = True
    stage.tick(finish=True)
    submitted, passes = len(stage.worker.submitted), len(stage.obs.passes)
    assert stage.tick(10, finish=True) == 10
    assert len(stage.worker.submitted) == submitted + 5
    assert len(stage.obs.passes) == passes + 10 + 5  # drawn ten times, shrunk five
    for _ in range(4):
        own = stage.filter._pictures.find(stage.worker.matte.sequence)
        stage.tick(finish=True)
        assert own is not None
        assert stage.obs.shown[-1] == own.texture
    stage.worker.stands_still = False  # it moves: every tick again
    stage.tick(2, finish=True)
    submitted = len(stage.worker.submitted)
    stage.tick(4, finish=True)
    assert len(stage.worker.submitted) == submitted + 4


@pytest.mark.parametrize("settings", [{"timing": "low_latency"}, {"timing": "same_frame"}, {"every": 2}])
def test_without_a_picture_that_waits_for_its_mask_nothing_rests(stage: Stage, settings: dict[str, object]) -> None:
    stage.choose(settings)
    stage.tick(5, finish=True)
    stage.worker.stands_still = True
    newest = stage.filter._pictures
    for _ in range(4):
        stage.tick(finish=True)
        assert newest.find(stage.obs.now) is not None


def test_the_worker_gets_one_frame_at_a_time_and_the_newest(stage: Stage) -> None:
    stage.tick(6)
    assert len(stage.worker.submitted) == 1
    stage.worker.finish()
    stage.tick()
    assert len(stage.worker.submitted) == 2
    assert stage.worker.submitted[-1] == stage.obs.now


def test_drawing_again_within_a_tick_draws_the_same_and_does_no_more(stage: Stage) -> None:
    stage.tick(5, finish=True)
    submitted, shown = len(stage.worker.submitted), stage.obs.shown[-1]
    for _ in range(3):
        stage.render()
    assert stage.obs.shown[-3:] == [shown] * 3
    assert len(stage.worker.submitted) == submitted


@pytest.mark.parametrize(("timing", "ticks"), [("aligned", 61), ("low_latency", 16)])
def test_a_mask_that_is_never_followed_by_another_is_dropped(stage: Stage, timing: str, ticks: int) -> None:
    stage.choose({"timing": timing})
    stage.tick(6, finish=True)
    assert stage.tick(5) == 5
    stage.tick(ticks)
    assert stage.tick(5) == 0


def test_a_worker_that_fails_or_dies_leaves_nothing_on_the_screen(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.worker.matte, stage.worker.error = None, "the worker has ended"
    assert stage.tick(10) == 0
    assert (stage.filter.state().kind, stage.filter.state().problem) == ("problem", "the worker has ended")
    stage.worker.error = ""
    stage.worker.finish()
    stage.tick(3, finish=True)
    assert stage.tick() == 1
    assert (stage.filter.state().kind, stage.filter.state().last_error) == ("running", "the worker has ended")


def test_a_worker_that_has_ended_is_replaced_after_a_while(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    ended = stage.worker
    ended.close()
    assert stage.tick(60, finish=True) == 0
    assert stage.tick(6, finish=True) > 0
    assert stage.worker is not ended


def test_another_size_starts_over(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    old = stage.worker
    stage.obs.size = (360, 640)
    assert stage.tick(4) == 0
    assert stage.worker is not old
    assert old.is_closed
    assert (stage.worker.width, stage.worker.height) == network_size(360, 640)


def test_another_size_of_the_same_shape_keeps_the_worker_but_not_its_mask(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.obs.size = (1280, 720)
    assert stage.tick(4) == 0
    assert len(ByHand.made) == 1
    stage.worker.finish()
    assert stage.tick() == 1


@pytest.mark.parametrize("timing", ["aligned", "low_latency"])
def test_a_mask_from_before_a_change_is_not_used_after_it(stage: Stage, timing: str) -> None:
    stage.choose({"timing": timing})
    stage.tick(3)
    stage.obs.size = (1280, 720)
    stage.tick()
    stage.worker.finish()  # of the picture before the change
    assert stage.tick(2) == 0


@pytest.mark.parametrize("pause", [1_000_000_000, 5_000_000_000])
def test_after_a_pause_the_old_picture_is_not_shown(stage: Stage, pause: int) -> None:
    assert stage.tick(6, finish=True) > 0
    assert stage.tick(nanoseconds=pause) == 0
    assert stage.tick(4, finish=True) > 0


@pytest.mark.parametrize("size", [(0, 0), (0, 5)])
def test_a_source_without_a_size_is_not_touched(stage: Stage, size: tuple[int, int]) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.obs.size = size
    assert stage.tick(5) == 0
    stage.obs.size = (640, 360)
    assert stage.tick(6, finish=True) > 0


def test_a_filter_without_a_target_draws_nothing(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.obs.has_target = False
    assert stage.tick(5) == 0


def test_a_driver_that_refuses_is_left_in_peace_for_a_while(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.obs.refuse = {"gs_texrender_begin_with_color_space"}
    with caplog.at_level(logging.ERROR, "eoam"):
        assert stage.tick(100) == 0
    assert len(caplog.records) == 1
    assert isinstance(caplog.records[0].exc_info[1], GraphicsError)  # type: ignore[index]
    assert not [kind for kind in stage.obs.alive.values() if "stagesurface" in kind]
    stage.obs.refuse = set()
    stage.tick(62)
    assert stage.tick(6, finish=True) > 0


def test_a_shader_that_does_not_compile_draws_nothing(stage: Stage) -> None:
    stage.obs.refuse = {"gs_effect_create_from_file"}
    assert stage.tick(10, finish=True) == 0
    stage.obs.refuse = set()
    stage.tick(62)
    assert stage.tick(6, finish=True) > 0


COVER = "Draw"  # OBS's own technique; the project's have other names


def covers(stage: Stage, count: int = 1, **options: Any) -> bool:
    """Let time pass; whether each tick drew the cover and nothing else."""
    before = len(stage.obs.techniques)
    shown = stage.tick(count, **options)
    return shown == count and set(stage.obs.techniques[before:]) == {COVER}


def test_without_a_mask_the_picture_may_be_covered_instead(stage: Stage) -> None:
    stage.choose({"no_mask": "blur"})
    assert covers(stage, 5)  # before the first mask
    stage.worker.finish()
    assert not covers(stage)
    assert stage.obs.techniques[-1] == "Plain"
    stage.tick(60)
    assert covers(stage, 10)  # the mask is stale
    stage.worker.finish()
    stage.tick(2, finish=True)
    assert stage.obs.techniques[-1] == "Plain"
    stage.worker.matte, stage.worker.error = None, "the worker has ended"
    assert covers(stage, 5)
    stage.obs.size = (360, 640)
    assert covers(stage, 3)
    stage.obs.size = (0, 0)
    assert stage.tick(3) == 0
    stage.obs.size, stage.obs.has_target = (640, 360), False
    assert stage.tick(3) == 0
    stage.obs.has_target = True
    assert covers(stage)
    stage.filter.hidden = True
    assert stage.tick(3) == 0
    stage.filter.hidden = False
    assert covers(stage, nanoseconds=5_000_000_000)  # a pause: the picture is this tick's
    stage.filter.suspend()
    assert stage.tick(3) == 0
    stage.filter.resume()


def test_the_cover_is_made_of_this_ticks_picture(stage: Stage) -> None:
    stage.choose({"no_mask": "blur"})
    stage.tick(2)
    assert stage.filter._newest is stage.filter._pictures.find(stage.obs.now)
    before = stage.obs.passes.count("Draw")
    stage.render()  # once more in this tick
    assert stage.obs.passes.count("Draw") == before + 1


def test_without_libraries_the_cover_is_all_there_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eoam_obs.frame.matting", None)
    stage.choose({"no_mask": "blur"})
    assert covers(stage, 10)


def test_a_shader_that_does_not_compile_leaves_the_cover(stage: Stage) -> None:
    stage.choose({"no_mask": "blur"})
    stage.obs.refuse = {"gs_effect_create_from_file"}
    stage.tick(3, finish=True)  # one tick for the failure itself
    assert covers(stage, 40, finish=True)


def test_a_driver_that_refuses_textures_shows_nothing_whatever_the_setting(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.choose({"no_mask": "blur"})
    stage.tick(6, finish=True)
    stage.obs.refuse = {"gs_texrender_begin_with_color_space"}
    with caplog.at_level(logging.ERROR, "eoam"):
        assert stage.tick(30) == 0
    assert len(caplog.records) == 1


@pytest.mark.parametrize("change", [{"model": "another"}, {"threads": 2}])
def test_another_network_starts_over_without_the_old_mask(stage: Stage, change: dict[str, object]) -> None:
    assert stage.tick(6, finish=True) > 0
    old = stage.worker
    stage.choose(change)
    assert stage.tick(4) == 0
    assert stage.worker is not old
    assert old.is_closed
    stage.worker.finish()
    assert stage.tick() == 1
    stage.choose({**change, "threshold": 0.6})
    assert stage.tick() == 1


@pytest.mark.parametrize("every", [2, 5])
def test_a_mask_every_so_many_frames_is_shown_with_the_picture_before_the_newest(stage: Stage, every: int) -> None:
    stage.choose({"every": every})
    stage.tick(4 * every, finish=True)
    submitted = len(stage.worker.submitted)
    for _ in range(3 * every):
        before = stage.filter._pictures.find(stage.obs.now)
        assert before is not None
        assert stage.tick(finish=True) == 1
        assert stage.obs.shown[-1] == before.texture
    assert len(stage.worker.submitted) - submitted == 3


@pytest.mark.parametrize("timing", ["low_latency", "same_frame"])
def test_without_delay_a_mask_every_so_many_frames_is_shown_with_the_newest(stage: Stage, timing: str) -> None:
    stage.choose({"every": 3, "timing": timing})
    stage.tick(6, finish=True)
    for _ in range(6):
        assert stage.tick(finish=True) == 1
        newest = stage.filter._pictures.find(stage.obs.now)
        assert newest is not None
        assert stage.obs.shown[-1] == newest.texture


def test_a_mask_for_many_pictures_grows_stale_all_the_same(stage: Stage) -> None:
    stage.choose({"every": 10})
    stage.tick(12, finish=True)
    assert stage.tick(20) > 0
    stage.tick(15)
    assert stage.tick(5) == 0


@pytest.mark.parametrize(
    ("settings", "last", "passes"),
    [
        ({}, "Plain", []),
        ({"view": "mask"}, "PlainMask", []),
        ({"background": "color"}, "OnColour", ["PlainMask"]),
        ({"background": "blur"}, "OnPicture", ["PlainMask", "Room", "Smear", "Smear"]),
        ({"background": "blur", "blur_strength": 10.0}, "OnPicture", ["PlainMask", "Room", "Shrink", "Smear", "Smear"]),
        ({"background": "picture"}, "Plain", ["PlainMask"]),
        (
            {"decontamination": 0.5},
            "PlainCleaned",
            ["PlainMask", "Front", "Smear", "Smear", "Around", "Smear", "Smear"],
        ),
        ({"view": "outline"}, "Outline", ["PlainMask"]),
        ({"view": "side_by_side"}, "Sides", ["PlainMask", "Plain"]),
        ({"view": "confidence"}, "Confidence", []),
    ],
)
def test_each_look_takes_its_passes_once_per_tick(
    stage: Stage, settings: dict[str, object], last: str, passes: list[str]
) -> None:
    stage.choose(settings)
    stage.tick(5, finish=True)
    stage.obs.passes.clear()
    assert stage.tick() == 1
    stage.render()  # the preview, in the same tick
    ours = [name for name in stage.obs.passes if name != "Draw"]  # that is the shrinking for the network
    assert ours == [*passes, last, last]
    stage.worker.finish()
    stage.choose({"view": "result", "background": "transparent", "decontamination": 0.0})
    assert stage.filter._drawing._settings.to_mapping() != Settings().to_mapping() or not settings
    stage.render()
    assert stage.obs.techniques[-1] == last  # what was prepared: settings act from the next tick on
    stage.tick(2, finish=True)
    assert stage.obs.techniques[-1] == "Plain"
    assert stage.filter._drawing._compositor is None


def test_what_cannot_be_read_behind_the_person_is_said_and_nothing_is_there(stage: Stage) -> None:
    stage.choose({"background": "picture", "background_picture": "no such file.png"})
    ends = time.monotonic() + 20
    while "no such file" not in stage.filter.state().notice and time.monotonic() < ends:
        assert stage.tick(finish=True) <= 1
        time.sleep(0.01)
    assert "There is no image no such file.png" in stage.filter.state().notice
    assert stage.obs.techniques[-1] == "Plain"


def test_suspended_it_draws_nothing_and_resumed_it_starts_over(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.filter.suspend()
    assert stage.worker.is_closed
    assert stage.tick(5) == 0
    stage.filter.suspend()
    stage.filter.resume()
    assert stage.tick(2) == 0
    assert stage.tick(5, finish=True) > 0


def test_libraries_that_do_not_load_are_named_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "eoam_obs.frame.matting", None)
    with caplog.at_level(logging.ERROR, "eoam"):
        assert stage.tick(100) == 0
    assert [record.getMessage().split()[0] for record in caplog.records] == ["filter_cannot_run"]
    assert stage.filter.state().kind == "problem"


def test_while_the_key_is_held_nothing_is_drawn_and_afterwards_at_once(stage: Stage) -> None:
    assert stage.tick(6, finish=True) > 0
    stage.filter.hidden = True
    assert stage.tick(5, finish=True) == 0
    assert stage.filter.state().kind == "hidden"
    stage.filter.hidden = False
    assert stage.tick(1, finish=True) == 1


class Drawn:
    """A `Drawing` with a libobs that takes notes, and masks to give it."""

    def __init__(self) -> None:
        self.obs = NoteTaking()
        self.obs.obs_enter_graphics()
        self.drawing = Drawing(self.obs)  # type: ignore[arg-type]
        self.picture = RenderTarget(self.obs)  # type: ignore[arg-type]
        self.picture.begin(640, 360)
        self.picture.end()
        self.uploads: list[tuple[int, int]] = []

    def matte(self, width: int = 64, height: int = 36, **more: Any) -> Any:
        mask = np.zeros((height, width), np.uint8)
        given = {"coefficients": None, "confidence": None, "addresses": (1, 0, 0), **more}
        return SimpleNamespace(mask=mask, **given)

    def show(self, settings: Settings = Settings(), number: int = 1, picture: Any = ...) -> int:  # noqa: B008
        """Show and draw once; return how often something was drawn to the output."""
        before = len(self.obs.shown)
        self.drawing.show(self.picture if picture is ... else picture, settings, (640, 360), number, number)
        self.drawing.draw()
        return len(self.obs.shown) - before

    def given(self) -> list[Mapping[str, str]]:
        return [draw.given for _, _, draw in self.obs.draws()]


@pytest.fixture
def drawn() -> Iterator[Drawn]:
    made = Drawn()
    yield made
    made.drawing.destroy()
    made.picture.destroy()
    made.drawing.close()
    assert not made.obs.alive
    assert not made.obs.faults


def test_what_was_never_shown_is_not_drawn(drawn: Drawn) -> None:
    assert not drawn.drawing.is_shown
    drawn.drawing.draw()
    assert drawn.obs.shown == []
    assert drawn.drawing.problem == ""


def test_a_mask_is_uploaded_once_and_another_one_again(drawn: Drawn) -> None:
    first, second = drawn.matte(), drawn.matte()
    assert drawn.drawing.upload(first) is True
    assert drawn.drawing.upload(first) is False
    assert drawn.drawing.upload(second) is True
    assert drawn.drawing.upload(first) is True


def test_a_mask_that_the_driver_refused_is_tried_again(drawn: Drawn) -> None:
    first, larger = drawn.matte(), drawn.matte(128, 72)
    drawn.drawing.upload(first)
    drawn.obs.refuse = {"gs_texture_create"}
    with pytest.raises(GraphicsError):
        drawn.drawing.upload(larger)
    drawn.obs.refuse = set()
    assert drawn.drawing.upload(first) is True, "its texture is gone"
    assert drawn.show() == 1


def test_nothing_clears_what_is_shown_and_it_is_shown_again(drawn: Drawn) -> None:
    drawn.drawing.upload(drawn.matte())
    assert drawn.show() == 1
    assert drawn.drawing.is_shown
    assert drawn.show(picture=None) == 0
    assert not drawn.drawing.is_shown
    assert drawn.show() == 1
    drawn.drawing.clear()
    assert not drawn.drawing.is_shown
    drawn.drawing.draw()
    assert len(drawn.obs.shown) == 2


def test_what_fails_on_the_way_leaves_nothing_shown(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn.drawing.upload(drawn.matte())
    drawn.show()

    def fails(*_: object, **__: object) -> None:
        raise GraphicsError("no")

    monkeypatch.setattr(drawn.drawing._effect, "look", fails)
    with pytest.raises(GraphicsError):
        drawn.show(Settings(threshold=0.7))
    assert not drawn.drawing.is_shown


def test_the_shader_learns_of_the_look_when_it_changes_and_not_otherwise(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[dict[str, Any]] = []
    look = drawn.drawing._effect.look

    def noted(low: float, high: float, **more: Any) -> None:
        looks.append({"low": low, "high": high, **more})
        look(low, high, **more)

    monkeypatch.setattr(drawn.drawing._effect, "look", noted)
    settings = Settings()
    drawn.drawing.upload(drawn.matte())
    for _ in range(3):
        drawn.show(settings)
    assert len(looks) == 1, "even the first settings are told"
    drawn.show(settings.replace(threshold=0.7))
    assert len(looks) == 2
    drawn.drawing.upload(drawn.matte())  # another mask of the same size
    drawn.show(drawn.drawing._settings)
    assert len(looks) == 2
    drawn.drawing.upload(drawn.matte(128, 72))
    drawn.show(drawn.drawing._settings)
    assert [look["mask_size"] for look in looks] == [(64, 36), (64, 36), (128, 72)]
    drawn.drawing.destroy()
    drawn.drawing.upload(drawn.matte(128, 72))
    drawn.show(drawn.drawing._settings)
    assert len(looks) == 4, "the shader was freed"
    assert all((look["width"], look["height"]) == (640, 360) for look in looks)


def test_destroyed_it_shows_nothing_and_begins_anew(drawn: Drawn) -> None:
    mask = drawn.matte()
    drawn.drawing.upload(mask)
    drawn.show()
    drawn.drawing.destroy()
    assert not drawn.drawing.is_shown
    drawn.drawing.draw()
    assert len(drawn.obs.shown) == 1
    assert drawn.drawing.upload(mask) is True
    assert drawn.show() == 1


def test_the_confidence_has_a_texture_for_as_long_as_it_comes(drawn: Drawn) -> None:
    confidence = np.zeros((36, 64), np.uint16)
    drawn.drawing.upload(drawn.matte(confidence=confidence, addresses=(1, 0, 3)))
    assert drawn.drawing._confidence.texture
    assert drawn.drawing._confidence.size == (64, 36)
    assert drawn.show(Settings(view=View.CONFIDENCE)) == 1
    drawn.drawing.upload(drawn.matte())
    assert not drawn.drawing._confidence.texture


def test_the_background_is_freed_when_it_is_not_needed_and_its_thread_is_waited_for(
    drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn.drawing.upload(drawn.matte())
    drawn.show(Settings(background=BackgroundKind.BLUR))
    compositor = drawn.drawing._compositor
    assert compositor is not None
    drawn.show(Settings(background=BackgroundKind.BLUR), 2)
    assert drawn.drawing._compositor is compositor
    drawn.show(Settings(), 3)
    assert drawn.drawing._compositor is None
    closed: list[bool] = []
    monkeypatch.setattr(compositor, "close", lambda: closed.append(True))
    drawn.drawing.close()
    drawn.drawing.close()
    assert closed == [True]


def test_behind_nothing_the_background_is_forgotten(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn.drawing.upload(drawn.matte())
    blurred = Settings(background=BackgroundKind.BLUR)
    drawn.show(blurred)
    forgotten: list[bool] = []
    monkeypatch.setattr(drawn.drawing._compositor, "forget", lambda: forgotten.append(True))
    drawn.show(blurred, picture=None)
    assert forgotten == [True]


def test_a_mask_has_sixteen_bits_on_the_gpu(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, ...]] = []
    create = drawn.obs.gs_texture_create

    def noted(*given: Any) -> int:
        made.append(given[:3])
        return int(create(*given))

    monkeypatch.setattr(drawn.obs, "gs_texture_create", noted)
    drawn.drawing.upload(drawn.matte())
    assert made == [(64, 36, libobs.GS_R16)] * 2


def test_levels_go_by_way_of_bytes_where_linear_light_is_wanted(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def noted(name: str) -> None:
        function = getattr(drawn.obs, name)

        def call(*given: Any) -> Any:
            calls.append((name, *given))
            return function(*given)

        setattr(drawn.obs, name, call)

    drawn.drawing.upload(drawn.matte())
    monkeypatch.setattr(drawn.obs, "gs_get_color_space", lambda: libobs.GS_CS_SRGB_16F)
    effect = drawn.obs.obs_get_base_effect(libobs.OBS_EFFECT_DEFAULT)
    image = drawn.obs.parameter_of(effect, "image")
    for name in ("gs_effect_set_texture_srgb", "gs_blend_function", "gs_draw_sprite"):
        noted(name)
    assert drawn.show(Settings(view=View.MASK)) == 1
    levels = drawn.drawing._levels
    assert levels is not None
    assert calls[-3:] == [
        ("gs_effect_set_texture_srgb", image, levels.texture),
        ("gs_blend_function", libobs.GS_BLEND_ONE, libobs.GS_BLEND_INVSRCALPHA),
        ("gs_draw_sprite", levels.texture, 0, 0, 0),
    ]
    assert drawn.obs.framebuffer_srgb
    assert drawn.obs.inside == 0
