"""HDR, wide gamuts and unusual matrices come out as the same picture in SDR, and are named truly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eoam_cli.video.tone_mapping import rolled_off

from .videos import convert, everything, written

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])  # BT.2087
WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}


def _chart(height: int = 96, width: int = 128) -> Floats:
    """Return patches of many colours, R'G'B' of BT.709 from 0 to 1: (h, w, 3)."""
    dice = np.random.default_rng(4)
    patches = dice.uniform(0.05, 1, (6, 8, 3))
    patches[0] = np.linspace(0, 1, 8)[:, None]
    return np.repeat(np.repeat(patches, height // 6, 0), width // 8, 1)


def _pq(nits: Floats) -> Floats:
    power = (np.maximum(nits, 0) / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def _hlg(nits: Floats) -> Floats:
    display = np.maximum(nits, 0) / 1000
    luminance = np.maximum(display @ (0.2627, 0.6780, 0.0593), 1e-9)[..., None]
    scene = display * luminance ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def _yuv(rgb: Floats, matrix: int, *, full: bool = False, bits: int = 10) -> NDArray[np.uint16]:
    """Return (3, h, w) of R'G'B' from 0 to 1."""
    r, g, b = np.moveaxis(rgb, 2, 0)
    if matrix == 8:
        y, u, v = (r + 2 * g + b) / 4, (2 * g - r - b) / 4, (r - b) / 2
    else:
        kr, kb = WEIGHTS[matrix]
        y = kr * r + (1 - kr - kb) * g + kb * b
        u, v = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    top = 2**bits - 1
    step = 2 ** (bits - 8)
    if full:
        planes = np.stack([y * top, u * top + (top + 1) / 2, v * top + (top + 1) / 2])
    else:
        planes = np.stack([(y * 219 + 16) * step, (u * 224 + 128) * step, (v * 224 + 128) * step])
    return np.clip(np.rint(planes), 0, top).astype(np.uint16)


def _stored(
    path: Path, planes: NDArray[np.uint16], *, matrix: int, primaries: int, transfer: int, full: bool = False
) -> Path:
    """Write three pictures of 10 bits without loss."""
    frame: Any = av.VideoFrame(planes.shape[2], planes.shape[1], "yuv444p10le")
    for plane, content in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : content.shape[1]] = content
        plane.update(rows.tobytes())
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *planes.shape[1:], "yuv444p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        context.color_range = 2 if full else 1
        for number in range(3):
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _shown(source: Path, out: Path) -> tuple[Bytes, Any]:
    """Return a converted picture, all of which is kept, and how its colours are named."""
    report = convert(source, out / "a.mov", make_pipeline=everything)
    assert report.notes == ()
    with av.open(str(out / "a.mov")) as container:
        frame: Any = next(iter(container.decode(video=0)))
        tags = (frame.colorspace, frame.color_primaries, frame.color_trc)
        return frame.to_ndarray(format="rgb24"), tags


def _difference(source: Path, out: Path, chart: Floats) -> tuple[float, Any]:
    """Return by how many levels the picture is off, on average, and how its colours are named."""
    shown, tags = _shown(source, out)
    return float(np.abs(shown.astype(float) - chart * 255).mean()), tags


@pytest.mark.parametrize(("transfer", "curve"), [(16, _pq), (18, _hlg)], ids=["pq", "hlg"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_hdr_that_shows_an_sdr_picture_becomes_that_picture(
    tmp_path: Path, out: Path, transfer: int, curve: Callable[[Floats], Floats], full: bool
) -> None:
    chart = _chart()
    planes = _yuv(curve(chart**2.4 @ TO_BT2020.T * 203), 9, full=full)
    source = _stored(tmp_path / "in.mkv", planes, matrix=9, primaries=9, transfer=transfer, full=full)
    difference, tags = _difference(source, out, chart)
    assert difference < 1.5
    assert tags == (1, 1, 1)


@pytest.mark.parametrize("transfer", [1, 14, 15])
def test_sdr_in_bt2020_keeps_its_colours(tmp_path: Path, out: Path, transfer: int) -> None:
    chart = _chart()
    planes = _yuv((chart**2.4 @ TO_BT2020.T) ** (1 / 2.4), 9)
    source = _stored(tmp_path / "in.mkv", planes, matrix=9, primaries=9, transfer=transfer)
    difference, tags = _difference(source, out, chart)
    assert difference < 1.5
    assert tags == (1, 1, 1)


@pytest.mark.parametrize(("matrix", "written_as"), [(1, 1), (4, 6), (5, 6), (7, 1), (8, 1), (9, 1)])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
def test_every_matrix_and_range_is_known(tmp_path: Path, out: Path, matrix: int, written_as: int, full: bool) -> None:
    chart = _chart()
    source = _stored(
        tmp_path / "in.mkv", _yuv(chart, matrix, full=full), matrix=matrix, primaries=1, transfer=1, full=full
    )
    difference, tags = _difference(source, out, chart)
    assert difference < 1.5
    assert tags == (written_as, 1, 1)


def test_light_brighter_than_white_is_rolled_off_and_stays_apart(tmp_path: Path, out: Path) -> None:
    nits = np.repeat(np.repeat(np.array([[50, 100, 203, 400, 700, 1000]], float), 96, 0), 32, 1)
    planes = _yuv(np.repeat(_pq(nits)[..., None], 3, 2), 9)
    source = _stored(tmp_path / "in.mkv", planes, matrix=9, primaries=9, transfer=16)
    shown, _ = _shown(source, out)
    levels = shown[shown.shape[0] // 2, 16::32, 0].astype(int)
    assert (np.diff(levels)[:3] > 10).all(), levels
    assert (np.diff(levels)[3:] >= 0).all(), levels
    assert levels[-1] > 250
    assert abs(levels[0] - 255 * (50 / 203) ** (1 / 2.4)) < 8  # what is dark stays


def test_the_curve_is_the_identity_below_its_knee_and_ends_at_white() -> None:
    levels = np.linspace(0, 5, 1001)
    curved = rolled_off(levels, 5.0)
    assert (np.diff(curved) >= 0).all()
    assert curved[-1] == pytest.approx(1, abs=1e-6)
    assert curved[levels < 0.3] == pytest.approx(levels[levels < 0.3], abs=1e-6)


@pytest.mark.parametrize(("matrix", "kind"), [(10, "BT.2020 with constant luminance"), (14, "ICtCp")])
def test_what_cannot_be_converted_is_said_in_one_line(tmp_path: Path, out: Path, matrix: int, kind: str) -> None:
    planes = _yuv(_chart(), 9)
    source = _stored(tmp_path / "in.mkv", planes, matrix=matrix, primaries=9, transfer=16)
    report = convert(source, out / "a.mp4", background="blur")
    (note,) = report.notes
    assert kind in note
    assert report.frames == 3


@pytest.mark.parametrize(
    ("codec", "pixels"), [("png", "rgb24"), ("png", "gray"), ("qtrle", "rgb24"), ("mjpeg", "yuvj420p")]
)
def test_pictures_without_a_matrix_keep_their_levels(tmp_path: Path, out: Path, codec: str, pixels: str) -> None:
    grey = np.full((96, 128, 3), (100, 100, 100), np.uint8)
    source = written(tmp_path / "in.mov", [grey] * 2, codec=codec, pixels=pixels, options={})
    shown, _ = _shown(source, out)
    assert np.abs(shown.astype(int) - 100).max() <= 2


def test_the_primaries_of_sd_video_are_named_as_they_were(tmp_path: Path, out: Path) -> None:
    source = _stored(tmp_path / "in.mkv", _yuv(_chart(), 5), matrix=5, primaries=5, transfer=6)
    _, tags = _shown(source, out)
    assert tags == (6, 5, 6)
