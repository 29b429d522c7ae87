"""Run the targets, each in a process of its own with bounded memory; scripts/fuzz calls this.

A target names what it reads (a strategy of hypothesis) and checks what became of it. The process writes every input
down before it is used, so that one that takes the process down is found.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.fuzz.target import REPOSITORY, Target

MEMORY_MIB: Final = 6144  # of addresses, which is more than of memory
_SLOWEST_S: Final = 20.0  # of the processor's time, for one input
_GRACE_S: Final = 180.0  # detects endless waits, with a margin for a busy computer
_PER_SEED: Final = 20
PACKAGE: Final = "tools.fuzz"
_MODULES: Final = ("texts", "archives", "pictures", "videos", "models")


@dataclass(frozen=True)
class Outcome:
    """The result of a target: how many inputs it got, and the fault that ended it, or ""."""

    name: str
    inputs: int
    fault: str


def targets(package: str = PACKAGE) -> dict[str, Target]:
    """Return all targets of a package by name."""
    modules = (importlib.import_module(f"{package}.{name}") for name in _MODULES)
    return {target.name: target for module in modules for target in module.TARGETS}


def run(name: str, *, seconds: float, seed: int, package: str = PACKAGE) -> Outcome:
    """Run one target in a process of its own for some seconds."""
    with tempfile.TemporaryDirectory(prefix="eoam-fuzz-") as folder:
        command = [sys.executable, "-m", "tools.fuzz", "--child", name, "--seconds", str(seconds), "--seed", str(seed)]
        command += ["--package", package]
        with Path(folder, "output").open("wb") as output:
            child = subprocess.Popen(
                [*command, "--folder", folder], stdout=output, stderr=subprocess.STDOUT, cwd=REPOSITORY
            )
            try:
                code = child.wait(seconds + _GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                code = child.wait()
        said = Path(folder, "output").read_text(encoding="utf-8", errors="replace")
        state = Path(folder, "state")
        inputs, at = map(int, (state.read_text().split() if state.exists() else ["0", "0"]))
        if code == 0:
            return Outcome(name, inputs, "")
        again = f"scripts/fuzz --only {name} --seed {at}"
        why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        last = Path(folder, "input")
        shown = last.read_bytes()[:400] if last.exists() else b""
        return Outcome(name, inputs, f"{name}: {why}\nagain: {again}\nlast input: {shown!r}\n{said[-6000:]}")


def _child(target: Target, folder: Path, seconds: float, seed: int) -> int:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up = time.monotonic() + seconds
    count = 0

    def round_of(seed: int) -> None:
        @seeded(seed)
        @settings(
            max_examples=_PER_SEED,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(target.strategy())
        def once(value: Any) -> None:
            nonlocal count
            count += 1
            Path(folder, "state").write_text(f"{count} {seed}")
            shown = value if isinstance(value, bytes) else repr(value).encode("utf-8", "replace")
            Path(folder, "input").write_bytes(shown)
            start = time.process_time()
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                target.check(value, Path(scratch))
            took = time.process_time() - start
            assert took < _SLOWEST_S, f"it took {took:.0f} s"

        once()

    while time.monotonic() < give_up:
        try:
            round_of(seed)
        except BaseException:  # a decoder's library may raise something other than an Exception
            traceback.print_exc()
            return 1
        seed += 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all targets, or those that are named, and print the results."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all of them together (5)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where to begin (the time)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these targets")
    parser.add_argument("--list", action="store_true", help="name the targets")
    for hidden, kind in (("--child", str), ("--seconds", float), ("--folder", Path), ("--package", str)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    parser.set_defaults(package=PACKAGE)
    options = parser.parse_args(arguments)
    known = targets(options.package)
    if options.child:
        return _child(known[options.child], options.folder, options.seconds, options.seed)
    if options.list:
        print("\n".join(known))
        return 0
    wanted = options.only or list(known)
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        parser.error(f"there is no target {unknown[0]!r}; there are {', '.join(known)}")
    outcomes = _all(wanted, options.minutes * 60 / len(wanted), options.seed)
    print(f"\n{sum(one.inputs for one in outcomes)} inputs, {sum(bool(one.fault) for one in outcomes)} faults")
    return 1 if any(one.fault for one in outcomes) else 0


def _all(wanted: Iterable[str], seconds: float, seed: int) -> list[Outcome]:
    outcomes = []
    for name in wanted:
        outcome = run(name, seconds=seconds, seed=seed)
        print(f"{name:<12} {outcome.inputs:>8} inputs  {outcome.fault or 'no fault'}", flush=True)
        outcomes.append(outcome)
    return outcomes
