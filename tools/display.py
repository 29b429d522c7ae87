"""Run an X server without a screen, for programs that draw."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator


class DisplayError(Exception):
    """The X server is not installed or did not start."""


@contextlib.contextmanager
def virtual_display() -> Iterator[str]:
    """Run Xvfb on a free display and give its name."""
    if shutil.which("Xvfb") is None:
        raise DisplayError("Xvfb is not installed: apt-get install xvfb.")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            raise DisplayError(f"Xvfb did not start (exit code {server.wait()}).")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()
