"""Convert a video: with alpha if the container can hold it, or with a new background."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eoam_cli.video.colour_description import ColourDescription
from eoam_cli.video.encoding import Encoding, encoding_for, import_av, piped_encoding, require_encoder
from eoam_cli.video.picture import Development
from eoam_cli.video.pipe import PipeInput, PipeOutput
from eoam_cli.video.source import opened
from eoam_cli.video.tracks import TrackPlan, Tracks, TracksUnfit
from eoam_cli.video.writer import VideoWriter
from eoam_cli.video.written import pictures_in
from eoam_core.compose import flattened, has_alpha
from eoam_core.cutter import Cutter
from eoam_core.errors import InputError
from eoam_core.pipeline import Pipeline
from eoam_core.settings import Settings
from eoam_core.target import replacing, writing

_BARE: Final = TrackPlan(bare=True, is_last=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoReport:
    """The result: the number of frames, and notes for the user (such as sound that was left out)."""

    frames: int
    notes: tuple[str, ...]


def convert_video(
    source: Path | PipeInput,
    target: Path | PipeOutput,
    *,
    settings: Settings,
    make_pipeline: Callable[[int, int], Pipeline] | None = None,
    on_frame: Callable[[int | None], None] = lambda total: None,
) -> VideoReport:
    """Cut the person out of every frame of `source` and write `target`, completely or not at all.

    Time stamps and sound are copied; sound that the container cannot hold is re-encoded. Everything that can be decoded
    is written; damaged or missing parts are named in the report.

    Args:
        source: any video that FFmpeg reads, or a pipe.
        target: .webm, .mkv or .mov for alpha; with a background, or a view other than the result, .mp4 as well. Or a
            pipe, which has received a part of the video if an error occurs.
        settings: as for the filter; `timing` has no meaning here, every frame gets its own mask.
        make_pipeline: called with the network's (height, width) once a picture's size is known, and again for each
            other shape; the default is a pipeline with the network that comes with the project.
        on_frame: called after each frame with the number of frames there will be, or None if that is unknown.

    Raises:
        InputError: the source is not a video or nothing of it decodes, or the target cannot hold the result or be
            written.
        InstallationError: PyAV, or the encoder that the target needs, is missing.
    """
    alpha = has_alpha(settings)
    if isinstance(target, PipeOutput):
        encoding = piped_encoding(target.form, with_alpha=alpha)
    else:
        encoding = encoding_for(target, with_alpha=alpha)
    av = import_av()
    require_encoder(av, encoding)
    # A pipe cannot be read again, and output to a pipe cannot be undone.
    plan = TrackPlan(is_last=not isinstance(source, Path) or not isinstance(target, Path))
    while True:
        try:
            return _converted(av, source, target, encoding, settings, make_pipeline, on_frame, plan)
        except TracksUnfit as unfit:
            plan = unfit.plan


def _converted(
    av: Any,
    source: Path | PipeInput,
    target: Path | PipeOutput,
    encoding: Encoding,
    settings: Settings,
    make_pipeline: Callable[[int, int], Pipeline] | None,
    on_frame: Callable[[int | None], None],
    plan: TrackPlan,
) -> VideoReport:
    alpha = has_alpha(settings)
    count = 0
    written: int | None = None

    def read_back(path: Path) -> None:
        nonlocal written
        written = pictures_in(av, path)
        if written != count and not plan.is_last and not writer.is_alone:
            raise TracksUnfit(_BARE)
        if not written:
            raise InputError(f"{target} cannot be written: no player would open it; choose another extension.")

    with (
        Cutter(settings, make_pipeline=make_pipeline) as cutter,
        opened(av, source) as recording,
        _created(av, target, source=source, read_back=read_back) as output,
        _without_tracks_if_refused(av, plan),
    ):
        development = Development()
        writer = VideoWriter(
            av,
            output,
            encoding,
            recording.video,
            lambda: Tracks(av, output, recording.container, recording.video, recording.first_packets, plan=plan),
        )
        total = recording.expected_frames
        shape: tuple[object, ...] | None = None
        for item in recording.items():
            if not isinstance(item, av.VideoFrame):
                writer.write_packet(item)
                continue
            colours = ColourDescription.of_frame(item, *recording.decoder.contexts)
            picture = development.picture(item, colours, recording.decoder.orientation)
            aspect = recording.aspect(turned=picture.shape[0] != item.height)
            if shape not in (None, (picture.shape, aspect)):
                cutter.reset()  # its memory predates the frames of the other size
            shape = picture.shape, aspect
            result = cutter.cut(picture)
            if not alpha:
                result = flattened(result, settings, picture=cutter.background(*picture.shape[:2]))
            writer.write_picture(result, item, colours=colours, aspect=aspect)
            count += 1
            on_frame(total)
        writer.finish()
        notes = (*recording.notes, *development.notes, *writer.notes)
    if written is not None and written < count:
        notes = (*notes, f"{count - written} of {count} frames could not be written.")
        count = written
    return VideoReport(frames=count, notes=notes)


@contextmanager
def _without_tracks_if_refused(av: Any, plan: TrackPlan) -> Iterator[None]:
    """Start again without the other tracks if one of their packets, which FFmpeg delays, fails."""
    try:
        yield
    except (av.error.InvalidDataError, av.error.ArgumentError) as error:
        if plan.is_last:
            raise
        raise TracksUnfit(_BARE) from error


@contextmanager
def _created(
    av: Any, target: Path | PipeOutput, *, source: Path | PipeInput, read_back: Callable[[Path], None]
) -> Iterator[Any]:
    if isinstance(target, PipeOutput):
        with _writing(av, target), target.open(av) as output:
            yield output
        return
    # A pipe cannot be the same file as the target.
    other = source if isinstance(source, Path) else Path(os.devnull)
    with replacing(target, source=other) as temporary:
        # With the protocol: otherwise FFmpeg takes the text before a colon in the name for one.
        with _writing(av, target), av.open(f"file:{os.path.abspath(temporary)}", "w") as output:
            yield output
        read_back(temporary)


@contextmanager
def _writing(av: Any, target: Path | PipeOutput) -> Iterator[None]:
    if isinstance(target, PipeOutput):
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = target.failure or error
            raise InputError(
                f"{target} was closed ({reason.strerror or reason}); check the program that reads it."
            ) from error
        return
    try:
        with writing(target):
            yield
    except av.error.FFmpegError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
