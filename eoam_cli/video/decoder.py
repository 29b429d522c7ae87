"""Choose a video stream's decoder: FFmpeg's default decoder loses the transparency of WebM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from eoam_cli.video.display_matrix import Orientation
from eoam_cli.video.interlacing import Deinterlacer
from eoam_cli.video.pipe import ALONE
from eoam_core.errors import InstallationError
from eoam_core.installation import install_command

_WITH_ALPHA: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_ADDITIONAL: Final = "matroska_block_additional"
_ALPHA_ID: Final = (1).to_bytes(8, "big")  # the kind of block addition: a second picture, which is the alpha


class VideoDecoder:
    """Decode one stream; frames are whole pictures, deinterlaced, with their alpha.

    Args:
        av: PyAV.
        stream: of the source container.
    """

    def __init__(self, av: Any, stream: Any) -> None:
        self._av = av
        self._stream = stream
        self._deinterlacer = Deinterlacer(av, stream.time_base)
        # Slice threads: with frame threads a decoder reports errors later.
        stream.codec_context.options = {**stream.codec_context.options, "max_pixels": ALONE["max_pixels"]}
        self._context: Any = None
        self.orientation = Orientation()  # from the container, because frames of another decoder lack it

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        return self._deinterlacer.notes

    @property
    def context(self) -> Any:
        """The codec's context in PyAV."""
        return self._stream.codec_context if self._context is None else self._context

    @property
    def contexts(self) -> tuple[Any, ...]:
        """The codec's context, and the container's, which alone has the container's colour description."""
        return self.context, self._stream.codec_context

    def decoded(self, packet: Any) -> list[Any]:
        """Return the frames decoded for a packet, or at the end for None, as they are stored.

        Raises:
            av.error.FFmpegError, ValueError: the packet is damaged.
            InstallationError: this PyAV has no decoder for transparency, and the video is transparent.
        """
        if self._context is None:
            if packet is None:
                return []
            self._context = self._chosen(packet)
        frames: list[Any] = self._context.decode(packet)
        for frame in frames:
            frame.time_base = self._stream.time_base
        return frames

    def shown(self, frame: Any) -> Iterator[Any]:
        """Yield the complete pictures that are available after decoding `frame`."""
        return self._deinterlacer.frames(frame)

    def rest(self) -> Iterator[Any]:
        """Yield the remaining complete pictures, at the end."""
        return self._deinterlacer.rest()

    def _chosen(self, packet: Any) -> Any:
        codec = self._stream.codec.canonical_name
        if codec not in _WITH_ALPHA or not (_says_alpha(self._stream) or _has_alpha(packet)):
            return self._stream.codec_context
        name = _WITH_ALPHA[codec]
        try:
            context = self._av.CodecContext.create(name, "r")
        except (ValueError, self._av.error.FFmpegError) as error:
            raise InstallationError(
                f"This build of PyAV has no decoder {name}, so transparent parts of the video would be visible; "
                f"install the one from the package index: {install_command(['av>=17.1'])}"
            ) from error
        context.options = {"max_pixels": ALONE["max_pixels"]}
        self.orientation = self._asked(packet)
        return context

    def _asked(self, packet: Any) -> Orientation:
        """Return the orientation that the container sets on frames of its default decoder."""
        try:
            frames = self._stream.codec_context.decode(packet)
        except (self._av.error.FFmpegError, ValueError):
            return Orientation()  # the packet is damaged, which the other decoder will report
        return Orientation.of_frame(frames[0]) if frames else Orientation()


def _says_alpha(stream: Any) -> bool:
    return any(key.lower() == "alpha_mode" and value.strip() == "1" for key, value in stream.metadata.items())


def _has_alpha(packet: Any) -> bool:
    return addition(packet).startswith(_ALPHA_ID)


def addition(packet: Any) -> bytes:
    """Return a Matroska packet's block addition, including the eight bytes that give its kind, or nothing."""
    return bytes(packet.get_sidedata(_ADDITIONAL)) if packet.has_sidedata(_ADDITIONAL) else b""
