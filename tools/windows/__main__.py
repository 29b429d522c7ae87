"""Run the project's tests on Windows' Python and libobs under Wine: scripts/test-windows.

Exit code 0 if everything passed, 1 if something failed, 3 if something that is needed cannot be had.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tools.display import DisplayError, virtual_display
from tools.windows.errors import WindowsToolError
from tools.windows.fetch import cache
from tools.windows.python import windows_python
from tools.windows.stage import Outcome, Workplace
from tools.windows.wine import Wine

# In this order; each is the module stage_NAME with a function `run`.
STAGES: Final = {
    "python": "the core's, the command line's and the installer's tests on Windows' Python",
    "filter": "the filter in Windows' libobs, on Direct3D 11 and OpenGL",
    "scripting": "OBS's own script host",
    "installer": "the installer",
}


def main() -> int:
    """Run the stages that are named, or all."""
    parser = argparse.ArgumentParser(prog="scripts/test-windows", description="Test on Windows' Python and libobs.")
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"which of {', '.join(STAGES)}; all if none is named"
    )
    parser.add_argument("--libobs", default="", metavar="VERSION", help="this version of pylibobs, not the pinned one")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what the stages write here")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.stages if name not in STAGES]
    if unknown:
        print(f"There is no stage {unknown[0]!r}; there are {', '.join(STAGES)}.", file=sys.stderr)
        return 3
    began = time.monotonic()
    try:
        failed = _run(arguments.stages or list(STAGES), arguments.libobs, arguments.keep)
    except (WindowsToolError, DisplayError) as error:
        print(error, file=sys.stderr)
        return 3
    megabytes = sum(file.stat().st_size for file in (cache() / "downloads").iterdir()) / 1e6
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes; {megabytes:.0f} MB of downloads in the cache")
    return 1 if failed else 0


def _run(stages: list[str], libobs: str, keep: Path | None) -> bool:
    with tempfile.TemporaryDirectory(prefix="eoam-windows-") as temporary, virtual_display() as display:
        folder = keep.resolve() if keep is not None else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wine = Wine(prefix=Path(temporary) / "prefix", display=display, python=windows_python())
        wine.make_prefix()
        try:
            results = [_run_stage(name, wine, folder / name, libobs) for name in stages]
            return not all(results)
        finally:
            wine.end()


def _run_stage(name: str, wine: Wine, folder: Path, libobs: str) -> bool:
    print(f"\n== {STAGES[name]}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.monotonic()
    stage = importlib.import_module(f"tools.windows.stage_{name}")
    outcome: Outcome = stage.run(Workplace(wine=wine, folder=folder, libobs=libobs))
    for note in outcome.notes:
        print(note)
    for sentence in outcome.skipped:
        print(f"skipped: {sentence}")
    for sentence in outcome.failed:
        print(f"FAILED: {sentence}")
    print(
        f"{name}: {outcome.passed} passed, {len(outcome.failed)} failed, {len(outcome.skipped)} skipped in "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    return not outcome.failed and outcome.passed > 0


if __name__ == "__main__":
    raise SystemExit(main())
