"""A room that can be found again in every recorded frame, a person whose outline is exact, and the search.

The room is a chequerboard of pure red and pure blue, the person is white. So

* the network can be one whose mask is the green channel: 255 on the person, 0 in the room, whatever is mixed of red and
  blue where the picture is shrunk. Its mask is the truth, and what it shows of the room is not its own mistake;
* nothing else that the tests put into a scene has red and blue that differ: grey, white, black, green, purple. A pixel
  in which they differ is room. In the room smeared by choice they are equal, a room that can be made out has them.

What of the room may be seen is the soft edge: within a few pixels of the person. The person is looked for in the same
recorded frame, so that it does not matter which picture of the clip that was.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

CELL: Final = 4  # pixels of the chequerboard: what is meant to be smeared, a blurred room, turns even purple
# Red and blue that differ by more than this are room; the recording's own rounding makes up to 4 of the rest. Before
# nothing, black, a room of 1/255, the least that 8 bits hold, is 13: light is mixed linearly, and sRGB is steep there.
LEVELS: Final = 6
PERSON_LEVEL: Final = 140  # as white as this is the person; colours that tests put behind it are darker in one channel
# How far from the person its soft edge may reach where a camera is 320 pixels wide: the mask is soft for a few of its
# own pixels, and the refinement finds the faintest trace of an edge, an opacity of 12/255, up to 9 pixels away.
FEW_PIXELS: Final = 12

_SMALLEST_PERSON: Final = 150  # pixels


def room(width: int, height: int) -> Picture:
    """Draw the empty room, (height, width, 3) uint8 BGR."""
    y, x = np.mgrid[:height, :width]
    is_red = (x // CELL + y // CELL) % 2 == 1
    picture = np.where(is_red[..., None], (0, 0, 255), (255, 0, 0)).astype(np.uint8)
    # A blur repeats the outermost pixels for ever: these are what the middle is when it is smeared, in linear light.
    inside = picture[CELL:-CELL, CELL:-CELL].copy()
    picture[:] = (188, 0, 188)
    picture[CELL:-CELL, CELL:-CELL] = inside
    return picture


def person_frames(width: int, height: int, count: int, reach: float) -> Iterator[Picture]:
    """Yield `count` frames (height, width, 3) uint8 BGR of somebody in the room, who sways and is back at the end.

    `reach` is how far to each side, as a share of the width; the most that the person moves from one frame to the next
    is `2 * pi * reach * width / count` pixels.
    """
    empty = room(width, height)
    for number in range(count):
        frame = empty.copy()
        x = round(width * (0.5 + reach * math.sin(2 * math.pi * number / count)))
        white = (255, 255, 255)
        cv2.circle(frame, (x, round(height * 0.36)), round(height * 0.19), white, -1)
        cv2.ellipse(frame, (x, height), (round(height * 0.36), round(height * 0.45)), 0, 180, 360, white, -1)
        yield frame


def write_green_model(file: Path, *, blind: bool = False) -> None:
    """Write the network whose mask is the green channel, or a blind one that finds nobody."""
    import onnx
    from onnx import TensorProto, helper

    at = {"start": 1, "end": 2, "axis": 3}
    nodes = [
        helper.make_node("Slice", ["frame", "start", "end", "axis"], ["green"]),
        helper.make_node("Squeeze", ["green", "axis"], ["level"]),
        helper.make_node("Mul", ["level", "factor"], ["mask"]),
    ]
    graph = helper.make_graph(
        nodes,
        "green",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, "height", "width", 4])],
        [helper.make_tensor_value_info("mask", TensorProto.UINT8, [1, "height", "width"])],
        [
            *(helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in at.items()),
            helper.make_tensor("factor", TensorProto.UINT8, [1], [0 if blind else 1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"name": "blind" if blind else "green", "version": "1"})
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


@dataclass(frozen=True)
class Seen:
    """One frame: pixels of the room outside of the grown person, how strong the strongest is, and is somebody there."""

    room: int
    strongest: int
    person: bool


def search(picture: Picture, margin: int = FEW_PIXELS, *, strict: bool = False, levels: int = LEVELS) -> Seen:
    """Look for the room in (h, w, 4) uint8 RGBA, further than `margin` pixels from the person.

    Colours count as they are, however transparent. Any colour at all where the opacity is 0 counts as room: a later
    filter could bring it back. Where OBS has blended the person's own edge onto its canvas it leaves such colours;
    `strict` is for what the filter itself draws, and permits none. `levels`: see LEVELS.
    """
    red, green, blue, alpha = (np.ascontiguousarray(picture[..., channel]) for channel in range(4))
    darkest = cv2.min(cv2.min(red, green), blue)
    person = (cv2.min(darkest, alpha) >= PERSON_LEVEL).astype(np.uint8)
    difference = cv2.absdiff(red, blue)
    hidden = cv2.max(cv2.max(red, green), blue)
    hidden[alpha > 0] = 0
    is_there = int(np.count_nonzero(person)) >= _SMALLEST_PERSON
    if is_there and (difference.max() > levels or hidden.any()):
        grown = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1)))
        difference[grown > 0] = 0
        if not strict:
            hidden[grown > 0] = 0
    found = np.count_nonzero(difference > levels) + np.count_nonzero(hidden)
    return Seen(int(found), max(int(difference.max()), int(hidden.max())), is_there)


def recorded_frames(file: Path) -> Iterator[Picture]:
    """Yield every frame of a recording, (h, w, 4) uint8 RGBA, opaque.

    Raises:
        ValueError: it is not of the kind that a stage records.
    """
    import av

    with av.open(str(file)) as container:
        context = container.streams.video[0].codec_context
        if context.name != "h264" or context.pix_fmt not in ("yuv444p", "yuvj444p"):
            raise ValueError(f"{file} is {context.name} {context.pix_fmt}, need h264 yuv444p, which loses nothing")
        for packet in container.demux(video=0):
            # The last packet of a file that was not finished is cut off.
            with contextlib.suppress(av.error.InvalidDataError):
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    planes = frame.to_ndarray(format=context.pix_fmt)
                    yield np.asarray(cv2.transform(np.moveaxis(planes, 0, 2), _TO_RGBA), np.uint8)


# Rec. 709, full range, as OBS is told to write it: Y, Cb, Cr and 1 to red, green, blue and an opacity of 255.
_RED, _BLUE = 1.5748, 1.8556
_GREEN_B, _GREEN_R = -0.18732, -0.46812
_TO_RGBA: Final = np.array(
    [
        [1, 0, _RED, -128 * _RED],
        [1, _GREEN_B, _GREEN_R, -128 * (_GREEN_B + _GREEN_R)],
        [1, _BLUE, 0, -128 * _BLUE],
        [0, 0, 0, 255],
    ]
)
