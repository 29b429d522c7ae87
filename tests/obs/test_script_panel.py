"""The script's panel with a stand-in for obspython: what it shows and what its buttons do where no OBS is needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from eoam_core.installation import Component
from eoam_core.settings import Preset
from eoam_obs.binding import desktop, frontend, functions
from eoam_obs.implementation import FilterImplementation
from eoam_obs.panels import diagnostics, script_panel
from eoam_obs.panels.script_panel import DEFAULTS, ScriptPanel
from eoam_obs.source import virtual_camera
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from tests.obs.libobs_double import strict
from tests.obs.test_panel_parts import Api, Data, Item


@strict
class Obspython(Api):
    """Adds what only a script's panel uses: it stands in for libobs as well, see `panel_of`."""

    version, major = "32.2.2", 32

    def __init__(self, *, has_camera: bool = True) -> None:
        super().__init__()
        self.references = 0
        self.camera = False
        self.has_camera = has_camera

    def obs_output_get_display_name(self, kind: str) -> bytes | None:
        return b"Virtual Camera" if self.has_camera else None

    def obs_data_addref(self, data: Data) -> None:
        self.references += 1

    def obs_data_release(self, data: Data) -> None:
        self.references -= 1

    def obs_property_text_set_info_type(self, item: Item, kind: int) -> None:
        pass

    def obs_property_set_description(self, item: Item, text: str) -> None:
        item.label = text

    def obs_save_sources(self) -> int:
        return 0

    def obs_frontend_virtualcam_active(self) -> bool:
        return self.camera


class Job:
    """An installation that is done at once."""

    state, message = "idle", "numpy is not there yet"

    def start(self) -> None:
        self.state, self.message = "done", "Press Reload"


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Component(name="numpy", ok=False, version="", required=">=2.0", remedy="run pip")
    monkeypatch.setattr(diagnostics, "components", lambda obs: (broken,))


def panel_of(api: Any, job: Job | None = None) -> ScriptPanel:
    """Return a panel whose filter is in OBS."""
    script = ScriptPanel(api, Texts(), job)
    script.obs = api
    return script


def press(script: ScriptPanel, api: Any, properties: int, name: str) -> bool:
    """Press a button as libobs does, but for the callback: that takes numbers only."""
    button = find(api, properties, name)
    assert button.rest[0] is script_panel._clicked
    return script.clicked(properties, button)  # type: ignore[arg-type]


def find(api: Api, properties: int, name: str) -> Item:
    item = api.obs_properties_get(properties, name)
    assert item is not None, name
    return item


@pytest.mark.usefixtures("missing")
def test_where_a_library_is_missing_installing_it_is_offered_and_reported() -> None:
    api, job = Obspython(), Job()
    script = panel_of(api, job)
    properties = script.properties()
    assert find(api, properties, "missing_numpy").label == "numpy is missing. run pip"
    assert find(api, properties, "install_state").label == "numpy is not there yet"
    assert press(script, api, properties, "install")
    assert (job.state, find(api, properties, "install_state").label) == ("done", "Press Reload")


def test_where_only_the_network_is_missing_no_libraries_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = (Component(name="model", ok=False, version="", required="", remedy="Unpack the download again."),)
    monkeypatch.setattr(diagnostics, "components", lambda obs: lost)
    api = Obspython()
    properties = panel_of(api, Job()).properties()
    assert "Unpack the download again." in find(api, properties, "missing_model").label
    for name in ("install", "install_state"):
        assert api.obs_properties_get(properties, name) is None


@pytest.mark.usefixtures("missing")
def test_without_the_part_that_installs_there_is_no_button_for_it() -> None:
    api = Obspython()
    assert api.obs_properties_get(panel_of(api).properties(), "install") is None


@pytest.mark.usefixtures("missing")
def test_every_control_has_a_long_description(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Obspython()
    script = panel_of(api, Job())
    monkeypatch.setattr("eoam_obs.source.sources.video_sources", lambda obs: ["camera"])
    own = FilterImplementation(DEFAULTS)
    callbacks = dict.fromkeys(("modified", "refresh", "reset", "guard"), "callback")
    for properties in (script.properties(), own.properties(api, None, State(kind="waiting"), callbacks)):  # type: ignore[arg-type]
        groups = (properties, *api.groups.values())
        items = [item for group in groups for item in api.properties[group].values() if item.kind != "text"]
        assert len(items) > 25
        assert not [item.name for item in items if not item.help]
    buttons = {item.name for group in api.properties.values() for item in group.values() if "button" in item.kind}
    assert buttons == {"add", "camera", "install", "refresh", "copy", "logs", "reset", "guard"}


def test_what_keeps_the_filter_out_of_obs_is_said_and_nothing_is_offered() -> None:
    api = Obspython()
    script = ScriptPanel(api, Texts(), Job())
    script.problem = "OBS 12 is too old"
    properties = script.properties()
    assert find(api, properties, "problem").label == "OBS 12 is too old"
    assert find(api, properties, "filters").label == "The filter is not loaded in OBS."
    assert api.obs_properties_get(properties, "add_to") is None


def test_no_callback_is_obspythons_whose_global_variable_another_scripts_tick_resets() -> None:
    api = Obspython()
    panel_of(api).properties()
    items = [item for group in api.properties.values() for item in group.values()]
    callbacks = [item.rest[0] for item in items if item.kind == "button2"]
    callbacks += [item.modified for item in items if item.modified]
    assert len(callbacks) > 20
    assert {id(callback) for callback in callbacks} == {id(script_panel._clicked), id(script_panel._modified)}
    assert not [item.name for item in items if item.kind == "button"]


def test_the_callbacks_reach_the_panel_that_was_shown_last_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[tuple[ScriptPanel, tuple[int, int]]] = []
    for name in ("clicked", "modified"):
        monkeypatch.setattr(ScriptPanel, name, lambda self, *numbers: reached.append((self, numbers)) is None)
    first, second = panel_of(Obspython()), panel_of(Obspython())
    for script in (first, second):
        script.properties()
        assert script_panel._clicked(1, 2, None)
        assert script_panel._modified(3, 4, 5)
    assert reached == [(first, (1, 2)), (first, (3, 5)), (second, (1, 2)), (second, (3, 5))]
    first.close()
    assert script_panel._clicked(1, 2, None)
    second.close()
    assert not script_panel._clicked(1, 2, None)
    assert not script_panel._modified(3, 4, 5)


def functions_of(api: Obspython, *, starts: bool = True) -> Any:
    """Return a finder of a frontend that has OBS's own functions: they switch the camera, or it does not start."""

    def start() -> None:
        api.camera = starts

    def stop() -> None:
        api.camera = False

    functions = {"obs_frontend_start_virtualcam": start, "obs_frontend_stop_virtualcam": stop}
    return SimpleNamespace(FRONTEND=None, loaded=lambda library: functions)


def test_the_virtual_camera_is_switched_and_the_button_and_the_answer_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Obspython()
    monkeypatch.setattr(frontend, "library", functions_of(api))
    script = panel_of(api)
    properties = script.properties()
    button, answer = find(api, properties, "camera"), find(api, properties, "done")
    assert press(script, api, properties, "camera")
    assert (api.camera, button.label, answer.visible) == (True, "Stop virtual camera", True)
    assert answer.label == "The virtual camera is on. Choose OBS Virtual Camera in your meeting app."
    assert find(api, script.properties(), "camera").label == "Stop virtual camera"
    press(script, api, properties, "camera")
    assert (api.camera, button.label, answer.label) == (
        False,
        "Start virtual camera",
        "The virtual camera is stopping.",
    )


@pytest.mark.parametrize(
    ("system", "said"),
    [("linux", "did not start: the kernel module v4l2loopback"), ("darwin", "is starting"), ("win32", "is starting")],
)
def test_a_virtual_camera_that_is_not_on_afterwards_is_said(
    monkeypatch: pytest.MonkeyPatch, system: str, said: str
) -> None:
    api = Obspython()
    monkeypatch.setattr(frontend, "library", functions_of(api, starts=False))
    monkeypatch.setattr(virtual_camera, "sys", SimpleNamespace(platform=system))
    assert said in virtual_camera.switch(api, Texts())


def test_an_obs_without_the_functions_is_not_called_and_the_other_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Obspython()
    monkeypatch.setattr(frontend, "library", SimpleNamespace(FRONTEND=None, loaded=lambda library: None))
    monkeypatch.setattr(virtual_camera, "sys", SimpleNamespace(platform="win32"))
    assert "OBS's Controls dock" in virtual_camera.switch(api, Texts())
    assert not api.camera


def test_what_the_virtual_camera_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, word in (("linux", "v4l2loopback"), ("win32", "obsproject.com"), ("darwin", "obsproject.com")):
        monkeypatch.setattr(virtual_camera, "sys", SimpleNamespace(platform=system))
        api: Any = Obspython(has_camera=False)
        assert word in virtual_camera.missing(api, Texts())


def test_a_preset_chosen_in_the_panel_sets_the_rest_and_the_panel_shows_it() -> None:
    api, data = Obspython(), Data()
    script = panel_of(api)
    assert script.use(data) == DEFAULTS
    properties = script.properties()
    assert find(api, properties, "preset").modified is script_panel._modified
    data["preset"] = "meeting"
    assert script.use(data).preset is Preset.MEETING
    assert data["regions"] == "largest"
    assert script.modified(properties, functions.Data(int(data)))
    assert find(api, properties, "blur_strength").visible
    assert not script.modified(properties, functions.Data(int(data)))  # nothing new: no slider is torn away


def test_the_scripts_data_is_given_back() -> None:
    api = Obspython()
    script = panel_of(api)
    script.use(Data())
    script.use(Data())
    assert api.references == 1
    script.close()
    script.close()
    assert api.references == 0


def test_the_copied_text_is_shown_and_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    api, data, copied = Obspython(), Data(), []
    monkeypatch.setattr(desktop, "copy", lambda text: copied.append(text) or True)
    script = panel_of(api)
    script.use(data)
    properties = script.properties()
    assert not find(api, properties, "diagnostics").visible
    press(script, api, properties, "copy")
    assert find(api, properties, "diagnostics").visible
    assert data.defaults["diagnostics"] == copied[0]
    assert "diagnostics" not in data


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there already"])
@pytest.mark.parametrize("guarded", [False, True], ids=["no guard to be had", "guarded"])
def test_adding_says_what_was_there_and_what_could_not_be_made(
    monkeypatch: pytest.MonkeyPatch, is_there: bool, guarded: bool
) -> None:
    api = Obspython()
    script = panel_of(api)
    added: list[str] = []
    monkeypatch.setattr("eoam_obs.source.sources.video_sources", lambda obs: ["camera"])
    monkeypatch.setattr("eoam_obs.source.sources.add_filter", lambda obs, name, *kind: bool(added.append(name) or True))
    monkeypatch.setattr("eoam_obs.source.source_type.is_on", lambda name: is_there)
    monkeypatch.setattr("eoam_obs.source.source_type.guard_on", lambda name: guarded)
    properties = script.properties()
    press(script, api, properties, "add")
    said = find(api, properties, "done").label
    assert added == ([] if is_there else ["camera"])
    assert ("already has the filter" in said) == is_there
    assert ("now has the filter" in said) != is_there
    assert ("no privacy guard" in said) != guarded
    script._guarded = False  # it is not wanted, so nothing lacks
    press(script, api, properties, "add")
    assert "no privacy guard" not in find(api, properties, "done").label
