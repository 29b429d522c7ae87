"""Whatever is missing or broken: nothing of the room is shown, and the panel says what to do.

Slow: it waits until the filter tries the network again, every five seconds.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.obs_live.obs_helpers import PLAIN, Starter, crash_report, disc, is_drawn, is_empty, save_picture
from tools.obs_driver.probe import PROBE, Probe
from tools.obs_driver.session import CAMERA, FILTER, REPOSITORY, Json, ObsSession, filter_entry, image_entry


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    return [image_entry(file, filter_entry(**PLAIN))]


def stays_empty(obs: ObsSession) -> None:
    for _ in range(8):
        assert is_empty(obs.screenshot())
        obs.wait_frames(2)


def ends_cleanly(obs: ObsSession) -> None:
    ended = obs.end()
    assert ended.is_clean or ended.fault_of_obs, crash_report(ended, obs)


def test_without_a_usable_model_nothing_is_shown_until_it_is_repaired(
    start_obs: Starter, brightness_model: Path, sources: list[Json], tmp_path: Path
) -> None:
    model = tmp_path / "eoam.onnx"
    obs = start_obs({"Test": sources}, environment={"EOAM_MODEL": str(model)})
    probe = Probe(obs, obs.folder)

    def status() -> str:
        return str(probe("filter_panel", source=CAMERA, name=FILTER)["status"])

    stays_empty(obs)
    assert f"There is no model file {model}" in status()
    assert str(model) in probe("script_panel")["missing_model"]
    content = brightness_model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    obs.wait(lambda: "damaged" in status(), "the damaged file in the status", timeout_s=15)
    stays_empty(obs)
    model.write_bytes(content)
    obs.wait_for_picture(is_drawn, "the person, once the model is there", timeout_s=15)
    obs.wait(lambda: "brightness 1, " in status(), "the network in the status", every_s=0.5)
    assert obs.log.count("There is no model file") <= 2  # said once when loading and once when running
    ends_cleanly(obs)


def install_without(folder: Path, packages: Sequence[str]) -> tuple[Path, Path]:
    """Copy the project without its .venv, and link some packages of this Python; return the script and the links."""
    project, site = folder / "project", folder / "site"
    project.mkdir()
    site.mkdir()
    shutil.copy(REPOSITORY / "obs_eoam.py", project)
    for package in ("eoam_core", "eoam_obs", "eoam_cli", "eoam_machine", "eoam_install", "locale"):
        shutil.copytree(REPOSITORY / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        home = Path(spec.origin).parent
        for place in (home, home.with_name(f"{home.name}.libs")):
            if place.exists():
                (site / place.name).symlink_to(place)
        libraries = list(home.parent.glob("opencv_python*.libs")) if package == "cv2" else []
        for place in libraries:
            (site / place.name).symlink_to(place)
    return project / "obs_eoam.py", site


@pytest.mark.parametrize(
    ("there", "missing"),
    [(["numpy", "cv2"], ["onnxruntime"]), ([], ["numpy", "onnxruntime", "opencv"])],
    ids=["onnxruntime", "everything"],
)
def test_without_a_library_the_script_loads_and_says_how_to_install_it(
    start_obs: Starter,
    brightness_model: Path,
    sources: list[Json],
    tmp_path: Path,
    there: list[str],
    missing: list[str],
) -> None:
    script, site = install_without(tmp_path, there)
    obs = start_obs(
        {"Test": sources},
        scripts={"Test": [(script, {}), (PROBE, {})]},
        environment={"EOAM_MODEL": str(brightness_model), "PYTHONPATH": str(site), "PYTHONNOUSERSITE": "1"},
    )
    probe = Probe(obs, obs.folder)
    panel = probe("script_panel")
    found = {name for name in panel if name.startswith("missing_")}
    if "missing_onnxruntime" not in found:
        pytest.skip("onnxruntime is installed for the system's Python itself")
    stays_empty(obs)
    for name in missing:
        assert "pip install" in panel[f"missing_{name}"] or "scripts/setup" in panel[f"missing_{name}"]
    assert found == {f"missing_{name}" for name in missing}
    status = probe("filter_panel", source=CAMERA, name=FILTER)["status"]
    assert status.startswith("Nothing is shown.")
    assert missing[0] in status
    assert "component_missing name=onnxruntime" in obs.log
    ends_cleanly(obs)
