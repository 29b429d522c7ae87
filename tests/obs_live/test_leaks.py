"""The short version of scripts/soak's leak test: every fault once, every recorded frame searched for the room.

Slow: it injects every kind of fault once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tools.soak import closing, controls, guard, leaks
from tools.soak import search as soak_search
from tools.soak.leaks import Book
from tools.soak.report import Part, Plan
from tools.soak.search import FEW_PIXELS, LEVELS, search
from tools.soak.stage import Props

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: signals, mounts, LD_PRELOAD")

WIDTH, HEIGHT = 320, 180


def plan(display: str, folder: Path) -> Plan:
    return Plan(display=display, folder=folder, seconds=0.0, seed=8)


@pytest.fixture(scope="module")
def props(tmp_path_factory: pytest.TempPathFactory) -> Props:
    return Props.made(tmp_path_factory.mktemp("props"))


def cut_out() -> np.ndarray:
    """Return what should be seen: the person alone, (h, w, 4) uint8 RGBA."""
    frame = next(soak_search.person_frames(WIDTH, HEIGHT, 1, 0.0))
    alpha = np.where(frame.min(axis=2) == 255, 255, 0).astype(np.uint8)
    return np.dstack([np.where(alpha[..., None] > 0, frame, 0).astype(np.uint8), alpha])


def test_the_search_finds_a_single_pixel_of_the_room_and_nothing_else() -> None:
    clean = cut_out()
    assert search(clean, strict=True).room == 0
    assert search(clean).person
    for colour, opacity in (((LEVELS + 1, 0, 0), 255), ((0, 0, 13), 1), ((1, 1, 1), 0)):
        leaking = clean.copy()
        leaking[5, 5] = (*colour, opacity)
        assert search(leaking).room == 1, colour
    x, y = WIDTH // 2 - round(HEIGHT * 0.19), round(HEIGHT * 0.36)  # the person's left edge
    leaking = clean.copy()
    leaking[y, x - FEW_PIXELS // 2] = (255, 0, 0, 255)  # the soft edge may hold some of the room
    assert search(leaking).room == 0
    leaking[y, x - FEW_PIXELS - 3] = (255, 0, 0, 255)
    assert search(leaking).room == 1


def test_the_raw_room_a_faint_one_and_one_of_a_single_frame_are_found(
    display: str, props: Props, tmp_path: Path
) -> None:
    part = controls.run(plan(display, tmp_path), props)
    assert not part.failures, part


@pytest.mark.parametrize("kind", ["settings", "users", "inside", "round"])
def test_no_recorded_frame_shows_the_room(display: str, props: Props, tmp_path: Path, kind: str) -> None:
    book = Book()
    leaks.run_session(kind, tmp_path / kind, plan(display, tmp_path), props, 4.0, 8, book)
    part = Part(title=kind, figures=leaks.figures(book), failures=[*book.failures, *leaks.leaks(book)])
    assert not part.failures, part
    assert book.recorded.with_person > 20  # a busy machine records few
    assert book.screenshots.with_person > 0
    if undone := [f"{name}: {text}" for name, text in book.notes.items() if text.startswith("not done")]:
        pytest.skip("; ".join(undone))


def test_the_guard_alone_shows_nothing_in_a_recording(display: str, tmp_path: Path) -> None:
    part = guard.run(plan(display, tmp_path))
    assert not part.failures, part


def test_obs_closed_in_the_middle_of_a_fault_ends_cleanly(display: str, tmp_path: Path) -> None:
    part = closing.run(plan(display, tmp_path))
    assert not part.failures, part
