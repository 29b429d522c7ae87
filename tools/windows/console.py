"""Run a Windows program in a window of its own, as a double click does, and answer what it asks."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.windows.errors import WindowsToolError
from tools.windows.wine import Wine, program

_ROWS_AND_COLUMNS: Final = (50, 240)
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def talk(
    wine: Wine,
    command: Sequence[str | Path],
    answers: Sequence[tuple[str, str]],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300.0,
) -> tuple[int, str]:
    """Run a program in a console to its end, and return its exit code and all that stood there.

    `answers` are questions, each a part of what is printed, and the line that is typed when it has been.

    Raises:
        WindowsToolError: the program did not end in time (seconds).
    """
    ours, its = pty.openpty()
    try:
        tty.setraw(its)  # Wine's console wants the keys as they are
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *_ROWS_AND_COLUMNS, 0, 0))
        process = subprocess.Popen(
            [program(), *map(str, command)],
            stdin=its,
            stdout=its,
            stderr=its,
            cwd=folder,
            env=wine.environment(environment),
            start_new_session=True,
        )
    finally:
        os.close(its)
    printed, waiting, until = b"", list(answers), time.monotonic() + timeout
    try:
        while (left := until - time.monotonic()) > 0:
            if not select.select([ours], [], [], left)[0]:
                break
            try:
                block = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                block = b""
            if not block:
                return process.wait(60), _text(printed)
            printed += block
            if waiting and waiting[0][0] in _text(printed):
                os.write(ours, waiting.pop(0)[1].encode() + b"\r")
        wine.end()
        process.wait(60)
        last = _text(printed).strip().splitlines()[-1:] or ["nothing"]
        raise WindowsToolError(f"{Path(command[0]).name} did not end within {timeout:.0f} s; it last said: {last[0]}")
    finally:
        os.close(ours)


def _text(printed: bytes) -> str:
    return _CONTROL.sub("", printed.decode("utf-8", "replace"))
