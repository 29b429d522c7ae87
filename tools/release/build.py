"""Build the wheel, the sdist and the zip from a tag, reproducibly; scripts/release calls this.

The result does not depend on the machine: the files are those that git knows, with fixed permissions; every time stamp
is that of the last commit ($SOURCE_DATE_EPOCH overrides it); archives are written in a fixed order. The zip is not
compressed, so that zlib's version does not matter.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Final

import tomllib

REPOSITORY: Final = Path(__file__).resolve().parents[2]

from eoam_install import wheels  # noqa: E402
from eoam_install.command import project_version  # noqa: E402
from eoam_install.payload import payload  # noqa: E402

BACKEND: Final = "setuptools==84.2.1"  # its version stands in the wheel
EXECUTABLE: Final = ("install.py",)
_PRODUCTS: Final = ("build", "dist", "out", "runs")
_UNUSED: Final = ("tests/", "models/checkpoints/", ".ci/")
_EARLIEST: Final = 315532800  # 1980, where zip's calendar begins
README: Final = """EOAM Background Removal {version} for OBS Studio
{line}

1. Unpack this whole archive. Close OBS.
2. Run the installer. It needs no administrator rights and puts everything into one folder of your own.
   Windows: double-click install.py. If it does not start, install Python 3.12 from python.org first.
   macOS:   install Python 3.12 from python.org, then run in a terminal in this folder:  python3 install.py
   Linux:   run in a terminal in this folder:  python3 install.py
3. Start OBS. Open Tools > Scripts, click obs_eoam.py, choose your camera under "Add the filter to" and
   press "Add the filter". This also adds the privacy guard, a second filter that hides the camera if OBS starts
   without the script.

Settings:    right-click the camera > Filters
Problems:    Tools > Scripts > obs_eoam.py shows what is wrong; so does  python3 install.py --doctor
Uninstall:   remove both filters from the camera, close OBS, then  python3 install.py --uninstall
All options: python3 install.py --help

On Windows type  py install.py  instead of  python3 install.py.  More in docs/user/install.md.
"""


def main(argv: list[str] | None = None) -> int:
    """Build everything into a folder, which gets these files only if all could be made."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=(__doc__ or "").split("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("tag", nargs="?", help="the tag to build, such as v1.0.0")
    what.add_argument("--working-tree", action="store_true", help="build the files as they are here, to try them")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist", metavar="FOLDER", help="default: dist")
    args = parser.parse_args(argv)
    if args.working_tree:
        _build_here(args.out)
    else:
        _build_tag(args.tag, args.out)
    return 0


def _build_tag(tag: str, target: Path) -> None:
    """Build what a tag names, with the tools and the lock that the tag has, whatever lies here now."""
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary, "clone")
        if not _git("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}"):
            raise SystemExit(f"there is no tag {tag} here; make it with: git tag {tag}")
        _git("clone", "--quiet", "--branch", tag, "--config", "advice.detachedHead=false", str(REPOSITORY), str(clone))
        version = project_version(clone)
        if tag != f"v{version}":
            raise SystemExit(f"{tag} has version {version or 'none'} in eoam_core/__init__.py; tag it v{version}.")
        changes = (clone / "CHANGELOG.md").read_text(encoding="utf-8")
        if not re.search(rf"^## {re.escape(version)} - \d{{4}}-\d{{2}}-\d{{2}}$", changes, re.MULTILINE):
            raise SystemExit(
                f"CHANGELOG.md of {tag} has no section '## {version} - YYYY-MM-DD'; write it and tag again."
            )
        command = [sys.executable, "-m", "tools.release.build", "--working-tree", "--out", str(target.resolve())]
        subprocess.run(command, cwd=clone, check=True)


def _build_here(target: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project_version(REPOSITORY)
    name = f"eoam_obs-{version}"
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct") or _EARLIEST)
    with tempfile.TemporaryDirectory() as temporary:
        tree, out = Path(temporary, name), Path(temporary, "out")
        out.mkdir()
        _copy_tree(tree, epoch)
        _build(tree, out, Path(temporary, "backend"), epoch)
        _repack(out / f"{name}.tar.gz", epoch)
        _write_zip(tree, out / f"eoam-obs-{version}.zip", version, epoch)
        sbom = json.dumps(_sbom(project, version, epoch), indent=1, sort_keys=True) + "\n"
        (out / f"eoam-obs-{version}.cdx.json").write_text(sbom, encoding="utf-8")
        files = sorted(out.iterdir())
        sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
        (out / "SHA256SUMS").write_text(sums, encoding="ascii")
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(out.iterdir()):
            shutil.copyfile(path, target / path.name)
            print(target / path.name)


def _git(*arguments: str) -> str:
    """Return git's output, or "" outside a clone: a copy of the files can be built as well."""
    try:
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _names() -> list[str]:
    """Return the files that git knows or would take; what it ignores is not the project's."""
    known = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    if known != [""]:
        return [name for name in known if name]
    names = []
    for parent, folders, files in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if not name.startswith((".", "__")) and name not in _PRODUCTS]
        names += [(Path(parent) / name).relative_to(REPOSITORY).as_posix() for name in files]
    return names


def _copy_tree(tree: Path, epoch: int) -> None:
    for name in sorted(_names()):
        source = REPOSITORY / name
        if not source.is_file() or name.startswith(_UNUSED):
            continue
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o644)
        os.utime(path, (epoch, epoch))


def _build(tree: Path, out: Path, backend: Path, epoch: int) -> None:
    """Make sdist and wheel with a backend of a fixed version, away from whatever is installed."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(backend)]
    subprocess.run([*pip, BACKEND], check=True)
    code = f"from setuptools import build_meta as b; b.build_sdist({str(out)!r}); b.build_wheel({str(out)!r})"
    environment = {
        **os.environ,
        "PYTHONPATH": str(backend),
        "SOURCE_DATE_EPOCH": str(epoch),
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
    }
    # The rights of what the backend makes itself are those that this gives.
    done = subprocess.run(
        ["sh", "-c", 'umask 022; exec "$@"', "sh", sys.executable, "-W", "ignore", "-c", code],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"the wheel could not be built:\n{done.stdout}{done.stderr}")
    for path in (tree / "build", *tree.glob("*.egg-info")):
        shutil.rmtree(path)


def _repack(path: Path, epoch: int) -> None:
    """Write an sdist anew: in order, with nobody's name and one time."""
    content = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as new:
        for entry in sorted(old.getmembers(), key=lambda entry: entry.name):
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch
            entry.mode = 0o755 if entry.isdir() else 0o644
            entry.pax_headers = {}
            new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
    with path.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=epoch) as packed:
        packed.write(content.getvalue())


def _write_zip(tree: Path, path: Path, version: str, epoch: int) -> None:
    folder = f"eoam-obs-{version}"
    readme = README.format(version=version, line="=" * (len(version) + 43)).replace("\n", "\r\n")
    files = {name: source.read_bytes() for name, source in payload(tree).items()}
    files["README.txt"] = readme.encode("ascii")
    for source in (tree / "docs").rglob("*"):
        if source.suffix in (".md", ".jpg", ".png"):
            files[source.relative_to(tree).as_posix()] = source.read_bytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", time.gmtime(epoch)[:6])
            entry.create_system = 3  # Unix, which is where the rights below are read
            entry.external_attr = (0o100755 if name in EXECUTABLE else 0o100644) << 16
            archive.writestr(entry, files[name])


def _sbom(project: dict[str, Any], version: str, epoch: int) -> dict[str, Any]:
    """Return the bill of materials (CycloneDX 1.5): the project, its networks, and every wheel that it may install."""
    lock = wheels.read_lock()
    components: list[dict[str, Any]] = [
        {
            "type": "machine-learning-model",
            "bom-ref": network.name,
            "name": network.name,
            "hashes": [{"alg": "SHA-256", "content": _sha256(network)}],
            "licenses": [{"license": {"id": project["license"]}}],
        }
        for network in sorted((REPOSITORY / "models").glob("*.onnx"))
    ]
    for name in sorted(lock["files"]):
        wheel = wheels.Wheel(name, **lock["files"][name])
        components.append(
            {
                "type": "library",
                "bom-ref": name,
                "name": wheel.library,
                "version": wheel.version,
                "purl": f"pkg:pypi/{wheel.library}@{wheel.version}?file_name={name}",
                "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
                "licenses": [{"license": {"name": lock["licences"][wheel.library]}}],
            }
        )
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    product = {"type": "application", "bom-ref": "eoam-obs", "name": project["name"], "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": stamp, "component": product},
        "components": components,
        "dependencies": [{"ref": "eoam-obs", "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
