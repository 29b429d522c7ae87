"""`eoam image` and `eoam video`: one file, many files into a folder, or a pipe."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eoam_cli.batch import Job, plan, prepare_folder, run
from eoam_cli.options import add_progress, add_settings, progress, require_libraries, settings_of
from eoam_cli.video.encoding import PIPED_FORMATS, VIDEO_SUFFIXES, encoding_for, import_av, require_encoder
from eoam_cli.video.pipe import PipeInput, PipeOutput, RawVideo, standard_input, standard_output, write_all
from eoam_core.errors import InputError
from eoam_core.model_path import expanded
from eoam_core.pictures.picture_file import KINDS
from eoam_core.printable import printable
from eoam_core.settings import Settings

if TYPE_CHECKING:
    from eoam_core.cutter import Cutter

_PIPE: Final = Path("-")
_STANDARD_INPUT: Final = "Standard input"
_ANIMATED: Final = "and eoam video writes all of them"


def add_file_commands(commands: Any) -> None:
    """Add `image` and `video` to argparse's subcommands."""
    image = commands.add_parser("image", help="remove the background from images", description=_image_text())
    _add_files(image, f"IN, a {KINDS}, and OUT.png")
    add_progress(image)
    add_settings(image)
    image.set_defaults(run=_image)

    video = commands.add_parser("video", help="remove the background from videos", description=_video_text())
    _add_files(
        video,
        "IN, any video that FFmpeg can read, and OUT (.webm, .mkv or .mov; with --background also .mp4)",
    )
    video.add_argument(
        "--ending", choices=VIDEO_SUFFIXES, help="with --into: file extension (.webm; without alpha .mp4)"
    )
    video.add_argument("--pipe-format", choices=PIPED_FORMATS, default="nut", help="format for writing to - (nut)")
    video.add_argument(
        "--raw-input", metavar="WxH@RATE:PIXELS", help="format of headerless video from -: 1280x720@30:rgb24"
    )
    add_progress(video)
    add_settings(video)
    video.set_defaults(run=_video)


def _add_files(parser: argparse.ArgumentParser, text: str) -> None:
    text += "; - means standard input or output; with --into, any number of IN and no OUT"
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=text)
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="write all results to this folder; existing files are kept"
    )
    parser.add_argument("--overwrite", action="store_true", help="with --into: replace existing files")


def _image(options: argparse.Namespace) -> int:
    require_libraries()
    from eoam_core.cutter import Cutter
    from eoam_core.pictures.picture import require_png

    settings = settings_of(options)
    if options.into is not None:
        with Cutter(settings, model=options.model) as cutter:
            _say(cutter.notes)
            return _batch(options, ".png", "image", lambda job: _cut_picture(cutter, job.source, job.target))
    source, target = _pair(options.files)
    if target != _PIPE:
        require_png(target)  # before any work
    with Cutter(settings, model=options.model) as cutter:
        _say(cutter.notes)
        _cut_picture(cutter, source, target)
    return 0


def _cut_picture(cutter: Cutter, source: Path, target: Path) -> None:
    from eoam_core.pictures.picture import decode_stream, encode_png, open_picture, write_png

    if source == _PIPE:
        picture = decode_stream(standard_input(), name=_STANDARD_INPUT, hint=_ANIMATED)
    else:
        picture = open_picture(source, hint=_ANIMATED)
    cutter.reset()
    result = cutter.cut(picture.pixels)
    if target != _PIPE:
        write_png(target, result, source=source)
    else:
        try:
            write_all(standard_output(), encode_png(result, name="Standard output"))
        except OSError as error:
            raise InputError(
                f"Standard output was closed ({error.strerror}); check the program that reads it."
            ) from error
    _say(picture.notes)


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        sys.stderr.write(printable(f"eoam: {note}") + "\n")


def _video(options: argparse.Namespace) -> int:
    require_libraries()
    from eoam_core.compose import has_alpha

    settings = settings_of(options)
    if options.into is not None:
        alpha = has_alpha(settings)
        ending = options.ending or (".webm" if alpha else ".mp4")
        require_encoder(import_av(), encoding_for(options.into / f"any{ending}", with_alpha=alpha))
        _say_of_background(settings)  # something missing for all files is reported once
        return _batch(
            options, ending, "video", lambda job: _convert(options, settings, job.source, job.target, job.source.name)
        )
    source, target = _pair(options.files)
    if options.raw_input is not None and source != _PIPE:
        raise InputError(f"--raw-input only works with the input -, but {source} is a file; leave one of them out.")
    _say_of_background(settings)
    _convert(options, settings, _video_source(options, source), _video_target(options, target))
    return 0


def _say_of_background(settings: Settings) -> None:
    """Print the notes on the background picture; InputError if it cannot be used."""
    from eoam_core.cutter import background_of

    path = expanded(settings.background_picture)
    if settings.background_picture and os.path.exists(path) and not os.path.isfile(path):
        return  # a pipe can be read once
    behind = background_of(settings)
    if behind is not None:
        _say(behind.notes)


def _video_source(options: argparse.Namespace, source: Path) -> Path | PipeInput:
    if source != _PIPE:
        return source
    raw = None if options.raw_input is None else RawVideo.parsed(options.raw_input)
    return PipeInput(standard_input(), raw=raw)


def _video_target(options: argparse.Namespace, target: Path) -> Path | PipeOutput:
    return target if target != _PIPE else PipeOutput(standard_output(), form=options.pipe_format)


def _convert(
    options: argparse.Namespace,
    settings: Settings,
    source: Path | PipeInput,
    target: Path | PipeOutput,
    name: str = "",
) -> None:
    from eoam_cli.video.convert import convert_video
    from eoam_core.cutter import pipeline_of

    with progress(options.progress, unit="frame", name=printable(name)) as on_frame:
        report = convert_video(
            source,
            target,
            settings=settings,
            make_pipeline=lambda height, width: pipeline_of(options.model, height, width, settings),
            on_frame=on_frame,
        )
    _say(f"{name + ': ' if name else ''}{note}" for note in report.notes)


def _batch(options: argparse.Namespace, suffix: str, unit: str, work: Callable[[Job], None]) -> int:
    """Convert all files and return the exit code."""
    from eoam_core.segmenter import read_model_info

    if _PIPE in options.files:
        raise InputError("--into cannot be combined with -; leave one of them out.")
    jobs = plan(options.files, options.into, suffix=suffix)
    read_model_info(options.model)  # an unusable model is not an error of each file
    prepare_folder(options.into)
    with progress(options.progress, unit=unit) as on_job:
        report = run(jobs, work, overwrite=options.overwrite, on_job=lambda job: on_job(len(jobs)))
    sys.stderr.write(f"eoam: {report.summary(unit=unit)}\n")
    return 1 if report.failed else 0


def _pair(files: list[Path]) -> tuple[Path, Path]:
    if len(files) == 2:
        return files[0], files[1]
    if len(files) == 1:
        raise InputError(f"There is no output for {files[0]}; add one after it, or a folder with --into FOLDER.")
    raise InputError(f"{len(files)} files were named; for more than one input name a folder with --into FOLDER.")


def _image_text() -> str:
    return (
        "Remove the background of IN and write a PNG with straight alpha, or with another background. "
        "Fully transparent pixels are black. With --into FOLDER, any number of images; the exit code is 1 if one "
        "of them failed."
    )


def _video_text() -> str:
    return (
        "Remove the background of IN and write a video with alpha or, with --background, another background. Sound is "
        "copied. Of a damaged video, every frame that can be decoded is written. With --into FOLDER, any number of "
        "videos; the exit code is 1 if one of them failed."
    )
