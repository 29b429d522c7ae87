"""Train the EOAM network on a CPU or a GPU; stop and go on at any time.

    python -m models.train --data ../shared/data --run first --samples 500000
    python -m models.train --data ../shared/data --run first --resume

Beside the checkpoints lie `curves.csv`, `curves.png` and a sheet of validation masks for each of them.

A checkpoint (`models/runs/NAME/last.safetensors`, also copied to `--keep FILE`) holds weights, their moving average,
the optimiser's state and, as JSON in its header, the configuration, the seed, the hash of the data and the validation
figures. There is no pickle in it.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

from eoam_core.geometry import STRIDE, network_size
from eoam_core.settings import Detail

from .augment import MixConfig, SampleMaker
from .checkpoint import (
    keep_checkpoint,
    load_optimiser,
    load_weights,
    read_header,
    save_checkpoint,
    sha256_of,
    start_from,
)
from .data import EXTRAS, DataError, TrainingSet, read_training_set
from .losses import EDGE_TARGETS, total_loss
from .net import CLASSES, FUSIONS, GATES, Eoam, NetConfig, count_parameters
from .ranks import Ranks, join, leave
from .sheet import save_sheet
from .teacher import open_teacher, teach
from .validation import Validation, record, sixteen_to_nine, to_input

RUNS = Path(__file__).parent / "runs"
# Sizes of the family; "plus" is for machines with CPU headroom.
_PLUS = NetConfig(
    stem=16,
    quarter=48,
    eighth=64,
    sixteenth=96,
    quarter_blocks=3,
    eighth_blocks=2,
    sixteenth_blocks=3,
    eighth_rounds=2,
    sixteenth_rounds=2,
    half=16,
)
VARIANTS = {
    "eoam": NetConfig(eighth_rounds=2, sixteenth_rounds=3),
    "plus": _PLUS,
    # 24 channels take as long as 32: onnxruntime computes them in blocks of 16 (of 8 without AVX-512).
    "plus_wide": replace(_PLUS, half=32),
}
ALONE = Ranks()
MOST_DRIFT = 1e-3  # between processes that train together: all start from the same weights and take the same steps
SQUARE, SMALL_SQUARE = 224, 160
UPRIGHT_SHARE = 0.1  # of the batches; wide ones have TrainConfig.wide_share, square ones the rest


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides the outcome of a run besides the data; saved in its checkpoints."""

    samples: int = 500_000
    batch: int = 32  # larger ones take fewer steps in the same time, and steps are what a small network needs
    rate: float = 4e-3  # peak of the one-cycle schedule; 21 K parameters bear a high one
    warmup: float = 0.03  # share of the run
    decay: float = 0.01  # AdamW, on dense convolutions only: depthwise kernels and affines must keep their scale
    average: float = 0.999  # moving average of the weights; what is evaluated and exported
    # Share of the run on smaller pictures, first: twice the samples for the same time while the coarse shape is learnt.
    small_share: float = 0.5
    wide_share: float = 0.4  # of the batches
    wide: int = 256  # columns of the input for 16:9, a multiple of 16, as eoam_core.geometry has it for the network
    # Settings' details, such as ("normal", "fine", "fine"): each batch has the size that the filter gives pictures of
    # its shape with one of them, drawn equally often; half of the square batches are 3:4 and upright then.
    details: tuple[str, ...] = ()
    teacher: float = 0.0  # weight of the teacher's mask in a photograph's target
    distil: float = 0.0  # weight of a larger network's mask, made anew for every sample, beside the target
    lovasz: float = 0.0  # the Lovasz hinge's part in the loss of the mask's overlap; the rest is the soft IoU's
    seed: int = 1
    edge: str = "hard"  # what the edge class of f_e learns, one of losses.EDGE_TARGETS
    extras: tuple[str, ...] = ()  # folders of data.EXTRAS that it learns from besides the usual ones

    @property
    def steps(self) -> int:
        """Number of optimiser steps of the whole run."""
        return max(1, self.samples // self.batch)

    @property
    def wide_size(self) -> tuple[int, int]:
        """(height, width) of the input for 16:9."""
        return sixteen_to_nine(self.wide)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of the batches that are square, wide and upright."""
        return 1 - UPRIGHT_SHARE - self.wide_share, self.wide_share, UPRIGHT_SHARE

    def sizes(self, step: int) -> tuple[tuple[int, int], ...]:
        """(height, width) of the square, the wide and the upright batches at a step, without `details`."""
        is_small = step < self.small_share * self.steps
        square = SMALL_SQUARE if is_small else SQUARE
        high, wide = sixteen_to_nine(self.wide * 3 / 4) if is_small else self.wide_size
        return (square, square), (high, wide), (wide, high)

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of the pictures of batch `index`."""
        draw = np.random.default_rng((self.seed, index, 1))
        shape = draw.choice(3, p=self.shares)
        if not self.details:
            return self.sizes(index)[shape]
        aspect = ((1, 1) if draw.random() < 0.5 else (3, 4), (16, 9), (9, 16))[shape]
        width, height = network_size(*aspect, Detail(draw.choice(self.details)))
        return height, width


def config_of(header: dict[str, object]) -> TrainConfig:
    """Return the configuration in a checkpoint's header; what was invented later is off in it."""
    values = dict(header["train"])  # type: ignore[call-overload]
    return TrainConfig(**{**values, **{name: tuple(values.get(name, ())) for name in ("details", "extras")}})


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number -> (BGR `(n, h, w, 3)` uint8, alpha `(n, h, w)` uint8): a pure function of seed and number."""

    def __init__(self, data: TrainingSet, config: TrainConfig, mix: MixConfig, ranks: Ranks = ALONE):
        self.maker = SampleMaker(data, mix)
        self.config = config
        self.ranks = ranks  # each process draws batches of its own, but all of one size

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        size = self.config.size(index)
        number, share = index * self.ranks.count + self.ranks.rank, self.ranks.share(self.config.batch)
        frames, alphas = self.maker.batch(self.config.seed, number, size, share)
        return torch.from_numpy(frames), torch.from_numpy(alphas)


class Onwards(Sampler[int]):
    """The batch numbers from `start` to `stop`, in order."""

    def __init__(self, start: int, stop: int):
        self.start, self.stop = start, stop

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(range(self.start, self.stop))

    def __len__(self) -> int:
        return self.stop - self.start


def rate_at(step: int, config: TrainConfig) -> float:
    """One-cycle learning rate: linear up, cosine down to a hundredth of the peak."""
    progress = step / config.steps
    if progress < config.warmup:
        return config.rate * (0.02 + 0.98 * progress / config.warmup)
    turn = (progress - config.warmup) / (1 - config.warmup)
    return config.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * turn)))


def make_optimiser(net: Eoam, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with weight decay on dense convolutions alone."""
    dense = [p for p in net.parameters() if p.ndim == 4 and p.shape[1] > 1]
    rest = [p for p in net.parameters() if not (p.ndim == 4 and p.shape[1] > 1)]
    return torch.optim.AdamW([{"params": dense, "weight_decay": config.decay}, {"params": rest, "weight_decay": 0.0}])


def blend(alpha: Tensor, larger: Eoam, pictures: Tensor, weight: float) -> Tensor:
    """Return the target `(n, 1, h, w)` blended, by `weight`, with the masks of a larger network in eval mode.

    Only where both agree on person or background: a wrong mask must not be learnt.
    """
    with torch.no_grad():
        opinion = torch.sigmoid(larger(pictures))
    agree = (opinion > 0.5) == (alpha > 0.5)
    return torch.where(agree, (1 - weight) * alpha + weight * opinion, alpha)


def train(args: argparse.Namespace) -> Path:
    """Run or resume a training, together with the other processes if torchrun started several.

    Returns the last checkpoint's path. Raises DataError.
    """
    ranks = join(args.device)
    try:
        return _train(args, ranks)
    finally:
        leave(ranks)


def _train(args: argparse.Namespace, ranks: Ranks) -> Path:
    last: Path = RUNS / args.run / "last.safetensors"
    config = TrainConfig(
        samples=TrainConfig.samples if args.samples is None else args.samples,
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
        small_share=args.small_share,
        teacher=args.teacher,
        distil=args.distil,
        lovasz=args.lovasz,
        edge=args.edge,
        wide=args.wide,
        wide_share=args.wide_share,
        details=tuple(args.details),
        extras=tuple(name for name in EXTRAS if name in args.extras),
    )
    if not 0 <= config.teacher <= 1:
        raise DataError(f"--teacher is {config.teacher}, need 0 (none) to 1 (the teacher alone).")
    if not 0 <= config.distil <= 1:
        raise DataError(f"--distil is {config.distil}, need 0 (none) to 1 (the larger network alone).")
    if not 0 <= config.lovasz <= 1:
        raise DataError(f"--lovasz is {config.lovasz}, need 0 (soft IoU alone) to 1 (the Lovasz hinge alone).")
    if config.wide < STRIDE or config.wide % STRIDE:
        raise DataError(f"--wide is {config.wide}, need a positive multiple of {STRIDE}.")
    if not 0 <= config.wide_share <= 1 - UPRIGHT_SHARE:
        raise DataError(f"--wide-share is {config.wide_share}, need 0 to {1 - UPRIGHT_SHARE} of the batches.")
    if not args.temperature > 0:
        raise DataError(f"--temperature is {args.temperature}, need more than 0 (1 is none).")
    if args.gated < CLASSES:
        raise DataError(f"--gated is {args.gated}, need at least {CLASSES} channels.")
    gate = {"fusion": args.fusion, "gate": args.gate, "temperature": args.temperature, "gated": args.gated}
    net_config, mix, start = replace(VARIANTS[args.variant], **gate), MixConfig().with_shares(args.mix), 0
    resume = last if last.is_file() else args.keep
    if args.resume:
        if resume is None or not resume.is_file():
            raise DataError(f"{last} does not exist: there is no run named {args.run} to resume (--run NAME).")
        header = read_header(resume)
        config = config_of(header)
        net_config = NetConfig(**header["net"])
        if args.mix and not args.remix:
            raise DataError("--mix changes the mix of a run that is resumed: say --remix as well.")
        mix = mix if args.remix else MixConfig.from_dict(header["mix"])
        start = int(header["step"])
        if args.samples is not None:
            config = replace(config, samples=args.samples)
            if config.steps < start:
                raise DataError(
                    f"--samples is {args.samples}, and run {args.run} has seen {start * config.batch}: give more."
                )
    elif last.is_file():
        raise DataError(f"{last} exists: go on with --resume, or name the new run otherwise (--run NAME).")

    device = ranks.device(args.device)
    ranks.share(config.batch)
    torch.set_num_threads(args.threads)
    # Before the first picture: a loader process forked from one whose OpenCV has threads waits for them for ever.
    cv2.setNumThreads(0)
    torch.manual_seed(config.seed)
    data = read_training_set(args.data, config.extras)
    teacher_sha256 = None
    if config.teacher:
        teacher = open_teacher(args.peers)
        teacher_sha256 = teacher.sha256
        if args.resume and header.get("teacher_sha256") != teacher_sha256:
            raise DataError(
                f"The teacher in {args.peers} is not the one that run {args.run} learned from (its files' hash "
                "differs): give the same files with --peers, or start a new run."
            )
        data = teach(data, teacher, config.teacher)
    larger, larger_sha256 = None, None
    if config.distil:
        if args.larger is None:
            raise DataError(f"--distil is {config.distil}, but --larger names no checkpoint to learn from.")
        larger, larger_sha256 = load_weights(args.larger).to(device), sha256_of(args.larger)
        if args.resume and header.get("larger_sha256") != larger_sha256:
            raise DataError(f"{args.larger} is not the network that run {args.run} learned from (its hash differs).")
    validation = Validation(args.data, wide=config.wide_size)
    net = Eoam(net_config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Eoam(net_config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if args.init and not args.resume:
        start_from(net, args.init)
    average.load_state_dict(net.state_dict())
    optimiser = make_optimiser(net, config)
    if args.resume:
        if header["data_sha256"] != data.sha256:
            raise DataError(
                f"{args.data} is not what run {args.run} was trained on (its hash differs): start a new run."
            )
        net.load_state_dict(load_weights(resume, prefix="net").state_dict())
        average.load_state_dict(load_weights(resume).state_dict())
        load_optimiser(resume, optimiser)
    remixed = list(header.get("remixed_at_step", [])) if args.resume else []
    remixed += [start] if args.resume and args.remix else []
    ancestry = header.get("initialised_from") if args.resume else None
    if args.init and not args.resume:
        first = read_header(args.init)
        ancestry = {key: first.get(key) for key in ("step", "train", "mix", "data_sha256", "initialised_from")}
    base = {
        "initialised_from": ancestry,
        "net": net_config.to_dict(),
        "mix": mix.to_dict(),
        "remixed_at_step": remixed,
        "train": asdict(config),
        "data_sha256": data.sha256,
        "teacher_sha256": teacher_sha256,
        "larger_sha256": larger_sha256,
    }
    if ranks.is_first:
        print(
            f"{count_parameters(net)} parameters, step {start} of {config.steps}, {ranks.count} x {device.type}, "
            f"data {data.sha256[:12]}",
            flush=True,
        )

    loader = DataLoader(
        Batches(data, config, mix, ranks),
        batch_size=None,
        sampler=Onwards(start, config.steps),
        num_workers=args.workers,
        prefetch_factor=6 if args.workers else None,
    )
    # What the last validation said, also in the checkpoints that are saved between two of them.
    figures = {name: value for name, value in header.items() if name.startswith("val_")} if args.resume else {}
    running, seen, began = 0.0, 0, time.monotonic()
    bar = tqdm(total=config.steps, initial=start, unit="step", disable=not sys.stderr.isatty() or not ranks.is_first)
    for step, (frames, alphas) in enumerate(loader, start):
        net.train()
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, config)
        alpha = alphas.to(device).float().div_(255)[:, None]
        pictures = to_input(frames, device)
        if larger is not None:
            alpha = blend(alpha, larger, pictures, config.distil)
        logits, f_e8, f_e4 = net(pictures)
        loss, _parts = total_loss(logits, f_e8, f_e4, alpha, lovasz=config.lovasz, edge=config.edge)
        if not torch.isfinite(loss):
            raise DataError(f"The loss is {loss.item()} at step {step}: lower --rate (now {config.rate}).")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average(p.grad for p in net.parameters() if p.grad is not None)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        ranks.average(net.buffers())
        keep = min(config.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - keep)
                else:
                    mean.copy_(value)
        running, seen = running + loss.item(), seen + 1
        bar.update()
        done = step + 1
        is_due = done % args.every == 0 or done == config.steps
        is_kept = is_due or (args.save and done % args.save == 0)
        if is_kept and (drift := ranks.drift(net.state_dict().values())) > MOST_DRIFT:
            raise DataError(f"The processes' networks differ by {drift:g} at step {done}: go on with --resume.")
        if is_due and ranks.is_first:
            figures = validation(average, device)
            pace = (time.monotonic() - began) / seen / config.batch * 1000
            line = " ".join(f"{k}={v}" for k, v in figures.items())
            tqdm.write(f"step={done}/{config.steps} loss={running / seen:.4f} {line} ms_per_sample={pace:.1f}")
            sys.stdout.flush()
            record(last.parent, {"step": done, "loss": running / seen, "rate": rate_at(step, config), **figures})
            save_sheet(validation.tiles(average, device), last.parent / f"masks-{done:06}.png")
            running, seen, began = 0.0, 0, time.monotonic()
        if is_kept and ranks.is_first:
            save_checkpoint(last, net, average, optimiser, done, {**base, **figures})
            if args.keep:
                keep_checkpoint(last, args.keep)
    bar.close()
    ranks.together()  # the last checkpoint is written
    return last


def finish(words: list[str]) -> Path:
    """Train the run that a command line's `words` describe, or what is left of it, and return its last checkpoint.

    A run that is finished is left as it is. Raises `DataError`.
    """
    args = make_parser().parse_args(words)
    last: Path = RUNS / args.run / "last.safetensors"
    state = "starting"
    if last.is_file():
        header = read_header(last)
        if header["step"] == config_of(header).steps:
            print(f"{args.run}: finished", flush=True)
            return last
        args.resume, args.mix, state = True, [], "going on"  # the checkpoint has its own mix
    print(f"{args.run}: {state}", flush=True)
    return train(args)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser; evaluation.experiments.ablation trains by the same options."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument(
        "--run",
        "--name",
        default="eoam",
        help="name of the run, a folder in models/runs; torchrun keeps --run for itself, --name does the same",
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run's last checkpoint stands")
    parser.add_argument(
        "--keep", type=Path, help="also copy every checkpoint here (and resume from it if the run is gone)"
    )
    parser.add_argument("--remix", action="store_true", help="with --resume: go on with this version's mix of samples")
    parser.add_argument(
        "--mix",
        nargs="+",
        default=[],
        metavar="NAME=SHARE",
        help="other shares of the kinds of sample than MixConfig's in models/augment.py, such as empty=0.2",
    )
    parser.add_argument(
        "--with",
        dest="extras",
        nargs="+",
        choices=EXTRAS,
        default=[],
        help="learn from these folders as well; a checkpoint names them, and --resume uses them again",
    )
    parser.add_argument("--variant", choices=VARIANTS, default="eoam")
    parser.add_argument(
        "--fusion", choices=FUSIONS, default="eoam", help="for comparison: evaluation.experiments.ablation"
    )
    parser.add_argument("--gate", choices=GATES, default=NetConfig.gate, help="the classes that CM is made of")
    parser.add_argument("--temperature", type=float, default=NetConfig.temperature, help="of the gate; 1 is none")
    parser.add_argument("--gated", type=int, default=NetConfig.gated, help="channels of f_a that the gate sees")
    parser.add_argument("--edge", choices=EDGE_TARGETS, default=TrainConfig.edge, help="what the edge class learns")
    parser.add_argument("--init", type=Path, help="start a new run from this checkpoint's averaged weights")
    parser.add_argument(
        "--samples",
        type=int,
        help=f"length of the whole run ({TrainConfig.samples} if not said); with --resume, a new length for it",
    )
    parser.add_argument("--batch", type=int, default=TrainConfig.batch)
    parser.add_argument("--rate", type=float, default=TrainConfig.rate)
    parser.add_argument("--seed", type=int, default=TrainConfig.seed)
    parser.add_argument("--teacher", type=float, default=TrainConfig.teacher, help="its weight in a target, 0 to 1")
    parser.add_argument("--distil", type=float, default=TrainConfig.distil, help="the larger network's weight, 0 to 1")
    parser.add_argument("--larger", type=Path, help="the larger network's checkpoint, of any variant")
    parser.add_argument("--lovasz", type=float, default=TrainConfig.lovasz, help="the Lovasz hinge's part, 0 to 1")
    parser.add_argument("--peers", type=Path, default=Path(__file__).parents[2] / "shared" / "peers")
    parser.add_argument("--small-share", type=float, default=TrainConfig.small_share)
    parser.add_argument("--wide", type=int, default=TrainConfig.wide, help="columns of the input for 16:9, such as 304")
    parser.add_argument(
        "--wide-share", type=float, default=TrainConfig.wide_share, help="share of the batches that are 16:9, 0 to 0.9"
    )
    parser.add_argument(
        "--details",
        nargs="+",
        choices=[detail.value for detail in Detail],
        default=[],
        help="train with the sizes that the filter has with these; one named twice is drawn twice as often. --wide is "
        "what the run is judged with then, and --small-share has no effect",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads on a CPU")
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    parser.add_argument("--every", type=int, default=500, help="steps between validations and checkpoints")
    parser.add_argument("--save", type=int, default=0, help="steps between checkpoints without a validation; 0 is none")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 with one sentence for anything the user can mend."""
    args = make_parser().parse_args(argv)
    try:
        print(f"wrote {train(args)}")
    except DataError as error:
        print(f"models.train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
