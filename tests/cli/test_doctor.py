"""What `eoam doctor` finds, on recorded computers and in recorded logs."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import eoam_core
from eoam_cli import doctor, obs_log
from eoam_cli.doctor import Finding, Level
from eoam_cli.main import main
from eoam_core.loaded import loaded_files
from tests.core.system import home_variables
from tests.install import recorded

LOG = """\
22:10:01.123: CPU Name: A processor
22:10:02.000: [obs-scripting]: Loaded python script: obs_eoam.py
22:10:02.100: [EOAM] filter_registered id=eoam_background_removal obs=30.2.3
22:10:02.200: something else with /home/zoe in it
"""


def _examine(computer: recorded.Computer, network: Path) -> list[Finding]:
    return doctor.examine(network, computer.machine)


def _problems(findings: list[Finding]) -> list[str]:
    return [
        f"{finding.topic}: {finding.text} -> {finding.cure}" for finding in findings if finding.level is Level.PROBLEM
    ]


def _with_log(computer: recorded.Computer, text: str) -> None:
    computer.add("/home/zoe/.config/obs-studio/logs/2026-01-02 10-00-00.txt", text.encode())


def test_a_healthy_computer_is_green(tmp_path: Path, network: Path) -> None:
    computer = recorded.linux(tmp_path)
    _with_log(computer, LOG)
    findings = _examine(computer, network)
    assert _problems(findings) == []
    assert doctor.is_healthy(findings)
    topics = {finding.topic for finding in findings}
    assert {"EOAM", "system", "processor", "Python", "numpy", "onnxruntime", "opencv", "model", "self-test"} <= topics
    text = doctor.as_text(findings)
    assert "No problems found." in text
    assert "OBS 30.2.3 (native" in text
    assert "filter_registered" in text
    assert "something else" not in text


def test_the_onnxruntime_that_is_loaded_is_named_with_its_place(tmp_path: Path, network: Path) -> None:
    import onnxruntime

    findings = _examine(recorded.linux(tmp_path), network)
    loaded = [finding.text for finding in findings if finding.text.startswith("loaded: ")]
    home = str(Path(onnxruntime.__file__).resolve().parent).replace(str(tmp_path), "")
    assert any(home in text for text in loaded)


def test_another_onnxruntime_in_the_process_is_a_problem(
    tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path("/opt/plugin/libonnxruntime.so.1.17")
    monkeypatch.setattr(doctor, "loaded_files", lambda part: (other,))
    (problem,) = _problems(_examine(recorded.linux(tmp_path), network))
    assert f"another copy as well: {other}" in problem


def test_loaded_files_are_program_libraries() -> None:
    code = "import numpy; from eoam_core.loaded import loaded_files; print(*loaded_files('_multiarray_umath'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "_multiarray_umath" in printed
    assert loaded_files("no such library") == ()


def test_a_model_that_is_not_the_known_one_is_a_problem(tmp_path: Path, network: Path) -> None:
    computer = recorded.linux(tmp_path)
    sums = network.with_name("SHA256SUMS")
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    sums.write_text(f"{digest}  {network.name}\n")
    assert _problems(_examine(computer, network)) == []
    sums.write_text(f"{'0' * 64}  {network.name}\n")
    (problem,) = _problems(_examine(computer, network))
    assert "does not match SHA256SUMS beside it" in problem


def test_a_model_cut_in_half_is_a_problem_with_its_cure(tmp_path: Path, network: Path) -> None:
    network.write_bytes(network.read_bytes()[:-10])
    (problem,) = _problems(_examine(recorded.linux(tmp_path), network))
    assert "is damaged or not an ONNX model; put the project's eoam.onnx there" in problem


def test_a_missing_library_is_a_problem(tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (problem,) = _problems(_examine(recorded.linux(tmp_path), network))
    assert problem.startswith("onnxruntime: >=1.19 is missing -> ")


def test_another_scripts_numpy_is_named(tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = types.ModuleType("numpy")
    old.__file__, old.__version__ = "/opt/other/numpy/__init__.py", "1.19.5"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numpy", old)
    problems = _problems(_examine(recorded.linux(tmp_path), network))
    sentence = f"Another script has loaded numpy 1.19.5 from {Path('/opt/other/numpy')} before this one."
    assert any(sentence in problem for problem in problems)


def test_a_filter_without_the_script_would_show_the_room(tmp_path: Path, network: Path) -> None:
    computer = recorded.linux(tmp_path)
    config = computer.home / ".config" / "obs-studio"
    used: dict[str, Any] = {"sources": [{"name": "camera", "filters": [{"id": "eoam_background_removal"}]}]}
    script = computer.add("/home/zoe/eoam/obs_eoam.py")
    recorded.add_collection(config, "good", ["/home/zoe/eoam/obs_eoam.py"], **used)
    assert _problems(_examine(computer, network)) == []
    recorded.add_collection(config, "secret name", **used)
    findings = _examine(computer, network)
    (problem,) = _problems(findings)
    assert "scene collections with the filter but without the script: 1; OBS shows the raw camera there" in problem
    assert "secret name" not in doctor.as_text(findings)
    script.unlink()
    assert len(_problems(_examine(computer, network))) == 2


def test_an_installation_with_gone_files_or_for_another_python_is_a_problem(tmp_path: Path, network: Path) -> None:
    computer = recorded.linux(tmp_path)
    target = "/home/zoe/.local/share/eoam-obs"
    content = {"version": "0.1.0", "obs": "", "environment": "cp313-linux_x86_64", "files": ["obs_eoam.py"]}
    receipt = computer.add(f"{target}/receipt.json", json.dumps({**content, "changes": [], "parents": []}).encode())
    (problem,) = _problems(_examine(computer, network))
    assert "1 file is missing, such as obs_eoam.py -> Run install.py again." in problem
    computer.add(f"{target}/obs_eoam.py")
    assert _problems(_examine(computer, network)) == []
    receipt.write_text(receipt.read_text().replace("cp313", "cp311"))
    (problem,) = _problems(_examine(computer, network))
    assert "OBS now uses Python 3.13" in problem


def _installation(computer: recorded.Computer, files: list[str]) -> Path:
    """Add an installation with these files, none of which is there."""
    content = {"version": "0.1.0", "obs": "", "environment": "cp313-linux_x86_64", "files": files}
    target = "/home/zoe/.local/share/eoam-obs"
    computer.add(f"{target}/receipt.json", json.dumps({**content, "changes": [], "parents": []}).encode())
    return computer.path(target)


def _home(computer: recorded.Computer, path: Path) -> str:
    """Return a path in the home as the doctor writes it."""
    return str(Path("~", path.relative_to(computer.home)))


NO_MODEL_LOG = (
    "10:00:00.000: [EOAM] component_missing name=model required=x remedy=There is no model file x.\n"
    "10:00:01.000: [EOAM] frame_failed sequence=1 error=ModelError('There is no model file x.')\n"
)
NO_LIBRARY_LOG = (
    "10:00:00.000: [EOAM] component_missing name=numpy required=>=2.0 remedy=x\n"
    "10:00:01.000: [EOAM] filter_cannot_run problem='numpy is missing: x'\n"
)


@pytest.mark.parametrize(
    ("gone", "log"),
    [([], NO_MODEL_LOG), (["models/eoam.onnx"], NO_MODEL_LOG), (["models/eoam.onnx"], LOG)],
    ids=["in the log", "in the log and the installation", "in the installation"],
)
def test_a_missing_model_is_one_problem(tmp_path: Path, network: Path, gone: list[str], log: str) -> None:
    computer = recorded.linux(tmp_path)
    _with_log(computer, log)
    target = _installation(computer, gone)
    (problem,) = _problems(_examine(computer, target / "models" / "eoam.onnx"))
    model = _home(computer, target / "models" / "eoam.onnx")
    assert problem == f"model: There is no model file {model} -> Run install.py again."
    # Seen by another copy, which has its network, it is the installation's problem, or the log's alone.
    (problem,) = _problems(_examine(computer, network)) or [""]
    assert "Run install.py again" in problem


@pytest.mark.parametrize("gone", [[], ["libraries/python3.13/numpy/__init__.py"]])
def test_missing_libraries_are_one_problem(
    tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch, gone: list[str]
) -> None:
    computer = recorded.linux(tmp_path)
    _with_log(computer, NO_LIBRARY_LOG)
    target = _installation(computer, gone)
    assert len(_problems(_examine(computer, network))) == 1  # of OBS's; this process has them
    monkeypatch.setattr(eoam_core, "__file__", str(target / "eoam_core" / "__init__.py"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (problem,) = _problems(_examine(computer, network))
    assert problem.startswith("onnxruntime: ")
    _installation(computer, [*gone, "obs_eoam.py"])  # something else is gone as well
    assert len(_problems(_examine(computer, network))) == 2


def test_the_users_name_is_nowhere(tmp_path: Path, network: Path) -> None:
    computer = recorded.linux(tmp_path)
    home = computer.home
    _with_log(computer, f"10:00:00.000: [EOAM] component_missing remedy=python3 {home}/eoam/install.py\n")
    findings = _examine(computer, network)
    for text in (doctor.as_text(findings), doctor.as_json(findings)):
        assert str(home) not in text
        assert "~/eoam/install.py" in text


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("Source ID 'eoam_background_removal' not found", "obs_eoam.py must be listed and a Python must be set"),
        ("Safe Mode enabled.", "Restart OBS in normal mode"),
        ("[Python] Could not load library: C:/Python313/", "Tools > Scripts > Python Settings"),
        ("[EOAM] register_refused id=x reason=another_copy_of_this_script_is_loaded", "Remove one of them"),
        (
            "[EOAM] component_missing name=onnxruntime remedy=... (onnxruntime does not load: DLL load failed while "
            "importing onnxruntime_pybind11_state: The specified module could not be found.)",
            "Visual C++ Redistributable",
        ),
        ("[Python: obs_eoam.py] ImportError: numpy.core.multiarray failed to import", "above the other Python scripts"),
        ("ImportError: numpy.so: undefined symbol: PyUnicode_AsUTF8", "Install what is missing"),
        (
            "The requested API version [20] is not available, only API versions [1, 17] are supported",
            "Remove other plugins",
        ),
        ("[EOAM] component_missing name=numpy required=>=2.0", "Install what is missing"),
        ("[EOAM] component_missing name=model required=/x/eoam.onnx", "Run install.py again"),
        ("[EOAM] frame_failed sequence=3 error=ModelError('The model file x is empty')", "Run install.py again"),
        ("[EOAM] frame_failed sequence=3 error=ValueError('x')", "Run eoam doctor"),
        ("[EOAM] component_missing remedy=Another script has loaded numpy 1.19.5 from /x", "add it again below"),
        ("[Python: obs_eoam.py] ModuleNotFoundError: No module named 'eoam_core'", "Unpack the whole download"),
        ("[EOAM] worker_died error=MemoryError()", "Run eoam doctor"),
        ("[EOAM] callback_failed callback=_create error=ValueError()", "Restart OBS"),
        ("error: [Python: obs_eoam.py] AttributeError: module has no attribute", "Restart OBS"),
    ],
)
def test_known_failures_in_the_log_come_with_their_cure(line: str, cure: str) -> None:
    (failure,) = obs_log.known_failures(f"10:00:00.000: nothing\n10:00:01.000: {line}\n10:00:02.000: {line}\n")
    assert (failure.line, cure in failure.cure) == (line, True)


def test_a_missing_script_is_what_safe_mode_means_and_no_second_problem() -> None:
    text = "Safe Mode enabled.\nSource ID 'eoam_background_removal' not found\n"
    assert [failure.line for failure in obs_log.known_failures(text)] == ["Safe Mode enabled."]


def test_what_others_log_is_no_failure_of_ours() -> None:
    text = "error: [Python: other.py] ValueError: x\nSource ID 'other_filter' not found\n" + LOG
    assert obs_log.known_failures(text) == []


def test_the_newest_log_is_read(tmp_path: Path) -> None:
    assert obs_log.newest_log(tmp_path) is None
    (tmp_path / "logs").mkdir()
    for age, name in enumerate(("b.txt", "a.txt")):
        path = tmp_path / "logs" / name
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    found = obs_log.newest_log(tmp_path)
    assert found is not None
    assert found.name == "b.txt"


def test_the_command_has_exit_codes_and_json(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home_variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--json", "--model", str(network)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"topic", "level", "text", "cure"} == set(document["findings"][0])
    assert main(["doctor", "--model", str(tmp_path / "no.onnx")]) == 1
    assert "1 problem found." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--nonsense"])
    assert ended.value.code == 2


def test_looking_at_the_libraries_writes_nothing_into_the_home(tmp_path: Path, network: Path) -> None:
    # onnxruntime's telemetry begins when it is imported, so this needs a process of its own.
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [sys.executable, "-m", "eoam_core", "doctor", "--model", str(network)],
        env={**environment, **home_variables(home)},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
    )
    assert list(home.rglob("*")) == []
