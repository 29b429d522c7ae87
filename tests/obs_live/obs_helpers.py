"""What the tests of this folder share: starting OBS, having it do things, looking at pictures."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest

from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import PROBE
from tools.obs_driver.session import REPOSITORY, Collection, Ended, Json, ObsSession

SCRIPT = REPOSITORY / "obs_eoam.py"
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
    """

    def __init__(self, obs: ObsSession) -> None:
        self._obs = obs
        obs.request("StartRecord")
        obs.wait(lambda: obs.request("GetRecordStatus")["outputActive"], "the start of the recording")
        outputs = obs.request("GetOutputList")["outputs"]
        (self._output,) = (output["outputName"] for output in outputs if output["outputActive"])

    def frames(self) -> int:
        """Return how many frames are recorded so far, a few more or less: the number of the one that comes next."""
        status = self._obs.request("GetOutputStatus", outputName=self._output)
        return int(status["outputTotalFrames"]) - int(status["outputSkippedFrames"])

    def wait_frames(self, count: int) -> None:
        """Wait until so many more are recorded; up to 16 that were rendered before may be among them."""
        target = self.frames() + count
        self._obs.wait(lambda: self.frames() >= target, f"{count} more recorded frames", timeout_s=60 + count)

    def stop(self) -> list[Picture]:
        """Return all frames, (h, w, 3) uint8 RGB; AVI's empty chunks, where OBS left a frame out, are not frames."""
        import av

        frames: list[Picture] = []
        file = self._obs.request("StopRecord")["outputPath"]
        self._obs.wait(lambda: "Recording Stop" in self._obs.log, "the end of the recording")
        with av.open(file) as container:
            for packet in container.demux(video=0):
                with contextlib.suppress(av.error.InvalidDataError):
                    frames += [
                        np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                        for frame in packet.decode()
                        if isinstance(frame, av.VideoFrame)
                    ]
        return frames


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
