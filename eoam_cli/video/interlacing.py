"""Deinterlace video whose frames hold two half pictures, which show combing where something moves."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

_FILTERS: Final = ("bwdif", "yadif")  # the better one first; both leave progressive frames unchanged
_OPTIONS: Final = "mode=send_frame:deint=interlaced"


class Deinterlacer:
    """Make one complete picture of each interlaced frame, and pass progressive frames through.

    Costs nothing until the first interlaced frame; from then on every frame goes through FFmpeg's filter, which delays
    by one frame.

    Args:
        av: PyAV.
        time_base: of the frames.
    """

    def __init__(self, av: Any, time_base: Fraction) -> None:
        self._av = av
        self._time_base = time_base
        self._graph: Any = None
        self._kind: tuple[int, int, str] | None = None
        self._missing = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return ("The video is interlaced, and this build of PyAV cannot deinterlace it.",) if self._missing else ()

    def frames(self, frame: Any) -> Iterator[Any]:
        """Yield the frames that are available after `frame`."""
        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and kind != self._kind:
            yield from self.rest()
        if self._graph is None and frame.interlaced_frame:
            self._open(kind)
        if self._graph is None:
            yield frame
            return
        if frame.pts is None:
            frame.time_base = self._time_base
        self._graph.vpush(frame)
        yield from self._ready()

    def rest(self) -> Iterator[Any]:
        """Yield the remaining frames, at the end."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph = None

    def _open(self, kind: tuple[int, int, str]) -> None:
        width, height, pixels = kind
        name = next((name for name in _FILTERS if name in self._av.filter.filters_available), None)
        self._missing = name is None
        if name is None:
            return
        graph = self._av.filter.Graph()
        source = graph.add_buffer(
            width=width, height=height, format=self._av.VideoFormat(pixels), time_base=self._time_base
        )
        graph.link_nodes(source, graph.add(name, _OPTIONS), graph.add("buffersink")).configure()
        self._graph, self._kind = graph, kind

    def _ready(self) -> Iterator[Any]:
        while True:
            try:
                frame = self._graph.vpull()
            except (self._av.error.BlockingIOError, self._av.error.EOFError):
                return
            if frame.pts is not None and frame.time_base:  # the filter counts in halves
                scale = Fraction(frame.time_base) / self._time_base
                frame.pts = round(frame.pts * scale)
                frame.duration = round((frame.duration or 0) * scale)
            frame.time_base = self._time_base
            yield frame
