"""What comes from others: pinned, licensed, and in the bill of materials."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Sequence
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
import tomllib

from eoam_install import wheels
from tools.release import audit, build, licences

from .confined import REPOSITORY

PACKAGES = ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install")
PRODUCT = [file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")]
PRODUCT += [REPOSITORY / "obs_eoam.py", REPOSITORY / "install.py"]

_MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "torch",
    "yaml",
    "xmlrpc",
}
_NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "asyncio", "socketserver", "webbrowser"}
_CALLS = {"eval", "exec", "compile", "__import__"}
_OF_MODULES = {
    ("os", "system"),
    ("os", "popen"),
    ("yaml", "load"),
    ("torch", "load"),
    ("np", "load"),
    ("numpy", "load"),
}


def _faults(text: str) -> list[str]:
    """Return what a module of the product must not do: run what it reads, or go to the network."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            found += [name for name in names if name.partition(".")[0] in _MODULES | _NETWORK]
        elif isinstance(node, ast.Call):
            name = node.func
            if isinstance(name, ast.Name) and name.id in _CALLS:
                found.append(name.id)
            if isinstance(name, ast.Attribute) and isinstance(name.value, ast.Name):
                if (name.value.id, name.attr) in _OF_MODULES:
                    found.append(f"{name.value.id}.{name.attr}")
                if name.attr == "import_module":
                    texts = [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
                    found += [one for one in texts if one.partition(".")[0] in _MODULES | _NETWORK]
            for keyword in node.keywords:
                if keyword.arg in ("shell", "allow_pickle") and not _is_false(keyword.value):
                    found.append(f"{keyword.arg}=")
    return found


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_product_runs_nothing_that_it_reads_and_knows_no_network(path: Path) -> None:
    assert _faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "def f():\n    from urllib import request",
        "eval('1')",
        "exec(x)",
        "import os\nos.system('x')",
        "subprocess.run('x', shell=True)",
        "np.load(f, allow_pickle=True)",
        "importlib.import_module('marshal')",
        "torch.load(f)",
    ],
)
def test_the_walk_over_the_product_sees_each_of_them(text: str) -> None:
    assert _faults(text)


def test_the_licences_in_the_documents_are_what_the_packages_state() -> None:
    packages = licences.wanted()
    rows = [line for line in licences.TARGET.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][2:]
    named = {row.split(" | ")[0].removeprefix("| "): row for row in rows}
    assert licences.TARGET.read_text(encoding="utf-8").startswith(licences.HEAD)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    for requirement in direct:
        assert re.split(r"[<>=]", requirement)[0] in named, "run scripts/licences --write"
    for name in packages:
        try:
            stated = licences.licence(metadata.metadata(name))  # type: ignore[arg-type]
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        # Versions differ between machines, so packages of packages may be new; what is listed must be right.
        if name in named:
            assert f"| {name} | {stated} |" in named[name], "run scripts/licences --write"


def test_what_the_filter_needs_is_under_permissive_licences() -> None:
    packages = licences.wanted()
    assert {"numpy", "onnxruntime", "opencv-python-headless"} <= {
        n for n, u in packages.items() if licences.FILTER in u
    }
    assert licences.problems(packages) == []
    lock = wheels.read_lock()
    for name, stated in lock["licences"].items():
        message = Message()
        message["License"] = stated
        assert licences.is_permissive(licences.licence(message)), f"{name}: {stated}"


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND (MIT OR Zlib)", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR AGPL-3.0-only", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_licence_is_permissive_only_if_all_of_it_is(expression: str, permissive: bool) -> None:
    assert licences.is_permissive(expression) is permissive


def test_a_licence_that_is_not_permissive_fails_for_the_filter_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = Message()
    stated["License-Expression"] = "GPL-3.0-only"
    monkeypatch.setattr(licences, "_metadata", lambda name: stated)
    (problem,) = licences.problems({"spam": {licences.FILTER}, "ham": {"test"}})
    assert problem == "spam is under GPL-3.0-only, which is not known to be permissive"


def test_the_bill_of_materials_has_a_licence_and_a_hash_for_everything_that_is_fetched() -> None:
    lock = wheels.read_lock()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    components = build._sbom(project, "1.2.3", 0)["components"]
    for component in components:
        assert re.fullmatch(r"[0-9a-f]{64}", component["hashes"][0]["content"])
        assert component["licenses"][0]["license"]
    assert {part["bom-ref"] for part in components} == {"eoam.onnx", "eoam_plus.onnx", *lock["files"]}
    for part in (part for part in components if part["type"] == "library"):
        assert part["hashes"][0]["content"] == lock["files"][part["bom-ref"]]["sha256"]


def test_every_library_is_pinned_by_its_hash() -> None:
    lock = wheels.read_lock()
    listed = {name for names in lock["environments"].values() for name in names}
    assert listed == set(lock["files"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", fields["sha256"]) for fields in lock["files"].values())


def _answering(*outputs: str) -> audit.Run:
    left = list(outputs)

    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        assert "--no-deps" in command
        output = left.pop(0)
        return subprocess.CompletedProcess(list(command), 0, output, "" if output else "no connection")

    return run


def _report(**more: object) -> str:
    return json.dumps({"dependencies": [{"name": "numpy", "version": "1", "vulns": [], **more}]})


@pytest.mark.parametrize(
    ("outputs", "code", "said"),
    [
        ((_report(),), audit.NONE_KNOWN, "1 libraries, 0 known vulnerabilities"),
        ((_report(vulns=[{"id": "X-1", "fix_versions": ["2"]}]),), audit.FOUND, "numpy==1: X-1, mended in 2"),
        (("", _report()), audit.NONE_KNOWN, "1 libraries"),  # the second data base answers
        (("", ""), audit.NO_DATABASE, "No data base of vulnerabilities could be asked about 1 of 1 libraries"),
        # pip-audit ends well when it could look up nothing at all.
        ((_report(skip_reason="not found"), ""), audit.NO_DATABASE, "No data base"),
    ],
)
def test_the_audit_says_what_it_found_or_that_it_could_not_look(
    outputs: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.audit(["numpy==1"], ["pip-audit"], _answering(*outputs)) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_the_audit_is_about_everything_that_the_installer_fetches() -> None:
    names = {requirement.partition("==")[0] for requirement in audit.pinned()}
    assert names == {"numpy", "onnxruntime", "opencv-python-headless"}
