"""Networks: EOAM's own are known by their hash; the user's own read nothing else, keep to their share, and end."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import eoam_core.session as session_module
from eoam_core import model_file, model_path
from eoam_core.errors import ModelError
from eoam_core.model_file import read_model
from eoam_core.segmenter import OnnxSegmenter, read_model_info
from tools.fuzz.models import toy

from .confined import REPOSITORY, run

MODEL = REPOSITORY / "models" / "eoam.onnx"
Change = Callable[[Any], None]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the networks that come with EOAM, as a copy that a test may damage."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("eoam.onnx", "SHA256SUMS"):
        shutil.copy(MODEL.with_name(name), folder)
    monkeypatch.setattr(model_file, "model_folders", lambda: (folder, tmp_path / "none"))
    return folder


def _changed(tmp_path: Path, change: Change) -> Path:
    model = onnx.load_from_string(toy())
    change(model)
    path = tmp_path / "own.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        OnnxSegmenter(path, height=16, width=32)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable()
    return message


def test_the_toy_that_these_tests_change_works(tmp_path: Path) -> None:
    segmenter = OnnxSegmenter(_changed(tmp_path, lambda model: None), height=16, width=32)
    assert segmenter.segment(np.full((16, 32, 4), 200, np.uint8)).max() >= 199


def test_eoams_own_network_is_known_wherever_it_lies(bundle: Path, tmp_path: Path) -> None:
    assert read_model(MODEL).is_ours
    copy = tmp_path / "copy.onnx"
    shutil.copy(MODEL, copy)
    assert read_model(copy).is_ours
    assert not read_model(_changed(tmp_path, lambda model: None)).is_ours


@pytest.mark.parametrize("how", ["one bit", "another network", "no list", "not listed"])
def test_a_changed_network_of_eoams_is_refused_with_its_remedy(bundle: Path, how: str) -> None:
    path, sums = bundle / "eoam.onnx", bundle / "SHA256SUMS"
    if how == "one bit":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif how == "another network":
        path.write_bytes(toy())
    elif how == "no list":
        sums.unlink()
    else:
        sums.write_text(f"{'0' * 64}  other.onnx\n")
    message = _refused(path)
    assert "SHA256SUMS" in message
    assert "reinstall EOAM, or move your own network to another folder" in message


def test_exporting_anew_writes_the_list_that_the_network_is_compared_with(bundle: Path) -> None:
    from models.export import write_sums

    (bundle / "eoam.onnx").write_bytes(toy())
    _refused(bundle / "eoam.onnx")
    write_sums(bundle)
    assert read_model(bundle / "eoam.onnx").is_ours


def test_an_own_network_is_compared_with_an_own_list(tmp_path: Path) -> None:
    path = _changed(tmp_path, lambda model: None)
    sums = path.with_name("SHA256SUMS")
    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    assert not read_model(path).is_ours  # that it fits its list does not make it EOAM's
    sums.write_text(f"{'f' * 64}  {path.name}\n")
    assert "does not match SHA256SUMS beside it" in _refused(path)


def test_the_bytes_that_were_hashed_are_those_that_run(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bundle / "eoam.onnx"
    given: list[Any] = []
    whole = model_file._read

    def read_and_swap(file: Path) -> bytes:
        content = whole(file)
        path.write_bytes(toy())  # somebody exchanges it between the check and the use
        return content

    real = onnxruntime.InferenceSession

    def session(content: object, *arguments: Any, **options: Any) -> Any:
        given.append(content)
        return real(content, *arguments, **options)

    monkeypatch.setattr(model_file, "_read", read_and_swap)
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    segmenter = OnnxSegmenter(path, height=16, width=48)
    assert given
    assert all(isinstance(content, bytes) for content in given), "onnxruntime must get bytes and no name of a file"
    assert {hashlib.sha256(content).hexdigest() for content in given} == {segmenter.info.sha256}
    assert segmenter.info.sha256 == hashlib.sha256(MODEL.read_bytes()).hexdigest()


def _external(model: Any, location: str) -> None:
    tensor = next(one for one in model.graph.initializer if one.name == "kernel")
    tensor.ClearField("float_data")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="length", value="36")


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"])
def test_numbers_in_another_file_are_not_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(36))
    message = _refused(_changed(tmp_path, lambda model: _external(model, location)))
    assert "stores weights in another file" in message


def test_numbers_in_another_file_are_found_in_attributes_and_sparse_tensors(tmp_path: Path) -> None:
    def attribute(model: Any) -> None:
        _external(model, "x")
        tensor = next(one for one in model.graph.initializer if one.name == "kernel")
        model.graph.node.append(helper.make_node("Constant", [], ["more"], value=tensor))
        model.graph.initializer.remove(tensor)

    def sparse(model: Any) -> None:
        _external(model, "x")
        tensor = next(one for one in model.graph.initializer if one.name == "kernel")
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
        model.graph.initializer.remove(tensor)

    for change in (attribute, sparse):
        assert "stores weights in another file" in _refused(_changed(tmp_path, change))


def _loop(model: Any) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, [])],
    )
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    model.graph.initializer.append(yes)
    model.graph.node.append(helper.make_node("Loop", ["", "yes"], [], body=body))


def _function(model: Any) -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(helper.make_function("own", "f", ["x"], ["y"], identity, [helper.make_opsetid("", 13)]))


def _huge(model: Any) -> None:
    tensor = next(one for one in model.graph.initializer if one.name == "kernel")
    del tensor.dims[:]
    tensor.dims.extend([1 << 20, 1 << 20])


def _foreign(model: Any) -> None:
    model.opset_import.append(helper.make_opsetid("evil.corp", 1))
    model.graph.node.append(helper.make_node("Run", ["frame"], ["z"], domain="evil.corp"))


def _many(model: Any) -> None:
    model.graph.node.extend(helper.make_node("Identity", ["frame"], [f"n{number}"]) for number in range(5001))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_loop, "contains a loop or a branch"),
        (_function, "defines custom functions"),
        (_huge, "has an implausibly large tensor"),
        (_foreign, "needs operators from 'evil.corp'"),
        (_many, "has more than 5000 operators"),
    ],
)
def test_what_no_network_for_pictures_needs_is_refused(tmp_path: Path, change: Change, sentence: str) -> None:
    assert sentence in _refused(_changed(tmp_path, change))


def test_another_format_of_onnxruntimes_is_not_taken_for_onnx(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    # The mark of its own format at the fifth byte, inside of what is a text to protobuf.
    path.write_bytes(b"\x08\x08\x12\x04ORTM" + toy()[2:])
    try:
        OnnxSegmenter(path, height=16, width=32)
    except ModelError as error:
        assert "flatbuffer" not in str(error).lower()  # noqa: PT017


def test_a_network_that_takes_all_memory_gets_its_share(tmp_path: Path) -> None:
    def bomb(model: Any) -> None:
        shape = helper.make_tensor("shape", TensorProto.INT64, [2], [3000, 1 << 20])  # 12 GB
        model.graph.initializer.append(shape)
        model.graph.node.extend(
            [
                helper.make_node("ConstantOfShape", ["shape"], ["big"]),
                helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
                helper.make_node("Add", ["flat", "most"], ["sum"]),
            ]
        )
        cast = next(node for node in model.graph.node if node.output[0] == "mask")
        model.graph.node.remove(cast)
        model.graph.node.append(helper.make_node("Cast", ["sum"], ["mask"], to=TensorProto.UINT8))

    path = _changed(tmp_path, bomb)
    # In a process of its own, whose limit lies far above the share.
    code = (
        "import resource\nfrom eoam_core.segmenter import OnnxSegmenter\nfrom eoam_core.errors import ModelError\n"
        "try:\n    OnnxSegmenter(sys.argv[1], height=16, width=32)\n"
        "except ModelError as error:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, error)\n"
    )
    done = run(code, [path], mebibytes=32768)
    assert done.returncode == 0, done.stderr
    peak, _, message = done.stdout.partition(" ")
    assert "failed to run" in message
    assert int(peak) < 2500
    assert done.stderr == ""


def test_a_network_that_takes_too_long_is_stopped_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(model: Any) -> None:
        start = helper.make_tensor("start", TensorProto.FLOAT, [700, 700], [0.001] * 490_000)
        model.graph.initializer.append(start)
        names = ["start", *(f"p{number}" for number in range(2000))]
        model.graph.node.extend(helper.make_node("MatMul", [a, "start"], [b]) for a, b in itertools.pairwise(names))
        model.graph.node.append(helper.make_node("ReduceMax", [names[-1]], ["most"], keepdims=0))
        cast = next(node for node in model.graph.node if node.output[0] == "mask")
        model.graph.node.remove(cast)
        model.graph.node.append(helper.make_node("Add", ["flat", "most"], ["sum"]))
        model.graph.node.append(helper.make_node("Cast", ["sum"], ["mask"], to=TensorProto.UINT8))

    monkeypatch.setattr(session_module, "_FIRST_RUN_S", 0.3)
    path = _changed(tmp_path, slow)
    assert "takes more than 0.3 s per frame" in _refused(path)
    monkeypatch.setattr(session_module, "_open", None)  # nothing is opened for what is known to be too slow
    assert "takes more than 0.3 s per frame" in _refused(path)


@pytest.mark.parametrize("kind", ["pipe", "endless", "too large"])
def test_what_never_ends_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "own.onnx"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path = Path("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(model_file.MAX_BYTES + 1)
    assert ("larger than 256 MiB" if kind == "too large" else "it is not a file") in _refused(path)


def test_what_a_network_says_of_itself_is_one_harmless_line(tmp_path: Path) -> None:
    told = {"name": "\x1b[2Jred\n[EOAM] all is well\u202e", "version": "9" * 500, "a\nb": "c\x00d"}
    path = tmp_path / "own.onnx"
    path.write_bytes(toy(told))
    info = read_model_info(path)
    assert info.name == r"\x1b[2Jred\n[EOAM] all is well\u202e"
    assert len(info.version) == 60
    assert all(text.isprintable() for pair in info.metadata.items() for text in pair)


def test_a_home_of_nobody_is_the_name_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOAM_MODEL", "~nobody-of-this-name/x.onnx")
    assert model_path.default_model_path() == Path("~nobody-of-this-name/x.onnx")
