"""The filter in a real OBS reaches out to nobody: every address that the process asks the kernel for is looked at.

OBS itself answers on the local obs-websocket, which the test uses, and asks its maker's server for a list of streaming
services; so one run without the script says what is OBS's own.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.obs_live.obs_helpers import PLAIN, Starter, disc, is_drawn, save_picture
from tools.obs_driver.session import Json, filter_entry, image_entry

STRACE = shutil.which("strace")
_LOCAL = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_ASKED = re.compile(
    r"(?:\\[0-9]{1,3}|\\[a-z]|[\x21-\x2f])([a-z0-9-]+)(?:\\[0-9]|\\[a-z])([a-z]{2,})\\0"
)  # in a question of DNS


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_the_filter_in_obs_reaches_out_to_nobody_whom_obs_would_not(start_obs: Starter, tmp_path: Path) -> None:
    file = save_picture(tmp_path / "disc.png", disc(640, 360))
    picture = {"background": "picture", "background_picture": str(file)}
    # EOAM's own network, as everybody has it, and no switch of ours against telemetry.
    camera = image_entry(file, filter_entry(**{**PLAIN, **picture}))
    alone = _reached(start_obs, tmp_path / "without", image_entry(file), scripts=[])
    ours = _reached(start_obs, tmp_path / "with", camera, scripts=None)
    # Where there is an internet, one name may have several addresses.
    names = [one for one in alone if re.search(r"[a-z]$", one)]
    allowed = alone | {address for name in names for address in _resolved(name)}
    assert ours <= allowed, ours - allowed


def _resolved(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, 443)}
    except OSError:
        return set()


def _reached(start_obs: Starter, folder: Path, camera: Json, *, scripts: list[Any] | None) -> set[str]:
    """Return the addresses and the names that an OBS with this camera asks for."""
    folder.mkdir()
    trace = folder / "trace"
    # The tracer is the grandchild (-D), so that the process that the test ends is OBS itself.
    options = f'-D -f --seccomp-bpf -qq -s 300 -e trace=connect,sendto,sendmsg,sendmmsg -o "{trace}"'
    (folder / "obs").write_text(f'#!/bin/sh\nexec {STRACE} {options} {shutil.which("obs")} "$@"\n')
    (folder / "obs").chmod(0o755)
    more: dict[str, Any] = {} if scripts is None else {"scripts": {"Test": scripts}}
    obs = start_obs({"Test": [camera]}, environment={"PATH": f"{folder}:{os.environ['PATH']}"}, **more)
    obs.wait_for_picture(is_drawn, "the picture", timeout_s=60)
    obs.wait_frames(90)
    ended = obs.end()
    assert ended.exit_code == 0
    lines = trace.read_text(errors="replace").splitlines()
    assert any("sa_family=AF_UNIX" in line for line in lines), "the trace must have seen OBS talk to its display"
    found: set[str] = set()
    for line in lines:
        if re.search(r"sa_family=AF_INET6?\b", line) and not _LOCAL.search(line):
            found |= {first or second for first, second in _ADDRESS.findall(line)}
        if "sendmmsg" in line or "sendto" in line:
            found |= {f"{name}.{end}" for name, end in _ASKED.findall(line)}
    return found
