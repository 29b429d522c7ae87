"""Drive a real OBS Studio: a fresh configuration in a temporary HOME, obs-websocket on a free port, a clean end.

Linux with X11 only. Used by scripts/demo and by the end-to-end tests. Needs numpy, opencv and obsws-python.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import ctypes
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

FILTER_ID: Final = "eoam_background_removal"
SCENE: Final = "Scene"
CAMERA: Final = "camera"
FILTER: Final = "EOAM"
_POLL: Final = "7"  # poll on x86-64
_POLL_CALLS: Final = (_POLL, "271", "73")  # and ppoll there and on arm64
REPOSITORY: Final = Path(__file__).resolve().parents[2]

Json = dict[str, Any]
Picture = NDArray[np.uint8]
_T = TypeVar("_T")


class ObsError(Exception):
    """OBS did not start, did not answer or failed to do a request."""


def missing_programs() -> list[str]:
    """Return the programs that are needed and not installed."""
    return [program for program in ("obs", "Xvfb") if shutil.which(program) is None]


def obs_python() -> tuple[int, int] | None:
    """Return the version of the Python that this machine's OBS is linked with, or None if that cannot be seen."""
    program = shutil.which("obs")
    if program is None:
        return None
    scripting = [Path(program), *Path("/usr/lib").glob("**/libobs-scripting.so*")]
    for file in scripting:
        linked = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
        found = re.search(r"libpython(\d+)\.(\d+)", linked)
        if found:
            return int(found[1]), int(found[2])
    return None


def python_path_for_obs() -> str:
    """Return the folder with this interpreter's packages if OBS can use them; OBS itself looks in .venv."""
    if obs_python() != sys.version_info[:2]:
        return ""
    return str(Path(np.__file__).resolve().parent.parent)


@contextlib.contextmanager
def virtual_display(size: str = "1600x1000") -> Iterator[str]:
    """Run Xvfb on a free display of this size and give its name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    # A session of its own: Ctrl+C in the terminal would end it before OBS, which crashes without its display.
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()  # comes when the server is ready, or ends with it
        if not number:
            raise ObsError(f"Xvfb did not start (exit code {server.wait()})")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def chosen_display(real: bool) -> Iterator[str]:
    """Give the name of the display that is there, with its GPU, or of a virtual one."""
    if real:
        yield os.environ["DISPLAY"]
    else:
        with virtual_display() as name:
            yield name


def filter_entry(name: str = FILTER, kind: str = FILTER_ID, **settings: object) -> Json:
    """Describe a filter as a scene file holds it."""
    return {"name": name, "id": kind, "versioned_id": kind, "enabled": True, "settings": settings}


def video_entry(file: Path, *filters: Json, name: str = CAMERA) -> Json:
    """Describe a looping media source."""
    settings = {
        "local_file": str(file),
        "looping": True,
        "is_local_file": True,
        "hw_decode": False,
        "restart_on_activate": False,
    }
    return _source(name, "ffmpeg_source", settings, filters)


def image_entry(file: Path, *filters: Json, name: str = CAMERA) -> Json:
    """Describe an image source."""
    return _source(name, "image_source", {"file": str(file)}, filters)


def colour_entry(abgr: int, width: int, height: int, name: str = "background") -> Json:
    """Describe a source of one colour."""
    return _source(name, "color_source_v3", {"color": abgr, "width": width, "height": height}, [])


def group_entry(name: str, member: str, canvas: tuple[int, int], *filters: Json) -> Json:
    """Describe a group of one source that fills the canvas."""
    settings = {"custom_size": True, "cx": canvas[0], "cy": canvas[1], "id_counter": 1}
    return _source(name, "group", {**settings, "items": _items([member], canvas)}, filters)


def _items(names: Sequence[str], canvas: tuple[int, int]) -> list[Json]:
    """Describe sources in a scene, from back to front, fitted into the canvas."""
    return [
        {
            "name": name,
            "id": number,
            "visible": True,
            "bounds_type": 2,  # keep the shape, fit into the bounds
            "bounds": {"x": canvas[0], "y": canvas[1]},
            "pos": {"x": 0, "y": 0},
            "scale": {"x": 1.0, "y": 1.0},
            "align": 5,
            "bounds_align": 0,
        }
        for number, name in enumerate(names, 1)
    ]


def _source(name: str, versioned: str, settings: Json, filters: Sequence[Json]) -> Json:
    kind = re.sub(r"_v\d+$", "", versioned)
    return {
        "name": name,
        "id": kind,
        "versioned_id": versioned,
        "mixers": 0,
        "muted": True,
        "settings": settings,
        "filters": list(filters),
    }


Scripts = Sequence[tuple[Path, Json]]  # each with its settings


@dataclass
class Collection:
    """A scene collection: sources from back to front, all fitted into the canvas, and scripts."""

    sources: Sequence[Json]
    scripts: Scripts = ()

    def to_json(self, name: str, canvas: tuple[int, int]) -> Json:
        """Return what OBS stores in its scenes folder."""
        items = _items([source["name"] for source in self.sources], canvas)
        scene_settings = {"id_counter": len(items), "custom_size": False, "items": items}
        scene = {"name": SCENE, "id": "scene", "versioned_id": "scene", "settings": scene_settings}
        return {
            "name": name,
            "current_scene": SCENE,
            "current_program_scene": SCENE,
            "scene_order": [{"name": SCENE}],
            "sources": [*self.sources, scene],
            "modules": {"scripts-tool": [{"path": str(path), "settings": values} for path, values in self.scripts]},
        }


_WEBSOCKET_STOPS: Final = "[obs-websocket] [obs_module_unload] Shutting down..."
_SHUTTING_DOWN: Final = "==== Shutting down ===="
_CLEARED: Final = re.compile("All scene data cleared|Not all sources were cleared when clearing scene data")
_SCENE_MADE: Final = re.compile(r"^debug: source '(.*)' \(scene\) created$", re.MULTILINE)
_DESTROYED: Final = re.compile(r"^debug: source '(.*)' destroyed$", re.MULTILINE)
_KEEPS_SCENES: Final = re.compile(r"^info: OBS (3[2-9]|[4-9]\d)\.", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How OBS ended: its exit code (None: it had to be killed), its count of leaks (None: it did not get so far)."""

    exit_code: int | None
    leaks: int | None
    output: str

    @property
    def is_clean(self) -> bool:
        """Whether OBS ended by itself, successfully, and freed all its memory."""
        return self.exit_code == 0 and self.leaks == 0

    @property
    def fault_of_obs(self) -> str:
        """Which fault of OBS's own, seen without any script or filter as well, this end shows; empty if none.

        Both are told by what OBS wrote, narrowly, and long after this project's last code ran: its script is unloaded
        and its filters are stopped by then. `tools/soak/ends.py` counts how often they occur, with and without the
        script.

        - obs-websocket takes its socket away while its own thread still accepts on it (`stop_listening` against
          `start_accept`; the core dumps show that thread).
        - OBS 32 with two scenes or more keeps one of them beyond the end of its scene collection, on a busy machine
          more often than not, and counts that as leaks or crashes. No code of this project holds a scene for longer
          than a call.
        """
        if self.exit_code == -signal.SIGSEGV and self.output.rstrip().endswith(_WEBSOCKET_STOPS):
            return "obs-websocket crashed as it stopped"
        ended_badly = not self.is_clean and self.exit_code is not None
        if ended_badly and _KEEPS_SCENES.search(self.output) and _keeps_a_scene(self.output):
            return "OBS kept a scene"
        return ""


def _keeps_a_scene(output: str) -> bool:
    """Whether a scene was still alive when OBS had cleared its scene collection for the last time."""
    before, _, after = output.partition(_SHUTTING_DOWN)
    cleared = _CLEARED.search(after)
    if cleared is None:
        return False  # it did not get so far, for whatever reason
    alive = collections.Counter(_SCENE_MADE.findall(before))
    return bool(alive - collections.Counter(_DESTROYED.findall(before + after[: cleared.start()])))


@dataclass
class ObsSession:
    """One run of OBS. Start it with `with`; `end()` may be called before the block ends, to see how OBS ends."""

    folder: Path
    display: str
    collections: Mapping[str, Collection]
    canvas: tuple[int, int] = (1280, 720)
    fps: int = 30
    environment: Mapping[str, str] = field(default_factory=dict)
    software_rendering: bool = True
    preview: bool = False
    profile: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # more sections of basic.ini
    start_timeout_s: float = 90.0
    language: str = "en-US"

    _process: subprocess.Popen[bytes] | None = None
    _port: int = 0
    _client: Any = None
    _ended: Ended | None = None

    def __enter__(self) -> ObsSession:
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def log(self) -> str:
        """What OBS has written so far."""
        return (self.folder / "obs.log").read_text(errors="replace")

    @property
    def process_id(self) -> int:
        """OBS's process."""
        assert self._process is not None
        return self._process.pid

    def request(self, kind: str, **data: object) -> Json:
        """Send one request of the obs-websocket protocol and return its answer.

        Raises:
            ObsError: OBS refused it, or has ended.
        """
        self._check_alive()
        try:
            return self._client.send(kind, data or None, raw=True) or {}
        except Exception as error:  # obsws-python lets errors of several libraries through
            self._check_alive()
            raise ObsError(f"{kind} {data}: {error}") from error

    def connect(self, timeout_s: float = 30.0) -> Any:
        """Return one more connection, an `obsws_python.ReqClient`: one of them is not for several threads."""
        import obsws_python  # type: ignore[import-untyped]

        return obsws_python.ReqClient(host="127.0.0.1", port=self._port, password="", timeout=timeout_s)

    def screenshot(self, source: str = CAMERA) -> Picture:
        """Return what a source shows: (h, w, 4) uint8 RGBA, with its filters, premultiplied as OBS has it."""
        answer = self.request("GetSourceScreenshot", sourceName=source, imageFormat="png")
        png = base64.b64decode(answer["imageData"].partition(",")[2])
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3:
            raise ObsError("OBS sent a screenshot that cannot be read")
        code = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGBA
        return np.asarray(cv2.cvtColor(picture, code), np.uint8)

    def wait(self, probe: Callable[[], _T | None], what: str, *, timeout_s: float = 60.0, every_s: float = 0.1) -> _T:
        """Ask `probe` until its answer is true, and return that; a request that OBS refuses counts as false.

        Raises:
            ObsError: that took too long, or OBS has ended.
        """
        give_up = time.monotonic() + timeout_s
        last: object = None
        while True:
            self._check_alive()
            with contextlib.suppress(ObsError):
                answer = last = probe()
                if answer:
                    return answer
            if time.monotonic() > give_up:
                raise ObsError(f"{what}: not within {timeout_s:g} s (last answer: {last!r})")
            time.sleep(every_s)

    def wait_for_picture(
        self, accept: Callable[[Picture], bool], what: str, *, source: str = CAMERA, timeout_s: float = 60.0
    ) -> Picture:
        """Take screenshots until `accept` returns true for one, and return it."""

        def probe() -> list[Picture]:
            picture = self.screenshot(source)
            return [picture] if accept(picture) else []

        return self.wait(probe, what, timeout_s=timeout_s)[0]

    def rendered_frames(self) -> int:
        """Return how many frames OBS has really rendered: its total counts those that it was too late for as well."""
        stats = self.request("GetStats")
        return int(stats["renderTotalFrames"]) - int(stats["renderSkippedFrames"])

    def wait_frames(self, count: int) -> None:
        """Wait until OBS has rendered this many more frames."""
        target = self.rendered_frames() + count
        self.wait(lambda: self.rendered_frames() >= target, f"{count} more frames", timeout_s=60 + count)

    def source_size(self, source: str = CAMERA) -> tuple[int, int]:
        """Return the (width, height) of a source of the scene."""
        items = self.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]
        transform = next(item["sceneItemTransform"] for item in items if item["sourceName"] == source)
        return int(transform["sourceWidth"]), int(transform["sourceHeight"])

    def set_filter(self, *, source: str = CAMERA, name: str = FILTER, **settings: object) -> None:
        """Change some settings of a filter."""
        self.request("SetSourceFilterSettings", sourceName=source, filterName=name, filterSettings=settings)

    def wait_until_closed(self) -> None:
        """Wait until somebody has closed OBS."""
        assert self._process is not None
        self._process.wait()

    def end(self, *, timeout_s: float = 90.0) -> Ended:
        """Ask OBS to quit (SIGINT), wait, and return how it ended. A second call repeats the first result."""
        if self._ended is not None:
            return self._ended
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.disconnect()
        code: int | None = None
        process = self._process
        if process is not None:
            if process.poll() is None:
                _interrupt_when_idle(process)
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        output = self.log if (self.folder / "obs.log").exists() else ""
        leaks = re.findall(r"Number of memory leaks: (\d+)", output)
        self._ended = Ended(code, int(leaks[-1]) if leaks else None, output)
        return self._ended

    def _start(self) -> None:
        logging.getLogger("obsws_python").setLevel(logging.CRITICAL)  # it reports every refused connection
        port = self._port = _free_port()
        home = self.folder / "home"
        self._write_configuration(home, port)
        environment = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DISPLAY": self.display,
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "QT_QPA_PLATFORM": "xcb",
            "PYTHONPATH": python_path_for_obs(),
            **({"LIBGL_ALWAYS_SOFTWARE": "1"} if self.software_rendering else {}),
            **({"XAUTHORITY": os.environ["XAUTHORITY"]} if "XAUTHORITY" in os.environ else {}),
            **self.environment,
        }
        with (self.folder / "obs.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["obs", "--multi", "--verbose", "--disable-shutdown-check"],
                cwd=home,
                env={name: value for name, value in environment.items() if value},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C in the terminal is for us to pass on
            )
        give_up = time.monotonic() + self.start_timeout_s
        while not self._is_ready(port):
            self._check_alive()
            if time.monotonic() > give_up:
                raise ObsError(f"OBS was not ready within {self.start_timeout_s:g} s; its last lines:\n{self._tail()}")
            time.sleep(0.1)
        # obs-websocket answers while OBS's UI thread is still starting; in OBS 32 a request that adds a source then is
        # a deadlock between the two. This request waits for the UI thread, without holding a lock.
        self.request("SetCurrentProgramScene", sceneName=SCENE)
        _wait_until_idle(self._process.pid)

    def _is_ready(self, port: int) -> bool:
        """Whether obs-websocket answers and the scene is there; the first comes seconds before the second."""
        import obsws_python

        try:
            if self._client is None:
                self._client = obsws_python.ReqClient(host="127.0.0.1", port=port, password="", timeout=30)
            scenes = self._client.send("GetSceneList", raw=True)["scenes"]
            return any(scene["sceneName"] == SCENE for scene in scenes) and self.rendered_frames() > 0
        except Exception:  # refused, closed, not yet: several libraries' errors
            return False

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        raise ObsError(f"OBS has ended with exit code {self._process.returncode}; its last lines:\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self.log.splitlines()[-25:])

    def _write_configuration(self, home: Path, port: int) -> None:
        top = home / ".config" / "obs-studio"
        scenes, profile = top / "basic" / "scenes", top / "basic" / "profiles" / "Untitled"
        websocket = top / "plugin_config" / "obs-websocket"
        for folder in (scenes, profile, websocket):
            folder.mkdir(parents=True)
        home.chmod(0o700)
        first = next(iter(self.collections))
        # No user.ini: OBS 31 and later make it from global.ini, and ask a question if they find both.
        _write_ini(
            top / "global.ini",
            General={
                "Pre19Defaults": "false",
                "Pre21Defaults": "false",
                "Pre23Defaults": "false",
                "Pre24.1Defaults": "false",
                "FirstRun": "true",
                "LastVersion": "486539266",
                "InfoIncrement": "99",
                "EnableAutoUpdates": "false",
                "ConfirmOnExit": "false",  # it asks while something records, and nobody is there to answer
                "Language": self.language,
            },
            Basic={
                "Profile": "Untitled",
                "ProfileDir": "Untitled",
                "SceneCollection": first,
                "SceneCollectionFile": first,
            },
            BasicWindow={"PreviewEnabled": str(self.preview).lower()},
            OBSWebSocket={  # where OBS up to 30 looks
                "FirstLoad": "false",
                "ServerEnabled": "true",
                "ServerPort": str(port),
                "AuthRequired": "false",
                "AlertsEnabled": "false",
            },
        )
        width, height = self.canvas
        _write_ini(
            profile / "basic.ini",
            General={"Name": "Untitled"},
            Video={
                "BaseCX": str(width),
                "BaseCY": str(height),
                "OutputCX": str(width),
                "OutputCY": str(height),
                "FPSType": "1",
                "FPSInt": str(self.fps),
                "FPSCommon": str(self.fps),
                **self.profile.get("Video", {}),
            },
            **{section: values for section, values in self.profile.items() if section != "Video"},
        )
        server = {"server_enabled": True, "auth_required": False, "server_port": port, "server_password": ""}
        (websocket / "config.json").write_text(json.dumps({**server, "first_load": False, "alerts_enabled": False}))
        for name, collection in self.collections.items():
            (scenes / f"{name}.json").write_text(json.dumps(collection.to_json(name, self.canvas)))


def _write_ini(file: Path, **sections: Mapping[str, str]) -> None:
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key}={value}" for key, value in values.items())]
    file.write_text("\n".join(lines) + "\n")


def _wait_until_idle(process_id: int, *, timeout_s: float = 10.0) -> int:
    """Wait for a moment in which the main thread of a process waits in its event loop.

    Returns the nanoseconds that the thread has run by then, or -1 if the moment did not come or the process has ended.
    """
    give_up = time.monotonic() + timeout_s
    before, since = -1, time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() < give_up:
            now = _time_on_cpu(process_id)
            if now != before or not _is_polling(process_id):
                before, since = now, time.monotonic()
            elif time.monotonic() - since > 0.012:  # shorter than the pause between two updates of OBS's audio meters
                return now
            time.sleep(0.002)
    return -1


def _interrupt_when_idle(process: subprocess.Popen[bytes], *, attempts: int = 20) -> None:
    """Send SIGINT at a moment in which the main thread of OBS waits in its event loop.

    OBS up to 29 closes its window inside the signal handler, wherever its UI thread happens to be. In the middle of a
    repaint that ends in "Recursive repaint detected" and a crash, in the middle of a call to X11 in a deadlock, with
    and without this project's script. Waiting for events, all is well.

    Seeing that it waits and sending the signal are two steps, and a busy machine can let a repaint slip in between: so
    OBS is stopped, looked at again, and goes on with the signal already there. The signal is for the main thread alone:
    sent to the process the kernel may give it to another thread, and Qt's windows closed from there crash as well.
    """
    for _ in range(attempts):
        ran = _wait_until_idle(process.pid)
        if ran < 0:
            break
        process.send_signal(signal.SIGSTOP)
        try:
            if _stopped_where_it_was(process.pid, ran):
                _interrupt_main_thread(process.pid)
                return
        finally:
            process.send_signal(signal.SIGCONT)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):  # ended just now
            _interrupt_main_thread(process.pid)


def _interrupt_main_thread(process_id: int) -> None:
    """Send SIGINT to the main thread of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.tgkill(process_id, process_id, int(signal.SIGINT)) != 0:
        raise OSError(ctypes.get_errno(), f"process {process_id} cannot be interrupted")


def _stopped_where_it_was(process_id: int, ran: int, *, timeout_s: float = 5.0) -> bool:
    """Wait until the main thread of a process has stopped; say whether that was in the event loop it waited in."""
    stat = Path(f"/proc/{process_id}/task/{process_id}/stat")
    give_up = time.monotonic() + timeout_s
    with contextlib.suppress(OSError):
        while time.monotonic() < give_up:
            if stat.read_text().rpartition(")")[2].split()[0] in ("T", "t"):
                # To stop costs microseconds of its own; a repaint takes milliseconds.
                return _is_polling(process_id) and _time_on_cpu(process_id) - ran < 200_000
            time.sleep(0.0005)
    return False


def _time_on_cpu(process_id: int) -> int:
    """Return the nanoseconds that the main thread of a process has run."""
    return int(Path(f"/proc/{process_id}/task/{process_id}/schedstat").read_text().split()[0])


def _is_polling(process_id: int) -> bool:
    """Whether the main thread of a process waits for events, not for a lock and not for an answer of the X server.

    Waiting for X11 is a poll as well, but one without an end; OBS always has a timer to wake up for.
    """
    words = Path(f"/proc/{process_id}/task/{process_id}/syscall").read_text().split()
    if words[0] not in _POLL_CALLS:
        return False  # "running", or another call
    timeout = int(words[3], 16)
    return timeout & 0xFFFFFFFF != 0xFFFFFFFF if words[0] == _POLL else timeout != 0  # ppoll: NULL is without an end


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
