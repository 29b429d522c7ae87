"""Implement `eoam webcam`: the filter between a camera and a virtual camera, without OBS."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from eoam_cli.options import add_settings, positive, require_libraries, settings_of
from eoam_core.errors import InputError

if TYPE_CHECKING:
    from eoam_cli.webcam.run import OpenSink, Sink


def add_webcam_command(commands: Any) -> None:
    """Add `webcam` to argparse's subcommands."""
    parser = commands.add_parser(
        "webcam",
        help="provide a virtual camera without OBS",
        description="Send a camera's video without its background to a virtual camera or a preview window; Ctrl+C "
        "stops it. A virtual camera cannot be transparent: without --background, the background colour is used.",
    )
    parser.add_argument(
        "--camera", default="0", metavar="NUMBER|FILE", help="number of a camera, or a video file instead (0)"
    )
    parser.add_argument("--size", type=_size, default=(640, 480), metavar="WxH", help="requested resolution (640x480)")
    parser.add_argument("--fps", type=_rate, metavar="N", help="requested frame rate")
    parser.add_argument("--device", default="", metavar="NAME", help="virtual camera (the first free one)")
    parser.add_argument(
        "--virtual-camera", action=argparse.BooleanOptionalAction, default=True, help="send to a virtual camera (on)"
    )
    parser.add_argument("--preview", action="store_true", help="show a preview window; Esc or Q closes it")
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after N frames")
    add_settings(parser, live=["threads"])
    parser.set_defaults(run=_webcam)


def _webcam(options: argparse.Namespace) -> int:
    require_libraries()
    from eoam_cli.webcam.devices import OpenedCamera, PreviewWindow, VirtualCamera, import_pyvirtualcam
    from eoam_cli.webcam.run import run_webcam, settings_for_webcam
    from eoam_core.cutter import Cutter
    from eoam_core.segmenter import read_model_info

    def virtual_camera(height: int, width: int, rate: float) -> Sink:
        made = VirtualCamera(height, width, rate, device=options.device)
        _say(f"{width}x{height} at {rate:g} frames per second go to {made.device}; Ctrl+C stops it.")
        return made

    sinks: list[OpenSink] = []
    if options.virtual_camera:
        import_pyvirtualcam()  # missing parts are reported before the camera's light goes on
        sinks.append(virtual_camera)
    elif not options.preview:
        raise InputError("Nothing would be shown; add --preview, or leave out --no-virtual-camera.")
    settings = settings_of(options, settings_for_webcam)
    read_model_info(options.model)
    cutter = Cutter(settings, model=options.model)
    for note in cutter.notes:
        _say(note)
    if options.preview:
        window = PreviewWindow()
        sinks.append(lambda height, width, rate: window)
    source = int(options.camera) if options.camera.isdecimal() else options.camera
    camera = OpenedCamera(source, size=options.size, rate=options.fps)
    sent = run_webcam(camera, sinks, cutter, frames=options.frames, say=_say)
    _say(f"{sent} frames were shown.")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"eoam: {text}\n")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1280x720")
    return int(match[1]), int(match[2])


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 240:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 240")
    return rate
