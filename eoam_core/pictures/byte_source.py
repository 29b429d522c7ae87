"""Where a picture's or a video's bytes come from. Standard library only."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """What bytes come from: `sys.stdin.buffer`, io.BytesIO."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes, none at the end."""
