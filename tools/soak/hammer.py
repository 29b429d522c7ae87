"""Locks: another Python script, four programs on obs-websocket and open panels, all at once beside the filter.

A deadlock is found sooner or later if enough happens at the same time. So: a script with ticks, timers, signals, events
and a thread of its own (soak_other_script.py), and four threads here that change settings, add, move, switch off and
remove our filters and others, switch scenes and take screenshots. A watchdog sees whether OBS still draws frames, its
UI thread still answers and obs-websocket still does; if one of them does not for 20 seconds, the stacks of all threads
are written down and OBS is ended.

An operation is one request that was answered, or one round of the other script in a tick, a timer, an event or its
thread. An hour of normal use is taken for 220,000: one tick per frame at 60 a second, and somebody who does something
every second. The figures say how many hours of that this was.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.obs_driver import clips
from tools.obs_driver.session import (
    CAMERA,
    FILTER_ID,
    REPOSITORY,
    SCENE,
    Collection,
    ObsSession,
    Scripts,
    colour_entry,
    filter_entry,
    video_entry,
)
from tools.soak.report import Part, Plan

TITLE: Final = "Locks: another script and four programs at once"
WIDTH, HEIGHT, FPS = 320, 180, 60
HOUR: Final = 3600 * FPS + 3600  # operations
_CLIENTS: Final = 4
_HARD: Final = os.environ.get("EOAM_SOAK_OTHER_HARD", "")  # see soak_other_script.py
_HANG_S: Final = 20.0
_OTHER_SCRIPT: Final = Path(__file__).resolve().parent / "soak_other_script.py"
_OTHER_FILTERS: Final = ("color_filter_v2", "crop_filter", "sharpness_filter_v2", "scroll_filter")
# OBS takes a filter out of a chain that it is drawing at the same moment, and crashes if that hits: OBS 29 within ten
# seconds, with its own filters and none of ours, if four programs do little else. So the chain is changed now and then.
_CHAIN: Final = ("CreateSourceFilter", "RemoveSourceFilter", "SetSourceFilterIndex")
_CHAIN_S: Final = 0.8
_SETTINGS: Final[tuple[dict[str, Any], ...]] = (
    {"threshold": 0.3},
    {"threshold": 0.6, "softness": 0.4},
    {"background": "blur"},
    {"background": "color"},
    {"background": "transparent"},
    {"timing": "low_latency"},
    {"timing": "same_frame"},
    {"timing": "aligned"},
    {"every": 3},
    {"every": 1},
    {"decontamination": 0.5},
    {"view": "side_by_side"},
    {"view": "result"},
    {"no_mask": "blur"},
    {"preset": "meeting"},
    {"preset": "low_cpu"},
    {"threads": 2},
    {"threads": 1},
)


def run(plan: Plan) -> Part:
    """Hammer for about the plan's seconds, less what starting and ending take."""
    seconds = max(plan.seconds - 15, 5.0)
    clip = plan.folder / "person.mkv"
    clips.write_video(clip, clips.astronaut_frames(WIDTH, HEIGHT, FPS * 2), FPS)
    scripts: Scripts = [(_OTHER_SCRIPT, {}), (REPOSITORY / "obs_eoam.py", {})]
    sources = [colour_entry(0xFF00FF00, WIDTH, HEIGHT), video_entry(clip, filter_entry("EOAM 0"))]
    other = plan.folder / "other.json"
    python_stacks, hang = other.with_suffix(".stacks"), plan.folder / "hang.txt"
    failures: list[str] = []
    late: list[str] = []
    with ObsSession(
        plan.folder,
        plan.display,
        {"Soak": Collection(sources, scripts)},
        canvas=(WIDTH, HEIGHT),
        fps=FPS,
        environment={"EOAM_SOAK_OTHER": str(other), "EOAM_SOAK_OTHER_HARD": _HARD},
    ) as obs:
        obs.request("CreateScene", sceneName="Other")
        obs.request("CreateSceneItem", sceneName="Other", sourceName=CAMERA)
        obs.request("OpenInputFiltersDialog", inputName=CAMERA)  # stays open: our panel is renewed all the time
        first = obs.rendered_frames()
        hammer = Hammer(obs, plan.seed)
        longest = hammer.run(seconds, failures)
        frames = hammer.frames - first
        if failures:
            failures.append(stacks(obs.process_id, python_stacks, hang))
        at_the_end = threading.Timer(_HANG_S, lambda: late.append(stacks(obs.process_id, python_stacks, hang)))
        at_the_end.start()
        ended = obs.end(timeout_s=5.0 if failures else 2.5 * _HANG_S)
        at_the_end.cancel()
    # OBS up to 29 closes inside the signal's handler. If that hits the UI thread in the middle of a call to X11, it
    # waits for itself (see tools/obs_driver/session.py), whatever is loaded; that is no lock of ours.
    hit_by_signal = bool(late) and "<signal handler called>" in hang.read_text()
    failures += [] if hit_by_signal else late
    done = collections.Counter(hammer.answered)
    inside = collections.Counter(json.loads(other.read_text()) if other.exists() else {})
    operations = done.total() + inside.total()
    figures: dict[str, str | int | float] = {
        "operations": operations,
        "hours of normal use": f"{operations / HOUR:.2f}",
        "requests answered": done.total(),
        "requests refused (what they named had just gone)": hammer.refused.total(),
        **{f"the other script {name}": count for name, count in sorted(inside.items())},
        **{f"request {name}": count for name, count in sorted(done.items())},
        "frames": frames,
        "longest wait for a frame, for the UI thread, for obs-websocket": ", ".join(
            f"{longest[name]:.1f} s" for name in ("a frame", "the UI thread", "obs-websocket")
        ),
        "callbacks of ours that failed": ended.output.count("callback_failed"),
        "exit code, memory leaks": f"{ended.exit_code}, {ended.leaks}"
        + (" (the signal hit OBS in a call to X11)" if hit_by_signal else "")
        + (f" ({ended.fault_of_obs}, as it does without any script)" if ended.fault_of_obs else ""),
    }
    if not (ended.is_clean or ended.fault_of_obs or hit_by_signal):
        failures.append(f"OBS ended with exit code {ended.exit_code} and {ended.leaks} memory leaks")
    if "callback_failed" in ended.output:
        lines = [line for line in ended.output.splitlines() if "callback_failed" in line]
        failures.append(f"a callback of ours failed: {lines[0]}")
    done_inside = ("hotkeys pressed", "panels opened", "script's panels opened")
    if not failures and not all(inside[name] for name in done_inside):
        failures.append("no hotkey was pressed or no panel was opened: this tests less than it says")
    return Part(title=TITLE, figures=figures, failures=failures)


class Hammer:
    """Four threads that send requests, and the watchdog."""

    def __init__(self, obs: ObsSession, seed: int, kind: str = FILTER_ID) -> None:
        self.answered: collections.Counter[str] = collections.Counter()
        self.refused: collections.Counter[str] = collections.Counter()
        self._obs = obs
        self._seed = seed
        self._kind = kind
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self.frames = 0
        self._chain_at = 0.0  # not before
        self._lost: list[str] = []

    def run(self, seconds: float, failures: list[str]) -> Mapping[str, float]:
        """Hammer for so long; return the longest waits. What hangs goes to `failures`, and ends it."""
        threads = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        watchdog = Watchdog(self._obs, hang_s=_HANG_S)
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and not failures:
            failures += watchdog.look() + self._lost
            time.sleep(0.25)
        self._closing.set()
        while any(thread.is_alive() for thread in threads) and not failures:
            failures += watchdog.look() + self._lost
            time.sleep(0.25)
        watchdog.close(0.1 if failures else _HANG_S)
        self.frames = watchdog.frames
        return watchdog.longest

    def _client(self, number: int) -> None:
        draw = random.Random(f"{self._seed} {number}")
        client = self._obs.connect(timeout_s=3600.0)  # the watchdog tells sooner
        with contextlib.closing(_Connection(client)):
            self._send(client, draw, number)

    def _send(self, client: Any, draw: random.Random, number: int) -> None:
        import obsws_python  # type: ignore[import-untyped]

        while not self._closing.is_set():
            kind, data = self._choose(draw, number)
            if kind in _CHAIN and not self._may_change_chain():
                continue
            try:
                client.send(kind, data, raw=True)
            except obsws_python.error.OBSSDKRequestError:
                counts = self.refused
            except Exception as error:
                if not self._closing.is_set():
                    self._lost.append(f"obs-websocket did not answer {kind} {data}: {type(error).__name__}: {error}")
                return
            else:
                counts = self.answered
            with self._lock:
                counts[kind] += 1

    def _may_change_chain(self) -> bool:
        with self._lock:
            now = time.monotonic()
            if now < self._chain_at:
                return False
            self._chain_at = now + _CHAIN_S
            return True

    def _choose(self, draw: random.Random, number: int) -> tuple[str, dict[str, Any]]:
        """Return the next request: each program has filters of its own, the first of them the one from the scene.

        Two that change the settings of one filter at the same time destroy OBS's memory with any filter: an obs_data
        has no lock.
        """
        ours = f"EOAM {number}"
        other = f"other {number}"
        on_ours = {"sourceName": CAMERA, "filterName": ours}
        on_other = {"sourceName": CAMERA, "filterName": other}
        other_kind = {"filterKind": draw.choice(_OTHER_FILTERS)}
        scene = draw.choice((SCENE, "Other"))
        requests: list[tuple[int, str, dict[str, Any]]] = [
            (12, "SetSourceFilterSettings", {**on_ours, "filterSettings": draw.choice(_SETTINGS)}),
            (4, "SetSourceFilterEnabled", {**on_ours, "filterEnabled": draw.random() < 0.8}),
            (3, "SetSourceFilterIndex", {**on_ours, "filterIndex": draw.randrange(3)}),
            (3, "CreateSourceFilter", {**on_ours, "filterKind": self._kind}),
            (number > 0, "RemoveSourceFilter", on_ours),
            (3, "CreateSourceFilter", {**on_other, **other_kind}),
            (3, "RemoveSourceFilter", on_other),
            (2, "SetCurrentProgramScene", {"sceneName": scene}),
            (2, "GetSourceScreenshot", {"sourceName": CAMERA, "imageFormat": "jpg", "imageWidth": 64}),
            (3, "GetSourceFilterList", {"sourceName": CAMERA}),
            (
                3 * ("hotkeys" in _HARD),
                "TriggerHotkeyByName",
                {"hotkeyName": draw.choice(("eoam.toggle", "eoam.next_background"))},
            ),
            (1, "GetHotkeyList", {}),
            (1, "SetStudioModeEnabled", {"studioModeEnabled": draw.random() < 0.3}),
            (1, "CreateScene", {"sceneName": f"scene {number}"}),
            (1, "RemoveScene", {"sceneName": f"scene {number}"}),
        ]
        weights = [weight for weight, _, _ in requests]
        _, kind, data = draw.choices(requests, weights)[0]
        return kind, data


class Watchdog:
    """Sees whether OBS draws, answers, and whether its UI thread does, each from a thread of its own."""

    def __init__(self, obs: ObsSession, *, hang_s: float) -> None:
        self.longest = {"a frame": 0.0, "the UI thread": 0.0, "obs-websocket": 0.0}
        self._hang_s = hang_s
        self._seen = dict.fromkeys(self.longest, time.monotonic())
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self.frames = -1
        # SetCurrentSceneTransitionDuration is done by the UI thread, which the request waits for.
        ui: dict[str, Any] = {"transitionDuration": 50}
        for name, kind, data in (
            ("obs-websocket", "GetStats", {}),
            ("the UI thread", "SetCurrentSceneTransitionDuration", ui),
        ):
            client = obs.connect(timeout_s=3600.0)
            thread = threading.Thread(target=self._ask, args=(name, client, kind, data), daemon=True)
            self._threads.append(thread)
            thread.start()
        self._process_id = obs.process_id

    def look(self) -> list[str]:
        """Return what hangs, as sentences."""
        now = time.monotonic()
        if not Path(f"/proc/{self._process_id}").exists() or _is_dead(self._process_id):
            return ["OBS has ended by itself"]
        found = []
        for name, seen in self._seen.items():
            self.longest[name] = max(self.longest[name], now - seen)
            if now - seen > self._hang_s:
                found.append(f"OBS hangs: nothing of {name} for {now - seen:.0f} s")
        return found

    def close(self, timeout_s: float) -> None:
        """Ask no more: obs-websocket crashes if it is asked for its statistics while OBS is closing."""
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _ask(self, name: str, client: Any, kind: str, data: Mapping[str, Any]) -> None:
        with contextlib.closing(_Connection(client)), contextlib.suppress(Exception):  # OBS has ended
            while not self._closing.is_set():
                answer = client.send(kind, dict(data) or None, raw=True) or {}
                self._seen[name] = time.monotonic()
                frames = answer.get("renderTotalFrames", self.frames)
                if frames != self.frames:
                    self.frames, self._seen["a frame"] = frames, time.monotonic()
                time.sleep(0.2)


class _Connection:
    """Ends a connection, whether or not there is somebody at the other end."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def close(self) -> None:
        with contextlib.suppress(Exception):  # of several libraries
            self._client.disconnect()


def _is_dead(process_id: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def stacks(process_id: int, python_stacks: Path, file: Path) -> str:
    """Write the stacks of all threads of a process into a file, Python's and, with gdb, C's; return a sentence."""
    text = ""
    with contextlib.suppress(OSError):
        os.kill(process_id, signal.SIGUSR1)
        time.sleep(1.0)
        text += python_stacks.read_text()
    command = ["gdb", "-p", str(process_id), "-batch", "-ex", "thread apply all bt 60"]
    try:
        text += subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        text += f"\nno stacks of C: {error}"
    file.write_text(text)
    kept = Path(tempfile.gettempdir()) / f"obs-hang-{process_id}.txt"
    kept.write_text(text)
    return f"the stacks of all threads are in {kept}"
