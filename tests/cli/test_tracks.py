"""Sound, subtitles, chapters and titles come along, or one line says what did not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eoam_cli.video.convert import convert_video
from eoam_cli.video.pipe import PipeOutput
from eoam_core.settings import Settings

from .videos import convert, moving, pictures, red_pipeline, spoiled, written

SOUNDS = [
    "libopus",
    "vorbis",
    "flac",
    "alac",
    "aac",
    "libmp3lame",
    "mp2",
    "ac3",
    "eac3",
    "wavpack",
    "tta",
    "dca",
    "pcm_s16le",
    "pcm_s24le",
    "pcm_f32le",
    "pcm_u8",
    "pcm_s16be",
    "pcm_mulaw",
    "adpcm_ms",
    "adpcm_ima_wav",
    "adpcm_ima_qt",
]
# what each container is written with where it cannot hold the sound
ANEW = {".mov": "aac", ".mp4": "aac", ".mkv": "opus", ".webm": "opus"}
# the canonical names of what is copied
COPIED = {
    ".mov": {"alac", "aac", "mp3", "mp2", "ac3", "eac3", "dts", "adpcm_ima_qt"}
    | {"pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_u8", "pcm_s16be", "pcm_mulaw"},
    ".webm": {"opus", "vorbis"},
}


def _with_sound(folder: Path, encoder: str, *, layout: str = "stereo") -> tuple[Path, str]:
    """Write a second of video with one track, in the first container that takes it, and return the sound's name."""
    for name in ("in.mkv", "in.mov", "in.avi", "in.nut"):
        path = folder / name
        try:
            with av.open(str(path), "w") as output:
                video: Any = output.add_stream("libx264" if name != "in.avi" else "mjpeg", rate=25)
                video.height, video.width, video.pix_fmt = 96, 128, "yuv420p" if name != "in.avi" else "yuvj420p"
                track: Any = output.add_stream(encoder, rate=48000, layout=layout, options={"strict": "-2"})
                context = track.codec_context
                resampler = av.AudioResampler(
                    format=context.format, layout=context.layout, rate=48000, frame_size=context.frame_size or 1024
                )
                for picture in moving(1) * 25:
                    output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
                output.mux(video.encode(None))
                tone = (np.sin(np.arange(48000) / 10) * 8000).astype(np.int16)
                samples = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
                samples.sample_rate, samples.pts, samples.time_base = 48000, 0, Fraction(1, 48000)
                for part in (*resampler.resample(samples), *resampler.resample(None)):
                    output.mux(track.encode(part))
                output.mux(track.encode(None))
        except av.codec.codec.UnknownCodecError:
            pytest.skip(f"this PyAV has no encoder {encoder}")
        except ValueError:
            continue
        with av.open(str(path)) as container:
            return path, container.streams.audio[0].codec.canonical_name
    pytest.fail(f"no container takes {encoder}")


def _level(path: Path, track: int = 0) -> tuple[float, float]:
    """Return how long a track's sound is, in seconds, and its mean loudness, of 1."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=48000)
        parts = [part.to_ndarray() for frame in container.decode(stream) for part in resampler.resample(frame)]
    samples = np.concatenate(parts, axis=1)
    return samples.shape[1] / 48000, float(np.sqrt((samples**2).mean()))


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("encoder", SOUNDS)
def test_every_sound_comes_into_every_container(tmp_path: Path, out: Path, encoder: str, suffix: str) -> None:
    source, codec = _with_sound(tmp_path, encoder)
    report = convert(source, out / f"a{suffix}", background="color")
    with av.open(str(out / f"a{suffix}")) as container:
        (found,) = [stream.codec.canonical_name for stream in container.streams.audio]
    if found == codec or (found, codec) == ("mp3", "mp2"):  # one entry of MP4 is for both
        assert report.notes == ()
    else:
        assert found == ANEW[suffix]
        (note,) = report.notes
        assert note.startswith(f"The sound was re-encoded as {found}: ")
        assert note.endswith(f" cannot hold {codec}.")
    assert found in (codec, "mp3") or codec not in COPIED.get(suffix, ())
    seconds, level = _level(out / f"a{suffix}")
    assert 0.9 < seconds < 1.1
    assert level == pytest.approx(_level(source)[1], rel=0.2)


def test_more_than_two_channels_are_kept(tmp_path: Path, out: Path) -> None:
    source, _ = _with_sound(tmp_path, "flac", layout="5.1")
    convert(source, out / "a.mov", background="color")
    with av.open(str(out / "a.mov")) as container:
        assert container.streams.audio[0].codec_context.channels == 6


def test_channels_that_no_encoder_takes_are_mixed_with_a_note(tmp_path: Path, out: Path) -> None:
    source, _ = _with_sound(tmp_path, "flac", layout="5.1(side)")
    report = convert(source, out / "a.webm", background="color")
    with av.open(str(out / "a.webm")) as container:
        assert container.streams.audio[0].codec_context.channels == 2
    assert report.notes == ("The sound was re-encoded as opus in stereo: webm cannot hold flac.",)


def _described(path: Path, *, subtitles: bool = True) -> Path:
    """Write two languages, the second the default, with titles, chapters and subtitles."""

    def describe(output: Any, video: Any) -> None:
        output.metadata.update({"title": "Evening", "artist": "Somebody", "location": "+40.7-074.0/"})
        first, second = output.streams.audio
        first.metadata.update({"language": "eng", "title": "Original"})
        second.metadata.update({"language": "deu", "title": "Kommentar"})
        first.disposition, second.disposition = 0, av.stream.Disposition.default
        names = enumerate(("One", "Two"))
        output.set_chapters(
            [
                {
                    "id": number,
                    "start": number * 500,
                    "end": number * 500 + 500,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": name},
                }
                for number, name in names
            ]
        )

    written(path, moving(25), sounds=["aac", "aac"], prepare=describe)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm"])
def test_all_tracks_with_their_flags_and_names_and_the_chapters_are_kept(
    tmp_path: Path, out: Path, suffix: str
) -> None:
    source = _described(tmp_path / "in.mkv")
    report = convert(source, out / f"a{suffix}", background="color")
    with av.open(str(out / f"a{suffix}")) as container:
        tracks = container.streams.audio
        assert [track.language for track in tracks] == ["eng", "ger" if suffix == ".mov" else "deu"]
        titles = [track.metadata.get("title") or track.metadata.get("name") for track in tracks]
        assert titles == ["Original", "Kommentar"]
        assert [bool(track.disposition & av.stream.Disposition.default) for track in tracks] == [False, True]
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One", "Two"]
        metadata = {key.lower(): value for key, value in container.metadata.items()}
    assert (metadata["title"], metadata["artist"]) == ("Evening", "Somebody")
    assert not [key for key in metadata if "location" in key]  # where somebody lives is not handed on
    assert len(report.notes) == (2 if suffix == ".webm" else 0)
    if suffix == ".webm":
        assert report.notes[1] == "Sound track 2 (deu) was re-encoded as opus: webm cannot hold aac."


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4", "in.mov"])
def test_words_in_an_old_encoding_are_no_reason_to_refuse_a_video(tmp_path: Path, out: Path, name: str) -> None:
    source = _described(tmp_path / name)
    content = source.read_bytes()
    for word in (b"Evening", b"Kommentar", b"Two"):
        assert word in content
        content = content.replace(word, word[:-1] + b"\xe9")
    source.write_bytes(content)
    report = convert(source, out / "a.mp4", background="color")
    assert (report.frames, report.notes) == (25, ())
    with av.open(str(out / "a.mp4")) as container:
        assert container.metadata["title"] == "Evenin\ufffd"
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One", "Tw\ufffd"]


def _with_subtitles(folder: Path) -> Path:
    (folder / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nGood evening\n\n", encoding="utf-8")
    whole = written(folder / "plain.mkv", moving(25))
    path = folder / "in.mkv"
    with av.open(str(whole)) as video, av.open(str(folder / "a.srt")) as text, av.open(str(path), "w") as output:
        inputs = [video.streams.video[0], text.streams.subtitles[0]]
        outputs = [output.add_stream_from_template(stream) for stream in inputs]
        outputs[1].metadata["language"] = "eng"
        for container, stream in ((text, outputs[1]), (video, outputs[0])):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    return path


def test_subtitles_are_kept_where_the_container_holds_them(tmp_path: Path, out: Path) -> None:
    report = convert(_with_subtitles(tmp_path), out / "a.mkv", background="color")
    assert report.notes == ()
    with av.open(str(out / "a.mkv")) as container:
        (track,) = container.streams.subtitles
        assert track.language == "eng"
        assert b"Good evening" in b"".join(bytes(packet) for packet in container.demux(track))


def test_subtitles_that_a_container_cannot_hold_are_named(tmp_path: Path, out: Path) -> None:
    report = convert(_with_subtitles(tmp_path), out / "a.mp4", background="color")
    assert report.notes == ("Left out: subtitles (eng), since mp4 cannot hold subrip.",)


def test_a_second_video_track_is_named(tmp_path: Path, out: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        streams: list[Any] = [output.add_stream("libx264", rate=25) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        streams[1].disposition = av.stream.Disposition.default
        for index, picture in enumerate(moving(10)):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(picture // (1 + streams.index(stream)), format="bgr24")
                frame.pts = index
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    report = convert(source, out / "a.mp4", view="side_by_side")
    assert report.notes == ("Left out: 1 additional video track.",)
    red = pictures(out / "a.mp4")[0][48, 32]
    assert 90 < red[0] < 160  # the darker one, which is the default


def test_a_track_of_data_and_an_attached_file_are_named(tmp_path: Path, out: Path) -> None:
    def attach(output: Any, _: Any) -> None:
        output.add_attachment("a.ttf", "application/x-truetype-font", b"a font")

    def with_timecode(output: Any, stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00:00"

    source = written(tmp_path / "in.mov", moving(5), prepare=with_timecode)
    assert convert(source, out / "a.mov").notes == ("Left out: 1 data track.",)
    source = written(tmp_path / "in.mkv", moving(5), prepare=attach)
    assert convert(source, out / "b.mov").notes == ("Left out: 1 attached file.",)


def test_chapters_are_not_called_a_track_of_data(tmp_path: Path, out: Path) -> None:
    def prepare(output: Any, _: Any) -> None:
        chapter = {"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}
        output.set_chapters([chapter])

    source = written(tmp_path / "in.mov", moving(5), prepare=prepare)
    with av.open(str(source)) as container:
        assert container.streams.data
        assert container.chapters()
    assert convert(source, out / "a.mov").notes == ()


def test_the_pictures_keep_their_name_and_language(tmp_path: Path, out: Path) -> None:
    def prepare(_: Any, stream: Any) -> None:
        stream.metadata.update(title="Camera 2", language="eng")

    convert(written(tmp_path / "in.mkv", moving(5), prepare=prepare), out / "a.mkv")
    with av.open(str(out / "a.mkv")) as container:
        (stream,) = container.streams.video
        assert (stream.metadata.get("title"), stream.language) == ("Camera 2", "eng")


@pytest.mark.parametrize("target", ["a.mov", "a.mkv"])
def test_damaged_sound_does_not_sink_the_video(tmp_path: Path, out: Path, target: str) -> None:
    whole = written(tmp_path / "in.mp4", moving(25), sounds=["flac"])
    source = spoiled(whole, tmp_path / "bad.mp4", first=2, count=3, stream=1)
    report = convert(source, out / target, background="color")
    assert report.frames == 25
    if target == "a.mov":
        assert "The sound is damaged: 3 packets of it are left out." in report.notes
    with av.open(str(out / target)) as container:
        assert len(container.streams.audio) == 1


def test_a_raw_pipe_says_what_it_leaves_out(tmp_path: Path) -> None:
    import io

    source = _described(tmp_path / "in.mkv")
    target = PipeOutput(io.BytesIO(), form="rawvideo")
    report = convert_video(source, target, settings=Settings(), make_pipeline=red_pipeline)
    assert report.notes == (
        "Sound track 1 (eng) was left out: rawvideo in a pipe cannot hold aac.",
        "Sound track 2 (deu) was left out: rawvideo in a pipe cannot hold aac.",
        "Left out: 2 chapters.",
    )
