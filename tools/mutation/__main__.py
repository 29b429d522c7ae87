"""Run the tests without an OBS on every mutant of the frame path, and list those that nothing noticed.

    python -m tools.mutation                       all modules; an hour of one core
    python -m tools.mutation filter pace           these
    python -m tools.mutation --results FILE.jsonl  where each result is kept at once: a run that was stopped goes on

Each mutant gets a process of its own, forked from one that has imported the libraries. A mutant that a test fails on,
or that does not end in time, is killed; one that all tests pass survives: a test is missing, or it changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

from tools.mutation.mutants import Mutant, mutants

_ROOT: Final = Path(__file__).resolve().parents[2]
_LONGEST_S: Final = 60.0
_SHORTEST_S: Final = 5.0
_TIMES: Final = 4.0  # as long as the tests take without a mutant
# The tests that look at a module, the quickest to notice first; those without an OBS only.
_COMMON: Final = ("tests/obs/test_parts.py", "tests/obs_live/test_load.py")
_TESTS: Final[dict[str, tuple[str, ...]]] = {
    "filter": ("tests/obs/test_filter.py", *_COMMON),
    "matting": ("tests/obs/test_matting.py", *_COMMON),
    "gpu": ("tests/obs/test_gpu.py", *_COMMON),
    "drawing": ("tests/obs/test_parts.py", "tests/obs/test_colour_spaces.py", "tests/obs/test_effects.py"),
    "pace": ("tests/obs_live/test_load.py", "tests/obs/test_panel_parts.py", "tests/obs/test_parts.py"),
    "watch": ("tests/obs/test_watch.py", "tests/obs/test_panel_parts.py"),
    "stored": ("tests/obs/test_panel_parts.py", "tests/obs/test_script_panel.py"),
}
_LIBRARIES: Final = ("numpy", "cv2", "pytest", "onnx")  # none that starts threads, which a fork would not have


def _room(module: str) -> str:
    return "source" if module in ("watch", "stored") else "frame"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives a module's mutant in its place."""

    def __init__(self, module: str, code: CodeType) -> None:
        self._module, self._code = module, code

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Find the one module."""
        return importlib.util.spec_from_loader(name, self) if name == self._module else None

    def get_source(self, fullname: str) -> str | None:
        """Say that there is none: the lines are those of the tree."""
        return None

    def get_code(self, fullname: str) -> CodeType:
        """Return the mutant."""
        return self._code

    def exec_module(self, module: ModuleType) -> None:
        """Execute the mutant."""
        module.__file__ = self._code.co_filename
        exec(self._code, vars(module))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the score of each module and the survivors; 1 if the tests do not even pass without a mutant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=[*_TESTS], metavar="MODULE", help=", ".join(_TESTS))
    parser.add_argument("--results", type=Path, default=Path("mutants.jsonl"), help="one line for each mutant")
    parser.add_argument("--again", action="store_true", help="run those again that survived")
    options = parser.parse_args(arguments)
    for name in _LIBRARIES:
        importlib.import_module(name)
    known = _known(options.results, again=options.again)
    for module in options.modules:
        file = _ROOT / "eoam_obs" / _room(module) / f"{module}.py"
        source = file.read_text(encoding="utf-8")
        began = time.monotonic()
        if _outcome(module, compile(source, file, "exec"), _LONGEST_S) != "survived":
            sys.stderr.write(f"{module}: the tests fail without any mutant\n")
            return 1
        limit_s = max(_SHORTEST_S, _TIMES * (time.monotonic() - began))
        for mutant in mutants(source):
            if (module, mutant.name) in known:
                continue
            outcome = _outcome(module, _compiled(mutant, file), limit_s)
            known[module, mutant.name] = outcome
            with options.results.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"module": module, "mutant": mutant.name, "outcome": outcome}) + "\n")
        _forget_old(known, module, source)
    sys.stdout.write(_report(known, options.modules))
    return 0


def _known(results: Path, *, again: bool) -> dict[tuple[str, str], str]:
    known: dict[tuple[str, str], str] = {}
    if results.exists():
        for line in results.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            known[entry["module"], entry["mutant"]] = entry["outcome"]
    return {key: outcome for key, outcome in known.items() if not (again and outcome == "survived")}


def _forget_old(known: dict[tuple[str, str], str], module: str, source: str) -> None:
    """Forget mutants of an older source."""
    names = {mutant.name for mutant in mutants(source)}
    for key in [key for key in known if key[0] == module and key[1] not in names]:
        del known[key]


def _compiled(mutant: Mutant, file: Path) -> CodeType:
    return compile(ast.unparse(mutant.tree), str(file), "exec")


def _outcome(module: str, code: CodeType, limit_s: float) -> str:
    """Return "killed", "timeout" or "survived"."""
    child = os.fork()
    if not child:
        os._exit(_run(module, code))
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _run(module: str, code: CodeType) -> int:
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.chdir(_ROOT)
    sys.path.insert(0, str(_ROOT))
    sys.meta_path.insert(0, _Finder(f"eoam_obs.{_room(module)}.{module}", code))
    import pytest

    return int(pytest.main(["-x", "-q", "-m", "not obs", "-p", "no:cacheprovider", *_TESTS[module]]))


def _report(known: dict[tuple[str, str], str], modules: Sequence[str]) -> str:
    outcomes: dict[str, list[str]] = defaultdict(list)
    for (module, _), outcome in known.items():
        outcomes[module].append(outcome)
    lines = ["| module | mutants | killed | survived | score |", "| --- | ---: | ---: | ---: | ---: |"]
    rows = [(module, outcomes[module]) for module in modules]
    rows.append(("**all**", [outcome for module in modules for outcome in outcomes[module]]))
    for module, found in rows:
        survived = found.count("survived")
        score = 1 - survived / len(found) if found else 1.0
        lines.append(f"| {module} | {len(found)} | {len(found) - survived} | {survived} | {score:.1%} |")
    survivors = [f"{module}.py:{name}" for (module, name), outcome in known.items() if outcome == "survived"]
    return "\n".join([*lines, "", *survivors]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
