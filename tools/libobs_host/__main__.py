"""Draw the filter in this computer's libobs with each of its renderers, and compare them: scripts/test-libobs.

    python -m tools.libobs_host [OUT]

Linux: the distribution's libobs, on an X server of its own. Windows and macOS: that of the package pylibobs. Exit code
1 if anything failed, 3 if there is no libobs.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.display import DisplayError, virtual_display
from tools.libobs_host.binaries import installed
from tools.libobs_host.compare import differences

_LIMIT_S: Final = 1200
_MOST_DIFFERENT: Final = 1


def main() -> int:
    """Run a session for each renderer."""
    try:
        renderers = installed().renderers
    except (FileNotFoundError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 3
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory())
        out = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        if sys.platform == "linux":
            try:
                os.environ["DISPLAY"] = stack.enter_context(virtual_display())
            except DisplayError as error:
                print(error, file=sys.stderr)
                return 3
        failed = [renderer for renderer in renderers if not _is_right(renderer, out / renderer)]
        for other in renderers[1:]:
            failed += _differing(out / renderers[0], out / other)
    print(f"{len(renderers)} renderers, {len(failed)} failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _is_right(renderer: str, folder: Path) -> bool:
    print(f"== {renderer}", flush=True)
    command = [sys.executable, "-X", "faulthandler", "-m", "tools.libobs_host.session", str(folder)]
    done = subprocess.run([*command, "--renderer", renderer], timeout=_LIMIT_S, check=False)
    if (folder / "results.json").is_file():
        found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        print(f"{renderer}: {found['passed']} passed, {len(found['failures'])} failed", flush=True)
    return done.returncode == 0


def _differing(one: Path, other: Path) -> list[str]:
    found = differences(one, other)
    return [f"{name} ({levels} grey levels)" for name, levels in found.items() if (levels or 0) > _MOST_DIFFERENT]


if __name__ == "__main__":
    raise SystemExit(main())
