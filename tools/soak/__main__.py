"""Run the parts of the long test one after the other and write one report: `scripts/soak`.

A part is a module of tools/soak with `TITLE` and `run(plan) -> Part`; see report.py.
"""

from __future__ import annotations

import argparse
import importlib
import math
import platform
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.obs_driver.session import missing_programs, virtual_display
from tools.soak.report import Part, Plan, report

# The parts in the order they run in, and what share of the time each gets.
PARTS: Final = {
    "leaks": 4.0,
    "guard": 1.0,
    "starts": 1.5,
    "closing": 1.5,
    "endurance": 3.0,
    "hammer": 1.5,
    "load": 1.0,
}
_SHORTEST_MINUTES: Final = 0.5


def run_parts(names: Sequence[str], *, minutes: float, seed: int, folder: Path, display: str) -> list[Part]:
    """Run the parts with these names, of PARTS, within about so many minutes; each gets a folder below `folder`.

    An exception counts as that part's failure, and the others still run.
    """
    whole = sum(PARTS[name] for name in names)
    parts = []
    for name in names:
        own = folder / name
        own.mkdir()
        plan = Plan(display=display, folder=own, seconds=minutes * 60 * PARTS[name] / whole, seed=seed)
        parts.append(_run(name, plan))
    return parts


def _run(name: str, plan: Plan) -> Part:
    title = name
    began = time.monotonic()
    print(f"{name}: about {plan.seconds:.0f} s", file=sys.stderr, flush=True)
    try:
        module = importlib.import_module(f"soak_{name}")
        title = module.TITLE
        part: Part = module.run(plan)
    except Exception as error:
        traceback.print_exc()
        part = Part(title=title, figures={}, failures=[f"The part ended early: {type(error).__name__}: {error}"])
    print(f"{name}: {len(part.failures)} failures, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return part


def headline(minutes: float, seed: int) -> str:
    """Return the report's first lines: on what it ran."""
    version = subprocess.run(["obs", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = f"{len(models)} x {models[0]}" if models else platform.machine()
    return f"# The long test\n\n{version or 'OBS'}; {cpu}; {minutes:g} minutes asked for; seed {seed}.\n"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=(__doc__ or "").split("\n")[0])
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=30.0, help="how long, all parts together (default 30)")
    length.add_argument("--hours", type=float, help="the same in hours")
    parser.add_argument("--seed", type=int, help="of the order of the faults; drawn and printed if left out")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(PARTS), help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here, too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep recordings and logs here; it must be empty")
    args = parser.parse_args()
    minutes = args.hours * 60 if args.hours is not None else args.minutes
    if not (math.isfinite(minutes) and _SHORTEST_MINUTES <= minutes <= 10_000):
        parser.error(f"{minutes:g} minutes is not a time to test for; need {_SHORTEST_MINUTES:g} to 10000")
    if args.keep is not None and args.keep.exists() and (not args.keep.is_dir() or any(args.keep.iterdir())):
        parser.error(f"--keep: {args.keep} is not an empty folder")
    if missing := missing_programs():
        parser.error(f"not installed: {', '.join(missing)}; scripts/setup installs them on Debian")
    seed = args.seed if args.seed is not None else random.randrange(10_000)
    names = [name for name in PARTS if args.only is None or name in args.only]
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary, virtual_display() as display:
        folder = (args.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        parts = run_parts(names, minutes=minutes, seed=seed, folder=folder, display=display)
    text = f"{headline(minutes, seed)}\n{report(parts)}"
    print(text)
    if args.report is not None:
        args.report.write_text(text)
    return 1 if any(part.failures for part in parts) else 0


if __name__ == "__main__":
    raise SystemExit(main())
