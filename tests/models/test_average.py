"""Averaging two trainings: what comes out lies between them, can be exported, and says where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

from safetensors.torch import save_file  # noqa: E402

from models.average import main  # noqa: E402
from models.checkpoint import load_weights, read_header, sha256_of  # noqa: E402
from models.data import DataError  # noqa: E402
from models.export import samples_seen  # noqa: E402
from models.net import Eoam, NetConfig  # noqa: E402

from .networks import randomised  # noqa: E402

TRAIN = {"batch": 4, "samples": 40}


def kept(path: Path, net: Eoam, step: int, ancestor: dict[str, object] | None = None) -> Path:
    header = {
        "net": net.config.to_dict(),
        "step": step,
        "train": TRAIN,
        "mix": {},
        "data_sha256": "d",
        "initialised_from": ancestor,
    }
    tensors = {f"average.{name}": weight.contiguous() for name, weight in net.state_dict().items()}
    save_file(tensors, path, {"eoam": json.dumps(header)})
    return path


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Path, Path]:
    config = NetConfig(stem=4, quarter=4, eighth=4, sixteenth=4)
    other = randomised(config)
    for weight in other.state_dict().values():
        weight.mul_(2).add_(1)  # none is what the first network has
    before = {"step": 3, "train": TRAIN, "mix": {}, "data_sha256": "d"}
    first = kept(tmp_path / "a.safetensors", randomised(config), 10, before)
    begun = {"step": 10, "train": TRAIN, "mix": {}, "data_sha256": "d"}  # older runs did not write what was before that
    return first, kept(tmp_path / "b.safetensors", other, 5, begun)


def test_the_average_lies_between_and_says_where_it_came_from(ends: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "new" / "c.safetensors"
    assert main([*map(str, ends), str(target), "--share", "0.25"]) == 0
    a, b, c = (load_weights(path).state_dict() for path in (*ends, target))
    assert set(a) == set(c)
    for name, weight in c.items():
        if weight.is_floating_point():
            assert not torch.equal(a[name], b[name])
            assert torch.allclose(weight, 0.75 * a[name] + 0.25 * b[name], atol=1e-6), name
    header = read_header(target)
    mixed = header["averaged_with"]
    assert isinstance(mixed, dict)
    assert (mixed["sha256"], mixed["share"], mixed["step"]) == (sha256_of(ends[0]), 0.75, 10)
    assert samples_seen(header) == 4 * (5 + 10 + 3)  # the first one's own beginning is not lost


def test_an_average_is_not_taken_for_a_run_that_can_go_on(ends: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "c.safetensors"
    assert main([*map(str, ends), str(target)]) == 0
    with pytest.raises(DataError, match="--init"):
        load_weights(target, prefix="net")


def test_the_ends_are_the_two_networks(ends: tuple[Path, Path], tmp_path: Path) -> None:
    for share, end in zip(("0", "1"), ends, strict=True):
        target = tmp_path / "c.safetensors"
        assert main([*map(str, ends), str(target), "--share", share]) == 0
        expected = load_weights(end).state_dict()
        assert all(torch.equal(expected[n], w) for n, w in load_weights(target).state_dict().items() if w.ndim)


def test_an_outline_that_only_the_second_has_is_taken_as_it_is(ends: tuple[Path, Path], tmp_path: Path) -> None:
    config = NetConfig(stem=4, quarter=4, eighth=4, sixteenth=4, half=4)
    second, target = kept(tmp_path / "o.safetensors", randomised(config), 5), tmp_path / "c.safetensors"
    assert main([str(ends[0]), str(second), str(target)]) == 0
    a, b, c = (load_weights(path).state_dict() for path in (ends[0], second, target))
    assert all(torch.equal(c[name], b[name]) for name in c if name.startswith("outline."))
    assert any(name not in a for name in c)
    assert torch.allclose(c["classify.weight"], (a["classify.weight"] + b["classify.weight"]) / 2)
    assert main([str(second), str(ends[0]), str(tmp_path / "d.safetensors")]) == 2  # nothing would be left of it


def test_rounds_that_only_the_second_has_are_weaker_in_the_mean(ends: tuple[Path, Path], tmp_path: Path) -> None:
    config = NetConfig(stem=4, quarter=4, eighth=4, sixteenth=4, sixteenth_rounds=2)
    second, target = kept(tmp_path / "r.safetensors", randomised(config), 5), tmp_path / "c.safetensors"
    assert main([str(ends[0]), str(second), str(target), "--share", "0.25"]) == 0
    b, c = (load_weights(path).state_dict() for path in (second, target))
    scales = [name for name in c if name.endswith(".scale")]
    assert len(scales) == 2
    assert all(torch.allclose(c[name], b[name] / 4) and b[name].any() for name in scales)
    rest = [name for name in c if ".rounds." in name and name not in scales]
    assert all(torch.equal(c[name], b[name]) for name in rest)
    assert main([str(second), str(ends[0]), str(tmp_path / "d.safetensors")]) == 2  # nothing would be left of them


@pytest.mark.parametrize("share", ["-0.1", "1.1", "nan"])
def test_a_share_out_of_range_is_named(
    ends: tuple[Path, Path], tmp_path: Path, share: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*map(str, ends), str(tmp_path / "c"), f"--share={share}"]) == 2
    assert f"--share is {share}" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_networks_of_different_shapes_are_refused(
    ends: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = kept(tmp_path / "o.safetensors", randomised(NetConfig()), 1)
    assert main([str(ends[0]), str(other), str(tmp_path / "c")]) == 2
    assert "different networks" in capsys.readouterr().err
    assert main([str(ends[0]), str(tmp_path / "missing"), str(tmp_path / "c")]) == 2
    assert "missing" in capsys.readouterr().err
