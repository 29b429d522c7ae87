"""Open a video from a file or a pipe, without opening anything else that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from eoam_cli.video.animation import animation_of, as_container
from eoam_cli.video.file_end import FileEnd
from eoam_cli.video.pipe import ALONE, OF_WORDS, PipeInput
from eoam_cli.video.recording import Recording, unreadable
from eoam_core.errors import InputError


@contextmanager
def opened(av: Any, source: Path | PipeInput) -> Iterator[Recording]:
    """Yield the opened video.

    Raises:
        InputError: it does not exist or is not a video.
    """
    if isinstance(source, Path) and not os.path.exists(source):
        raise InputError(f"There is no video {source}; check the name.")
    with ExitStack() as stack:
        try:
            recording = _opened(av, source, stack)
        except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
            raise unreadable(source, error) from error
        yield recording


def _opened(av: Any, source: Path | PipeInput, stack: ExitStack) -> Recording:
    notes: tuple[str, ...] = ()
    if isinstance(source, PipeInput):
        container, end = source.open(av), None
    else:
        # As an open file, never by name: FFmpeg does not take `concat:a.mp4` and `http:/x` for file names.
        file = stack.enter_context(open(source, "rb"))  # noqa: SIM115
        kind = animation_of(file)
        if kind:
            end = FileEnd(file, kind)
            animation = as_container(av, file, source)
            notes = animation.notes
            container = av.open(animation.file, "r", options=dict(ALONE), **OF_WORDS)
        else:
            container = av.open(_Named(file, source), "r", options=dict(ALONE), **OF_WORDS)
            with open(source, "rb") as again:  # FFmpeg continues at the other's position
                end = FileEnd(again, container.format.name)
    stack.callback(container.close)
    return Recording(av, source, container, end=end, notes=notes)


class _Named:
    """An open file that shows FFmpeg its bytes and its name's ending, which identifies some formats."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.name = f"video{path.suffix}" if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", path.suffix) else "video"
