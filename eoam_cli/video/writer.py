"""Write pictures, and everything else a video has, into a container."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoam_cli.video.colour_description import ColourDescription
from eoam_cli.video.encoding import Encoding
from eoam_cli.video.letterbox import letterboxed
from eoam_cli.video.tracks import Tracks, describe

Bytes = NDArray[np.uint8]

_FALLBACK_RATE: Final = Fraction(30)


class VideoWriter:
    """Write one video; the first picture opens its streams, and all others get its size and shape.

    Args:
        av: PyAV.
        output: PyAV's container to write.
        encoding: for the pictures.
        video: the source stream of the pictures.
        tracks: makes the object that copies everything else; called with the first picture.
    """

    def __init__(self, av: Any, output: Any, encoding: Encoding, video: Any, tracks: Callable[[], Tracks]) -> None:
        self._av = av
        self._output = output
        self._encoding = encoding
        self._video = video
        self._make_tracks = tracks
        self._tracks: Tracks | None = None
        self._waiting: list[Any] = []  # packets before the first picture: the header needs the picture's size
        self._stream: Any = None
        self._size = (0, 0)
        self._aspect = Fraction(1)
        self._colours: ColourDescription | None = None
        self._last_pts: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return () if self._tracks is None else self._tracks.notes

    @property
    def is_alone(self) -> bool:
        """Whether the container holds nothing but the pictures."""
        return self._tracks is None or self._tracks.is_empty

    def write_picture(self, picture: Bytes, original: Any, *, colours: ColourDescription, aspect: Fraction) -> None:
        """Encode a picture at its original frame's time.

        Args:
            picture: RGBA (h, w, 4) or BGR (h, w, 3) uint8.
            original: the frame.
            colours: the frame's colour description.
            aspect: a pixel's width relative to its height.
        """
        if self._stream is None:
            self._open(picture, colours, aspect)
        height, width = self._size
        picture = letterboxed(picture, height=height, width=width, aspect=aspect / self._aspect)
        frame = self._av.VideoFrame.from_ndarray(picture, format="rgba" if picture.shape[2] == 4 else "bgr24")
        if not self._encoding.is_rgb and self._colours is not None:
            frame = frame.reformat(
                format=self._encoding.pixel_format,
                dst_colorspace=self._colours.scaler_matrix,
                dst_color_range="MPEG",
            )
            # Some encoders write the first picture's values, not those they were opened with.
            frame.color_primaries, frame.color_trc = self._colours.primaries, self._colours.transfer
        elif frame.format.name != self._encoding.pixel_format:
            frame = frame.reformat(format=self._encoding.pixel_format)
        frame.pts = self._last_pts = self._next_pts(original)
        frame.time_base = self._video.time_base
        if getattr(original, "duration", 0):  # without it the last picture would have no duration
            frame.duration = original.duration
        self._output.mux(self._stream.encode(frame))

    def write_packet(self, packet: Any) -> None:
        """Process one packet of another of the source's streams."""
        if self._tracks is None:
            self._waiting.append(packet)
        else:
            self._tracks.write(packet)

    def finish(self) -> None:
        """Write the remaining output of the encoders."""
        self._output.mux(self._stream.encode(None))
        if self._tracks is not None:
            self._tracks.finish()

    def _open(self, picture: Bytes, colours: ColourDescription, aspect: Fraction) -> None:
        height, width = picture.shape[:2]
        if self._encoding.codec == "libx264":
            height, width = height + height % 2, width + width % 2  # 4:2:0 H.264 has no odd sizes
        self._size, self._aspect = (height, width), aspect
        self._tracks = self._make_tracks()
        stream = self._output.add_stream(
            self._encoding.codec, rate=self._video.average_rate or _FALLBACK_RATE, options=self._encoding.options
        )
        describe(self._video, stream, self._output.format.name)
        context = stream.codec_context
        context.height, context.width = height, width
        context.pix_fmt = self._encoding.pixel_format
        context.time_base = self._video.time_base
        if aspect != 1:
            context.sample_aspect_ratio = aspect
        if not self._encoding.is_rgb:
            self._colours = colours.written(height=height)
            context.colorspace = self._colours.matrix
            context.color_primaries, context.color_trc = self._colours.primaries, self._colours.transfer
            context.color_range = 1  # limited
        self._stream = stream
        for packet in self._waiting:
            self._tracks.write(packet)
        self._waiting = []

    def _next_pts(self, original: Any) -> int:
        """Return the frame's own time, or the next one if a broken file has none or one that does not rise."""
        if self._last_pts is None:
            return int(original.pts or 0)
        if original.pts is None:
            rate = self._video.average_rate or _FALLBACK_RATE
            return self._last_pts + max(1, round(float(1 / (rate * self._video.time_base))))
        return max(int(original.pts), self._last_pts + 1)
