"""What the tests of this folder share: starting OBS, having it do things, looking at pictures."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest

from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import PROBE
from tools.obs_driver.session import REPOSITORY, SCENE, Collection, Ended, Json, ObsSession

SCRIPT = REPOSITORY / "obs_eoam.py"
_HEADER: Final = struct.Struct("<4sI")  # of one of AVI's chunks
# The toy model's mask is exact, so nothing may touch it up where a test computes what must come out.
PLAIN: Final[dict[str, Any]] = {
    "regions": "share",
    "region_share": 0.0,
    "holes": "open",
    "smoothing": 0.0,
    "refinement": 0.0,
}


class Starter:
    """Starts OBS sessions and ends them with the fixture."""

    def __init__(self, display: str, factory: pytest.TempPathFactory, stack: ExitStack) -> None:
        self._display = display
        self._factory = factory
        self._stack = stack

    def __call__(
        self,
        collections: Mapping[str, Sequence[Json]],
        *,
        scripts: Mapping[str, Sequence[tuple[Path, Json]]] | None = None,
        environment: Mapping[str, str] | None = None,
        canvas: tuple[int, int] = (640, 360),
        fps: int = 30,
        profile: Mapping[str, Mapping[str, str]] | None = None,
        language: str = "en-US",
    ) -> ObsSession:
        folder = self._factory.mktemp("obs")
        everywhere: list[tuple[Path, Json]] = [(SCRIPT, {}), (PROBE, {})]
        given = scripts or {}
        session = ObsSession(
            folder,
            self._display,
            {name: Collection(sources, given.get(name, everywhere)) for name, sources in collections.items()},
            canvas=canvas,
            fps=fps,
            profile=profile or {},
            language=language,
            environment={"EOAM_PROBE": str(folder), **(environment or {})},
        )
        return self._stack.enter_context(session)


class Recording:
    """One recording of what OBS puts out; needs the profile `lossless()`. One per session: starting OBS 29's output
    again at once after it stopped is now and then ignored.

    How long something was on says nothing about its frames: a busy OBS repeats some and leaves others out. So wait for
    what is to be seen, in the file that is being written.
    """

    def __init__(self, obs: ObsSession) -> None:
        self._obs = obs
        folder = Path(obs.request("GetRecordDirectory")["recordDirectory"])
        before = set(folder.glob("*.avi"))
        obs.request("StartRecord")
        obs.wait(lambda: obs.request("GetRecordStatus")["outputActive"], "the start of the recording")
        self._container: Any = None
        self._number, self._offset = -1, 0
        (self._file,) = obs.wait(lambda: set(folder.glob("*.avi")) - before, "the file of the recording")

    def newest(self) -> tuple[int, Picture] | None:
        """Return the number and the picture, (h, w, 3) uint8 RGB, of the newest frame that is whole in the file."""
        import av

        if self._container is None:
            with contextlib.suppress(av.error.InvalidDataError):  # no frame is in it yet
                self._container = av.open(str(self._file))
                self._offset = (
                    next(packet.pos for packet in self._container.demux(video=0) if packet.size) - _HEADER.size
                )
        packet = self._newest_packet() if self._container is not None else b""
        if packet and self._container is not None:
            for frame in self._container.streams.video[0].codec_context.decode(av.Packet(packet)):
                return self._number, frame.to_ndarray(format="rgb24")
        return None

    def _newest_packet(self) -> bytes:
        """Walk on over AVI's chunks to the end of what is written; to read all of the file each time would be slow."""
        newest = b""
        with self._file.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while self._offset + _HEADER.size <= end:
                file.seek(self._offset)
                name, size = _HEADER.unpack(file.read(_HEADER.size))
                if self._offset + _HEADER.size + size > end:
                    break
                if name == b"00dc" and size:  # a frame; an empty one is where OBS left a frame out
                    self._number, newest = self._number + 1, file.read(size)
                self._offset += _HEADER.size + size + size % 2
        return newest

    def wait_for(self, condition: Callable[[Picture], bool], what: str, *, after: int = -1) -> tuple[int, Picture]:
        """Wait for a recorded frame after number `after` that meets a condition; return its number and the picture."""

        def found() -> tuple[int, Picture] | None:
            newest = self.newest()
            return newest if newest is not None and newest[0] > after and condition(newest[1]) else None

        return self._obs.wait(found, f"{what} in the recording", timeout_s=240)

    def stop(self) -> None:
        """End it, so that nothing more is written."""
        self._obs.request("StopRecord")
        self._obs.wait(lambda: "Recording Stop" in self._obs.log, "the end of the recording")

    def frames(self) -> list[Picture]:
        """Return all frames, (h, w, 3) uint8 RGB; AVI's empty chunks, where OBS left a frame out, are not frames."""
        import av

        frames: list[Picture] = []
        with av.open(str(self._file)) as container:
            for packet in container.demux(video=0):
                with contextlib.suppress(av.error.InvalidDataError):
                    frames += [
                        np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                        for frame in packet.decode()
                        if isinstance(frame, av.VideoFrame)
                    ]
        return frames


class Moments:
    """Single pictures of a recording, with a curtain between them: a colour in front of everything in the scene."""

    def __init__(self, obs: ObsSession, recording: Recording, curtain: str) -> None:
        self._obs, self._recording = obs, recording
        items = obs.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]
        (self._item,) = (item["sceneItemId"] for item in items if item["sourceName"] == curtain)
        self._show(True)
        obs.wait_frames(20)
        # The first frames may be black.
        number, self._curtain = recording.wait_for(lambda picture: picture.max() > 0, "the curtain")
        self._number = number

    def take(self, what: str, *, ready: Callable[[Picture], bool] = lambda picture: True) -> Picture:
        """Open the curtain, and return the first frame seen without it that is `ready`, (h, w, 3) uint8 RGB."""
        self._obs.wait_frames(20)  # what was set has been drawn behind the curtain
        self._show(False)
        number, picture = self._recording.wait_for(
            lambda found: not self._is_curtain(found) and ready(found), what, after=self._number
        )
        self._show(True)
        self._number, _ = self._recording.wait_for(self._is_curtain, f"the curtain after {what}", after=number)
        return picture

    def _show(self, shut: bool) -> None:
        self._obs.request("SetSceneItemEnabled", sceneName=SCENE, sceneItemId=self._item, sceneItemEnabled=shut)

    def _is_curtain(self, picture: Picture) -> bool:
        return bool(np.abs(picture.astype(int) - self._curtain).mean() <= 2)


def lossless(folder: Path, **video: str) -> dict[str, dict[str, str]]:
    """Return the profile for recordings in `folder` that keep every pixel; `video` is more of its section Video."""
    return {
        "Output": {"Mode": "Simple"},
        "SimpleOutput": {"FilePath": str(folder), "RecQuality": "Lossless"},
        "Video": video,
    }


def saved_scenes(obs: ObsSession, collection: str = "Test") -> Json:
    """Have OBS write a scene collection, and return it."""
    file = obs.folder / "home" / ".config" / "obs-studio" / "basic" / "scenes" / f"{collection}.json"
    obs.request("CreateScene", sceneName="makes OBS save")

    def read() -> str:  # OBS takes the old file away before the new one gets its name
        with contextlib.suppress(FileNotFoundError):
            return file.read_text(encoding="utf-8")
        return ""

    obs.wait(lambda: "makes OBS save" in read(), "the scene file")
    # With a scene that was just made OBS 32 ends with leaks now and then, without any script, too.
    obs.request("RemoveScene", sceneName="makes OBS save")
    obs.wait(lambda: "source 'makes OBS save' destroyed" in obs.log, "the end of the scene")
    found: Json = json.loads(obs.wait(read, "the scene file"))
    return found


def crash_report(ended: Ended, obs: ObsSession) -> str:
    """Say how OBS ended, with the Python stacks if it crashed: they tell whose crash it is."""
    stacks = obs.folder / "crash.txt"
    text = stacks.read_text() if stacks.exists() else ""
    tail = "\n".join(ended.output.splitlines()[-40:])
    return f"exit code {ended.exit_code}, leaks {ended.leaks}\nPython stacks: {text or 'none'}\nlog:\n{tail}"


def grab_screen(display: str, size: tuple[int, int] = (1600, 1000)) -> Picture:
    """Photograph a display, (h, w, 3) uint8 RGB."""
    import av

    with av.open(display, format="x11grab", options={"video_size": f"{size[0]}x{size[1]}"}) as screen:
        return np.asarray(next(screen.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def save_picture(file: Path, picture: Picture) -> Path:
    """Write (h, w, 3) uint8 BGR as PNG."""
    assert cv2.imwrite(str(file), picture)
    return file


def write_hdr_video(file: Path, picture: Picture, count: int, *, transfer: int = 16) -> None:
    """Write a picture as 10-bit video of BT.2020 whose values are light: SMPTE ST 2084 (16), or HLG (18)."""
    import av

    height, width = picture.shape[:2]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt, stream.width, stream.height = "yuv420p10le", width, height
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        darker = np.asarray(cv2.convertScaleAbs(picture, alpha=0.75), np.uint8)
        frame = av.VideoFrame.from_ndarray(darker, format="bgr24")
        frame = frame.reformat(format="yuv420p10le")
        for number in range(count):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def is_empty(picture: Picture) -> bool:
    """Whether nothing at all is drawn: no alpha, and no colour under it."""
    return not picture.any()


def is_drawn(picture: Picture) -> bool:
    """Whether anything is drawn."""
    return bool(picture[..., 3].any())


def brightest_hidden(picture: Picture) -> int:
    """Return the largest colour value where alpha is 0."""
    hidden = picture[picture[..., 3] == 0]
    return int(hidden.max()) if hidden.size else 0


def disc(width: int, height: int, *, ground: int = 40, colour: tuple[int, int, int] = (250, 225, 205)) -> Picture:
    """Draw the stand-in for a person: a bright disc, left of and above the middle, on a dark wall with a lamp."""
    picture = np.full((height, width, 3), ground, np.uint8)
    picture[height * 3 // 4 :, width * 3 // 4 :] = (20, 90, 30)
    cv2.circle(picture, disc_centre(width, height), min(width, height) // 5, colour, -1)
    return picture


def disc_centre(width: int, height: int) -> tuple[int, int]:
    """Return the (x, y) of the disc's centre."""
    return width // 3, height // 3
