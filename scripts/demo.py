"""The demonstration with any Python and on any system: `python scripts/demo.py`. It makes a .venv if there is none.

Standard library only. scripts/demo, on Debian, installs OBS first if it may.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
READY = "import av, cv2, obsws_python, onnxruntime, skimage"


def main() -> int:
    """Return the demonstration's exit code, or 1 with one sentence if its libraries cannot be had."""
    if not is_ready():
        try:
            if not PYTHON.exists():
                venv.create(PYTHON.parents[1], with_pip=True)
            print("Installing the libraries into .venv ...", flush=True)
            command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[demo]"]
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"The libraries could not be installed ({error}). They need Python 3.10 or newer.", file=sys.stderr)
            return 1
    return subprocess.run([str(PYTHON), "-m", "tools.demo", *sys.argv[1:]], cwd=ROOT, check=False).returncode


def is_ready() -> bool:
    """Whether the .venv is there with what the demonstration imports."""
    try:
        done = subprocess.run([str(PYTHON), "-c", READY], capture_output=True, check=False, cwd=os.fspath(ROOT))
    except OSError:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
