"""The CPU side of a filter: what it fetches, what it passes on, how it ends."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import eoam_obs.frame.matting
from eoam_core.errors import ModelError
from eoam_core.segmenter import NullSegmenter
from eoam_core.settings import Settings
from eoam_core.turned import TurnedSegmenter
from eoam_obs.frame.deferred import DeferredSegmenter
from eoam_obs.frame.gpu import Pixels
from eoam_obs.frame.matting import Matting

HEIGHT, WIDTH = 32, 48
PLAIN = Settings.validated(regions="share", region_share=0.0, holes="open", smoothing=0.0, refinement=0.0)
LONG_S = 60.0


class Source:
    """Frames by hand: each call of `give` is one that may be read once."""

    def __init__(self, padding: int = 0) -> None:
        self.linesize = WIDTH * 4 + padding
        self.copies = [ctypes.create_string_buffer(self.linesize * HEIGHT) for _ in range(2)]
        self.rows = np.zeros((HEIGHT, self.linesize), np.uint8)
        self.sequence: int | None = None
        self.error: Exception | None = None

    def give(self, sequence: int, level: int | None = None) -> None:
        if level is not None:
            self.rows[:] = level
        self.sequence = sequence

    def read(self) -> Pixels | None:
        if self.error is not None:
            raise self.error
        sequence, self.sequence = self.sequence, None
        if sequence is None:
            return None
        self.copies.reverse()
        self.copies[0].raw = self.rows.tobytes()
        return Pixels(self.copies[0], self.linesize, sequence)


class Network(NullSegmenter):
    """Return the blue channel; counts, waits for leave where it is told to, and fails where it is told to."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.name = "a network"
        self.asked = 0
        self.error: Exception | None = None
        self.begun, self.leave = threading.Event(), threading.Event()
        self.leave.set()
        self.closed = threading.Event()

    def segment(self, frame: np.ndarray) -> np.ndarray:
        self.asked += 1
        self.begun.set()
        assert self.leave.wait(LONG_S)
        if self.error is not None:
            raise self.error
        return frame[..., 0].copy()

    def close(self) -> None:
        self.closed.set()


class Made:
    """A matting between a source and a network by hand."""

    def __init__(self, padding: int = 0) -> None:
        self.source = Source(padding)
        self.networks: list[Network] = []
        self.matting = Matting(HEIGHT, WIDTH, PLAIN, self.source, make_segmenter=self._make)

    @property
    def network(self) -> Network:
        return self.networks[-1]

    def _make(self, height: int, width: int) -> Network:
        self.networks.append(Network(height, width))
        return self.networks[-1]

    def process(self, sequence: int, level: int | None = None) -> Any:
        self.source.give(sequence, level)
        self.matting.process_now(sequence, LONG_S)
        return self.matting.latest()


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    made.network.leave.set()
    made.matting.close()
    assert made.network.closed.wait(LONG_S)


def test_it_says_of_itself_what_it_was_made_for(made: Made) -> None:
    matting = made.matting
    assert (matting.height, matting.width, matting.name, matting.frames, matting.error) == (
        HEIGHT,
        WIDTH,
        "a network",
        0,
        "",
    )
    assert not matting.is_closed
    assert matting.in_flight is None
    assert not matting.stands_still
    assert (made.network.height, made.network.width) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("padding", [0, 16])
def test_a_frame_becomes_a_mask_with_its_number(padding: int) -> None:
    made = Made(padding)
    made.source.rows[:, : WIDTH * 4 : 4] = np.arange(WIDTH, dtype=np.uint8)
    matte = made.process(5)
    assert matte.sequence == 5
    np.testing.assert_array_equal(matte.mask, np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, 1)))
    assert made.matting.frames == 1
    made.matting.close()


def test_while_a_frame_is_worked_on_it_is_in_flight_and_no_other_is_begun(made: Made) -> None:
    made.network.leave.clear()
    made.source.give(3, 10)
    made.matting.read_later(0.0, 0.0)
    assert made.network.begun.wait(LONG_S)
    assert made.matting.in_flight == 3
    made.source.give(4, 20)
    made.matting.process_now(4, 0.0)
    assert made.source.sequence == 4, "it was not even read"
    made.network.leave.set()
    assert made.matting._worker.wait(3, LONG_S) is not None
    assert made.matting.in_flight is None


def test_a_picture_stands_still_after_thirty_equal_ones(made: Made) -> None:
    made.process(1, 10)
    for number in range(2, 31):
        made.process(number)
        assert not made.matting.stands_still, number
    made.process(31)
    assert made.matting.stands_still
    made.process(32, 11)
    assert not made.matting.stands_still


@pytest.mark.parametrize("row", [0, HEIGHT // 2 - 4, HEIGHT // 2, HEIGHT // 2 + 3, HEIGHT - 1])
@pytest.mark.parametrize("column", [0, WIDTH * 4 - 1])
def test_one_byte_anywhere_makes_another_frame(made: Made, row: int, column: int) -> None:
    for number in range(1, 6):
        made.process(number)
    asked = made.network.asked
    made.process(6)
    assert made.network.asked == asked
    made.source.rows[row, column] ^= 1
    made.process(7)
    assert made.network.asked == asked + 1
    assert not made.matting.stands_still


def test_the_first_frame_equals_no_other(made: Made) -> None:
    made.source.give(1, 0)
    fetched = made.matting._fetch()
    assert fetched is not None
    assert not fetched.repeated
    made.source.give(2)
    fetched = made.matting._fetch()
    assert fetched is not None
    assert fetched.repeated
    assert made.matting._fetch() is None


def test_a_few_rows_in_the_middle_are_looked_at_first(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, int]] = []
    equal = Matting._equal

    def noted(self: Matting, one: np.ndarray, other: np.ndarray, rows: slice) -> bool:
        looked.append(rows.indices(HEIGHT)[:2])
        return equal(self, one, other, rows)

    monkeypatch.setattr(Matting, "_equal", noted)
    made.process(1, 1)
    assert looked == []
    made.process(2, 2)
    assert looked == [(HEIGHT // 2 - 4, HEIGHT // 2 + 4)]
    made.process(3)
    assert looked[1:] == [(HEIGHT // 2 - 4, HEIGHT // 2 + 4), (0, HEIGHT)]


def test_settings_and_resets_reach_the_worker(made: Made) -> None:
    made.process(1, 100)
    changed = PLAIN.replace(view="confidence")
    made.matting.update_settings(changed)
    assert made.process(2, 101).confidence is not None
    made.matting.reset()
    assert made.matting.latest() is None


def test_what_fails_is_said_until_a_frame_succeeds(made: Made) -> None:
    made.network.error = ModelError("no mask today")
    assert made.process(1, 1) is None
    assert made.matting.error == "no mask today"
    made.network.error = ValueError()
    assert made.process(2, 2) is None
    assert made.matting.error == "ValueError"
    made.network.error = None
    assert made.process(3, 3) is not None
    assert made.matting.error == ""
    assert made.matting.frames == 1


def test_a_source_that_fails_is_said(made: Made) -> None:
    made.source.error = RuntimeError("no pixels")
    with pytest.raises(RuntimeError, match="no pixels"):
        made.matting.process_now(1, LONG_S)
    made.matting.read_later(0.0, 0.0)
    assert made.matting._worker.wait(10**9, 0.0) is None
    for _ in range(1000):
        if made.matting.error:
            break
        threading.Event().wait(0.01)
    assert made.matting.error == "no pixels"


def test_closed_it_has_ended_and_says_so(made: Made) -> None:
    made.process(1, 1)
    made.matting.close()
    assert made.matting.is_closed
    assert made.matting.latest() is None
    assert made.matting.error == "the worker has ended"
    assert made.network.closed.is_set()
    made.matting.close()


def test_it_can_be_closed_without_waiting(made: Made) -> None:
    made.network.leave.clear()
    made.source.give(1, 1)
    made.matting.read_later(0.0, 0.0)
    assert made.network.begun.wait(LONG_S)
    made.matting.close_soon()
    closer = made.matting._closer
    assert closer is not None
    assert closer.daemon
    made.matting.close_soon()
    assert made.matting._closer is closer
    assert not made.matting.is_closed
    made.network.leave.set()
    made.matting.close()
    assert made.matting.is_closed
    assert not closer.is_alive()


def test_the_network_is_opened_with_the_first_frame_turned_as_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int, int, int]] = []

    def opener(name: str, threads: int) -> Any:
        def open_segmenter(height: int, width: int) -> Network:
            opened.append((name, threads, height, width))
            return Network(height, width)

        return open_segmenter

    monkeypatch.setattr(eoam_obs.frame.matting, "opener", opener)
    settings = PLAIN.replace(model="mine", threads=3, turn="90")
    source = Source()
    matting = Matting(HEIGHT, WIDTH, settings, source)
    try:
        assert opened == []
        assert isinstance(matting._segmenter, DeferredSegmenter)
        source.give(1, 50)
        matting.process_now(1, LONG_S)
        assert matting.latest() is not None
        assert opened == [("mine", 3, WIDTH, HEIGHT)]
        assert isinstance(matting._segmenter._segmenter, TurnedSegmenter)
    finally:
        matting.close()


def test_the_views_of_buffers_that_are_gone_are_forgotten(made: Made) -> None:
    for number in range(1, 10):
        made.source.copies = [ctypes.create_string_buffer(made.source.linesize * HEIGHT) for _ in range(2)]
        made.process(number, number)
    assert len(made.matting._views) <= 2
