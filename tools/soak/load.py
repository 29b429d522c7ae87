"""Too little processor: what the filter shows and says when only a share of one core is left.

Twice: with the worker's thread alone limited, as if the network were too large for this machine; and with the whole of
OBS limited, whose software renderer then takes from the same share. Every frame of the clip carries its number, and so
does its mask (numbered.py); OBS records, and the recording tells which mask cut which picture, and how late. The
network is one whose mask is the picture's brightness, with convolutions for nothing: a mask costs some 8 ms.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.obs_driver import clips, numbered
from tools.obs_driver.numbered import Seen
from tools.obs_driver.session import (
    CAMERA,
    FILTER_ID,
    REPOSITORY,
    SCENE,
    Collection,
    ObsSession,
    Scripts,
    colour_entry,
    video_entry,
)
from tools.soak import quota
from tools.soak.report import Part, Plan

TITLE: Final = "Too little processor: only a share of one core"
WIDTH, HEIGHT, FPS = 320, 180, 30
SHARES: Final = (1.0, 0.5, 0.25, 0.1)
# What the filter promises: no mask older than this is used, and no picture stands still for longer.
BOUND_S: Final = 2.0
_LEEWAY_S: Final = 0.2  # a few frames: the moment in which it is decided, and the recorder's own
_SETTLE_S: Final = 5.0  # until the rates, the panel's sentence among them, are those of the new share
_WORKER: Final = "eoam-worker"
_INSIDE: Final = Path(__file__).resolve().parent / "soak_inside.py"
_EXACT: Final = {
    "regions": "share",
    "region_share": 0.0,
    "holes": "open",
    "smoothing": 0.0,
    "refinement": 0.0,
    "threshold": 0.45,
    "softness": 0.0,
}


@dataclass(frozen=True)
class Measured:
    """What was seen with one share: rates per second, times in seconds, and what the panel said."""

    masks_per_s: float  # different ones that were seen
    oldest_s: float  # how far a mask was behind the camera at most, while it was shown
    stall_s: float  # how long the picture stood still at most, or was not there
    camera_stall_s: float  # the same of the camera without the filter: what OBS itself lost
    drawn: float  # share of the frames with a person
    mixed: int  # frames in which a picture had another picture's mask
    late_frames: int
    said: str

    def row(self) -> str:
        """Return it for a table."""
        return (
            f"{self.masks_per_s:.1f} masks/s, oldest {self.oldest_s * 1000:.0f} ms, longest stall "
            f"{self.stall_s * 1000:.0f} ms (camera {self.camera_stall_s * 1000:.0f}), drawn {self.drawn:.0%}, "
            f"{self.late_frames} late frames; *{self.said}*"
        )


def run(plan: Plan) -> Part:
    """Measure every share twice, in about the plan's seconds; at least 2 seconds each besides the settling."""
    reason = quota.missing()
    if reason:
        return Part(title=TITLE, figures={"not run": reason})
    runs = 2 * len(SHARES)
    seconds = max((plan.seconds - 15) / runs - _SETTLE_S, 2.0)
    with started(plan) as obs:
        recording = Recording(obs, plan.folder / "inside.jsonl")
        spans = [(limit, share, recording.span(limit, share, seconds)) for limit in ("worker", "") for share in SHARES]
        frames = recording.stop()
        ended = obs.end()
    figures: dict[str, str | int | float] = {}
    failures: list[str] = []
    for limit, share, span in spans:
        name = f"{'the worker' if limit else 'all of OBS'} has {share:.0%} of a core"
        found = measure(frames[span.first : span.last], span)
        figures[name] = found.row()
        failures += [f"{name}: {problem}" for problem in judge(found)]
    figures["exit code, memory leaks"] = f"{ended.exit_code}, {ended.leaks}"
    if not ended.is_clean:
        failures.append(f"OBS ended with exit code {ended.exit_code} and {ended.leaks} memory leaks")
    return Part(title=TITLE, figures=figures, failures=failures)


def judge(found: Measured) -> list[str]:
    """Return what broke the filter's promises."""
    problems = []
    if found.mixed:
        problems.append(f"{found.mixed} frames show a picture with the mask of another one")
    if found.oldest_s > BOUND_S + _LEEWAY_S:
        problems.append(f"a mask was {found.oldest_s:.1f} s old, the bound is {BOUND_S:g} s")
    if found.stall_s > BOUND_S + found.camera_stall_s + _LEEWAY_S:
        problems.append(f"the picture stood still for {found.stall_s:.1f} s, the bound is {BOUND_S:g} s")
    # Wide apart, since the panel tells the last second or two and the rest the whole time; where OBS itself lags, it
    # asks for no more masks than it gets.
    says_so = "too busy" in found.said
    if found.masks_per_s < 0.5 * FPS and not says_so and found.camera_stall_s < 0.2:
        problems.append(f"{found.masks_per_s:.1f} masks a second, and the panel says: {found.said}")
    if found.masks_per_s > 0.97 * FPS and says_so:
        problems.append(f"{found.masks_per_s:.1f} masks a second, and the panel complains: {found.said}")
    return problems


@contextlib.contextmanager
def started(plan: Plan, **settings: object) -> Any:
    """Give an OBS with the numbered clip on the left, and on the right through the filter, over green."""
    clip, network = plan.folder / "numbers.mkv", plan.folder / "slow.onnx"
    clips.write_video(clip, numbered.frames(WIDTH, HEIGHT), FPS, lossless=True)
    write_slow_model(network)
    scripts: Scripts = [(REPOSITORY / "obs_eoam.py", {}), (_INSIDE, {})]
    collection = Collection([colour_entry(0xFF00FF00, 2 * WIDTH, HEIGHT), video_entry(clip)], scripts)
    profile = {
        "Output": {"Mode": "Simple"},
        "SimpleOutput": {"FilePath": str(plan.folder), "RecQuality": "Lossless"},
    }
    environment = {
        "EOAM_SOAK_INSIDE": str(plan.folder / "inside.jsonl"),
        "EOAM_SOAK_PERIOD_S": "0.5",
        "EOAM_MODEL": str(network),
    }
    with ObsSession(
        plan.folder,
        plan.display,
        {"Soak": collection},
        canvas=(2 * WIDTH, HEIGHT),
        fps=FPS,
        profile=profile,
        environment=environment,
    ) as obs:
        # On a scene that holds the camera, so that the camera itself stays without one.
        obs.request("CreateScene", sceneName="inner")
        obs.request("CreateSceneItem", sceneName="inner", sourceName=CAMERA)
        kind = {"filterName": "EOAM", "filterKind": FILTER_ID, "filterSettings": {**_EXACT, **settings}}
        obs.request("CreateSourceFilter", sourceName="inner", **kind)
        item = obs.request("CreateSceneItem", sceneName=SCENE, sourceName="inner")["sceneItemId"]
        items = obs.request("GetSceneItemList", sceneName=SCENE)["sceneItems"]
        camera = next(found["sceneItemId"] for found in items if found["sourceName"] == CAMERA)
        for number, left in ((camera, 0), (item, WIDTH)):
            place = {"positionX": float(left), "positionY": 0.0, "alignment": 5, "boundsType": "OBS_BOUNDS_NONE"}
            obs.request("SetSceneItemTransform", sceneName=SCENE, sceneItemId=number, sceneItemTransform=place)
        obs.wait_frames(FPS)
        yield obs


@dataclass(frozen=True)
class Span:
    """The recorded frames in which a share held, the frames that OBS was late with, and what the panel said at last."""

    first: int
    last: int
    late_frames: int
    said: str


class Recording:
    """OBS's recording, from now on; `inside` is the file that soak_inside.py writes."""

    def __init__(self, obs: ObsSession, inside: Path) -> None:
        self._obs = obs
        self._inside = inside
        obs.request("StartRecord")
        obs.wait(lambda: obs.request("GetRecordStatus")["outputActive"], "the start of the recording")

    def span(self, limit: str, share: float, seconds: float) -> Span:
        """Give the worker, or all of OBS, a share of a core for so many seconds, after the settling."""
        obs = self._obs
        with quota.limited(obs.process_id, share, threads=_WORKER if limit else ""):
            time.sleep(_SETTLE_S)
            first, late = self._moment(), obs.request("GetStats")["renderSkippedFrames"]
            time.sleep(seconds)
            last, late_now = self._moment(), obs.request("GetStats")["renderSkippedFrames"]
            said = json.loads(self._inside.read_text().splitlines()[-1])["said"]
        time.sleep(1.0)
        return Span(first, last, late_now - late, next(iter(said.values()), ""))

    def stop(self) -> list[Seen]:
        """Return what every recorded frame shows. Where the recorder left one out it is the one before once more."""
        import av

        seen: list[Seen] = []
        file = self._obs.request("StopRecord")["outputPath"]
        self._obs.wait(lambda: "Recording Stop" in self._obs.log, "the end of the recording")
        with av.open(file) as container:
            for packet in container.demux(video=0):
                if packet.size == 0 and packet.pts is None:
                    continue  # the last one, which flushes the decoder
                decoded: list[Any] = []
                with contextlib.suppress(av.error.InvalidDataError):
                    decoded = list(packet.decode())
                seen += [numbered.read(frame.to_ndarray(format="rgb24")) for frame in decoded] or seen[-1:]
        return seen

    def _moment(self) -> int:
        return round(float(self._obs.request("GetRecordStatus")["outputDuration"]) / 1000 * FPS)


def measure(seen: Sequence[Seen], span: Span) -> Measured:
    """Return what these frames, recorded one after the other, show."""
    drawn = [each for each in seen if each.is_drawn]
    shown = [each.mask if each.is_drawn else None for each in seen]
    changes = sum(now != before and now is not None for before, now in itertools.pairwise(shown))
    return Measured(
        masks_per_s=changes / max(len(seen) / FPS, 1 / FPS),
        oldest_s=max((numbered.behind(each.mask, each.raw) for each in drawn), default=0) / FPS,
        stall_s=longest_run([each.picture if each.is_drawn else -1 for each in seen]) / FPS,
        camera_stall_s=longest_run([each.raw for each in seen]) / FPS,
        drawn=len(drawn) / max(len(seen), 1),
        mixed=sum(each.picture != each.mask for each in drawn),
        late_frames=span.late_frames,
        said=span.said,
    )


def longest_run(numbers: Sequence[int]) -> int:
    """Return how many times in a row the same number stands there at most; -1, nothing there, does not count."""
    return max((len(list(run)) for number, run in itertools.groupby(numbers) if number != -1), default=0)


def write_slow_model(file: Path, *, channels: int = 24) -> None:
    """Write a network whose mask is the mean of blue, green and red, and which computes much besides for nothing."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(draw.normal(0, 0.01, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Slice", ["frame", "start", "end", "axis"], ["bgr"]),
        helper.make_node("Cast", ["bgr"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["plane"]),
        helper.make_node("Conv", ["plane", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c2", "w3"], ["c3"], pads=[1, 1, 1, 1]),
        helper.make_node("Squeeze", ["c3", "one"], ["flat"]),
        helper.make_node("Mul", ["flat", "nothing"], ["none"]),
        helper.make_node("Add", ["mean", "none"], ["sum"]),
        helper.make_node("Round", ["sum"], ["level"]),
        helper.make_node("Cast", ["level"], ["mask"], to=TensorProto.UINT8),
    ]
    constants = [
        *(numpy_helper.from_array(np.array([value]), name) for name, value in (("start", 0), ("end", 3), ("axis", 3))),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array(0, np.float32), "nothing"),
        weights("w1", channels, 1, 3, 3),
        weights("w2", channels, channels, 3, 3),
        weights("w3", 1, channels, 3, 3),
    ]
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"name": "slow", "version": "1"})
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
