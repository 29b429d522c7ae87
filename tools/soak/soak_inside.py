"""An OBS script that looks at the memory of the process it runs in, every few seconds, and writes one line of JSON.

What the system calls resident goes up and down with what the allocators keep for later. What is in use does not: bytes
handed out by malloc (C, numpy, onnxruntime, the driver), blocks of Python, allocations of libobs. Linux, glibc only.
Besides that it writes what the panels of our filters say.

OBS's own profiler is stopped: of every call that it times, several in a frame, it keeps each duration in microseconds
that it has met so far, with a count (libobs/util/profiler.c). These tables grow by some MB in an hour, with and without
filters, until no duration is new.
"""

import ctypes
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

_closing = threading.Event()
_threads: list[threading.Thread] = []


_MALLINFO = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"]


class _Mallinfo(ctypes.Structure):  # mallinfo(3), glibc 2.33 and later
    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLINFO)


def script_load(settings: Any) -> None:
    _closing.clear()
    thread = threading.Thread(target=_run, name="soak-inside", daemon=True)
    _threads.append(thread)
    thread.start()


def script_unload() -> None:
    _closing.set()
    while _threads:
        _threads.pop().join(5.0)


def _said() -> Any:
    """Return what the panels of the live filters say, by OBS's handle."""
    instances = sys.modules.get("eoam_obs.source.instances")
    locale = sys.modules.get("eoam_obs.source.locale")
    if instances is None or locale is None:
        return {}
    found = list(instances.INSTANCES.items())
    return {handle: each.video_filter.state().sentence(locale.Texts()) for handle, each in found if each.video_filter}


def _run() -> None:
    process = ctypes.CDLL(None)
    process.mallinfo2.restype = _Mallinfo
    process.mallinfo2.argtypes = []
    process.bnum_allocs.restype = ctypes.c_long
    process.bnum_allocs.argtypes = []
    process.profiler_stop.restype = None
    process.profiler_stop.argtypes = []
    process.profiler_stop()
    period_s = float(os.environ.get("EOAM_SOAK_PERIOD_S", "5"))
    with Path(os.environ["EOAM_SOAK_INSIDE"]).open("a", buffering=1) as file:
        while not _closing.wait(period_s):
            heap = process.mallinfo2()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            line = {
                "at_s": time.monotonic(),
                "resident_mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
                "heap_mb": (heap.uordblks + heap.hblkhd) / 2**20,
                "python_blocks": sys.getallocatedblocks(),
                "libobs_allocations": process.bnum_allocs(),
                "said": _said(),
            }
            file.write(json.dumps(line) + "\n")
