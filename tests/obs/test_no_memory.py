"""Memory ends at any call while a filter draws: nothing on the GPU is left open, nothing is lost, it goes on later.

Slow: it lets memory end at each of some hundred calls in turn; a sample would miss the one that leaks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import eoam_obs.frame.matting
from eoam_obs.frame.filter import Filter
from eoam_obs.frame.gpu import RenderTarget
from tests.obs.test_parts import ByHand, NoteTaking, Stage

_PRODUCT: Final = tuple(str(Path(__file__).parents[2] / name) for name in ("eoam_core", "eoam_obs"))
_SECONDS: Final = 3 * 1_000_000_000  # longer than the filter waits after a failure
_FRAMES: Final = 3


def is_even(obs: NoteTaking) -> bool:
    """Whether what was begun was ended; `_image`: an effect between its passes."""
    return (obs.blend_depth, obs.inside, obs._image) == (0, 0, 0) and not obs.gs_get_context()


class Scarce:
    """Raises MemoryError at the `first` call that the product makes or gets, and at the next so many in a row."""

    def __init__(self, first: int, in_a_row: int) -> None:
        self.first, self.left, self.seen = first, in_a_row, 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event not in ("call", "c_call") or not frame.f_code.co_filename.startswith(_PRODUCT):
            return
        if event == "c_call" and argument.__name__ in ("release", "__exit__"):
            return  # CPython needs no memory to give a lock back, and without it no program could go on
        self.seen += 1
        if self.seen >= self.first and self.left:
            self.left -= 1
            raise MemoryError("injected")  # whereupon CPython takes the profiler off


def rearm(monkeypatch: pytest.MonkeyPatch, scarce: list[Scarce], owner: object, name: str) -> None:
    """Have memory go on ending in a function that cleans up."""
    original = getattr(owner, name)

    def armed(*arguments: object, **named: object) -> object:
        if scarce and scarce[-1].left:
            sys.setprofile(scarce[-1])
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, armed)


@pytest.fixture
def filters(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Stage]]:
    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", ByHand)
    ByHand.made.clear()
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.filter.destroy()
        assert not stage.obs.alive, "GPU objects that were not freed"
    assert all(worker.is_closed for worker in ByHand.made)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a generator that is closed fails, too
@pytest.mark.parametrize("in_a_row", [1, 2, 4])
@pytest.mark.parametrize(
    "settings",
    [{}, {"background": "blur", "advanced": True, "no_mask": "blur", "edge_shift": 3.0}],
    ids=["plain", "blurred"],
)
def test_nothing_stays_open_wherever_memory_ends(
    filters: list[Stage], settings: dict[str, object], in_a_row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired = 0
    scarcities: list[Scarce] = []
    for name in ("_fail", "_free", "_forget", "_retire", "_say"):
        rearm(monkeypatch, scarcities, Filter, name)
    rearm(monkeypatch, scarcities, RenderTarget, "end")
    rearm(monkeypatch, scarcities, RenderTarget, "destroy")
    for first in range(1, 2000):
        stage = Stage(**settings)
        filters.append(stage)
        scarce = Scarce(first, in_a_row)
        scarcities.append(scarce)
        for _ in range(_FRAMES):
            with stage.obs.graphics():
                sys.setprofile(scarce)
                try:
                    stage.filter.render()
                except MemoryError:
                    pass  # the callback that libobs has been given logs it
                finally:
                    sys.setprofile(None)
            assert is_even(stage.obs), first
            stage.obs.now += 33_000_000
            if ByHand.made:
                stage.worker.read()
                stage.worker.finish()
        scarcities.clear()
        stage.obs.now += _SECONDS
        assert stage.tick(6, finish=True) > 0, first
        if scarce.left == in_a_row:
            break
        fired += in_a_row - scarce.left
    assert fired > 150


def test_an_effect_is_not_left_in_the_middle(filters: list[Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    # libobs's scalers are shared: the next filter would draw nothing with one, and nothing would say so.
    stage = Stage()
    filters.append(stage)
    assert stage.tick(4, finish=True) > 0

    def fails(*_: object) -> None:
        raise MemoryError("injected")

    with monkeypatch.context() as patch:
        patch.setattr(stage.obs, "gs_draw_sprite", fails)
        assert stage.tick() == 0
    assert is_even(stage.obs)
    stage.obs.now += _SECONDS
    assert stage.tick(6, finish=True) > 0
