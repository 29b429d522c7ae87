"""What is published: the same bits each time, and usable in an empty place.

Slow: it builds and installs the real archives with pip.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import eoam_core
from tools.release import build

from .conftest import REPOSITORY


def _one(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_building_again_gives_the_same_bits(release: Path, tmp_path: Path) -> None:
    # Other names, another umask and another time zone must not show.
    command = 'umask 077; exec "$@"'
    script = str(REPOSITORY / "scripts" / "release")
    arguments = ["sh", "-c", command, "sh", script, "--working-tree", "--out", str(tmp_path)]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TZ": "Asia/Tokyo"}, cwd="/")
    built = sorted(path.name for path in release.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == built
    assert len(built) == 5
    for name in built:
        assert (release / name).read_bytes() == (tmp_path / name).read_bytes(), name


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """A repository of our files at version 7.8.9, with a tag for it; what lies there uncommitted is not of the tag."""
    tree = tmp_path / "tree"
    for name in build._names():
        if (REPOSITORY / name).is_file() and not name.startswith(("tests/", "models/checkpoints/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, tree / name)
    package = tree / "eoam_core" / "__init__.py"
    package.write_text(package.read_text().replace(f'"{eoam_core.__version__}"', '"7.8.9"'))
    changes = tree / "CHANGELOG.md"
    changes.write_text(changes.read_text().replace(f"## {eoam_core.__version__} - ", "## 7.8.9 - "))
    git(tree, "init", "--quiet")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "Release 7.8.9")
    git(tree, "tag", "v7.8.9")
    git(tree, "tag", "v7.8.8")
    (tree / "obs_eoam.py").write_text("raise SystemExit('not of the tag')\n")
    return tree


def release_of(tree: Path, out: Path, *what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release.build", *what, "--out", str(out)]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_a_release_is_what_its_tag_names(tagged: Path, tmp_path: Path) -> None:
    done = release_of(tagged, tmp_path / "out", "v7.8.9")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "out" / "eoam-obs-7.8.9.zip") as archive:
        script = archive.read("eoam-obs-7.8.9/obs_eoam.py")
    assert script == (REPOSITORY / "obs_eoam.py").read_bytes()
    assert _one(tmp_path / "out", "*.whl").name == "eoam_obs-7.8.9-py3-none-any.whl"


def test_a_release_that_does_not_agree_with_itself_is_refused(tagged: Path, tmp_path: Path) -> None:
    def refused(tag: str) -> str:
        done = release_of(tagged, tmp_path / "out", tag)
        assert done.returncode == 1
        assert not (tmp_path / "out").exists()
        return done.stderr

    assert "there is no tag v1.2.3 here" in refused("v1.2.3")
    assert "v7.8.8 has version 7.8.9 in eoam_core/__init__.py" in refused("v7.8.8")
    (tagged / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n")
    git(tagged, "commit", "--quiet", "--message", "No section", "CHANGELOG.md")
    git(tagged, "tag", "--force", "v7.8.9")
    assert "has no section '## 7.8.9 - YYYY-MM-DD'" in refused("v7.8.9")


def test_the_sums_are_those_of_the_files(release: Path) -> None:
    lines = (release / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == digest


def test_nothing_of_this_machine_is_in_the_archives(release: Path) -> None:
    with tarfile.open(_one(release, "*.tar.gz")) as archive:
        assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in archive} == {(0, 0, "", "")}
    for pattern in ("*.zip", "*.whl"):
        with zipfile.ZipFile(_one(release, pattern)) as archive:
            assert {entry.external_attr >> 16 & 0o777 for entry in archive.infolist()} <= {0o644, 0o664, 0o755}
            names = archive.namelist()
            assert names == sorted(names) or pattern == "*.whl"  # the wheel's own order puts its metadata last
            assert not [name for name in names if re.search(r"__pycache__|\.pyc$|/tests?/|\.venv", name)]
            for name in names:
                assert str(REPOSITORY).encode() not in archive.read(name), name


def test_the_zip_has_what_somebody_needs_who_only_knows_obs(release: Path) -> None:
    with zipfile.ZipFile(_one(release, "*.zip")) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        readme = archive.read(next(name for name in archive.namelist() if name.endswith("README.txt"))).decode("ascii")
    assert {
        "obs_eoam.py",
        "install.py",
        "LICENSE",
        "models/eoam.onnx",
        "models/SHA256SUMS",
        "docs/user/install.md",
        "docs/pictures/panel.jpg",  # the pages show it
    } <= names
    assert {"eoam_core/settings.py", "eoam_obs/effects/eoam.effect", "eoam_install/wheels.lock.json"} <= names
    assert "double-click install.py" in readme


def test_the_networks_sum_is_the_networks() -> None:
    models = sorted((REPOSITORY / "models").glob("*.onnx"))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in models)
    assert (REPOSITORY / "models" / "SHA256SUMS").read_text() == sums, (
        "a network was exported anew: cd models && sha256sum *.onnx >SHA256SUMS"
    )


def test_the_bill_of_materials_names_every_library_with_its_licence(release: Path) -> None:
    bill = json.loads(_one(release, "*.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    wheels = [part for part in bill["components"] if part["type"] == "library"]
    libraries = {part["name"]: part["licenses"][0]["license"]["name"] for part in wheels}
    assert set(libraries) == {"numpy", "onnxruntime", "opencv-python-headless"}
    assert all(libraries.values())
    references = [part["bom-ref"] for part in bill["components"]]
    assert len(references) == len(set(references))


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_the_wheel_and_the_sdist_work_in_an_empty_place(release: Path, tmp_path: Path, pattern: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The libraries come with the wheel, which names them; the sdist is built from source and takes this test's own.
    options: list[str] = []
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if pattern == "*.tar.gz":
        options, environment = ["--no-deps"], {**environment, "PYTHONPATH": str(Path(np.__file__).parents[1])}
    package = str(_one(release, pattern))
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-cache-dir",
        "--disable-pip-version-check",
        *options,
        package,
    ]
    subprocess.run(pip, check=True, cwd=tmp_path, env={k: v for k, v in environment.items() if k != "PYTHONPATH"})
    home = tmp_path / "home"
    home.mkdir()
    environment.update(HOME=str(home))
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": False}
    examined = subprocess.run([tmp_path / "venv" / "bin" / "eoam", "doctor"], **run)  # type: ignore[call-overload]
    assert examined.returncode == 0, examined.stdout + examined.stderr
    where = re.search(r"EOAM +\S+ in (.*)", examined.stdout)
    assert where is not None
    assert where[1].startswith(str(tmp_path / "venv")), "it must not be the repository that is examined"

    picture = cv2.imread(str(REPOSITORY / "docs" / "demo.jpg"))
    assert picture is not None
    third = picture[:, : picture.shape[1] // 3]  # the person before the room
    cv2.imwrite(str(tmp_path / "in.png"), third)
    made = subprocess.run([tmp_path / "venv" / "bin" / "eoam", "image", "in.png", "out.png"], **run)  # type: ignore
    assert made.returncode == 0, made.stderr
    out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert out is not None
    assert out.shape == (*third.shape[:2], 4)
    assert 0.1 < (out[..., 3] > 127).mean() < 0.9

    # The wheel can also install itself into an OBS.
    shown = subprocess.run([python, "-m", "eoam_install", "--help"], **run)  # type: ignore[call-overload]
    assert "--offline" in shown.stdout
    code = (
        "from pathlib import Path; from eoam_install import command, payload; print(*payload.payload(command.SOURCE))"
    )
    listed = subprocess.run([python, "-c", code], **run)  # type: ignore[call-overload]
    assert {"obs_eoam.py", "install.py", "models/eoam.onnx"} <= set(listed.stdout.split()), listed.stderr
