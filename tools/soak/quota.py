"""Give a process, or single threads of it, a share of one processor and no more: Linux's cgroup `cpu`, version 1."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Short, so that it is like a slow processor and not like one that is away for a tenth of a second.
_PERIOD_US: Final = 20_000
_SHORTEST_QUOTA_US: Final = 1_000  # the kernel's


def controller() -> Path | None:
    """Return the folder of the cgroup that this process is in, if one can be made below it; otherwise None."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, place, kind, options, *_ = line.split()
            if kind == "cgroup" and "cpu" in options.split(","):
                own = Path(place + _own_group())
                return own if os.access(own, os.W_OK) and (own / "cpu.cfs_quota_us").exists() else None
    return None


def missing() -> str:
    """Return why nothing can be limited here, or ""."""
    return "" if controller() is not None else "no cgroup (version 1) with the controller cpu that this user may write"


@contextlib.contextmanager
def limited(process_id: int, share: float, *, threads: str = "") -> Iterator[None]:
    """Let a process use no more than a share of one processor meanwhile; `threads`: only its threads of this name.

    What threads start later is limited with them. A share of 1 or more limits nothing for single threads, of course.

    Raises:
        OSError: there is no such process, or no controller (see `missing`).
        ValueError: there is no thread of that name.
    """
    parent = controller()
    if parent is None:
        raise OSError(missing())
    period = max(_PERIOD_US, round(_SHORTEST_QUOTA_US / share))
    group = Path(tempfile.mkdtemp(prefix="eoam-", dir=parent))
    try:
        (group / "cpu.cfs_period_us").write_text(str(period))
        (group / "cpu.cfs_quota_us").write_text(str(round(period * share)))
        if threads:
            found = [task for task in _threads(process_id) if _name(process_id, task) == threads]
            if not found:
                raise ValueError(f"process {process_id} has no thread named {threads!r}")
            for number in found:
                (group / "tasks").write_text(str(number))
        else:
            (group / "cgroup.procs").write_text(str(process_id))
        yield
    finally:
        for task in (group / "tasks").read_text().split():
            with contextlib.suppress(OSError):  # it has ended
                (parent / "tasks").write_text(task)
        group.rmdir()


def _own_group() -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return path.rstrip("/")
    return ""


def _threads(process_id: int) -> list[int]:
    return [int(name) for name in os.listdir(f"/proc/{process_id}/task")]


def _name(process_id: int, task: int) -> str:
    try:
        return Path(f"/proc/{process_id}/task/{task}/comm").read_text().strip()
    except OSError:
        return ""
