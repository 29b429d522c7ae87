"""Examine everything that a bug report needs, and report problems with their remedies; nothing here raises.

The report has no personal data: the user's home is written `~`, and scenes are counted, not named.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import platform
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import eoam_core
from eoam_cli import obs_log
from eoam_core.errors import EoamError, ModelError
from eoam_core.installation import check_installation
from eoam_core.loaded import loaded_files
from eoam_core.model_file import read_model
from eoam_core.printable import printable
from eoam_machine import layouts, obs_settings, receipt, scenes
from eoam_machine.errors import InstallError
from eoam_machine.machine import Machine, this_machine

_RUNS: Final = 50
_SLOW_MS: Final = 33.0  # one frame at 30 frames per second
_FILTER_ID: Final = "eoam_background_removal"
_AGAIN: Final = "Run install.py again."


class Level(enum.Enum):
    """The severity of a finding."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was examined; `cure` is "" unless it is a problem."""

    topic: str
    level: Level
    text: str
    cure: str = ""


def examine(model: Path, machine: Machine | None = None) -> list[Finding]:
    """Examine the installation, the model, OBS and its log; `model` is the network's file."""
    machine = machine or this_machine()
    findings = list(_examine(model, machine))
    return [
        dataclasses.replace(
            finding, text=_impersonal(finding.text, machine.home), cure=_impersonal(finding.cure, machine.home)
        )
        for finding in findings
    ]


def is_healthy(findings: list[Finding]) -> bool:
    """Return whether there are no problems."""
    return all(finding.level is not Level.PROBLEM for finding in findings)


def as_text(findings: list[Finding]) -> str:
    """Return the findings as text: a line each, with the remedy below."""
    marks = {Level.OK: "ok ", Level.NOTE: "   ", Level.PROBLEM: "BAD"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.level]} {finding.topic:<13} {finding.text}")
        if finding.cure:
            lines.append(f"{'':<17} -> {finding.cure}")
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    lines.append("")
    lines.append(f"{problems} problem{'s' if problems != 1 else ''} found." if problems else "No problems found.")
    return "\n".join(lines) + "\n"


def as_json(findings: list[Finding]) -> str:
    """Return the findings as JSON."""
    listed = [{**dataclasses.asdict(finding), "level": finding.level.value} for finding in findings]
    return json.dumps({"ok": is_healthy(findings), "findings": listed}, indent=2) + "\n"


def _examine(model: Path, machine: Machine) -> Iterator[Finding]:
    yield _note("EOAM", f"{eoam_core.__version__} in {Path(eoam_core.__file__).resolve().parent.parent}")
    yield _note("system", platform.platform())
    yield from _processor()
    components = check_installation(model)
    for part in components:
        if part.ok:
            yield Finding(topic=part.name, level=Level.OK, text=f"{part.version}{_place(part.name)}")
            continue
        found = f"{part.version}, needs {part.required}" if part.version else f"{part.required} is missing"
        if part.fault:
            found = f"{part.version or part.required} {part.fault}"
        cure = part.remedy
        if part.name == "model":
            found = f"{part.required} {'cannot be used' if part.version else 'is missing'}"
            if _is_installed(model):  # then the user cannot be expected to find the file
                found, cure = part.remedy.partition("; ")[0], _AGAIN
        yield _problem(part.name, found, cure)
    yield from _model(model)
    yield from _onnxruntime()
    if all(part.ok for part in components):
        yield _self_test(model)
    yield from _obs(machine, model, {_cause(part.name) for part in components if not part.ok})


def _is_installed(model: Path) -> bool:
    """Return whether the network belongs to an installation made by install.py."""
    return model.name == Path(receipt.MODEL).name and (model.parent.parent / receipt.NAME).is_file()


def _cause(component: str) -> str:
    """Return the `obs_log.KnownFailure.cause` for a missing component."""
    return component if component in ("model", "Python") else "libraries"


def _note(topic: str, text: str) -> Finding:
    return Finding(topic=topic, level=Level.NOTE, text=text)


def _problem(topic: str, text: str, cure: str) -> Finding:
    return Finding(topic=topic, level=Level.PROBLEM, text=text, cure=cure)


def _place(name: str) -> str:
    module = sys.modules.get({"opencv": "cv2"}.get(name, name))
    file = getattr(module, "__file__", None)
    if name == "Python":
        return f" in {sys.prefix}"
    return f" in {Path(file).parent}" if file else ""


def _processor() -> Iterator[Finding]:
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    features: Mapping[str, Any] = {}
    try:
        import numpy

        features = numpy.show_config(mode="dicts").get("SIMD Extensions", {})  # type: ignore[union-attr, unused-ignore]
    except Exception:  # no numpy, or one without this information
        pass
    known = " ".join([*features.get("baseline", ()), *features.get("found", ())])
    yield _note("processor", f"{name}{f' with {known}' if known else ''}")


def _model(model: Path) -> Iterator[Finding]:
    try:
        file = read_model(model)
    except ModelError:
        return  # check_installation reports it
    checked = "" if file.is_ours else " (your own network, not EOAM's)"
    yield Finding(topic="model", level=Level.OK, text=f"SHA-256 {file.sha256}{checked}")


def _onnxruntime() -> Iterator[Finding]:
    """Report which onnxruntime this process has, and which others OBS could load."""
    module = sys.modules.get("onnxruntime")
    file = getattr(module, "__file__", None)
    if file is None:
        return
    home = Path(file).resolve().parent
    copies = loaded_files("onnxruntime")
    others = [copy for copy in copies if home not in copy.resolve().parents]
    for copy in copies:
        if copy not in others:
            yield _note("onnxruntime", f"loaded: {copy}")
    for copy in others:
        yield _problem(
            "onnxruntime",
            f"this process has loaded another copy as well: {copy}",
            "Remove other plugins one at a time to find the one that loads it, then report it.",
        )
    if sys.platform == "win32" and Path(r"C:\Windows\System32\onnxruntime.dll").exists():
        yield _note("onnxruntime", "Windows has its own copy in system32, which must not be loaded")


def _self_test(model: Path) -> Finding:
    """Run the network as the filter does, on a uniform picture."""
    try:
        import numpy as np

        from eoam_core.geometry import network_size
        from eoam_core.segmenter import OnnxSegmenter

        width, height = network_size(16, 9)
        frame = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
        segmenter = OnnxSegmenter(model, height=height, width=width)
        first, times = segmenter.segment(frame), []
        for _ in range(_RUNS):
            start = time.perf_counter()
            again = segmenter.segment(frame)
            times.append((time.perf_counter() - start) * 1000)
            if not np.array_equal(first, again):
                return _problem("self-test", "the network gives different results for the same frame", "Report this.")
        segmenter.close()
    except EoamError as error:
        return _problem("self-test", str(error), _AGAIN)
    except Exception as error:  # whatever it is, the report must include it
        return _problem("self-test", repr(error), "Report this.")
    median = statistics.median(times)
    text = f"{median:.2f} ms for a mask of {width}x{height}, median of {_RUNS}"
    if median > _SLOW_MS:
        cure = "Close other programs, or choose the Low CPU preset in the filter."
        return _problem("self-test", f"{text}: slower than one frame at 30 frames per second", cure)
    return Finding(topic="self-test", level=Level.OK, text=text)


def _obs(machine: Machine, model: Path, said: set[str]) -> Iterator[Finding]:
    """Examine every OBS, its installation, scenes and log; `said` collects the causes already reported."""
    found = layouts.find_obs(machine)
    for obs in found:
        linked = f", linked with Python 3.{obs.linked_python[1]}" if obs.linked_python else ""
        yield _note("OBS", f"{obs}{linked}")
        yield from _installed(obs, model, said)
    if not found:
        yield _note("OBS", "not found")
    for config in layouts.config_folders(machine):
        yield from _collections(config, machine)
        yield from _log(config, said)


def _installed(obs: layouts.Obs, model: Path, said: set[str]) -> Iterator[Finding]:
    try:
        written = receipt.read_receipt(obs.target)
    except InstallError as error:
        yield _problem("installation", str(error), _AGAIN)
        return
    if written is None:
        return
    gone = [name for name in written.files if not (obs.target / name).is_file()]
    # A file missing here may be why the model or a library was reported missing: one problem, not two.
    told = [name for name in gone if _cause_of_file(name) in said and _is_examined(obs.target, name, model)]
    said.update(_cause_of_file(name) for name in gone)
    text = f"{written.version} for {written.environment} in {obs.target}"
    if gone and gone == told:
        yield _note("installation", f"{text}: its missing files are listed above")
    elif gone:
        files = "1 file is" if len(gone) == 1 else f"{len(gone)} files are"
        yield _problem("installation", f"{text}: {files} missing, such as {gone[0]}", _AGAIN)
    elif obs.linked_python is not None and f"cp3{obs.linked_python[1]}-" not in written.environment:
        yield _problem("installation", f"{text}: OBS now uses Python 3.{obs.linked_python[1]}", _AGAIN)
    else:
        yield Finding(topic="installation", level=Level.OK, text=text)


def _cause_of_file(name: str) -> str:
    return "model" if name == receipt.MODEL else "libraries" if name.startswith("libraries/") else name


def _is_examined(target: Path, name: str, model: Path) -> bool:
    """Return whether this process has already checked a file of the installation in `target`."""
    try:
        if name == receipt.MODEL:
            return (target / name).resolve() == model.resolve()
        return target.resolve() == Path(eoam_core.__file__).resolve().parent.parent
    except OSError:
        return False


def _collections(config: Path, machine: Machine) -> Iterator[Finding]:
    """Count the scene collections with the script, and find those that would show the background without it."""
    collections = scenes.find_collections(obs_settings.scenes_folder(config))
    listed, exposed = 0, 0
    gone: set[str] = set()
    for collection in collections:
        ours = [path for path in collection.scripts if scenes.is_ours(path)]
        present = [path for path in ours if machine.path(path).is_file()]
        gone.update(path for path in ours if path not in present)
        listed += bool(present)
        try:
            uses = f'"{_FILTER_ID}"'.encode() in scenes.read_file(collection.path)
        except (OSError, InstallError):
            uses = False
        exposed += uses and not present
    if not collections:
        return
    yield _note("scenes", f"{listed} of {len(collections)} scene collections list the script ({config})")
    for path in sorted(gone):
        yield _problem("scenes", f"the script {path} is listed but does not exist", "Remove it under Tools > Scripts.")
    if exposed:
        yield _problem(
            "scenes",
            f"scene collections with the filter but without the script: {exposed}; OBS shows the raw camera there",
            "Add obs_eoam.py under Tools > Scripts in each, or run install.py again, which adds it to all.",
        )


def _log(config: Path, said: set[str]) -> Iterator[Finding]:
    path = obs_log.newest_log(config)
    if path is None:
        return
    try:
        text = obs_log.read_log(path)
    except OSError as error:
        yield _note("log", f"{path} cannot be read ({error.strerror})")
        return
    yield _note("log", str(path))
    for line in obs_log.our_lines(text):
        yield _note("log", line)
    for failure in obs_log.known_failures(text):
        if failure.cause and failure.cause in said:
            continue  # the line itself is shown above
        yield _problem("log", f"{failure.meaning} ({failure.line})", failure.cure)
    if "obs-backgroundremoval" in text:
        yield _note("log", "the plugin obs-backgroundremoval is installed and has its own onnxruntime")


def _impersonal(text: str, home: Path) -> str:
    text = printable(text)
    for form in {str(home), home.as_posix(), str(home).replace("\\", "\\\\")}:
        if len(form) > 1:
            text = text.replace(form, "~")
    return text
