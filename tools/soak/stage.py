"""The stage of the leak test: a real OBS with somebody in the code-coloured room, recorded, and what is done to it.

Two cameras side by side: "bare" has the filter alone, "guarded" has the privacy guard before it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from eoam_obs.source import guard
from tools.obs_driver import clips
from tools.obs_driver.session import (
    REPOSITORY,
    SCENE,
    Collection,
    Json,
    ObsError,
    ObsSession,
    filter_entry,
    video_entry,
)
from tools.soak import search as soak_search
from tools.soak.search import FEW_PIXELS, LEVELS, Picture, search

WIDTH, HEIGHT, FPS = 320, 180, 30
CANVAS: Final = (2 * WIDTH, HEIGHT)
BARE, GUARDED = "bare", "guarded"
CAMERAS: Final = (BARE, GUARDED)
SCRIPT: Final = REPOSITORY / "obs_eoam.py"
SABOTEUR: Final = Path(__file__).resolve().parent / "soak_saboteur.py"
GUARD_KIND: Final = "color_filter_v2"
# x264 without loss, and no colour for four pixels together. OBS's own "lossless" records the opacity as well, but OBS
# 29 has crashed at the end of one recording in five there: its audio thread frees what its video thread still uses.
PROFILE: Final = {
    "Video": {"ColorFormat": "I444", "ColorSpace": "709", "ColorRange": "Full"},
    "Output": {"Mode": "Advanced"},
}
ENCODER: Final = {"rate_control": "CRF", "crf": 0, "preset": "ultrafast", "x264opts": "qp=0", "bitrate": 0}

_BACK_S: Final = 20.0  # within this time the person must be seen again after a fault
_PICTURES_KEPT: Final = 3
_SAMPLE: Final = 8  # the frame of everything that is done which is kept as a picture, to be looked at


@dataclass(frozen=True)
class Props:
    """The files of a stage."""

    folder: Path
    clip: Path
    slow_clip: Path
    small_clip: Path
    large_clip: Path
    still: Path
    model: Path
    blind_model: Path
    purple: Path

    @classmethod
    def made(cls, folder: Path) -> Props:
        """Make them in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        props = cls(folder, *(folder / name for name in (
            "clip.mkv", "slow.mkv", "small.mkv", "large.mkv", "still.png", "green.onnx", "blind.onnx", "purple.png",
        )))  # fmt: skip
        fast = ((props.clip, WIDTH, HEIGHT), (props.small_clip, 160, 120), (props.large_clip, 480, 270))
        for file, width, height in fast:
            clips.write_video(file, soak_search.person_frames(width, height, 90, 0.2), FPS, lossless=True)
        slow = soak_search.person_frames(WIDTH, HEIGHT, 240, 0.03)
        clips.write_video(props.slow_clip, slow, FPS, lossless=True)
        still = next(soak_search.person_frames(WIDTH, HEIGHT, 4, 0.2))
        if not (cv2.imwrite(str(props.still), still) and cv2.imwrite(str(props.purple), _purple())):
            raise OSError(f"no picture could be written into {folder}")
        soak_search.write_green_model(props.model)
        soak_search.write_green_model(props.blind_model, blind=True)
        return props


def _purple() -> Picture:
    """Draw a background in which red and blue are equal everywhere, and the room is not."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 0] = picture[..., 2] = np.linspace(0, 200, WIDTH).astype(np.uint8)
    picture[..., 1] = np.linspace(0, 120, HEIGHT).astype(np.uint8)[:, None]
    return picture


class Beside(Collection):
    """A collection whose sources stand side by side, each as wide as a camera."""

    def to_json(self, name: str, canvas: tuple[int, int]) -> Json:
        """Return what OBS stores."""
        found = super().to_json(name, canvas)
        for number, item in enumerate(found["sources"][-1]["settings"]["items"]):
            item["pos"] = {"x": number * WIDTH, "y": 0}
            item["bounds"] = {"x": WIDTH, "y": HEIGHT}
        return found


def cameras(clip: Path, **settings: Any) -> list[Json]:
    """Describe the two cameras."""
    ours = filter_entry(**settings)
    return [video_entry(clip, ours, name=BARE), video_entry(clip, guard_entry(), ours, name=GUARDED)]


def guard_entry() -> Json:
    """Describe the privacy guard."""
    return filter_entry(guard.NAME, GUARD_KIND, opacity=0.0)


class _LosslessSession(ObsSession):
    """OBS with an encoder that loses nothing, which is a file of its own in the profile."""

    def _write_configuration(self, home: Path, port: int) -> None:
        super()._write_configuration(home, port)
        profile = home / ".config" / "obs-studio" / "basic" / "profiles" / "Untitled"
        (profile / "recordEncoder.json").write_text(json.dumps(ENCODER))


class Saboteur:
    """Has soak_saboteur.py do something inside OBS."""

    def __init__(self, obs: ObsSession, folder: Path) -> None:
        self._obs = obs
        self._folder = folder
        self._numbers = itertools.count(1)

    def __call__(self, name: str, /, **arguments: object) -> Any:
        number = next(self._numbers)
        command = self._folder / "command.json"
        command.with_suffix(".part").write_text(json.dumps({"id": number, "name": name, "arguments": arguments}))
        command.with_suffix(".part").rename(command)
        file = self._folder / f"answer-{number}.json"
        self._obs.wait(file.exists, f"the saboteur's answer to {name}", every_s=0.03, timeout_s=40)
        answer = json.loads(file.read_text())
        if "error" in answer:
            raise ObsError(f"the saboteur could not {name} {arguments}: {answer['error']}")
        return answer["result"]


@dataclass(frozen=True)
class Leak:
    """A frame with the room in it."""

    number: int
    room: int
    strongest: int
    during: str


@dataclass
class Searched:
    """What was found in recordings."""

    frames: int = 0
    with_person: int = 0
    leaks: list[Leak] = field(default_factory=list)
    by_cause: Counter[str] = field(default_factory=Counter)  # frames by what was done just then

    def add(self, other: Searched) -> None:
        """Count another one in."""
        self.frames += other.frames
        self.with_person += other.with_person
        self.leaks += other.leaks
        self.by_cause += other.by_cause


@dataclass
class Stage:
    """A running session, and the book of what was done to it."""

    obs: ObsSession
    folder: Path
    props: Props
    saboteur: Saboteur
    random: random.Random
    margin: int = FEW_PIXELS
    levels: int = LEVELS
    patience_s: float = 25.0  # for one sweep through all allocations
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    screenshots: Searched = field(default_factory=Searched)
    doing: str = "nothing"
    _marks: list[tuple[int, str]] = field(default_factory=list)

    def start_recording(self) -> None:
        """Record from now on. OBS now and then ignores a start soon after a stop; then it is asked again."""
        for _ in range(10):
            self.obs.request("StartRecord")
            with contextlib.suppress(ObsError):
                self.obs.wait(self.is_recording, "the start of the recording", timeout_s=3)
                break
        self.obs.wait(self._has_frames, "the first frame of the recording", timeout_s=60)

    def stop_recording(self) -> Searched:
        """Stop, search every frame, delete the recording and return what was found."""
        file = self.finish_recording()
        found = self.search(file)
        file.unlink()
        return found

    def finish_recording(self) -> Path:
        """Stop, and return the recording once it is whole."""
        stopped = self.obs.log.count("Recording Stop")
        file = Path(self.obs.request("StopRecord")["outputPath"])
        self.obs.wait(lambda: self.obs.log.count("Recording Stop") > stopped, "the end of the recording")
        return file

    def search(self, file: Path) -> Searched:
        """Search every frame of a recording; pictures of the first ones with the room go into the stage's folder."""
        found = Searched()
        for number, frame in enumerate(soak_search.recorded_frames(file)):
            seen = search(frame, self.margin, levels=self.levels)
            found.frames += 1
            found.with_person += seen.person
            during = self.during(number)
            found.by_cause[during] += 1
            if found.by_cause[during] == _SAMPLE:
                self._keep(f"seen-{during}".replace(" ", "-").replace(":", ""), frame)
            if seen.room:
                if len(found.leaks) < _PICTURES_KEPT:
                    self._keep(f"leak-{file.stem}-{number}".replace(" ", "-"), frame)
                found.leaks.append(Leak(number, seen.room, seen.strongest, during))
        self._marks.clear()
        return found

    def during(self, number: int) -> str:
        """Return what was being done at a frame of the recording, give or take a few frames."""
        begun = [name for moment, name in self._marks if moment <= number]
        return begun[-1] if begun else "the start"

    def mark(self, name: str) -> None:
        """Note what begins now."""
        self.doing = name
        self.counts[name] += 1
        with (self.folder / "faults.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {name}\n")
        status = self.obs.request("GetRecordStatus")
        if status["outputActive"]:
            self._marks.append((round(float(status["outputDuration"]) / 1000 * self.obs.fps), name))

    def look(self, *, ours_is_last: bool = True) -> None:
        """Take a screenshot of every camera and of the scene, and search it.

        Where ours is not the last filter, the person's edge may have colours under transparency that a later one made.
        """
        for source in (*CAMERAS, SCENE):
            with contextlib.suppress(ObsError):  # a source that is hidden or gone has none
                picture = self.obs.screenshot(source)
                size = 1.0 if source == SCENE else picture.shape[1] / WIDTH
                seen = search(
                    picture,
                    round(self.margin * max(size, 1.0)),
                    strict=ours_is_last and source != SCENE,
                    levels=self.levels,
                )
                self.screenshots.frames += 1
                self.screenshots.with_person += seen.person
                if seen.room:
                    self._keep(f"leak-screenshot-{source}-{self.screenshots.frames}", picture)
                    leak = Leak(self.screenshots.frames, seen.room, seen.strongest, f"{self.doing} ({source})")
                    self.screenshots.leaks.append(leak)

    def expect_person(self, *sources: str) -> None:
        """Wait until the person is seen again in these sources, both cameras if none is named; note it if not."""
        waiting = list(sources or CAMERAS)
        give_up = time.monotonic() + _BACK_S
        while waiting and time.monotonic() < give_up:
            with contextlib.suppress(ObsError):
                if search(self.obs.screenshot(waiting[0]), self.margin).person:
                    waiting.pop(0)
                    continue
            self.obs.wait_frames(2)
        if waiting:
            self.failures.append(f"The person did not come back within {_BACK_S:g} s after: {self.doing} ({waiting})")
            self.saboteur("reload")

    def set_filters(self, **settings: Any) -> None:
        """Change settings of both filters."""
        for source in CAMERAS:
            self.obs.set_filter(source=source, **settings)

    def item(self, source: str) -> int:
        """Return the number of a source's item in the scene."""
        items = self.obs.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]
        return int(next(item["sceneItemId"] for item in items if item["sourceName"] == source))

    def show(self, source: str, visible: bool) -> None:
        """Show or hide a source in the scene."""
        number = self.item(source)
        self.obs.request("SetSceneItemEnabled", sceneName=SCENE, sceneItemId=number, sceneItemEnabled=visible)

    def place(self, source: str, **more: object) -> None:
        """Put a source back to its place in the scene, or change its transformation by `more`."""
        transform = {
            "positionX": float(CAMERAS.index(source) * WIDTH),
            "positionY": 0.0,
            "alignment": 5,
            "boundsType": "OBS_BOUNDS_SCALE_INNER",
            "boundsWidth": float(WIDTH),
            "boundsHeight": float(HEIGHT),
            "boundsAlignment": 0,
            "rotation": 0.0,
            **more,
        }
        number = self.item(source)
        self.obs.request("SetSceneItemTransform", sceneName=SCENE, sceneItemId=number, sceneItemTransform=transform)

    def is_recording(self) -> bool:
        """Whether OBS records."""
        return bool(self.obs.request("GetRecordStatus")["outputActive"])

    def _has_frames(self) -> bool:
        # Not by the duration: OBS 29 asks the video that the output was made for how long a frame takes, and once the
        # frame rate was changed that video is gone; what lay in its memory has been 0.
        return bool(self.obs.request("GetRecordStatus")["outputBytes"])

    def _keep(self, name: str, picture: Picture) -> None:
        cv2.imwrite(str(self.folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))


def write_stacks(process_id: int, file: Path) -> None:
    """Write where every thread of a process that hangs is, if this machine has gdb."""
    if shutil.which("gdb") is None:
        return
    command = ["gdb", "-batch", "-p", str(process_id), "-ex", "thread apply all backtrace 60"]
    with file.open("w") as stacks, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdout=stacks, stderr=subprocess.STDOUT, timeout=90, check=False)


@contextlib.contextmanager
def stage(
    folder: Path,
    display: str,
    props: Props,
    seed: int,
    *,
    clip: Path | None = None,
    collections: Mapping[str, Collection] | None = None,
    scripts: Sequence[Path] = (SCRIPT, SABOTEUR),
    environment: Mapping[str, str] | None = None,
    margin: int = FEW_PIXELS,
    levels: int = LEVELS,
) -> Iterator[Stage]:
    """Start OBS with the two cameras, wait for the person unless the script is left out, and end OBS.

    A crash, or an end that is not clean, is a failure of the stage's book.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    model.write_bytes(props.model.read_bytes())
    usual = {"Main": Beside(cameras(clip or props.clip), [(script, {}) for script in scripts])}
    with _LosslessSession(
        folder,
        display,
        {**usual, **(collections or {})},
        canvas=CANVAS,
        fps=FPS,
        profile={
            **PROFILE,
            "AdvOut": {
                "RecType": "Standard",
                "RecFilePath": str(folder),
                "RecFormat": "mkv",
                "RecEncoder": "obs_x264",
                "RecTracks": "1",
            },
        },
        environment={"EOAM_MODEL": str(model), "EOAM_SABOTEUR": str(folder), **(environment or {})},
    ) as obs:
        found = Stage(obs, folder, props, Saboteur(obs, folder), random.Random(seed), margin, levels)
        try:
            yield found
        except ObsError:
            write_stacks(obs.process_id, folder / "stacks.txt")
            with contextlib.suppress(ObsError):  # or OBS asks whether it may end while it records
                obs.request("StopRecord")
                obs.wait(lambda: not found.is_recording(), "the end of the recording", timeout_s=5)
                obs.wait_frames(FPS)
            raise
        finally:
            ended = obs.end()
            # Where memory ran out in the middle of anything, OBS may find a thing or two that was not given back.
            spared = any("MemoryErrors" in name for name in found.counts)
            if spared and ended.leaks:
                found.notes["allocations not given back after MemoryErrors"] = str(ended.leaks)
            if ended.fault_of_obs:
                found.notes["an end as OBS also has it without any script"] = ended.fault_of_obs
            elif ended.exit_code != 0 or (ended.leaks != 0 and not spared):
                stacks = folder / "crash.txt"
                text = stacks.read_text().strip() if stacks.exists() else ""
                tail = " / ".join(ended.output.splitlines()[-6:])
                found.failures.append(
                    f"OBS ended with exit code {ended.exit_code}, {ended.leaks} memory leaks, after: {found.doing}. "
                    f"Python stacks: {' / '.join(text.splitlines()[:40]) or 'none'}. Log: {tail}"
                )
