"""Read back what was written: a muxer that says nothing may have written a file that no player opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def pictures_in(av: Any, path: Path) -> int:
    """Return how many pictures a video file holds, without decoding them; 0 if it opens as none."""
    count = 0
    try:
        with av.open(f"file:{path.absolute()}") as container:
            if container.streams.video:
                count = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
    except (av.error.FFmpegError, ValueError):
        pass  # what was counted until then is what a player shows
    return count
