"""The command line, `eoam`: pictures, videos, a benchmark, and what a bug report needs.

Exit codes: 0 done, 1 `info` found something missing, 2 an input, an argument or the installation cannot be used,
130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import eoam_core
from eoam_core.errors import EoamError, InstallationError
from eoam_core.installation import check_installation, default_model_path, install_command
from eoam_core.settings import SettingInfo, Settings, describe_settings, settings_table

if TYPE_CHECKING:
    from eoam_core.pipeline import Pipeline

_FAILED: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` are the process's own unless given."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except EoamError as error:
        sys.stderr.write(f"eoam: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("eoam: interrupted\n")
        return _INTERRUPTED
    return code


def _image(options: argparse.Namespace) -> int:
    _require_libraries()
    from eoam_core.compose import cut_out, draw_mask
    from eoam_core.geometry import network_size
    from eoam_core.picture import fit_network, read_picture, require_png, write_png
    from eoam_core.settings import View

    settings = _settings(options)
    require_png(options.output)  # before any work
    picture = read_picture(options.input)
    width, height = network_size(picture.shape[1], picture.shape[0])
    with _pipeline(options.model, height, width, settings) as pipeline:
        mask = pipeline.process(fit_network(picture, height=height, width=width)).mask
    if settings.view is View.MASK:
        import cv2

        result = cv2.cvtColor(draw_mask(picture, mask, settings), cv2.COLOR_BGR2RGBA)
        write_png(options.output, result, source=options.input)  # type: ignore[arg-type]
    else:
        write_png(options.output, cut_out(picture, mask, settings), source=options.input)
    return 0


def _video(options: argparse.Namespace) -> int:
    _require_libraries()
    from eoam_core.picture import Background
    from eoam_core.video import convert_video

    settings = _settings(options)
    background = None if options.background is None else Background(options.background)
    with _progress(options.progress, unit="frame") as on_frame:
        report = convert_video(
            options.input,
            options.output,
            settings=settings,
            make_pipeline=lambda height, width: _pipeline(options.model, height, width, settings),
            background=background,
            on_frame=on_frame,
        )
    for note in report.notes:
        sys.stderr.write(f"eoam: {note}\n")
    return 0


def _bench(options: argparse.Namespace) -> int:
    _require_libraries()
    from eoam_core.bench import THREADS, as_mapping, as_table, cpu_name, measure

    with _progress(options.progress, unit="round") as on_frame:
        results = measure(
            options.model, frames=options.frames, settings=_settings(options), on_frame=lambda: on_frame(None)
        )
    if options.json:
        document = {
            "cpu": cpu_name(),
            "threads": list(THREADS),
            "frames": options.frames,
            "stages": as_mapping(results),
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(
            f"{cpu_name()}; {options.frames} frames of each size, interleaved; medians (95th percentiles)\n\n"
        )
        sys.stdout.write(as_table(results))
    return 0


def _info(options: argparse.Namespace) -> int:
    if options.settings_table:
        sys.stdout.write(settings_table())
        return 0
    from eoam_core.report import as_text, collect

    everything = collect(options.model)
    sys.stdout.write(json.dumps(everything, indent=2) + "\n" if options.json else as_text(options.model))
    return 0 if everything["ok"] else 1


def _pipeline(model: Path, height: int, width: int, settings: Settings) -> Pipeline:
    from eoam_core.pipeline import Pipeline
    from eoam_core.segmenter import OnnxSegmenter

    return Pipeline(OnnxSegmenter(model, height=height, width=width), settings)


def _require_libraries() -> None:
    bad = [part for part in check_installation() if not part.ok and part.name != "model"]
    if bad:
        names = ", ".join(f"{part.name} {part.required}" for part in bad)
        raise InstallationError(f"Missing or too old: {names}. To install: {install_command()}")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings.validated(**{info.name: getattr(options, info.name) for info in _file_settings()})


def _file_settings() -> list[SettingInfo]:
    return [info for info in describe_settings() if not info.live_only and info.group != "output"]


@contextmanager
def _progress(wanted: bool | None, *, unit: str) -> Iterator[Callable[[int | None], None]]:
    """Yield what to call after each step, with the total if it is known; draws a bar on stderr if `wanted`.

    None means: if stderr is a terminal and tqdm is there.
    """
    bar: Any = None
    if wanted or (wanted is None and sys.stderr.isatty()):
        try:
            tqdm = importlib.import_module("tqdm").tqdm  # optional, and without type stubs
        except ImportError as error:
            if wanted:
                command = install_command(["tqdm>=4.66"])
                raise InstallationError(f"A progress bar needs tqdm; install it: {command}") from error
        else:
            bar = tqdm(unit=unit, file=sys.stderr)

    def advance(total: int | None) -> None:
        if bar is not None:
            bar.total = total
            bar.update()

    try:
        yield advance
    finally:
        if bar is not None:
            bar.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eoam", description="Cut a person out of pictures and videos, on the CPU.")
    parser.add_argument("--version", action="version", version=f"eoam {eoam_core.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    image = commands.add_parser("image", help="cut the person out of a picture", description=_image_text())
    image.add_argument("input", type=Path, metavar="IN", help="PNG, JPEG, WebP, BMP, TIFF or what else OpenCV reads")
    image.add_argument("output", type=Path, metavar="OUT.png", help="the PNG to write; an existing one is replaced")
    _add_settings(image)
    image.set_defaults(run=_image)

    video = commands.add_parser("video", help="cut the person out of a video", description=_video_text())
    video.add_argument("input", type=Path, metavar="IN", help="any video that FFmpeg reads")
    video.add_argument("output", type=Path, metavar="OUT", help=".webm, .mkv or .mov; with --background .mp4, too")
    video.add_argument(
        "--background",
        metavar="COLOUR|FILE",
        help="#rrggbb, black, white, grey, red, green, blue, or a picture, to put behind the person",
    )
    _add_progress(video)
    _add_settings(video)
    video.set_defaults(run=_video)

    bench = commands.add_parser("bench", help="measure what a frame costs", description=_bench_text())
    bench.add_argument("--frames", type=_positive, default=200, metavar="N", help="frames of each size (200)")
    bench.add_argument("--json", action="store_true", help="print JSON")
    _add_progress(bench)
    _add_settings(bench)
    bench.set_defaults(run=_bench)

    info = commands.add_parser(
        "info",
        help="show versions, the model and the settings",
        description="Show versions, the model and the settings; the exit code is 1 if something is missing.",
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    info.add_argument("--settings-table", action="store_true", help="print the settings as a Markdown table only")
    _add_model(info)
    info.set_defaults(run=_info)
    return parser


def _image_text() -> str:
    return "Write the person in IN as PNG with straight alpha; the colour is 0 wherever the alpha is 0."


def _video_text() -> str:
    return "Write the person in IN with alpha, or with --background in front of another picture. Sound is copied."


def _bench_text() -> str:
    return "Time every stage per input size, on one thread and on two; medians and 95th percentiles, in milliseconds."


def _add_settings(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    group = parser.add_argument_group("settings, as in OBS")
    for info in _file_settings():
        if info.kind == "bool":
            group.add_argument(
                info.flag,
                action=argparse.BooleanOptionalAction,
                default=info.default,
                help=_escaped(f"{info.help} ({'on' if info.default else 'off'})"),
            )
            continue
        choices = "|".join(value for value, _ in info.choices)
        group.add_argument(
            info.flag,
            type=_checker(info),
            default=info.default,
            metavar=choices or f"{info.minimum:g}..{info.maximum:g}",
            help=_escaped(f"{info.help} ({info.default})"),
        )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, default=default_model_path(), metavar="FILE", help="another .onnx file")


def _add_progress(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="show a progress bar (if stderr is a terminal)"
    )


def _checker(info: SettingInfo) -> Callable[[str], object]:
    def check(text: str) -> object:
        value: object = text
        if info.kind in ("float", "int"):
            try:
                value = float(text)
            except ValueError:
                value = text
        try:
            return info.checked(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return check


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return number


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # argparse formats help texts


if __name__ == "__main__":
    sys.exit(main())
