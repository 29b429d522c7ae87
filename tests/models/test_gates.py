"""The forms of the gate: what each lets through, and their comparison from one trained network.

Slow: it trains every form of the gate for a moment: a form that does not train would be found after hours.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch==2.13.0")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor  # noqa: E402

from models import gates  # noqa: E402
from models import train as train_module  # noqa: E402
from models.checkpoint import read_header, start_from  # noqa: E402
from models.data import read_pairs, validation_ids  # noqa: E402
from models.export import export  # noqa: E402
from models.losses import EDGE_CLASS_WEIGHT, class_loss, class_shares, class_targets  # noqa: E402
from models.net import BACKGROUND, EDGE, PORTRAIT, Eoam, NetConfig, confidence_map  # noqa: E402

from .networks import checkpoint_of, randomised  # noqa: E402

USUAL = train_module.VARIANTS["eoam"]
FORMS = [replace(USUAL, gate="two"), replace(USUAL, temperature=2.0), replace(USUAL, gated=8)]


def test_where_the_edge_class_is_sure_the_gate_of_three_is_closed_and_that_of_two_is_open() -> None:
    f_e = torch.zeros(1, 3, 1, 2)
    f_e[0, EDGE, 0, 0] = 20  # on the outline
    f_e[0, PORTRAIT, 0, 1] = 20  # inside
    three, two = (confidence_map(Eoam(replace(USUAL, gate=gate)).gate_logits(f_e)) for gate in ("three", "two"))
    assert three[0, 0, 0].tolist() == pytest.approx([0, 0], abs=1e-4)
    assert two[0, 0, 0].tolist() == pytest.approx([0.5, 0], abs=1e-4)


def test_the_gate_of_two_asks_portrait_and_background() -> None:
    f_e = torch.arange(3.0)[None, :, None, None]
    logits = Eoam(replace(USUAL, gate="two", temperature=4.0)).gate_logits(f_e)
    assert logits.flatten().tolist() == [PORTRAIT / 4, BACKGROUND / 4]


def test_a_higher_temperature_opens_the_gate() -> None:
    f_e = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3
    cold, warm = (confidence_map(Eoam(replace(USUAL, temperature=t)).gate_logits(f_e)) for t in (1.0, 2.0))
    assert (warm > cold).all()


def test_more_gated_channels_give_the_same_masks_at_first_and_learn(tmp_path: Path) -> None:
    before, net = randomised(USUAL), Eoam(replace(USUAL, gated=8))
    start_from(net, checkpoint_of(before, tmp_path / "c.safetensors"))
    frame = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        assert torch.allclose(net.eval()(frame), before(frame), atol=1e-5)
    net.train()(frame)[0].square().sum().backward()
    assert net.mix_a.weight.grad is not None
    assert (net.mix_a.weight.grad[:, 3:].abs().amax((0, 2, 3)) > 0).any()


@pytest.mark.parametrize("config", FORMS, ids=["two", "temperature", "gated"])
def test_every_form_is_exported_as_trained(config: NetConfig, tmp_path: Path) -> None:
    target = tmp_path / "net.onnx"
    export(checkpoint_of(randomised(config), tmp_path / "c.safetensors"), target)  # refuses if the graph differs
    assert target.is_file()


@pytest.mark.parametrize("wrong", [{"gate": "one"}, {"temperature": 0.0}, {"gated": 2}])
def test_a_form_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NetConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("option", "value"), [("--temperature", "0"), ("--temperature", "nan"), ("--gated", "2")])
def test_an_option_that_makes_no_sense_is_named(
    tiny_data: Path, runs: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert train_module.main(["--data", str(tiny_data), "--run", "t", option, value]) == 2
    assert f"{option} is {value}" in capsys.readouterr().err


def test_without_f_a_only_what_the_gate_lets_through_is_missing() -> None:
    net, frame = randomised(USUAL), torch.rand(1, 3, 48, 80)
    with torch.no_grad():
        net.project_a.bn.bias.fill_(3)
        net.bn_e.weight.fill_(0.1)  # unsure everywhere: the gate is open
        net.bn_e.bias.zero_()
    blind, closed = gates.without_detail(net), randomised(replace(USUAL, fusion="none"))
    closed.load_state_dict(net.state_dict(), strict=False)
    with torch.no_grad():
        assert torch.allclose(blind(frame), closed(frame), atol=1e-5)
        assert not torch.allclose(blind(frame), net(frame), atol=1e-3)


def square() -> Tensor:
    alpha = torch.zeros(1, 1, 64, 64)
    alpha[..., 18:46, 18:46] = 1
    return alpha


def test_a_soft_edge_is_half_an_edge_and_none_is_portrait_or_background() -> None:
    targets = class_targets(square(), 4, 3)
    hard, soft, none = (class_shares(square(), 4, 3, edge) for edge in ("hard", "soft", "none"))
    assert torch.equal(hard, F.one_hot(targets, 3).permute(0, 3, 1, 2).float())
    edge = targets == EDGE
    assert torch.allclose(soft.sum(1), torch.ones_like(soft[:, 0]))
    assert (soft[:, EDGE][edge] == 0.5).all()
    assert (soft[:, EDGE][~edge] == 0).all()
    assert not none[:, EDGE].any()
    assert torch.equal(none[:, PORTRAIT][~edge], hard[:, PORTRAIT][~edge])
    assert set(none.unique().tolist()) == {0, 1}


def test_the_loss_of_hard_shares_is_the_usual_cross_entropy() -> None:
    weights = torch.ones(3)
    weights[EDGE] = EDGE_CLASS_WEIGHT
    f_e = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    usual = F.cross_entropy(f_e, class_targets(square(), 4, 3), weights)
    assert class_loss(f_e, class_shares(square(), 4, 3, "hard"), weights).item() == pytest.approx(
        usual.item(), rel=1e-5
    )


def test_the_forms_are_continued_from_one_network_and_compared_picture_by_picture(
    tiny_data: Path,
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    init, table = checkpoint_of(randomised(USUAL), tmp_path / "init.safetensors"), tmp_path / "t.md"
    forms = ["portrait and background alone", "edge class with a soft target", "8 channels of f_a"]
    words = ["--data", str(tiny_data), "--init", str(init), "--samples", "64", "--every", "1", "--workers", "0"]
    words += ["--seeds", "1", "--table", str(table), "--forms", *forms]
    assert gates.main(words) == 0
    text = table.read_text()
    assert text in capsys.readouterr().out
    rows = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()[4:]}
    assert list(rows) == [gates.AS_IT_IS, *forms]
    assert all(line.count("|") == 8 for line in rows.values())
    header = read_header(runs / gates.run_name(forms[0], 1, 64, init) / "last.safetensors")
    assert header["net"]["gate"] == "two"
    soft = read_header(runs / gates.run_name(forms[1], 1, 64, init) / "last.safetensors")
    assert soft["train"]["edge"] == "soft"

    def never(_: object) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(train_module, "train", never)
    assert gates.main(words) == 0


def test_judging_is_by_the_validation_portraits_and_f_a_counts_if_it_does(tiny_data: Path) -> None:
    people = read_pairs(tiny_data / "eg1800_train", keep=validation_ids(tiny_data))
    scores = gates.judge(randomised(USUAL), people)
    assert scores.shape == (2, 2)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_missing_first_network_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.main(["--init", str(tmp_path / "none.safetensors")]) == 2
    assert "--init FILE" in capsys.readouterr().err
