"""List the licence of every dependency as its package states it; scripts/licences calls this."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Final

import tomllib
from packaging.requirements import Requirement

REPOSITORY: Final = Path(__file__).resolve().parents[2]
TARGET: Final = REPOSITORY / "docs" / "developer" / "licences.md"
FILTER: Final = "filter"  # what the filter needs, as opposed to the names of extras

# SPDX identifiers that require attribution only; other texts of packages are mapped to them.
PERMISSIVE: Final = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0"),
        *("MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    )
)
_OTHER_NAMES: Final = {
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "mit license": "MIT",
    "mit": "MIT",
    "mpl-2.0": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
}
HEAD: Final = """# Licences of the dependencies

EOAM itself is under the MIT licence. `scripts/licences --write` generates this page from what each package states, and
`tests/hostile/test_supply_chain.py` checks that it is current. *Used for* names the extra in `pyproject.toml`.
*filter* marks what every installation needs; only permissive licences are allowed there. `scripts/release` writes those
packages, with versions and hashes, into the bill of materials.

EOAM does not distribute these packages: the installer or pip downloads them from the package index. A stated licence
covers the package's own code. A wheel may contain other libraries with licence texts of their own:
`opencv-python-headless` and `av` contain builds of FFmpeg. Two packages of the extras are under the GPL: `pyvirtualcam`
(only for `eoam webcam`) and `obsws-python` (only for the demo and the tests).

| package | licence | used for |
| --- | --- | --- |
"""


def wanted() -> dict[str, set[str]]:
    """Return every package that pyproject.toml leads to, with what it is used for, as far as it is installed here."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, set[str]] = {}
    groups = {FILTER: project["dependencies"], **project["optional-dependencies"]}
    for use, requirements in groups.items():
        for text in requirements:
            _add(Requirement(text), use, found)
    return found


def table(packages: dict[str, set[str]]) -> list[str]:
    """Return a row for each package."""
    return [_row(name, uses) for name, uses in sorted(packages.items())]


def _row(name: str, uses: Iterable[str]) -> str:
    order = sorted(uses, key=lambda use: (use != FILTER, use))
    return f"| {name} | {licence(_metadata(name))} | {', '.join(order)} |"


def problems(packages: dict[str, set[str]]) -> list[str]:
    """Return a sentence for each package of the filter whose licence is unknown or not permissive."""
    found = []
    for name, uses in sorted(packages.items()):
        if FILTER in uses:
            stated = licence(_metadata(name))
            if not is_permissive(stated):
                found.append(f"{name} is under {stated}, which is not known to be permissive")
    return found


def is_permissive(expression: str) -> bool:
    """Return whether every part of an SPDX expression is permissive, including all alternatives of an OR."""
    parts = re.split(r"\s+(?:AND|OR)\s+|[()]", expression)
    names = [part.strip() for part in parts if part.strip()]
    return bool(names) and all(name in PERMISSIVE for name in names)


def licence(stated: Message) -> str:
    """Return the SPDX expression that a package states, or what it says in its place, or "unknown"."""
    expression = str(stated.get("License-Expression") or "").strip()
    if expression:
        return expression
    classifiers = [str(one) for one in stated.get_all("Classifier", []) if str(one).startswith("License ::")]
    said = [str(stated.get("License") or "").strip(), *(one.rpartition(" :: ")[2] for one in classifiers)]
    for text in said:
        if text.lower() in _OTHER_NAMES:
            return _OTHER_NAMES[text.lower()]
        if text in PERMISSIVE:
            return text
    short = [text for text in said if text and "\n" not in text and len(text) < 60 and text != "OSI Approved"]
    return short[0] if short else "unknown"


def _add(requirement: Requirement, use: str, found: dict[str, set[str]]) -> None:
    name = requirement.name.lower().replace("_", "-")
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return
    if use in found.setdefault(name, set()):
        return
    found[name].add(use)
    try:
        needs = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return  # its requirements are only known where it is installed
    for text in needs:
        _add(Requirement(text), use, found)


def _metadata(name: str) -> Message:
    try:
        return metadata.metadata(name)  # type: ignore[return-value]
    except metadata.PackageNotFoundError:
        return _fetched(name)


def _fetched(name: str) -> Message:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder, name]
        subprocess.run(pip, check=True)
        (path,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(path) as wheel:
            inside = next(one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
            return message_from_bytes(wheel.read(inside))


def main() -> int:
    """Print or write the table; exit code 1 if the filter needs what is not permissive."""
    packages = wanted()
    text = HEAD + "\n".join(table(packages)) + "\n"
    if "--write" in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    found = problems(packages)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
