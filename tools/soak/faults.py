"""The faults of the leak test: each is something that goes wrong, or that a user does, while OBS records.

Every function puts things back in order before it returns. What shows the room by choice is not among them: removing
the filter without a guard, switching it off, the views that say so in their names.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eoam_core.settings import describe_settings
from tools.obs_driver.session import FILTER, FILTER_ID, SCENE, ObsError
from tools.soak.stage import BARE, CAMERAS, GUARDED, HEIGHT, WIDTH, Props, Stage

Act = Callable[[Stage], None]

_HOG: Final = "while True: pass"
_YEAR_S: Final = 365 * 86400
# Wrong answers of a network; the "hung" one is longer than any mask may be old.
_LIES: Final = (
    *("raising", "nan", "zeros", "nothing", "memory"),
    *("taller", "smaller", "turned", "empty", "three channels", "one number", "wide numbers"),
)


@dataclass(frozen=True)
class Fault:
    """Something to do to a stage. `weight` is how often, against the others; `brings_back` whether somebody is seen."""

    name: str
    act: Act
    weight: float = 1.0


def frames(stage: Stage, low: int, high: int) -> None:
    """Let so many frames pass."""
    stage.obs.wait_frames(stage.random.randint(low, high))


# ---- what users do


def reload_script(stage: Stage) -> None:
    """Press Reload, at any moment of the filter's life."""
    stage.saboteur("reload")
    frames(stage, 0, 12)


def unload_script(stage: Stage) -> None:
    """Have the script unloaded for a while, change the filter meanwhile, load it again."""
    stage.saboteur("unload")
    frames(stage, 1, 15)
    stage.look()
    stage.set_filters(threshold=round(stage.random.uniform(0.3, 0.7), 2))
    stage.saboteur("load")


def switch_collection(stage: Stage) -> None:
    """Change to another scene collection with the same cameras, and back."""
    _switch(stage, "Other")


def remove_script(stage: Stage) -> None:
    """Change to a scene collection that has the filters but not the script, and back."""
    _switch(stage, "Without")


def _switch(stage: Stage, name: str) -> None:
    for collection in (name, "Main"):
        stage.obs.request("SetCurrentSceneCollection", sceneCollectionName=collection)
        stage.obs.wait(lambda: stage.obs.source_size(BARE)[0] > 0, f"the collection {collection}")
        frames(stage, 0, 10)
        stage.look()


def readd_filter(stage: Stage) -> None:
    """Remove the filter behind its guard, look at the guard alone, and add the filter again."""
    stage.obs.request("RemoveSourceFilter", sourceName=GUARDED, filterName=FILTER)
    frames(stage, 0, 8)
    stage.look()
    stage.obs.request("CreateSourceFilter", sourceName=GUARDED, filterName=FILTER, filterKind=FILTER_ID)


def add_filter_to_hidden(stage: Stage) -> None:
    """Hide the camera, remove its filter and add another, and show the camera at once."""
    stage.show(BARE, False)
    stage.obs.wait_frames(3)
    stage.obs.request("RemoveSourceFilter", sourceName=BARE, filterName=FILTER)
    stage.obs.request("CreateSourceFilter", sourceName=BARE, filterName=FILTER, filterKind=FILTER_ID)
    stage.show(BARE, True)


def move_guard(stage: Stage) -> None:
    """Move the guard behind the filter, and let the panel's button put it back."""
    guard = stage.obs.request("GetSourceFilterList", sourceName=GUARDED)["filters"]
    name = next(entry["filterName"] for entry in guard if entry["filterName"] != FILTER)
    stage.obs.request("SetSourceFilterIndex", sourceName=GUARDED, filterName=name, filterIndex=len(guard) - 1)
    frames(stage, 1, 6)
    stage.look()
    stage.obs.request("SetSourceFilterIndex", sourceName=GUARDED, filterName=name, filterIndex=0)


def hide_and_show(stage: Stage) -> None:
    """Hide the cameras and show them, for a moment and for longer than the filter keeps anything."""
    for source in CAMERAS:
        stage.show(source, False)
    frames(stage, 0, 40)
    for source in CAMERAS:
        stage.show(source, True)


def resize_source(stage: Stage) -> None:
    """Have the cameras deliver another size, another shape, and their own again."""
    props = stage.props
    for clip in (props.small_clip, props.large_clip, props.clip):
        for source in CAMERAS:
            _play(stage, source, clip)
        frames(stage, 5, 20)
        stage.look()


def _play(stage: Stage, source: str, clip: Path) -> None:
    stage.obs.request("SetInputSettings", inputName=source, inputSettings={"local_file": str(clip)})


def replace_source(stage: Stage) -> None:
    """Take a camera out of the scene and put a still picture of the same name, with the filter, in its place."""
    _replace(stage, "image_source", {"file": str(stage.props.still)})
    frames(stage, 5, 20)
    stage.look()
    media = {"local_file": str(stage.props.clip), "looping": True, "is_local_file": True, "hw_decode": False}
    _replace(stage, "ffmpeg_source", {**media, "restart_on_activate": False})


def _replace(stage: Stage, kind: str, settings: Mapping[str, object]) -> None:
    obs = stage.obs
    obs.request("RemoveInput", inputName=BARE)
    obs.wait(
        lambda: all(i["inputName"] != BARE for i in obs.request("GetInputList")["inputs"]), "the end of the camera"
    )
    obs.request(
        "CreateInput",
        sceneName=SCENE,
        inputName=BARE,
        inputKind=kind,
        inputSettings=settings,
        sceneItemEnabled=False,
    )
    obs.request("CreateSourceFilter", sourceName=BARE, filterName=FILTER, filterKind=FILTER_ID)
    stage.place(BARE)
    stage.show(BARE, True)


def play_about(stage: Stage) -> None:
    """Restart, pause, stop, play and seek the media."""
    for _ in range(4):
        for source in CAMERAS:
            action = stage.random.choice(["RESTART", "PAUSE", "STOP", "PLAY", "NEXT"])
            name = f"OBS_WEBSOCKET_MEDIA_INPUT_ACTION_{action}"
            stage.obs.request("TriggerMediaInputAction", inputName=source, mediaAction=name)
            with contextlib.suppress(ObsError):  # a stopped one cannot be sought
                stage.obs.request("SetMediaInputCursor", inputName=source, mediaCursor=stage.random.randrange(3000))
        frames(stage, 1, 8)
    for source in CAMERAS:
        name = "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_RESTART"
        stage.obs.request("TriggerMediaInputAction", inputName=source, mediaAction=name)


def transform_item(stage: Stage) -> None:
    """Turn, stretch and crop the cameras in the scene, and let the canvas scale them down."""
    for source in CAMERAS:
        stage.place(
            source,
            boundsType="OBS_BOUNDS_NONE",
            scaleX=stage.random.uniform(0.6, 1.0),
            scaleY=stage.random.uniform(0.6, 1.0),
            rotation=float(stage.random.randrange(0, 20)),
            cropLeft=stage.random.randrange(40),
        )
    frames(stage, 3, 10)
    for source in CAMERAS:
        stage.place(source, cropLeft=0, scaleX=1.0, scaleY=1.0)


def later_filters(stage: Stage) -> None:
    """Put filters after ours that could bring out what lies under transparency."""
    kinds: Sequence[tuple[str, dict[str, Any]]] = (
        ("color_filter_v2", {"gamma": 3.0, "contrast": 4.0, "brightness": 1.0, "saturation": 5.0}),
        ("color_filter_v2", {"gamma": -3.0, "contrast": 4.0, "hue_shift": 90.0}),
        ("sharpness_filter_v2", {"sharpness": 1.0}),
        ("gpu_delay", {"delay_ms": 120}),
        ("scroll_filter", {"speed_x": 90.0, "loop": True}),
        ("luma_key_filter_v2", {"luma_max": 1.0, "luma_min": 0.0}),
    )
    for kind, settings in kinds:
        for source in CAMERAS:
            stage.obs.request(
                "CreateSourceFilter", sourceName=source, filterName="later", filterKind=kind, filterSettings=settings
            )
        stage.obs.wait_frames(5)
        stage.look(ours_is_last=False)
        for source in CAMERAS:
            stage.obs.request("RemoveSourceFilter", sourceName=source, filterName="later")


def blend_modes(stage: Stage) -> None:
    """Have the scene blend the cameras in every way it can: some count colours whatever their opacity."""
    for mode in ("ADDITIVE", "SUBTRACT", "SCREEN", "MULTIPLY", "LIGHTEN", "DARKEN", "NORMAL"):
        for source in CAMERAS:
            stage.obs.request(
                "SetSceneItemBlendMode",
                sceneName=SCENE,
                sceneItemId=stage.item(source),
                sceneItemBlendMode=f"OBS_BLEND_{mode}",
            )
        stage.obs.wait_frames(3)


def studio_mode(stage: Stage) -> None:
    """Switch studio mode on, so that everything is drawn twice, and off."""
    for enabled in (True, False):
        stage.obs.request("SetStudioModeEnabled", studioModeEnabled=enabled)
        frames(stage, 3, 10)


def take_screenshots(stage: Stage) -> None:
    """Take screenshots in a row: they are drawn outside of the ordinary frames."""
    for _ in range(6):
        stage.look()


def random_settings(stage: Stage) -> None:
    """Change settings, one or all of them, to values at random: the extremes among them, and some that are none."""
    for _ in range(6):
        for source in CAMERAS:
            stage.obs.set_filter(source=source, **any_settings(stage.random, stage.props))
        frames(stage, 0, 6)
    stage.look()


def any_settings(random: Any, props: Props) -> dict[str, Any]:
    """Return settings at random; nothing that shows the room by choice."""
    infos = [info for info in describe_settings() if random.random() < 0.3]
    values: dict[str, Any] = {}
    for info in infos:
        if info.name == "model":
            values[info.name] = random.choice([*["eoam"] * 5, "nobody", str(props.blind_model)])
        elif info.name == "background_picture":
            values[info.name] = random.choice(["", "/nowhere/at/all.png", str(props.purple), str(props.model)])
        elif info.kind == "color":
            purple = random.randrange(120)  # red and blue are equal: the room's are not
            values[info.name] = 0xFF000000 | purple << 16 | random.randrange(256) << 8 | purple
        elif info.choices:
            # These views show the room, and say so.
            values[info.name] = random.choice([c for c, _ in info.choices if c not in ("outline", "side_by_side")])
        elif info.kind == "bool":
            values[info.name] = random.random() < 0.7
        else:
            low = max(info.minimum, 3.0) if info.name == "blur_strength" else info.minimum  # less is recognisable
            number = random.choice([low, info.maximum, random.uniform(low, info.maximum)])
            values[info.name] = round(number) if info.kind == "int" else number
    if random.random() < 0.1:
        values |= {"threshold": "high", "softness": 99.0, "from_the_future": [1], "timing": "yesterday"}
    return values


# ---- what goes wrong inside


def lying_network(kind: str) -> Act:
    """Return the fault of a network that answers wrongly for a second or so."""

    def act(stage: Stage) -> None:
        stage.saboteur("network", kind=kind)
        frames(stage, 8, 25)
        stage.look()
        stage.saboteur("network", kind="honest")

    return act


def hung_network(stage: Stage) -> None:
    """Have the network think for longer than a mask may be old.

    Not in low latency: there a picture is shown through the mask of an older one for up to half a second, by choice,
    and a quick person leaves it behind.
    """
    stage.set_filters(advanced=True, timing=stage.random.choice(["aligned", "same_frame"]))
    stage.obs.wait_frames(10)
    stage.saboteur("network", kind="hung", seconds=3.0)
    stage.obs.wait_frames(80)
    stage.look()
    stage.saboteur("network", kind="honest")
    stage.obs.wait_frames(20)
    stage.set_filters(timing="aligned")


def killed_worker(stage: Stage) -> None:
    """End every worker's thread: the filters make others."""
    stage.saboteur("kill_workers")
    frames(stage, 10, 30)
    stage.look()


def reopen(stage: Stage) -> None:
    """Have the network opened anew."""
    for threads in (2, 1):
        stage.set_filters(advanced=True, threads=threads)
        frames(stage, 6, 12)


def spoiled_model(how: str) -> Act:
    """Return the fault of a model file that is deleted, truncated, swapped for another or for something else."""

    def act(stage: Stage) -> None:
        model = stage.folder / "model.onnx"
        whole = stage.props.model.read_bytes()
        if how == "deleted":
            model.unlink()
        elif how == "truncated":
            model.write_bytes(whole[: stage.random.randrange(1, len(whole))])
        elif how == "emptied":
            model.write_bytes(b"")
        elif how == "no model":
            model.write_bytes(stage.random.randbytes(5000))
        else:
            model.write_bytes(stage.props.blind_model.read_bytes())
        reopen(stage)
        stage.look()
        model.write_bytes(whole)
        stage.saboteur("reload")

    return act


def missing_library(stage: Stage) -> None:
    """Have onnxruntime gone when the network is opened."""
    stage.saboteur("library", there=False)
    reopen(stage)
    stage.look()
    stage.saboteur("library", there=True)
    stage.saboteur("reload")


def refusing_driver(stage: Stage) -> None:
    """Have each kind of texture refused, and the reading back, once and for a while."""
    for name in (
        "gs_stagesurface_map",
        "gs_texture_create",
        "gs_texrender_create",
        "gs_stagesurface_create",
        "gs_texrender_begin_with_color_space",
        "gs_effect_create_from_file",
    ):
        stage.saboteur("driver", name=name, times=stage.random.choice([1, 2, 5]))
        for threads in (2, 1):  # new objects
            stage.set_filters(advanced=True, threads=threads)
            stage.obs.wait_frames(4)
        stage.look()
        stage.saboteur("driver", name=name, times=0)


def no_memory(where: str, step: int, limit: int, within_s: float | None = None) -> Act:
    """Return the fault of memory that ends at each step'th allocation of ours in turn; see soak_saboteur.py.

    It stops at the limit'th, or when the stage's patience ends; with `within_s` not to have come to the limit in that
    time is a failure.
    """

    def act(stage: Stage) -> None:
        first = stage.random.randint(1, step)
        stage.saboteur("start_memory", where=where, step=step, limit=limit, first=first)
        give_up = time.monotonic() + (stage.patience_s if within_s is None else within_s)
        while stage.saboteur("memory_state")["left"] and time.monotonic() < give_up:
            if where == "create":
                readd_filter(stage)
                stage.set_filters(advanced=True, threads=stage.random.randint(1, 2))
            frames(stage, 5, 10)
        stage.look()
        state = stage.saboteur("stop_memory")
        name = f"MemoryErrors, {where}"
        stage.counts[name] += state["fired"]
        known = set(filter(None, stage.notes.get(name, "").split("; ")))
        stage.notes[name] = "; ".join(sorted(known | {":".join(place) for place in state["places"]}))
        if not state["fired"]:
            stage.failures.append(f"no MemoryError came in {where}: this fault did not happen")
        if within_s is not None and state["left"]:
            stage.failures.append(f"no memory, {where}: only {state['fired']} of {limit} within {within_s:g} s")
        stage.saboteur("reload")

    return act


# ---- what goes wrong round OBS


def suspend(stage: Stage) -> None:
    """Stop OBS's process as a laptop that sleeps does, and let it go on."""
    os.kill(stage.obs.process_id, signal.SIGSTOP)
    try:
        time.sleep(stage.random.choice([0.1, 0.6, 2.5]))
    finally:
        os.kill(stage.obs.process_id, signal.SIGCONT)
    frames(stage, 3, 10)


def hogs(stage: Stage) -> None:
    """Run four programs beside OBS that take all the processors they can get."""
    started = [subprocess.Popen(["python3", "-c", _HOG]) for _ in range(4)]
    try:
        frames(stage, 45, 90)
        stage.look()
    finally:
        for hog in started:
            hog.kill()
            hog.wait()


def move_clock(file: Path) -> Act:
    """Return the fault of a system clock that jumps, if soak_clock.c reads this file inside OBS."""

    def act(stage: Stage) -> None:
        for seconds in (3600, -3600, 30 * _YEAR_S, -15 * _YEAR_S, 0):
            write_offset(file, seconds)
            frames(stage, 4, 10)
        stage.look()

    return act


def write_offset(file: Path, seconds: int) -> None:
    """Move OBS's clock, in place: the file is mapped there."""
    with file.open("r+b" if file.exists() else "wb") as stream:
        stream.write(struct.pack("q", seconds))


def full_disk(home: Path) -> Act:
    """Return the fault of a full disk under OBS's own files, and ours; the recording lies elsewhere."""

    def act(stage: Stage) -> None:
        filler = home / "filler"
        try:
            with filler.open("wb", buffering=0) as stream:
                while stream.write(bytes(65536)) == 65536:
                    pass
        except OSError:
            pass  # it is full
        try:
            frames(stage, 3, 8)
            stage.set_filters(threshold=round(stage.random.uniform(0.3, 0.7), 2))
            readd_filter(stage)  # OBS saves its scenes
            stage.saboteur("reload")
            frames(stage, 10, 20)
            stage.look()
        finally:
            filler.unlink()

    return act


def other_video(stage: Stage) -> None:
    """Change frame rate and canvas; OBS permits that while it does not record, so what follows is a recording more."""
    width, height, rate = stage.random.choice([(480, 270, 60), (1280, 360, 30), (640, 180, 10)])
    stage.obs.request(
        "SetVideoSettings",
        baseWidth=width,
        baseHeight=height,
        outputWidth=width,
        outputHeight=height,
        fpsNumerator=rate,
        fpsDenominator=1,
    )
    stage.obs.fps = rate


USERS: Final = (
    Fault("script reloaded", reload_script, 8),
    Fault("script unloaded and loaded", unload_script),
    Fault("scene collection switched", switch_collection, 5),
    Fault("script removed with its scene collection", remove_script),
    Fault("filter removed and added behind the guard", readd_filter, 2),
    Fault("filter added to a hidden camera", add_filter_to_hidden, 2),
    Fault("guard out of place", move_guard),
    Fault("cameras hidden and shown", hide_and_show, 2),
    Fault("cameras of another size", resize_source),
    Fault("camera replaced", replace_source),
    Fault("media restarted, stopped, seeked", play_about),
    Fault("cameras turned, cropped, scaled", transform_item),
    Fault("later filters", later_filters),
    Fault("blend modes", blend_modes),
    Fault("studio mode", studio_mode),
    Fault("screenshots in a row", take_screenshots),
)

INSIDE: Final = (
    *(Fault(f"network: {kind}", lying_network(kind)) for kind in _LIES),
    Fault("network hung for 3 s", hung_network),
    Fault("worker killed", killed_worker),
    *(
        Fault(f"model file {how}", spoiled_model(how))
        for how in ("deleted", "truncated", "emptied", "no model", "swapped")
    ),
    Fault("onnxruntime missing", missing_library),
    Fault("graphics driver refuses", refusing_driver),
    Fault("no memory while drawing", no_memory("render", 7, 900)),
    Fault("no memory in the worker", no_memory("worker", 5, 300)),
    Fault("no memory while a filter is made", no_memory("create", 9, 150)),
)

# Not a sample: each allocation, counted from the failure before it, through the frame after that and several more.
EVERY_ALLOCATION: Final = (
    Fault("no memory while drawing, each time", no_memory("render", 1, 900, within_s=400)),
    Fault("no memory in the worker, each time", no_memory("worker", 1, 300, within_s=200)),
    Fault("no memory while a filter is made, each time", no_memory("create", 1, 400, within_s=400)),
)

ROUND: Final = (
    Fault("OBS suspended and resumed", suspend, 3),
    Fault("four programs take all processors", hogs),
    Fault("media restarted, stopped, seeked", play_about),
)

__all__ = [
    "EVERY_ALLOCATION",
    "HEIGHT",
    "INSIDE",
    "ROUND",
    "USERS",
    "WIDTH",
    "Fault",
    "ObsError",
    "any_settings",
    "full_disk",
    "move_clock",
]
