"""Verify a written file: a muxer may silently write one that no player opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pictures_in(av: Any, path: Path) -> int:
    """Return the number of pictures in a video file, without decoding them; 0 if it does not open."""
    count = 0
    try:
        with av.open(f"file:{path.absolute()}") as container:
            if container.streams.video:
                count = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
    except (av.error.FFmpegError, ValueError):
        pass  # a player shows what was counted until then
    return count
