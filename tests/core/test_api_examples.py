"""The code in docs/developer/api.md: every block runs by itself, and mypy has nothing against it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import eoam_core

from .doubles import frame_with_person

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "developer" / "api.md"


def _blocks() -> list[tuple[str, str]]:
    """Return (the heading above, the code) of every block."""
    blocks, heading = [], ""
    for number, part in enumerate(PAGE.read_text(encoding="utf-8").split("```")):
        if number % 2:
            language, _, code = part.partition("\n")
            assert language == "python", f"a block of {language!r} under {heading!r}"
            blocks.append((heading, code))
        else:
            heading = ([line for line in part.splitlines() if line.startswith("#")] or [heading])[-1]
    return blocks


BLOCKS = _blocks()
NAMES = [f"{number}_{heading.strip('# ').replace(' ', '_')}" for number, (heading, _) in enumerate(BLOCKS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the examples name."""
    picture = frame_with_person(90, 120)
    (tmp_path / "photo.jpg").write_bytes(cv2.imencode(".jpg", picture[..., :3])[1].tobytes())
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "photo.jpg").read_bytes()[:200])
    with av.open(str(tmp_path / "talk.mp4"), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 90, 120, "yuv420p"
        bgr = np.ascontiguousarray(picture[..., :3])
        for _ in range(4):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        output.mux(stream.encode(None))
    return tmp_path


def test_the_page_shows_something() -> None:
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize("code", [code for _, code in BLOCKS], ids=NAMES)
def test_an_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.chdir(folder)
    before = {path.name for path in folder.iterdir()}
    exec(compile(code, str(PAGE), "exec"), {"__name__": "__main__"})
    made = {path.name for path in folder.iterdir()} - before
    assert all((folder / name).stat().st_size for name in made)
    assert bool(made) == any(word in code for word in ("write_png(", "convert_video("))


def test_mypy_has_nothing_against_the_examples(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    files = [tmp_path / f"example_{number}.py" for number in range(len(BLOCKS))]
    for file, (_, code) in zip(files, BLOCKS, strict=True):
        file.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--follow-imports", "silent"]
    # A cache of its own: the project's may be in use, and its settings are others.
    command += ["--cache-dir", str(tmp_path / "cache"), *map(str, files)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_that_the_page_imports_is_in_all() -> None:
    names = set()
    for _, code in BLOCKS:
        for line in code.splitlines():
            if line.startswith("from eoam_core import "):
                names |= {name.strip() for name in line.removeprefix("from eoam_core import ").split(",")}
    assert names <= set(eoam_core.__all__)
