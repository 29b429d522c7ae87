"""Blocks that run several times, networks that start from another's weights, and the enlargement."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

import torch.nn.functional as F  # noqa: E402

from models import train as train_module  # noqa: E402
from models.checkpoint import start_from  # noqa: E402
from models.data import DataError  # noqa: E402
from models.export import quick_confidence_map  # noqa: E402
from models.net import Eoam, NetConfig, SeparableBlock, confidence_map, count_parameters, up2  # noqa: E402

from .networks import checkpoint_of, randomised  # noqa: E402

ROUNDS = train_module.VARIANTS["eoam"]


def test_the_network_that_is_trained_runs_its_blocks_several_times_for_a_scale_per_channel_each() -> None:
    assert ROUNDS.eighth_rounds > 1
    assert ROUNDS.sixteenth_rounds > 1
    more = 2 * 32 * (ROUNDS.eighth_rounds - 1) + 2 * 48 * (ROUNDS.sixteenth_rounds - 1)
    assert count_parameters(Eoam(ROUNDS)) == count_parameters(Eoam(NetConfig())) + more


def test_rounds_are_without_effect_at_first(tmp_path: Path) -> None:
    before = randomised(NetConfig())
    net = Eoam(ROUNDS)
    start_from(net, checkpoint_of(before, tmp_path / "c.safetensors"))
    frame = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        assert torch.equal(net.eval()(frame), before(frame))
        scale = net.fuse.rounds[0].scale
        assert isinstance(scale, torch.nn.Parameter)
        scale.fill_(0.5)
        assert not torch.allclose(net(frame), before(frame), atol=1e-3)


def test_a_round_learns_from_the_first_step_on() -> None:
    net = Eoam(ROUNDS).train()
    net(torch.rand(2, 3, 32, 32))[0].sum().backward()
    scales = [p for name, p in net.named_parameters() if name.endswith(".scale")]
    assert len(scales) == 6
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in scales)


def test_the_outline_is_without_effect_at_first_and_learns_from_the_first_step_on(tmp_path: Path) -> None:
    before = randomised(NetConfig())
    net = Eoam(NetConfig(half=8))
    start_from(net, checkpoint_of(before, tmp_path / "c.safetensors"))
    frame = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        assert torch.equal(net.eval()(frame), before(frame))
    net.train()(frame)[0].square().sum().backward()
    assert net.outline.out.weight.grad is not None
    assert net.outline.out.weight.grad.abs().max() > 0


def test_the_outline_sees_single_pixels_where_the_decoder_sees_cells() -> None:
    net = Eoam(NetConfig(half=8)).eval()
    torch.nn.init.normal_(net.outline.out.weight)
    stem = torch.rand(1, 16, 24, 24, requires_grad=True)
    cells = net.outline(stem, torch.rand(1, 32, 12, 12), torch.rand(1, 32, 6, 6))
    assert cells.shape == (1, 16, 12, 12)
    cells[0, 0, 6, 6].backward()  # one pixel of the picture
    assert stem.grad is not None
    rows, columns = (stem.grad.abs().sum((0, 1)) > 0).nonzero().unbind(1)
    for seen in (rows, columns):  # its cell's 2x2 pixels at 1/2 and one around them; a ReLU may be shut at a corner
        assert (int(seen.min()), int(seen.max())) == (11, 14)


def test_an_outline_that_the_network_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"another network \(it differs in outline"):
        start_from(Eoam(NetConfig()), checkpoint_of(Eoam(NetConfig(half=8)), tmp_path / "c.safetensors"))


def test_a_later_round_sees_further() -> None:
    net = randomised(NetConfig(eighth_rounds=1)), randomised(NetConfig(eighth_rounds=3))
    reach = []
    for block in (n.fuse for n in net):
        x = torch.rand(1, 32, 31, 31, requires_grad=True)
        block(x)[0, :, 15, 15].sum().backward()
        assert x.grad is not None
        reach.append(int((x.grad.abs().sum((0, 1, 2)) > 0).sum()))
    assert reach == [3, 3 + 4 + 6]  # 3x3, then 3x3 with gaps of 2 and of 3


def test_starting_from_weights_with_rounds_takes_them_over(tmp_path: Path) -> None:
    before = randomised()
    net = Eoam(ROUNDS)
    start_from(net, checkpoint_of(before, tmp_path / "c.safetensors"))
    frame = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(net.eval()(frame), before(frame))


@pytest.mark.parametrize(
    ("config", "differs"),
    [
        (NetConfig(quarter=48), "quarter"),
        (NetConfig(fusion="none"), "project_a"),
        (NetConfig(eighth_blocks=2), "eighth"),
        (train_module.VARIANTS["plus"], "quarter"),
    ],
)
def test_starting_from_another_network_is_refused(tmp_path: Path, config: NetConfig, differs: str) -> None:
    net = Eoam(ROUNDS)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(DataError, match=rf"another network \(it differs in {differs}.*--variant"):
        start_from(net, checkpoint_of(Eoam(config), tmp_path / "c.safetensors"))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def test_starting_from_more_rounds_than_the_network_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another network"):
        start_from(Eoam(NetConfig()), checkpoint_of(randomised(), tmp_path / "c.safetensors"))


def test_a_run_that_starts_from_nothing_that_is_there_ends_with_one_sentence(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(tiny_data), "--run", "t", "--samples", "4", "--batch", "2", "--workers", "0"]
    assert train_module.main([*words, "--init", str(runs / "none.safetensors")]) == 2
    assert "none.safetensors cannot be read" in capsys.readouterr().err


def test_only_a_block_that_keeps_its_shape_can_run_again() -> None:
    with pytest.raises(ValueError, match="rounds is 2"):
        SeparableBlock(16, 32, rounds=2)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 4)])
def test_the_enlargement_is_two_bilinear_ones_and_a_convolution(size: tuple[int, int]) -> None:
    net = randomised().double()  # in float32 the logits' size, up to 100, decides how far rounding takes them apart
    f = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected = F.conv2d(F.pad(up2(up2(f)), (1, 1, 1, 1), mode="replicate"), net.head.weight, net.head.bias)
        assert torch.allclose(F.pixel_shuffle(net.enlarge(f), 4), expected, atol=1e-5)


def test_the_confidence_map_is_one_minus_the_greatest_softmax_even_of_huge_logits() -> None:
    f_e = torch.randn(2, 3, 5, 7) * 4
    huge = torch.tensor([500.0, -500.0, 0.0]).view(1, 3, 1, 1)
    for find in (confidence_map, quick_confidence_map):
        assert torch.allclose(find(f_e), 1 - f_e.softmax(1).amax(1, keepdim=True), atol=1e-6)
        assert torch.equal(find(huge), torch.zeros(1, 1, 1, 1))


def test_a_wider_outline_gives_the_same_masks_at_first_and_its_new_channels_learn(tmp_path: Path) -> None:
    before = randomised(NetConfig(half=8))
    net = Eoam(NetConfig(half=16))
    start_from(net, checkpoint_of(before, tmp_path / "c.safetensors"))
    frame = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        assert torch.allclose(net.eval()(frame), before(frame), atol=1e-5)
    net.train()(frame)[0].square().sum().backward()
    gradient = net.outline.out.weight.grad
    assert gradient is not None
    assert gradient[:, 8:].abs().max() > 0
    with torch.no_grad():
        net.outline.out.weight[:, 8:].fill_(0.1)
        assert not torch.allclose(net.eval()(frame), before(frame), atol=1e-3)


def test_a_narrower_outline_or_another_width_elsewhere_is_refused(tmp_path: Path) -> None:
    wide = checkpoint_of(randomised(NetConfig(half=16)), tmp_path / "wide.safetensors")
    with pytest.raises(DataError, match="differs in outline"):
        start_from(Eoam(NetConfig(half=8)), wide)
    with pytest.raises(DataError, match="of another network"):
        start_from(Eoam(NetConfig(half=16, quarter=48)), wide)


def test_the_larger_variants_have_at_most_100_000_parameters() -> None:
    assert all(count_parameters(Eoam(train_module.VARIANTS[name])) <= 100_000 for name in ("plus", "plus_wide"))
