"""Without OBS nothing asks for the network: the kernel ends whatever opens a socket, and everything is run under it.

In OBS: tests/obs_live/test_no_network.py. The product's source is looked through in test_supply_chain.py.

Slow: it runs every command whole under a filter of the kernel.
"""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from .confined import CLI, KILLED_BY_THE_FILTER, REPOSITORY, can_forbid_network, run

pytestmark = pytest.mark.skipif(not can_forbid_network(), reason="this kernel has no filter for system calls")
PERSON = REPOSITORY / "docs" / "demo.jpg"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a picture and a video with sound."""
    picture = cv2.imread(str(PERSON))
    assert picture is not None
    small = np.asarray(cv2.resize(picture, (320, 180)), np.uint8)
    cv2.imwrite(str(tmp_path / "in.png"), small)
    with av.open(str(tmp_path / "in.mkv"), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        sound = output.add_stream("aac", rate=48000)
        for _ in range(4):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="bgr24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="flt", layout="mono")
        silence.sample_rate = 48000
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))
        output.mux(stream.encode(None))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["image", "in.png", "out.png"],
        ["image", "in.png", "--into", "many", "--background", "in.png"],
        ["video", "in.mkv", "out.webm"],
        ["video", "in.mkv", "out.mp4", "--background", "blur"],
        ["bench", "--frames", "2"],
        ["info"],
        ["doctor"],
        ["webcam", "--camera", "in.mkv", "--no-virtual-camera", "--preview", "--frames", "2"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_the_command_line_opens_no_socket(files: Path, arguments: list[str]) -> None:
    home = files / "home"
    home.mkdir()
    # Telemetry, if any, would begin with the environment of a user who has switched nothing off.
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = run(CLI, arguments, network=False, cwd=files, env=environment, mebibytes=8192)
    expected = 2 if arguments[0] == "webcam" else 0  # there is no screen
    assert done.returncode == expected, (done.returncode, done.stderr, done.stdout)
    assert list(home.rglob("*")) == []


def test_the_installers_own_code_opens_no_socket_while_it_plans(tmp_path: Path) -> None:
    code = "from eoam_install.command import main; sys.exit(main(['--dry-run', '--yes']))"
    done = run(code, network=False, env={"HOME": str(tmp_path)})
    assert done.returncode != KILLED_BY_THE_FILTER, done.stderr
    assert done.stderr + done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_INET6)",
        "import socket; socket.getaddrinfo('example.org', 80)",
        "import ctypes; ctypes.CDLL(None).socket(2, 1, 0)",  # as a library in C does it
        "import av; av.open('tcp://127.0.0.1:9')",
    ],
)
def test_whoever_opens_a_socket_under_the_filter_is_ended(code: str) -> None:
    assert run(code, network=False).returncode == KILLED_BY_THE_FILTER


def test_sockets_of_this_computers_own_are_allowed() -> None:
    code = "import socket; socket.socket(socket.AF_UNIX); socket.socketpair(); print('alive')"
    done = run(code, network=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
