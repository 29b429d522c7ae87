"""The command line, `eoam`: pictures, videos, a webcam, a benchmark, and what a bug report needs.

Exit codes: 0 done, 1 `info` or `doctor` found a problem or one file of many failed, 2 an input, an argument or the
installation cannot be used, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import eoam_core
from eoam_cli.files import add_file_commands
from eoam_cli.options import (
    Parser,
    add_model,
    add_progress,
    add_settings,
    positive,
    progress,
    require_libraries,
    settings_of,
)
from eoam_cli.webcam_command import add_webcam_command
from eoam_core.errors import EoamError
from eoam_core.settings import settings_table

_FAILED: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` are the process's own unless given."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except EoamError as error:
        sys.stderr.write(f"eoam: {error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write("eoam: interrupted\n")
        return _INTERRUPTED
    return code


def _bench(options: argparse.Namespace) -> int:
    require_libraries()
    from eoam_cli.bench import THREADS, as_mapping, as_table, cpu_name, measure

    with progress(options.progress, unit="round") as on_frame:
        results = measure(
            options.model, frames=options.frames, settings=settings_of(options), on_frame=lambda: on_frame(None)
        )
    if options.json:
        document = {
            "cpu": cpu_name(),
            "threads": list(THREADS),
            "frames": options.frames,
            "stages": as_mapping(results),
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(
            f"{cpu_name()}; {options.frames} frames of each size, interleaved; medians (95th percentiles)\n\n"
        )
        sys.stdout.write(as_table(results))
    return 0


def _info(options: argparse.Namespace) -> int:
    if options.settings_table:
        sys.stdout.write(settings_table())
        return 0
    from eoam_cli.info import as_text, collect

    everything = collect(options.model)
    sys.stdout.write(json.dumps(everything, indent=2) + "\n" if options.json else as_text(options.model))
    return 0 if everything["ok"] else 1


def _doctor(options: argparse.Namespace) -> int:
    from eoam_cli.doctor import as_json, as_text, examine, is_healthy

    findings = examine(options.model)
    sys.stdout.write(as_json(findings) if options.json else as_text(findings))
    return 0 if is_healthy(findings) else 1


class _Parser(Parser):
    """Accept file names before, between and after the flags."""

    _inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._inside:  # older Pythons call this recursively
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            known, rest = self.parse_known_intermixed_args(self._told_apart(list(args)), namespace)
        finally:
            self._inside = False
        if rest:  # reported here, or the parent command would refer to its own help
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def _told_apart(self, given: list[str]) -> list[str]:
        """Return the arguments without `--`; names after it that begin with - are rewritten so as not to be flags."""
        end = given.index("--") if "--" in given else len(given)
        for text in given[:end]:
            if text.startswith("-") and text not in ("-", *self._option_string_actions) and os.path.lexists(text):
                self.error(f"{text} is a file whose name begins with -; write ./{text}, or put -- before the names")
        return given[:end] + [f"./{name}" if name[:1] == "-" != name else name for name in given[end + 1 :]]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="eoam", description="Remove the background from images and videos, on the CPU.")
    parser.add_argument("--version", action="version", version=f"eoam {eoam_core.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    add_file_commands(commands)
    add_webcam_command(commands)

    bench = commands.add_parser("bench", help="benchmark the time per frame", description=_bench_text())
    bench.add_argument("--frames", type=positive, default=200, metavar="N", help="frames per size (200)")
    bench.add_argument("--json", action="store_true", help="print JSON")
    add_progress(bench)
    add_settings(bench)
    bench.set_defaults(run=_bench)

    info = commands.add_parser(
        "info",
        help="show versions, the model and the settings",
        description="Show versions, the model and the settings; the exit code is 1 if something is missing.",
    )
    info.add_argument("--json", action="store_true", help="print JSON")
    info.add_argument("--settings-table", action="store_true", help="print the settings as a Markdown table only")
    add_model(info)
    info.set_defaults(run=_info)

    doctor = commands.add_parser(
        "doctor",
        help="diagnose this installation and OBS",
        description="Examine the installation, the network, OBS and its log; the exit code is 1 if there is a problem.",
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    add_model(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


def _bench_text() -> str:
    return "Time every stage per input size, on one thread and on two; medians and 95th percentiles, in milliseconds."


if __name__ == "__main__":
    sys.exit(main())
