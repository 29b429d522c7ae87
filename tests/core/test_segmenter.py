from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto

import eoam_core.session as session_module
from eoam_core.errors import InstallationError, ModelError
from eoam_core.model_file import ModelFile, read_model
from eoam_core.segmenter import NullSegmenter, OnnxSegmenter, Segmenter, read_model_info

from .doubles import HEIGHT, WIDTH, frame_with_person, save_network
from .system import home_variables


def test_bytes_go_in_and_a_mask_comes_out(network: Path) -> None:
    segmenter = OnnxSegmenter(network, height=HEIGHT, width=WIDTH)
    frame = frame_with_person()
    mask = segmenter.segment(frame)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, frame[..., 2])


def test_both_segmenters_keep_the_protocol(network: Path) -> None:
    assert isinstance(OnnxSegmenter(network, height=HEIGHT, width=WIDTH), Segmenter)
    assert isinstance(NullSegmenter(HEIGHT, WIDTH), Segmenter)


def test_the_null_segmenter_finds_nobody() -> None:
    mask = NullSegmenter(HEIGHT, WIDTH).segment(frame_with_person())
    assert mask.shape == (HEIGHT, WIDTH)
    assert not mask.any()


def test_masks_of_different_frames_do_not_share_memory(network: Path) -> None:
    segmenter = OnnxSegmenter(network, height=HEIGHT, width=WIDTH)
    first = segmenter.segment(frame_with_person())
    kept = first.copy()
    segmenter.segment(np.zeros((HEIGHT, WIDTH, 4), np.uint8))
    np.testing.assert_array_equal(first, kept)


def test_filters_with_one_network_share_it_and_leave_nothing_behind(network: Path) -> None:
    frames = [frame_with_person(), np.zeros((HEIGHT, WIDTH, 4), np.uint8)]
    segmenters = [OnnxSegmenter(network, height=HEIGHT, width=WIDTH) for _ in frames]
    assert segmenters[0]._session is segmenters[1]._session
    other = OnnxSegmenter(network, height=2 * HEIGHT, width=WIDTH)
    assert other._session is not segmenters[0]._session

    def work(number: int) -> list[np.ndarray]:
        return [segmenters[number].segment(frames[number]) for _ in range(200)]

    with ThreadPoolExecutor(2) as pool:
        for number, masks in enumerate(pool.map(work, (0, 1))):
            assert all((mask == frames[number][..., 2]).all() for mask in masks)
    for segmenter in (*segmenters, other):
        segmenter.close()
    assert not session_module._sessions


def test_a_network_that_takes_long_to_open_holds_up_no_other(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_file = save_network(tmp_path / "slow.onnx", metadata={"slow": "yes"})
    opens, may_end, opened = threading.Event(), threading.Event(), session_module._open

    def open_slowly(file: ModelFile, **named: object) -> object:
        if file.path == slow_file:
            opens.set()
            assert may_end.wait(60)
        return opened(file, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(session_module, "_open", open_slowly)
    # As if it were EOAM's own: a stranger's is tried out first, and so was never opened with the lock at that point.
    monkeypatch.setattr(session_module, "_try_out", lambda *_: None)
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(OnnxSegmenter, slow_file, height=HEIGHT, width=WIDTH) for _ in range(2)]
        try:
            assert opens.wait(60)
            quick = pool.submit(OnnxSegmenter, network, height=HEIGHT, width=WIDTH)
            assert quick.result(60).segment(frame_with_person()).any()
            assert not any(future.done() for future in slow)
        finally:
            may_end.set()
        first, second = (future.result(60) for future in slow)
    assert first._session is second._session, "the same network is opened once"


def _described(height: int | str, width: int | str, *, mask: tuple[object, ...] | None = None) -> SimpleNamespace:
    """Return what a session says of a network that has these dimensions."""
    frame = SimpleNamespace(name="frame", type="tensor(uint8)", shape=[1, height, width, 4])
    shape = [1, height, width] if mask is None else [1, *mask]
    output = SimpleNamespace(name="mask", type="tensor(uint8)", shape=shape)
    return SimpleNamespace(get_inputs=lambda: [frame], get_outputs=lambda: [output])


def test_an_older_onnxruntime_still_names_the_dimensions_that_were_given_a_size(network: Path) -> None:
    file = read_model(network)
    for session in (_described("height", "width"), _described(HEIGHT, WIDTH), _described(HEIGHT, "width")):
        session_module._check_contract(session, file, size=(HEIGHT, WIDTH))
    for session in (
        _described("width", "height"),
        _described("h", "w"),
        _described(HEIGHT, WIDTH + 1),
        _described("height", "width", mask=("height", WIDTH + 1)),
    ):
        with pytest.raises(ModelError, match="has unexpected inputs or outputs"):
            session_module._check_contract(session, file, size=(HEIGHT, WIDTH))


def test_a_replaced_file_is_another_network(network: Path, tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(network.read_bytes())
    first = OnnxSegmenter(file, height=HEIGHT, width=WIDTH)
    assert first._session is OnnxSegmenter(network, height=HEIGHT, width=WIDTH)._session
    save_network(file, metadata={"name": "another"})
    assert OnnxSegmenter(file, height=HEIGHT, width=WIDTH)._session is not first._session


def test_the_file_describes_itself(network: Path) -> None:
    info = read_model_info(network)
    assert (info.name, info.version) == ("red", "3")
    assert info.sha256 == hashlib.sha256(network.read_bytes()).hexdigest()
    assert info.size_bytes == network.stat().st_size
    assert info.metadata["licence"] == "none"
    assert OnnxSegmenter(network, height=HEIGHT, width=WIDTH).name == "red 3"


def test_a_file_that_says_nothing_is_named_after_itself(tmp_path: Path) -> None:
    assert read_model_info(save_network(tmp_path / "plain.onnx")).name == "plain"


def test_a_closed_segmenter_is_refused_and_can_be_closed_again(network: Path) -> None:
    segmenter = OnnxSegmenter(network, height=HEIGHT, width=WIDTH)
    segmenter.close()
    segmenter.close()
    with pytest.raises(RuntimeError, match="closed"):
        segmenter.segment(frame_with_person())


@pytest.mark.parametrize(("height", "width"), [(0, 16), (16, 17), (-16, 16)])
def test_a_size_that_does_not_fit_the_network_is_refused(network: Path, height: int, width: int) -> None:
    with pytest.raises(ValueError, match="need a positive multiple of 16"):
        OnnxSegmenter(network, height=height, width=width)


def test_fewer_than_one_thread_is_refused(network: Path) -> None:
    with pytest.raises(ValueError, match="threads is 0"):
        OnnxSegmenter(network, height=HEIGHT, width=WIDTH, threads=0)


@pytest.mark.parametrize(
    "change",
    [
        {"input_name": "input"},
        {"output_name": "alpha"},
        {"kind": TensorProto.FLOAT},
        {"channels": 3},
        {"height": 224, "width": 224},
    ],
    ids=str,
)
def test_a_foreign_network_is_refused_with_what_was_found_and_expected(tmp_path: Path, change: dict[str, int]) -> None:
    path = save_network(tmp_path / "foreign.onnx", **change)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as caught:
        OnnxSegmenter(path, height=HEIGHT, width=WIDTH)
    message = str(caught.value)
    assert str(path) in message
    assert "uint8 (1, height, width, 4)" in message
    assert "found" in message
    if "height" not in change:
        with pytest.raises(ModelError):
            read_model_info(path)


def _broken(path: Path, network: Path, kind: str) -> Path:
    if kind == "truncated":
        path.write_bytes(network.read_bytes()[:-40])
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("<html>not found</html>", encoding="utf-8")
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "folder", "missing"])
def test_a_file_that_is_no_network_is_one_clear_error(tmp_path: Path, network: Path, kind: str) -> None:
    path = _broken(tmp_path / "eoam.onnx", network, kind)
    for use in (read_model_info, lambda path: OnnxSegmenter(path, height=HEIGHT, width=WIDTH)):
        with pytest.raises(ModelError) as caught:
            use(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_missing_onnxruntime_names_the_command(monkeypatch: pytest.MonkeyPatch, network: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InstallationError, match=r"install it: .+"):
        OnnxSegmenter(network, height=HEIGHT, width=WIDTH)


def test_nothing_is_written_into_the_users_home(network: Path, tmp_path: Path) -> None:
    # onnxruntime's telemetry begins when it is imported, so this needs a process of its own.
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    code = "import sys; from eoam_core import OnnxSegmenter; OnnxSegmenter(sys.argv[1], height=16, width=32)"
    subprocess.run(
        [sys.executable, "-c", code, str(network)],
        env={**environment, **home_variables(home)},
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert list(home.rglob("*")) == []
