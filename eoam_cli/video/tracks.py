"""Copy what a video has besides its pictures: sound, subtitles, chapters and titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eoam_cli.video.recording import is_cover
from eoam_cli.video.sound import Sound, can_hold, parameters_of, without_parameters

# Texts written about the video. Where and with what it was recorded is not copied.
_KEPT: Final = (
    "title",
    "artist",
    "album_artist",
    "author",
    "composer",
    "album",
    "comment",
    "description",
    "synopsis",
    "copyright",
    "genre",
    "date",
    "creation_time",
    "show",
    "episode_id",
    "language",
)
# The languages that have two codes (ISO 639-2): QuickTime knows the second one only.
_TWO_CODES: Final = (
    "bod/tib ces/cze cym/wel deu/ger ell/gre eus/baq fas/per fra/fre hye/arm isl/ice "
    "kat/geo mkd/mac mri/mao msa/may mya/bur nld/dut ron/rum slk/slo sqi/alb zho/chi"
)
_BIBLIOGRAPHIC: Final = dict(pair.split("/") for pair in _TWO_CODES.split())
_PREROLL_S: Final = 0.1  # of sound before the first audible one, needed by its decoder


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackPlan:
    """Decide what is done with the other tracks.

    Args:
        anew: the indices of the sound tracks that are always re-encoded.
        bare: leave all of them out.
        is_last: nothing can be rewritten, so tracks that do not fit are left out.
    """

    anew: frozenset[int] = frozenset()
    bare: bool = False
    is_last: bool = False


class TracksUnfit(Exception):
    """The output written with a plan is unusable; `plan` is the next plan to write all of it with."""

    def __init__(self, plan: TrackPlan) -> None:
        super().__init__(plan)
        self.plan = plan


class Tracks:
    """Write everything but the pictures into another container.

    Args:
        av: PyAV.
        output: the container to write, which has no header yet.
        source: the container that is read.
        video: the stream of it whose pictures are written.
        first: the first packets of the other streams, as far as known, by stream index.
        plan: what is done with them.
    """

    def __init__(
        self,
        av: Any,
        output: Any,
        source: Any,
        video: Any,
        first: Mapping[int, Sequence[Any]],
        *,
        plan: TrackPlan = TrackPlan(is_last=True),
    ) -> None:
        self._av = av
        self._output = output
        self._sounds: dict[int, Sound] = {}  # by the index in the source
        self._copied: dict[int, Any] = {}  # subtitles
        self._left_out: list[str] = []
        self._plan = plan
        _keep_words(source.metadata, output)
        if plan.bare:
            self._left_out.append(f"all other tracks and the chapters, since {output.format.name} cannot hold them")
            return
        self._keep_chapters(source)
        several = len(source.streams.audio) > 1
        for number, track in enumerate(source.streams.audio, 1):
            name = f"Sound track {number}{_language(track)}" if several else "The sound"
            anew = track.index in plan.anew
            sound = Sound(av, output, track, first.get(track.index, ()), name=name, anew=anew)
            self._sounds[track.index] = sound
            if sound.stream is not None:
                describe(track, sound.stream, output.format.name)
        for track in source.streams.subtitles:
            if track.codec_context is not None and can_hold(av, output, track, first.get(track.index, ())):
                self._copied[track.index] = output.add_stream_from_template(track)
                describe(track, self._copied[track.index], output.format.name)
            else:
                codec = track.codec.canonical_name if track.codec_context is not None else "its codec"
                self._left_out.append(f"subtitles{_language(track)}, since {output.format.name} cannot hold {codec}")
        others = [track for track in source.streams.video if track is not video]
        self._count("cover image", sum(map(is_cover, others)))
        self._count("additional video track", sum(not is_cover(track) for track in others))
        self._count("data track", sum(not _is_chapters(track, source) for track in source.streams.data))
        self._count("attached file", len(source.streams.attachments))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        left_out = (f"Left out: {', '.join(self._left_out)}.",) if self._left_out else ()
        return (*(note for sound in self._sounds.values() for note in sound.notes), *left_out)

    @property
    def is_empty(self) -> bool:
        """Return whether the container holds nothing but the pictures."""
        return not self._copied and all(sound.stream is None for sound in self._sounds.values())

    def write(self, packet: Any) -> None:
        """Process one packet of the source.

        Raises:
            TracksUnfit: its track can be copied up to here only.
        """
        if packet.is_discard and packet.pts is not None and packet.pts * packet.time_base < -_PREROLL_S:
            return  # cut by an editor, but still in the file
        if packet.stream.index in self._copied:
            target = self._copied[packet.stream.index]
            packet = packet if parameters_of(packet) is None else without_parameters(self._av, packet)
            packet.stream = target
            self._mux(packet)
            return
        index = packet.stream.index
        sound = self._sounds.get(index)
        if sound is not None:
            if not self._plan.is_last and not sound.fits(packet):
                raise TracksUnfit(replace(self._plan, anew=self._plan.anew | {index}))
            for ready in sound.packets(packet):
                if not self._mux(ready):
                    sound.refused()

    def finish(self) -> None:
        """Write the remaining packets."""
        for sound in self._sounds.values():
            for ready in sound.rest():
                if not self._mux(ready):
                    sound.refused()

    def _mux(self, packet: Any) -> bool:
        """Write one packet; return False if it is damaged; errors of the target are raised."""
        try:
            self._output.mux(packet)
        except (self._av.error.InvalidDataError, self._av.error.ArgumentError, ValueError):
            return False
        return True

    def _keep_chapters(self, source: Any) -> None:
        chapters = source.chapters()
        if not chapters:
            return
        if self._output.format.name == "rawvideo":
            self._count("chapter", len(chapters))
        else:
            self._output.set_chapters(chapters)

    def _count(self, what: str, count: int) -> None:
        if count:
            self._left_out.append(f"{count} {what}{'s' * (count != 1)}")


def _keep_words(words: Any, output: Any) -> None:
    for key, value in words.items():
        if key.lower() in _KEPT:
            output.metadata[key.lower()] = value


def describe(source: Any, target: Any, form: str) -> None:
    """Copy flags, language and name of the original track."""
    target.disposition = source.disposition
    title = source.metadata.get("title") or source.metadata.get("name")  # QuickTime calls it so
    if title:
        target.metadata["title"] = title
    if source.language and source.language != "und":
        language = str(source.language)
        target.metadata["language"] = _BIBLIOGRAPHIC.get(language, language) if form == "mov" else language


def _is_chapters(track: Any, source: Any) -> bool:
    """Return whether a data track is QuickTime's list of chapters, which FFmpeg already reports as chapters."""
    return bool(source.chapters()) and track.discard == type(track.discard).all


def _language(track: Any) -> str:
    return f" ({track.language})" if track.language and track.language != "und" else ""
