"""Other scripts that keep Python busy: found, named, told from a slow processor; and what is changed for their sake."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

import eoam_obs.frame.matting
from eoam_obs.binding import libobs
from eoam_obs.binding.process_settings import SWITCH_INTERVAL_S, ProcessSettings
from eoam_obs.binding.python_lock import PythonLock
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from tests.obs.test_parts import ByHand, Stage

INTERVAL_S = 0.005
LANGUAGES = ["en-US", "de-DE", "es-ES", "fr-FR", "ja-JP", "pt-BR", "zh-CN"]


class Threads:
    """Threads by hand: where each is, and how long Python's lock takes to come back."""

    def __init__(self) -> None:
        self.now = 0.0
        self.wait_s = 0.0
        self.frames: dict[int, Any] = {}
        self.moving: tuple[int, ...] = ()
        self.lock = PythonLock(
            give_way=self._give_way, clock=lambda: self.now, frames=self._frames, interval=lambda: INTERVAL_S
        )

    def _give_way(self) -> None:
        self.now += self.wait_s
        for thread in self.moving:
            self.frames[thread].f_lasti += 2

    def _frames(self) -> dict[int, FrameType]:
        return {thread: frame for thread, frame in self.frames.items() if frame is not None}

    def run(self, looks: int, *, moving: tuple[int, ...] = (), polling: tuple[int, ...] = ()) -> tuple[str, ...]:
        """Look so often, while the threads `moving` compute and the threads `polling` wait elsewhere at each look."""
        self.moving = moving
        for _ in range(looks):
            for thread in polling:
                self.frames[thread].f_lasti += 2
            self.lock.look()
        return self.lock.busy_scripts


def frame(file: str, back: Any = None) -> Any:
    """Return what stands for a frame of this file."""
    return SimpleNamespace(f_code=SimpleNamespace(co_filename=file, co_code=b""), f_back=back, f_lasti=0)


@pytest.fixture
def threads() -> Threads:
    made = Threads()
    made.frames = {1: frame("/scripts/counter.py"), 2: frame("/scripts/waits.py"), 3: frame("/x/eoam_core/worker.py")}
    return made


def test_a_script_that_goes_on_while_the_lock_is_slow_is_named(threads: Threads) -> None:
    threads.wait_s = INTERVAL_S
    assert threads.run(3, moving=(1, 3)) == ()  # it may be over in a moment
    assert threads.run(4, moving=(1, 3)) == ("counter.py",)


def test_it_is_not_named_any_more_when_it_rests(threads: Threads) -> None:
    threads.wait_s = INTERVAL_S
    assert threads.run(10, moving=(1,))
    threads.wait_s = 0.0
    assert threads.run(3, moving=(1,)) == ()


def test_a_processor_that_is_slow_is_nobodys_script(threads: Threads) -> None:
    threads.wait_s = 4 * INTERVAL_S  # the system gives this thread no processor; nobody goes on in Python
    assert threads.run(20) == ()


def test_scripts_that_wait_or_compute_now_and_then_are_not_named(threads: Threads) -> None:
    assert threads.run(20, moving=(1, 2)) == (), "the lock comes back at once"
    for look in range(40):
        threads.wait_s = INTERVAL_S if look % 4 == 0 else 0.0
        assert threads.run(1, moving=(1,)) == ()


def test_a_script_that_looks_for_work_now_and_then_is_not_named_beside_one_that_computes(threads: Threads) -> None:
    threads.wait_s = INTERVAL_S
    assert threads.run(20, moving=(1,), polling=(2,)) == ("counter.py",)


def test_a_library_is_named_by_the_script_that_called_it(threads: Threads) -> None:
    script = frame("/scripts/uses_numpy.py")
    threads.frames[1] = frame(threading.__file__, frame("/site-packages/numpy/core.py", script))
    threads.wait_s = INTERVAL_S
    assert threads.run(10, moving=(1,)) == ("uses_numpy.py",)


COMPUTES = {
    "one loop": "    while not closing:\n        x = (x * 31 + 7) % 1000003\n",
    "loops in loops": "    while not closing:\n        for y in range(100):\n            x += y\n",
    "calls": "    while not closing:\n        x = len(str(abs(hash(x))))\n",
}


@pytest.mark.parametrize("loop", COMPUTES.values(), ids=COMPUTES)
def test_a_real_thread_that_computes_is_found(tmp_path: Path, loop: str) -> None:
    script = tmp_path / "spins.py"
    script.write_text(f"def spin(closing):\n    x = 0\n{loop}")
    namespace: dict[str, Any] = {}
    exec(compile(script.read_text(), str(script), "exec"), namespace)
    closing: list[int] = []
    # The waits are given: a real one is as long as the machine is busy. What the thread executes is real.
    waits = iter(range(10**9))

    def give_way() -> None:
        threading.Event().wait(0.001)

    lock = PythonLock(give_way=give_way, clock=lambda: float(next(waits)))
    thread = threading.Thread(target=namespace["spin"], args=(closing,), daemon=True)
    thread.start()
    try:
        for _ in range(1000):
            lock.look()
            if lock.busy_scripts:
                break
        assert lock.busy_scripts == ("spins.py",)
    finally:
        closing.append(1)
        thread.join(60)


WAITS = {
    "sleep": "import time\ndef wait(done):\n    while not done.is_set():\n        time.sleep(60)\n",
    "event": "def wait(done):\n    done.wait(60)\n",
    "lock": (
        "import threading\ndef wait(done):\n"
        "    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire(timeout=60)\n"
    ),
    "select": "import select, os\ndef wait(done):\n    r, w = os.pipe()\n    select.select([r], [], [], 60)\n",
}


@pytest.mark.parametrize("source", WAITS.values(), ids=WAITS)
def test_a_real_thread_that_waits_is_not_found(tmp_path: Path, source: str) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(source, str(tmp_path / "waits.py"), "exec"), namespace)
    done = threading.Event()
    thread = threading.Thread(target=namespace["wait"], args=(done,), daemon=True)
    thread.start()
    waits = iter(range(10**9))
    lock = PythonLock(give_way=lambda: None, clock=lambda: float(next(waits)))
    while not _is_waiting(thread):
        pass
    for _ in range(50):
        lock.look()
        assert lock.busy_scripts == ()
    done.set()


def _is_waiting(thread: threading.Thread) -> bool:
    """Whether a thread is in its call: its place does not change for a while in which Python's lock is free."""
    places = set()
    for _ in range(20):
        frame = sys._current_frames().get(thread.ident or 0)
        places.add((id(frame), frame.f_lasti if frame is not None else -1))
        threading.Event().wait(0.001)
    return len(places) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("covered", [False, True])
@pytest.mark.parametrize("kind", ["late", "starved"])
def test_the_sentence_names_the_script_and_not_the_processor(language: str, kind: Any, covered: bool) -> None:
    texts = Texts(language)
    plain = State(kind=kind, limit_s=0.5, covered=covered)
    busy = State(kind=kind, limit_s=0.5, covered=covered, busy_scripts=("counter.py", "other.py"))
    assert "counter.py, other.py" in busy.sentence(texts)
    assert "counter.py" not in plain.sentence(texts)
    assert texts("preset.low_cpu") not in busy.sentence(texts)
    assert busy.look != plain.look, "an open panel is renewed"
    assert busy.sentence(texts) != State(kind=kind, covered=not covered, busy_scripts=busy.busy_scripts).sentence(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_with_masks_too_few_it_names_the_script_and_the_figures(language: str) -> None:
    texts = Texts(language)
    state = State(kind="running", model="m", masks_per_second=8.2, pictures_per_second=29.8, behind=True)
    busy = State(**{name: getattr(state, name) for name in State.__slots__} | {"busy_scripts": ("counter.py",)})
    for part in ("counter.py", "8.2", "30"):
        assert part in busy.sentence(texts)
    assert texts("preset.low_cpu") in state.sentence(texts)
    assert texts("preset.low_cpu") not in busy.sentence(texts)


@pytest.fixture
def interval() -> Iterator[float]:
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_the_switch_interval_is_short_while_the_script_is_loaded_and_put_back(interval: float) -> None:
    settings = ProcessSettings()
    settings.take()
    settings.take()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    settings.give_back()
    assert sys.getswitchinterval() == pytest.approx(interval)
    settings.give_back()
    assert sys.getswitchinterval() == pytest.approx(interval)


def test_what_another_script_sets_is_left_alone(interval: float) -> None:
    settings = ProcessSettings()
    sys.setswitchinterval(SWITCH_INTERVAL_S / 2)
    settings.take()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S / 2)
    settings.give_back()
    sys.setswitchinterval(interval)
    settings.take()
    sys.setswitchinterval(0.01)  # somebody does, later
    settings.give_back()
    assert sys.getswitchinterval() == pytest.approx(0.01)


def test_opencvs_threads_are_put_back_too_and_it_need_not_be_there(
    interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OpenCV:
        threads = 8

        def getNumThreads(self) -> int:
            return self.threads

        def setNumThreads(self, threads: int) -> None:
            self.threads = threads

    settings, opencv = ProcessSettings(), OpenCV()
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    settings.take()
    monkeypatch.setitem(sys.modules, "cv2", opencv)  # installed since
    settings.take()
    assert opencv.threads == 1
    settings.give_back()
    assert opencv.threads == 8


def test_a_frame_gives_pythons_lock_away_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each time is a wait of up to a switch interval beside a script that computes.
    monkeypatch.setattr(eoam_obs.frame.matting, "Matting", ByHand)
    ByHand.made.clear()
    stage = Stage()
    calls: Counter[str] = Counter()
    stage.tick(16, finish=True)
    for name in libobs._BLOCKING:
        function = getattr(stage.obs, name)

        def counted(*given: Any, name: str = name, function: Any = function) -> Any:
            calls[name] += 1
            return function(*given)

        setattr(stage.obs, name, counted)
    stage.tick(16, finish=True)
    theirs = {"obs_enter_graphics", "obs_leave_graphics"}  # libobs has the context when it calls
    counted_up = sum(count for name, count in calls.items() if name not in theirs)
    stage.filter.destroy()
    assert counted_up <= 16 * 4 + 2, calls
