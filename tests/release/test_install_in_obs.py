"""The downloaded zip on this machine: installed by a user without rights, used by a real OBS, and taken away.

Slow: it installs everything with pip as another user.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import pytest

from eoam_install.pythons import running_python
from eoam_machine.machine import this_machine
from tools.obs_driver.session import (
    REPOSITORY,
    Collection,
    ObsSession,
    Picture,
    filter_entry,
    image_entry,
    missing_programs,
    virtual_display,
)

NOBODY = 65534
pytestmark = pytest.mark.obs


class Download:
    """The unpacked zip and a user, both with umlauts and blanks in their paths."""

    def __init__(self, release: Path, folder: Path) -> None:
        (archive,) = release.glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder / "Downloads für OBS")
        (self.folder,) = (folder / "Downloads für OBS").iterdir()
        self.home = folder / "session" / "home"

    def run(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run install.py as that user."""
        self.own()
        user: Sequence[str] = ()
        if os.geteuid() == 0:
            user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "PATH"))}
        python = running_python(this_machine())
        return subprocess.run(
            [*user, str(python), str((folder or self.folder) / "install.py"), *arguments],
            env={**kept, "HOME": str(self.home), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def own(self) -> None:
        """Make everything in the home the user's; OBS runs as whoever runs the tests."""
        if os.geteuid() == 0:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


class InstallingSession(ObsSession):
    """An OBS that finds its settings, without any script, and then what install.py makes of them."""

    download: Download

    def _write_configuration(self, home: Path, port: int) -> None:
        super()._write_configuration(home, port)
        self.before = _everything(home)
        self.installed = self.download.run("--yes")


@pytest.fixture
def display() -> Iterator[str]:
    missing = missing_programs()
    if missing and os.environ.get("EOAM_REQUIRE_OBS") != "1":
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing
    with virtual_display() as name:
        yield name


def _everything(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def _has_a_person(picture: Picture) -> bool:
    kept = (picture[..., 3] > 127).mean()
    return bool(0.1 < kept < 0.9)


def test_install_use_examine_and_uninstall(release: Path, open_folder: Path, display: str) -> None:
    download = Download(release, open_folder)
    photo = open_folder / "in.png"
    demo = cv2.imread(str(REPOSITORY / "docs" / "demo.jpg"))
    assert demo is not None
    cv2.imwrite(str(photo), demo[:, : demo.shape[1] // 3])
    collection = Collection([image_entry(photo, filter_entry())])
    session = InstallingSession(
        open_folder / "session", display, {"Küche & Co": collection}, environment={"PYTHONPATH": ""}
    )
    session.folder.mkdir()
    session.download = download
    target = download.home / ".local" / "share" / "eoam-obs"
    with session as obs:
        assert session.installed.returncode == 0, session.installed.stdout + session.installed.stderr
        obs.wait_for_picture(_has_a_person, "a person cut out", timeout_s=40)
        if os.geteuid() != 0:  # nobody may look into root's OBS
            refused = download.run("--uninstall", folder=target)
            assert "OBS is running" in refused.stderr
            assert refused.returncode == 1
        ended = obs.end()
        assert f"{target}/obs_eoam.py" in json.dumps(json.loads(_scenes(download.home)), ensure_ascii=False)
        assert "component_missing" not in ended.output

    examined = download.run("--doctor", folder=target)
    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert f"numpy         {_version('numpy', target)} in ~/.local/share/eoam-obs/libraries/python3." in examined.stdout
    assert "1 of 1 scene collections list the script" in examined.stdout

    removed = download.run("--uninstall", folder=target)
    assert removed.returncode == 0, removed.stderr
    assert not (download.home / ".local").exists()
    assert "obs_eoam" not in json.dumps(json.loads(_scenes(download.home))["modules"])
    left = {name for name in _everything(download.home) if "eoam" in name.lower() or "onnx" in name.lower()}
    assert left == set()


def _scenes(home: Path) -> str:
    return (home / ".config/obs-studio/basic/scenes/Küche & Co.json").read_text(encoding="utf-8")


def _version(library: str, target: Path) -> str:
    (info,) = target.glob(f"libraries/python3.*/{library}-*.dist-info")
    return info.name.removesuffix(".dist-info").partition("-")[2]


def test_fetched_on_one_computer_and_installed_offline_on_another(release: Path, open_folder: Path) -> None:
    download = Download(release, open_folder)
    download.home.mkdir(parents=True)
    wheels = download.home / "Räder"
    if shutil.which("obs") is None:
        pytest.skip("not installed: obs")
    fetched = download.run("--fetch", str(wheels))
    assert fetched.returncode == 0, fetched.stderr
    assert len(list(wheels.iterdir())) == 3
    environment = dict(os.environ)
    os.environ["PIP_NO_INDEX"] = "1"  # no pip may be asked any more; if one is, it finds nothing
    try:
        installed = download.run("--yes", "--offline", str(wheels))
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert installed.returncode == 0, installed.stderr
    assert "add" in installed.stdout  # this OBS was never started: by hand, then
    assert download.run("--uninstall").returncode == 0
    assert sorted(path.name for path in download.home.rglob("*") if path.suffix != ".whl") == ["Räder"]
