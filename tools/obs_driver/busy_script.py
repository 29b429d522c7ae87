"""An OBS script as other people write them, with threads that compute in Python and never wait.

$EOAM_BUSY_THREADS says how many; a file of the name in $EOAM_BUSY_FILE holds how many turns they have made in all, and
while a file of that name with ".rest" behind it is there, they rest.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["EOAM_BUSY_FILE"])
_REST = _FILE.with_name(_FILE.name + ".rest")
_closing = threading.Event()
_turns: list[int] = []


def script_load(settings: Any) -> None:
    _closing.clear()
    for number in range(int(os.environ.get("EOAM_BUSY_THREADS", "1"))):
        _turns.append(0)
        threading.Thread(target=_compute, args=(number,), daemon=True).start()


def script_unload() -> None:
    _closing.set()


def _compute(number: Any) -> None:
    value = 0
    while not _closing.is_set():
        if _REST.exists():
            time.sleep(0.02)
            continue
        for _ in range(200_000):
            value = (value * 31 + 7) % 1_000_003
        _turns[number] += 1
        part = _FILE.with_name(f"{_FILE.name}.{number}")
        part.write_text(str(sum(_turns)))
        part.replace(_FILE)
