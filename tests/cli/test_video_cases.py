"""Files of users, kept beside the project, on which earlier versions failed."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

from .videos import convert, everything, pictures, transparent_pictures

CASES = Path(os.environ.get("EOAM_SHARED", Path(__file__).parents[3] / "shared")) / "cases"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not here (EOAM_SHARED names another place)"),
]


def test_a_trimmed_video_is_complete(out: Path) -> None:
    report = convert(CASES / "trim.mp4", out / "a.mp4", background="blur")
    assert (report.frames, report.notes) == (25, ())


def test_one_damaged_packet_costs_one_picture(out: Path) -> None:
    report = convert(CASES / "spoiled.avi", out / "a.webm")
    assert (report.frames, report.notes) == (49, ("The video is damaged: 1 frame was left out.",))


def test_opus_becomes_quicktime(out: Path) -> None:
    report = convert(CASES / "libopus.mkv", out / "a.mov")
    assert report.notes == ("The sound was re-encoded as aac: mov cannot hold opus.",)
    with av.open(str(out / "a.mov")) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]


def test_a_mirrored_video_is_the_mirror_of_the_other(out: Path) -> None:
    convert(CASES / "mirror.mp4", out / "mirror.mp4", background="color", make_pipeline=everything)
    convert(CASES / "whole.mp4", out / "whole.mp4", background="color", make_pipeline=everything)
    mirrored, whole = pictures(out / "mirror.mp4")[5].astype(int), pictures(out / "whole.mp4")[5].astype(int)
    assert np.abs(mirrored[:, ::-1] - whole).mean() < 3


def test_the_hidden_half_stays_hidden(out: Path) -> None:
    convert(CASES / "halfalpha.webm", out / "a.webm", make_pipeline=everything)
    alpha = transparent_pictures(out / "a.webm")[5][..., 3]
    shares = (alpha[:, :380] > 8).mean(), (alpha[:, 400:] > 247).mean()
    assert shares[0] < 0.001
    assert shares[1] > 0.95


def test_hdr_is_the_sdr_picture(out: Path) -> None:
    convert(CASES / "hlg.mov", out / "a.mp4", background="color", make_pipeline=everything)
    with av.open(str(out / "a.mp4")) as container:
        frame = next(iter(container.decode(video=0)))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
    with av.open(str(CASES / "halfalpha.webm")) as container:  # the same picture, in SDR
        sdr = next(iter(container.decode(video=0))).to_ndarray(format="rgb24")
    found = frame.reformat(width=640, height=360, format="rgb24", interpolation="AREA").to_ndarray()
    assert np.abs(found[:, 400:].astype(int) - sdr[:, 400:]).mean() < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm"])
def test_both_sound_tracks_are_there(out: Path, suffix: str) -> None:
    convert(CASES / "two.mkv", out / f"a{suffix}", background="blur")
    with av.open(str(out / f"a{suffix}")) as container:
        assert len(container.streams.audio) == 2


def test_all_pictures_of_an_animation_are_written(out: Path) -> None:
    report = convert(CASES / "anim.webp", out / "a.mov")
    assert (report.frames, report.notes) == (8, ())
