"""The virtual camera in a real OBS: its own plugin writes to a stand-in for the device, see loopback_device.c."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.obs_live.obs_helpers import PLAIN, Starter, disc, disc_centre, is_drawn, save_picture
from tools.obs_driver.clips import Picture
from tools.obs_driver.probe import Probe
from tools.obs_driver.session import ObsSession, filter_entry, image_entry

WIDTH, HEIGHT = 640, 360
FRAME_BYTES = WIDTH * HEIGHT * 2
PERSON = (205, 225, 250)  # RGB, as `disc` draws it
BLACK = (0, 0, 0)
BLUE = (0x20, 0x40, 0xC0)
LOADED = "v4l2loopback 49152 0 - Live 0x0000000000000000\n"
FIRST_TELLING_MAJOR = (
    30  # from here on OBS says itself, in a window that waits for a click, that the camera did not start
)


@dataclass(frozen=True)
class Device:
    """The stand-in: a folder, and the environment that puts it in front of OBS."""

    folder: Path
    library: Path

    @property
    def environment(self) -> dict[str, str]:
        programs = f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        return {"LD_PRELOAD": str(self.library), "EOAM_LOOPBACK": str(self.folder), "PATH": programs}

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def program(self, name: str, text: str) -> None:
        """Put a program of the system's in place of the real one."""
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def load_module(self) -> None:
        (self.folder / "modules").write_text(LOADED)

    def count(self) -> float:
        """Return how many pictures OBS has sent."""
        return (self.folder / "dev" / "video7").stat().st_size / FRAME_BYTES

    def frames(self) -> Iterator[Picture]:
        """Give all that OBS has sent, (h, w, 3) uint8 RGB each."""
        with (self.folder / "dev" / "video7").open("rb") as file:
            while len(packed := file.read(FRAME_BYTES)) == FRAME_BYTES:
                yield rgb_of(np.frombuffer(packed, np.uint8).reshape(HEIGHT, WIDTH // 2, 4))


def rgb_of(yuyv: np.ndarray) -> Picture:
    """Convert (h, w / 2, 4) of Y0 U Y1 V, BT.709 and 16 to 235 as OBS has it by default, to (h, w, 3) uint8 RGB."""
    luma = (yuyv[..., 0::2].reshape(HEIGHT, WIDTH).astype(np.float32) - 16) * (255 / 219)
    blue, red = ((np.repeat(yuyv[..., place], 2, axis=1).astype(np.float32) - 128) * (255 / 224) for place in (1, 3))
    pixels = np.stack([luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue], axis=-1)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def distance() -> np.ndarray:
    """Return how far outside of the disc each pixel is."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre = disc_centre(WIDTH, HEIGHT)
    return np.hypot(x - centre[0], y - centre[1]) - HEIGHT // 5


INSIDE, OUTSIDE = distance() < -8, distance() > 8


def error(frame: Picture, where: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Return the largest difference from a colour."""
    return int(np.abs(frame[where].astype(int) - colour).max())


@pytest.fixture
def device(tmp_path: Path) -> Device:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler for the stand-in of the device")
    library = tmp_path / "loopback_device.so"
    source = Path(__file__).with_name("loopback_device.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    folder = tmp_path / "loopback"
    for name in ("dev", "bin"):
        (folder / name).mkdir(parents=True)
    (folder / "dev" / "video7").touch()
    made = Device(folder, library)
    made.program("modinfo", "exit 1")  # the module is not installed
    made.program("pkexec", "exit 126")  # who is asked for the password says no
    return made


@pytest.fixture
def person(tmp_path: Path) -> Path:
    return save_picture(tmp_path / "disc.png", disc(WIDTH, HEIGHT))


def start(start_obs: Starter, device: Device, person: Path, model: Path) -> tuple[ObsSession, Probe]:
    obs = start_obs(
        {"Test": [image_entry(person, filter_entry(**PLAIN))]},
        environment={"EOAM_MODEL": str(model), **device.environment},
    )
    obs.wait_for_picture(is_drawn, "the person")
    return obs, Probe(obs, obs.folder)


def test_a_meeting_gets_the_person_without_the_room(
    start_obs: Starter, device: Device, person: Path, brightness_model: Path
) -> None:
    device.load_module()
    obs, probe = start(start_obs, device, person, brightness_model)
    assert probe("script_panel")["camera"] == "Start virtual camera"
    assert device.calls() == []

    panel = probe("script_panel", press="camera")
    assert panel["done"].startswith("The virtual camera is")
    assert panel["camera"] == "Stop virtual camera"
    obs.wait(lambda: device.count() > 10, "pictures in the device")
    assert obs.request("GetVirtualCamStatus")["outputActive"] is True
    obs.set_filter(background="color", background_color=0xFF000000 | BLUE[2] << 16 | BLUE[1] << 8 | BLUE[0])
    obs.wait_frames(15)

    panel = probe("script_panel", press="camera")
    assert panel["done"] == "The virtual camera is stopping."
    obs.wait(lambda: "Virtual camera stopped" in obs.log, "the end of the virtual camera")
    obs.wait(lambda: probe("script_panel")["camera"] == "Start virtual camera", "the button as before")
    assert obs.request("GetVirtualCamStatus")["outputActive"] is False

    sent = device.count()
    assert sent == int(sent), "half a picture"
    obs.wait_frames(10)
    assert device.count() == sent, "pictures after the end"
    calls = device.calls()
    assert calls[:3] == ["QUERYCAP", "G_FMT", "S_PARM 1/30"]
    assert f"S_FMT {WIDTH}x{HEIGHT} YUYV {FRAME_BYTES}" in calls
    assert not [call for call in calls if "refused" in call]

    grounds = []
    for number, frame in enumerate(device.frames()):
        if error(frame, INSIDE | OUTSIDE, BLACK) <= 3:
            continue  # nothing is shown: on a machine that is too busy for a mask in time
        difference, ground = min((error(frame, OUTSIDE, colour), colour) for colour in (BLACK, BLUE))
        assert difference <= 3, f"picture {number} has something else than black or blue round the person"
        assert error(frame, INSIDE, PERSON) <= 3, f"picture {number} has something else than the person"
        grounds.append(ground)
    assert len(grounds) > 5
    assert grounds == sorted(grounds), "first black, then blue"
    assert set(grounds) == {BLACK, BLUE}


def test_where_the_module_is_missing_the_panel_says_how_to_get_it(
    start_obs: Starter, device: Device, person: Path, brightness_model: Path
) -> None:
    _, probe = start(start_obs, device, person, brightness_model)
    said = probe("script_panel")["camera"]
    assert said.startswith("OBS has no virtual camera because")
    assert "apt install v4l2loopback-dkms" in said


def test_obs_draws_on_while_it_asks_for_the_password_and_a_refusal_is_said(
    start_obs: Starter, device: Device, person: Path, brightness_model: Path
) -> None:
    device.program("modinfo", "exit 0")  # the module is installed, and not loaded
    device.program("pkexec", "sleep 3; exit 126")
    obs, probe = start(start_obs, device, person, brightness_model)
    if int(obs.request("GetVersion")["obsVersion"].split(".")[0]) < FIRST_TELLING_MAJOR:
        panel, rendered = press_and_count(obs, probe)
        assert panel["done"].startswith("The virtual camera did not start: the kernel module v4l2loopback is not")
        assert panel["camera"] == "Start virtual camera"
        assert rendered > 10

    device.program("pkexec", f"sleep 3; printf '%s' '{LOADED.strip()}' >\"$EOAM_LOOPBACK/modules\"")
    panel, rendered = press_and_count(obs, probe)
    assert panel["done"] == "The virtual camera is on. Choose OBS Virtual Camera in your meeting app."
    assert panel["camera"] == "Stop virtual camera"
    assert rendered > 10
    obs.wait(lambda: device.count() > 3, "pictures in the device")
    probe("script_panel", press="camera")  # OBS asks before it ends with its camera on
    obs.wait(lambda: "Virtual camera stopped" in obs.log, "the end of the virtual camera")


def press_and_count(obs: ObsSession, probe: Probe) -> tuple[dict[str, str], int]:
    """Press the button, and return what the panel shows then and how many frames OBS has rendered meanwhile."""
    answers: list[dict[str, str]] = []
    pressing = threading.Thread(target=lambda: answers.append(probe("script_panel", press="camera")))
    counting = obs.connect()  # one connection is not for several threads
    counts = []
    pressing.start()
    try:
        while pressing.is_alive():
            counts.append(int(counting.send("GetStats", raw=True)["renderTotalFrames"]))
            pressing.join(0.2)
    finally:
        pressing.join()
        counting.disconnect()
    return answers[0], counts[-1] - counts[0]
