"""The script's panel under Tools > Scripts; everything here runs on OBS's UI thread.

`api` is the module `obspython`, handed in by the script. The defaults that stand here are what a new filter starts
with, and what filters do that follow them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from eoam_core.settings import Settings
from eoam_obs import desktop, diagnostics, frontend, libobs, panel, source_type, sources, stored, virtual_camera
from eoam_obs.diagnostics import Part
from eoam_obs.instances import INSTANCES
from eoam_obs.libobs import LibObs
from eoam_obs.locale import Texts
from eoam_obs.stored import ADD_TO_KEY, DIAGNOSTICS_KEY, GUARD_KEY

DEFAULTS: Final = Settings(advanced=False)

_FILTERS: Final = "filters"
_DONE: Final = "done"  # what Add and the virtual camera say, between the two
_DONE_BELOW: Final = "done_below"
_INSTALL: Final = "install_state"


def write_defaults(api: Any, data: Any) -> None:
    """Write the defaults of the script's panel into its obs_data."""
    stored.write_defaults(api, data, DEFAULTS)
    api.obs_data_set_default_bool(data, GUARD_KEY, True)


class Job(Protocol):
    """An installation of the libraries, as eoam_install.components has it."""

    state: str
    message: str

    def start(self) -> None:
        """Begin."""


class ScriptPanel:
    """Build the panel and do what its buttons say.

    Args:
        api: `obspython`.
        texts: the words.
        job: what installs the libraries, or None if that is not there.
    """

    def __init__(self, api: Any, texts: Texts, job: Job | None = None) -> None:
        self.settings = DEFAULTS
        self.problem = ""
        self.obs: LibObs | None = None
        self._api = api
        self._texts = texts
        self._job = job
        self._data: Any = None  # the script's obs_data
        self._changed = False
        self._add_to = ""
        self._guarded = True

    def use(self, data: Any) -> Settings:
        """Take what is stored in the script's obs_data, in order, and return it."""
        settled = stored.settle(self._api, data, self._known(), DEFAULTS, complete=False)
        self._api.obs_data_addref(data)
        self.close()
        self._data, self.settings, self._changed = data, settled.settings, settled.changed
        values = stored.read(self._api, data)
        self._add_to = str(values.get(ADD_TO_KEY, ""))
        self._guarded = values.get(GUARD_KEY, True) is not False
        return self.settings

    def close(self) -> None:
        """Give the script's obs_data back; may be called more than once."""
        data, self._data = self._data, None
        if data is not None:
            self._api.obs_data_release(data)

    def properties(self) -> Any:
        """Return a new obs_properties."""
        api, texts = self._api, self._texts
        properties = api.obs_properties_create()
        # OBS opens the dialog with room for ten lines: what is to be done stands first.
        parts = diagnostics.parts(self.obs, texts)
        self._add_missing(properties, [part for part in parts if part.cure])
        if self.obs is not None and not self.problem:
            self._add_sources(properties)
        self._add_answer(properties, _DONE)
        if self.obs is not None and not self.problem:
            self._add_camera(properties, self.obs)
        panel.add_text(api, properties, _FILTERS, self._filters())
        self._add_button(properties, panel.REFRESH, self._refresh)
        panel.add_text(api, properties, "defaults", texts("script.defaults"))
        modified = _function(self._modified)
        panel.add_settings(api, properties, texts, modified=modified, always=True, model=self.settings.model)
        found = "\n".join(part.line(texts) for part in parts if not part.cure)
        panel.add_text(api, properties, "installation", found)
        self._add_button(properties, "copy", self._copy)
        item = api.obs_properties_add_text(
            properties, DIAGNOSTICS_KEY, texts("script.diagnostics"), libobs.OBS_TEXT_MULTILINE
        )
        api.obs_property_set_long_description(item, texts("script.diagnostics.help"))
        api.obs_property_set_visible(item, False)
        self._add_button(properties, "logs", self._open_logs)
        self._add_answer(properties, _DONE_BELOW)
        if self._data is not None:
            panel.show_relevant(api, properties, self._data)
        return properties

    def _known(self) -> Settings | None:
        return self.settings if self._data is not None else None

    def _add_missing(self, properties: Any, missing: Sequence[Part]) -> None:
        """Add what is wrong with the installation, each with its cure, and the button that mends it."""
        api, texts = self._api, self._texts
        if self.problem:
            panel.add_text(api, properties, "problem", self.problem, warning=True)
        for part in missing:
            panel.add_text(api, properties, f"missing_{part.key}", part.line(texts), warning=True)
        if self._job is not None and any(part.key != "model" for part in missing):  # it installs libraries only
            panel.add_text(api, properties, _INSTALL, self._job.message)
            self._add_button(properties, "install", self._install)

    def _add_sources(self, properties: Any) -> None:
        api, texts = self._api, self._texts
        have = {name for name, _ in source_type.states()}
        names = sorted(sources.video_sources(api), key=lambda name: name in have)  # stable: cameras stay first
        if not names:
            panel.add_text(api, properties, ADD_TO_KEY, texts("script.no_sources"))
            return
        item = api.obs_properties_add_list(
            properties, ADD_TO_KEY, texts("script.add_to"), libobs.OBS_COMBO_TYPE_LIST, libobs.OBS_COMBO_FORMAT_STRING
        )
        api.obs_property_set_long_description(item, texts("script.add_to.help"))
        for name in names:
            api.obs_property_list_add_string(item, texts("script.has_it", name=name) if name in have else name, name)
        if self._add_to not in names:
            self._add_to = names[0]  # what OBS shows when nothing was chosen
        item = api.obs_properties_add_bool(properties, GUARD_KEY, texts("script.guard"))
        api.obs_property_set_long_description(item, texts("script.guard.help"))
        self._add_button(properties, "add", self._add)

    def _add_camera(self, properties: Any, obs: LibObs) -> None:
        missing = virtual_camera.missing(obs, self._texts)
        if missing:
            panel.add_text(self._api, properties, "camera", missing)
        else:
            self._add_button(properties, "camera", self._switch_camera, self._camera_label())

    def _camera_label(self) -> str:
        return self._texts("script.camera.stop" if virtual_camera.is_on(self._api) else "script.camera")

    def _add_button(self, properties: Any, name: str, clicked: Any, text: str = "") -> None:
        key = "panel.refresh" if name == panel.REFRESH else f"script.{name}"
        item = self._api.obs_properties_add_button(properties, name, text or self._texts(key), _function(clicked))
        self._api.obs_property_set_long_description(item, self._texts(f"{key}.help"))

    def _filters(self) -> str:
        if self.problem:
            return self._texts("script.not_running")
        lines = [f"{name}: {state.sentence(self._texts)}" for name, state in source_type.states()]
        return "\n".join(lines) or self._texts("script.no_filter")

    def _add_answer(self, properties: Any, name: str) -> None:
        panel.add_text(self._api, properties, name, "")
        self._api.obs_property_set_visible(self._api.obs_properties_get(properties, name), False)

    def _say(self, properties: Any, text: str, where: str = _DONE) -> bool:
        panel.show_text(self._api, properties, where, text)
        self._api.obs_property_set_visible(self._api.obs_properties_get(properties, where), True)
        return True

    def _modified(self, properties: Any, _property: Any, data: Any) -> bool:
        changed, self._changed = self._changed, False
        return panel.show_relevant(self._api, properties, data) or changed

    def _refresh(self, properties: Any, _button: Any) -> bool:
        panel.show_text(self._api, properties, _FILTERS, self._filters())
        if self._job is not None:
            panel.show_text(self._api, properties, _INSTALL, self._job.message)
        return True

    def _install(self, properties: Any, button: Any) -> bool:
        if self._job is not None:
            self._job.start()
        return self._refresh(properties, button)

    def _add(self, properties: Any, _button: Any) -> bool:
        name, texts = self._add_to, self._texts
        kind = source_type.FILTER_ID, source_type.FILTER_NAME
        # Whoever presses it for a source that has the filter wants it to work there, not a second one behind it.
        is_there = source_type.is_on(name)
        if not is_there and (self.obs is None or not sources.add_filter(self.obs, name, *kind)):
            return self._say(properties, texts("script.not_added", name=name))
        said = texts("script.already" if is_there else "script.added", name=name)
        if self._guarded and not source_type.guard_on(name):
            said += " " + texts("script.unguarded")
        panel.show_text(self._api, properties, _FILTERS, self._filters())
        return self._say(properties, said)

    def _switch_camera(self, properties: Any, _button: Any) -> bool:
        said = virtual_camera.switch(self._api, self._texts)
        panel.show_text(self._api, properties, "camera", self._camera_label())
        return self._say(properties, said)

    def _copy(self, properties: Any, _button: Any) -> bool:
        api = self._api
        own = [
            (source_type.state_of(instance), instance.stored.acting)
            for instance in list(INSTANCES.values())
            if instance.stored is not None
        ]
        text = diagnostics.report(self.obs, self.settings, own)
        if self._data is not None:  # as a default: shown, and not saved with the scenes
            api.obs_data_set_default_string(self._data, DIAGNOSTICS_KEY, text)
            api.obs_property_set_visible(api.obs_properties_get(properties, DIAGNOSTICS_KEY), True)
        said = self._texts("script.copied" if desktop.copy(text) else "script.not_copied")
        return self._say(properties, said, _DONE_BELOW)

    def _open_logs(self, properties: Any, _button: Any) -> bool:
        profile = frontend.profile_path()
        folder = Path(profile).parents[2] / "logs" if profile else Path()  # .../basic/profiles/NAME
        if profile and desktop.show_folder(folder):
            return False
        return self._say(properties, self._texts("script.no_folder", folder=folder), _DONE_BELOW)


def _function(method: Callable[..., bool]) -> Callable[..., bool]:
    """Return a function that calls a method: obspython takes plain functions only, and ignores everything else."""

    def call(*arguments: Any) -> bool:
        return method(*arguments)

    return call
