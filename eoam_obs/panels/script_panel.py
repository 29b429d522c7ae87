"""The script's panel under Tools > Scripts; everything here runs on OBS's UI thread.

`api` is the module `obspython`, passed in by the script. The defaults set here apply to new filters and to filters that
follow them.

The panel is made through ctypes, because `obspython` reads from a global variable which script adds a button. Another
script's tick sets and clears that variable on OBS's graphics thread whenever Python's lock changes hands: OBS crashed,
or could have given the button to the other script.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from eoam_core.installation import Component
from eoam_core.settings import Settings
from eoam_obs.binding import desktop, frontend, libobs
from eoam_obs.binding.callbacks import callback
from eoam_obs.binding.functions import Data, Properties, Property
from eoam_obs.binding.libobs import LibObs
from eoam_obs.panels import diagnostics, panel
from eoam_obs.source import source_type, sources, stored, virtual_camera
from eoam_obs.source.instances import INSTANCES
from eoam_obs.source.locale import Texts
from eoam_obs.source.stored import ADD_TO_KEY, DIAGNOSTICS_KEY, GUARD_KEY

DEFAULTS: Final = Settings(advanced=False)

_FILTERS: Final = "filters"
_DONE: Final = "done"  # the messages of Add and of the virtual camera, shown between the two
_DONE_BELOW: Final = "done_below"
_INSTALL: Final = "install_state"


def write_defaults(api: Any, data: Any) -> None:
    """Write the defaults of the script's panel into its obs_data."""
    stored.write_defaults(api, data, DEFAULTS)
    api.obs_data_set_default_bool(data, GUARD_KEY, True)


class Job(Protocol):
    """An installation of the libraries: eoam_install.components."""

    state: str
    message: str

    def start(self) -> None:
        """Start the installation."""


class ScriptPanel:
    """Build the panel and handle its buttons.

    Args:
        api: `obspython`.
        texts: the translated texts.
        job: installs the libraries; None without the installer.

    `obs` is the libobs that the filter was registered in, or None before that or if it failed; `problem` then says why.
    """

    _answering: ClassVar[ScriptPanel | None] = None  # the panel whose properties OBS got last

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
        """Normalise the settings in the script's obs_data, use them, and return them."""
        stored_now = stored.normalise(self._api, data, self._known(), DEFAULTS, complete=False)
        self._api.obs_data_addref(data)
        self._release()
        self._data, self.settings, self._changed = data, stored_now.settings, stored_now.changed
        try:
            values = stored.read(self._api, data)
        except stored.UnreadableError:  # `settle` has logged it
            values = {}
        self._add_to = str(values.get(ADD_TO_KEY, ""))
        self._guarded = values.get(GUARD_KEY, True) is not False
        return self.settings

    def close(self) -> None:
        """Release the script's obs_data and stop responding; may be called more than once."""
        self._release()
        if ScriptPanel._answering is self:
            ScriptPanel._answering = None

    def properties(self) -> Any:
        """Return a new obs_properties of obspython; OBS accepts nothing else from a script."""
        api, texts = self._api, self._texts
        made = api.obs_properties_create()
        components = diagnostics.components(self.obs)
        if self.obs is not None:
            ScriptPanel._answering = self
            self._fill(self.obs, Properties(int(made)), components)
        else:  # no button would have an effect
            if self.problem:
                panel.add_text(api, made, "problem", self.problem, warning=True)
            panel.add_text(api, made, _FILTERS, self._filters())
            for part in components:
                panel.add_text(api, made, part.name, diagnostics.line(part, texts), warning=not part.ok)
        return made

    def clicked(self, properties: Properties, button: Property) -> bool:
        """Handle a button; return whether that changed what the panel shows."""
        if self.obs is None:
            return False
        methods = {
            "install": self._install,
            "add": self._add,
            "camera": self._switch_camera,
            panel.REFRESH: self._refresh,
            "copy": self._copy,
            "logs": self._open_logs,
        }
        return methods[(self.obs.obs_property_name(button) or b"").decode()](self.obs, properties)

    def modified(self, properties: Properties, data: Data) -> bool:
        """Show the controls that have an effect with the values in the obs_data; return whether any changed."""
        changed, self._changed = self._changed, False
        return self.obs is not None and (panel.show_relevant(self.obs, properties, data) or changed)

    def _release(self) -> None:
        data, self._data = self._data, None
        if data is not None:
            self._api.obs_data_release(data)

    def _fill(self, obs: LibObs, properties: Properties, components: Sequence[Component]) -> None:
        texts = self._texts
        # OBS opens the dialog ten lines high, so what the user has to do comes first.
        self._add_missing(obs, properties, [part for part in components if not part.ok])
        self._add_sources(obs, properties)
        self._add_answer(obs, properties, _DONE)
        self._add_camera(obs, properties)
        panel.add_text(obs, properties, _FILTERS, self._filters())
        self._add_button(obs, properties, panel.REFRESH)
        panel.add_text(obs, properties, "defaults", texts("script.defaults"))
        panel.add_settings(obs, properties, texts, modified=_modified, always=True, model=self.settings.model)
        found = "\n".join(diagnostics.line(part, texts, obs) for part in components if part.ok)
        panel.add_text(obs, properties, "installation", found)
        self._add_button(obs, properties, "copy")
        item = obs.obs_properties_add_text(
            properties, DIAGNOSTICS_KEY, texts("script.diagnostics"), libobs.OBS_TEXT_MULTILINE
        )
        obs.obs_property_set_long_description(item, texts("script.diagnostics.help"))
        obs.obs_property_set_visible(item, False)
        self._add_button(obs, properties, "logs")
        self._add_answer(obs, properties, _DONE_BELOW)
        if self._data is not None:
            panel.show_relevant(obs, properties, int(self._data))

    def _known(self) -> Settings | None:
        return self.settings if self._data is not None else None

    def _add_missing(self, obs: LibObs, properties: Properties, missing: Sequence[Component]) -> None:
        """Add the installation's problems, each with its remedy, and the button that repairs it."""
        for part in missing:
            panel.add_text(obs, properties, f"missing_{part.name}", diagnostics.line(part, self._texts), warning=True)
        if self._job is not None and any(part.name != "model" for part in missing):  # it installs libraries only
            panel.add_text(obs, properties, _INSTALL, self._job.message)
            self._add_button(obs, properties, "install")

    def _add_sources(self, obs: LibObs, properties: Properties) -> None:
        texts = self._texts
        have = {name for name, _ in source_type.states()}
        names = sorted(sources.video_sources(obs), key=lambda name: name in have)  # stable: cameras stay first
        if not names:
            panel.add_text(obs, properties, ADD_TO_KEY, texts("script.no_sources"))
            return
        item = obs.obs_properties_add_list(
            properties, ADD_TO_KEY, texts("script.add_to"), libobs.OBS_COMBO_TYPE_LIST, libobs.OBS_COMBO_FORMAT_STRING
        )
        obs.obs_property_set_long_description(item, texts("script.add_to.help"))
        for name in names:
            obs.obs_property_list_add_string(item, texts("script.has_it", name=name) if name in have else name, name)
        if self._add_to not in names:
            self._add_to = names[0]  # OBS shows this if nothing was chosen
        item = obs.obs_properties_add_bool(properties, GUARD_KEY, texts("script.guard"))
        obs.obs_property_set_long_description(item, texts("script.guard.help"))
        self._add_button(obs, properties, "add")

    def _add_camera(self, obs: LibObs, properties: Properties) -> None:
        missing = virtual_camera.missing(obs, self._texts)
        if missing:
            panel.add_text(obs, properties, "camera", missing)
        else:
            self._add_button(obs, properties, "camera", self._camera_label())

    def _camera_label(self) -> str:
        return self._texts("script.camera.stop" if virtual_camera.is_on(self._api) else "script.camera")

    def _add_button(self, obs: LibObs, properties: Properties, name: str, text: str = "") -> None:
        key = "panel.refresh" if name == panel.REFRESH else f"script.{name}"
        item = obs.obs_properties_add_button2(properties, name, text or self._texts(key), _clicked, 0)
        obs.obs_property_set_long_description(item, self._texts(f"{key}.help"))

    def _filters(self) -> str:
        if self.problem:
            return self._texts("script.not_running")
        lines = [f"{name}: {state.sentence(self._texts)}" for name, state in source_type.states()]
        return "\n".join(lines) or self._texts("script.no_filter")

    def _add_answer(self, obs: LibObs, properties: Properties, name: str) -> None:
        panel.add_text(obs, properties, name, "")
        panel.show(obs, properties, name, False)

    def _say(self, obs: LibObs, properties: Properties, text: str, where: str = _DONE) -> bool:
        panel.show_text(obs, properties, where, text)
        panel.show(obs, properties, where, True)
        return True

    def _refresh(self, obs: LibObs, properties: Properties) -> bool:
        panel.show_text(obs, properties, _FILTERS, self._filters())
        if self._job is not None:
            panel.show_text(obs, properties, _INSTALL, self._job.message)
        return True

    def _install(self, obs: LibObs, properties: Properties) -> bool:
        if self._job is not None:
            self._job.start()
        return self._refresh(obs, properties)

    def _add(self, obs: LibObs, properties: Properties) -> bool:
        name, texts = self._add_to, self._texts
        kind = source_type.FILTER_ID, source_type.FILTER_NAME
        # For a source that already has the filter, this repairs it instead of adding a second one.
        is_there = source_type.is_on(name)
        if not is_there and not sources.add_filter(obs, name, *kind):
            return self._say(obs, properties, texts("script.not_added", name=name))
        said = texts("script.already" if is_there else "script.added", name=name)
        if self._guarded and not source_type.guard_on(name):
            said += " " + texts("script.unguarded")
        panel.show_text(obs, properties, _FILTERS, self._filters())
        return self._say(obs, properties, said)

    def _switch_camera(self, obs: LibObs, properties: Properties) -> bool:
        said = virtual_camera.switch(self._api, self._texts)
        panel.show_text(obs, properties, "camera", self._camera_label())
        return self._say(obs, properties, said)

    def _copy(self, obs: LibObs, properties: Properties) -> bool:
        own = [
            (source_type.state_of(instance), instance.stored.effective)
            for instance in list(INSTANCES.values())
            if instance.stored is not None
        ]
        text = diagnostics.report(obs, self.settings, own)
        if self._data is not None:  # as a default: shown, and not saved with the scenes
            self._api.obs_data_set_default_string(self._data, DIAGNOSTICS_KEY, text)
            panel.show(obs, properties, DIAGNOSTICS_KEY, True)
        said = self._texts("script.copied" if desktop.copy(text) else "script.not_copied")
        return self._say(obs, properties, said, _DONE_BELOW)

    def _open_logs(self, obs: LibObs, properties: Properties) -> bool:
        profile = frontend.profile_path()
        folder = Path(profile).parents[2] / "logs" if profile else Path()  # .../basic/profiles/NAME
        if profile and desktop.show_folder(folder):
            return False
        return self._say(obs, properties, self._texts("script.no_folder", folder=folder), _DONE_BELOW)


@callback(libobs.ButtonClicked, failed=False)
def _clicked(properties: Properties, button: Property, _data: int | None) -> bool:
    answering = ScriptPanel._answering
    return answering is not None and answering.clicked(properties, button)


@callback(libobs.PropertyModified, failed=False)
def _modified(properties: Properties, _property: int, data: Data) -> bool:
    answering = ScriptPanel._answering
    return answering is not None and answering.modified(properties, data)
