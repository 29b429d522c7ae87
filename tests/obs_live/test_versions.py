"""An OBS that the project has not met: it works or says what is wrong, and OBS does not crash.

The struct's layout is that of the headers of OBS 29.0.2, 30.2.3 and 32.2.2, as a C compiler has it on 64 bits.
"""

from __future__ import annotations

import ctypes
import warnings
from pathlib import Path

import pytest

from eoam_core.errors import InstallationError
from eoam_obs.binding import libobs, library
from tests.obs_live.obs_helpers import PLAIN, SCRIPT, Starter, disc, is_drawn, save_picture
from tools.obs_driver.probe import PROBE, Probe
from tools.obs_driver.session import Json, ObsSession, filter_entry, image_entry

OTHER_OBS = Path(__file__).parent / "other_obs_script.py"
SCRIPTS: list[tuple[Path, Json]] = [(OTHER_OBS, {}), (SCRIPT, {}), (PROBE, {})]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    file = save_picture(tmp_path_factory.mktemp("pictures") / "disc.png", disc(640, 360))
    return [image_entry(file, filter_entry(**PLAIN))]


def start(start_obs: Starter, sources: list[Json], model: Path, kind: str) -> ObsSession:
    return start_obs(
        {"Test": sources},
        scripts={"Test": SCRIPTS},
        environment={"EOAM_MODEL": str(model), "EOAM_OTHER_OBS": kind},
    )


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="OBS Studio exists for 64 bits only")
@pytest.mark.parametrize(
    ("name", "offset"),
    {
        "id": 0,
        "type": 8,
        "output_flags": 12,
        "get_name": 16,
        "create": 24,
        "destroy": 32,
        "get_width": 40,
        "get_defaults": 56,
        "get_properties": 64,
        "update": 72,
        "activate": 80,
        "video_tick": 112,
        "video_render": 120,
        "filter_video": 128,
        "type_data": 216,
        "audio_mix": 280,
        "icon_type": 288,
        "media_play_pause": 296,
        "version": 368,
        "unversioned_id": 376,
        "video_get_color_space": 392,
    }.items(),
)
def test_a_field_of_the_struct_lies_where_obs_has_it(name: str, offset: int) -> None:
    assert getattr(libobs.SourceInfo, name).offset == offset


def test_the_struct_is_no_larger_than_that_of_any_obs() -> None:
    # 400 bytes up to OBS 29, 408 from 30.0, 424 from 32.2; libobs refuses a larger one than its own.
    assert ctypes.sizeof(libobs.SourceInfo) <= 400


@pytest.mark.filterwarnings("default:OBS .* is newer than the newest that is known:UserWarning")
def test_the_running_obs_is_one_that_is_known_or_a_warning_says_so(
    start_obs: Starter, sources: list[Json], brightness_model: Path
) -> None:
    obs = start_obs({"Test": sources}, environment={"EOAM_MODEL": str(brightness_model)})
    version = str(obs.request("GetVersion")["obsVersion"])
    obs.wait(lambda: "filter_registered" in obs.log, "the filter")
    is_newer = int(version.split(".")[0]) > libobs.NEWEST_MAJOR
    assert ("obs_is_newer" in obs.log) == is_newer
    if is_newer:  # the day that an archive has it is no failure of ours; the tests of this folder say whether it works
        warnings.warn(
            f"OBS {version} is newer than the newest that is known, {libobs.NEWEST_MAJOR}: where all else passes, "
            "raise libobs.NEWEST_MAJOR, and name it in docs/user/tested.md",
            stacklevel=1,
        )


def test_in_a_newer_obs_the_filter_works_and_the_log_says_that_it_is_newer(
    start_obs: Starter, sources: list[Json], brightness_model: Path
) -> None:
    obs = start(start_obs, sources, brightness_model, "newer")
    obs.wait_for_picture(is_drawn, "the person")
    assert "obs_is_newer obs=99.1.0" in obs.log
    assert "callback_failed" not in obs.log


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("refuses the struct", "rejected the filter"),
        ("has lost a function", "has no function obs_function_that_went"),
    ],
)
def test_what_an_obs_cannot_do_is_said_in_the_log_and_in_the_panel(
    start_obs: Starter, sources: list[Json], brightness_model: Path, kind: str, message: str
) -> None:
    obs = start(start_obs, sources, brightness_model, kind)
    version = str(obs.request("GetVersion")["obsVersion"])
    probe = Probe(obs, obs.folder)
    said = probe("script_panel")["problem"]
    assert message in said
    assert version in said
    assert said in obs.log
    assert "filter_registered" not in obs.log
    # Reload, unload and the panel of a type that OBS does not know: nothing of that is a crash either.
    probe("reload")
    probe("unload")
    probe("load")
    assert message in probe("script_panel")["problem"]
    assert "Traceback" not in obs.log


def test_a_missing_function_is_named_with_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "loaded", lambda library: ctypes.CDLL(None))
    monkeypatch.setattr(libobs, "_BLOCKING", {"obs_get_version_string": (ctypes.c_char_p, ())})
    with pytest.raises(InstallationError, match=r"no function obs_get_version_string.*OBS Studio 28"):
        libobs.LibObs()
