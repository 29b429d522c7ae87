"""Implement the registered filter type while the script is loaded."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from eoam_core.presets import effective
from eoam_core.settings import Settings
from eoam_obs.binding.functions import Data, Properties, Source
from eoam_obs.binding.libobs import LibObs
from eoam_obs.frame import shaders
from eoam_obs.frame.filter import Filter
from eoam_obs.panels import panel
from eoam_obs.source import stored
from eoam_obs.source.locale import Texts
from eoam_obs.source.state import State
from eoam_obs.source.stored import Stored

# Drawing imports these where it needs them, because they need libraries that may be missing.
_NEEDED_BY_FRAMES: Final = (
    "eoam_core.geometry",
    "eoam_core.edge",
    "eoam_core.colour",
    "eoam_core.compositing",
    "eoam_obs.frame.matting",
)
_LOG: Final = logging.getLogger("eoam")


class FilterImplementation:
    """Make filters, and their panels, with `defaults` for the new ones and for those that follow the script's panel."""

    def __init__(self, defaults: Settings, texts: Texts | None = None) -> None:
        self.defaults = defaults
        self.texts = texts if texts is not None else Texts()

    def prepare(self, obs: LibObs) -> None:
        """Compile the shaders and import what runs the network; the filter tries again, and reports, what fails."""
        shaders.compile_all(obs)
        for name in _NEEDED_BY_FRAMES:
            try:
                importlib.import_module(name)
            except Exception as error:  # a library that is missing, or one that does not load
                _LOG.info("import_failed module=%s error=%r", name, error)

    def create(self, obs: LibObs, source: Source, settings: Settings) -> Filter:
        """Make the filter for `source`."""
        return Filter(obs, source, settings)

    def write_defaults(self, obs: LibObs, settings: Data) -> None:
        """Write the defaults for new filters into an obs_data."""
        stored.write_defaults(obs, settings, self.defaults)

    def normalise(self, obs: LibObs, settings: Data, known: Settings | None) -> Stored:
        """Normalise a filter's obs_data; its `effective` settings are the defaults if it follows them."""
        return stored.normalise(obs, settings, known, self.defaults)

    def effective(self, filter_settings: Stored) -> Settings:
        """Return a filter's effective settings, given its stored ones."""
        return effective(self.defaults) if filter_settings.follows else filter_settings.effective

    def reset(self, obs: LibObs, settings: Data) -> None:
        """Store the defaults."""
        stored.write(obs, settings, self.defaults)

    def properties(
        self, obs: LibObs, filter_settings: Stored | None, state: State | None, callbacks: Mapping[str, Any]
    ) -> Properties:
        """Return the panel of one filter, or of the type if there is no state.

        The keys of `callbacks` are "modified", "refresh" and "reset" for the buttons, and "guard" for the one that is
        shown while there is no guard.
        """
        texts = self.texts
        properties = obs.obs_properties_create()
        if state is not None:
            panel.add_text(obs, properties, panel.STATUS, state.sentence(texts), warning=state.is_warning)
            if state.guard_open:  # the sentence refers to it
                self._add_button(obs, properties, panel.GUARD, callbacks)
        model = filter_settings.settings.model if filter_settings is not None else ""
        panel.add_settings(obs, properties, texts, modified=callbacks["modified"], model=model)
        if state is not None:
            panel.add_follow(obs, properties, texts, modified=callbacks["modified"])
            for name in (panel.REFRESH, panel.RESET) if state.guard_open else (panel.GUARD, panel.REFRESH, panel.RESET):
                self._add_button(obs, properties, name, callbacks)
        return properties

    def _add_button(self, obs: LibObs, properties: Properties, name: str, callbacks: Mapping[str, Any]) -> None:
        if name in callbacks:
            item = obs.obs_properties_add_button2(properties, name, self.texts(f"panel.{name}"), callbacks[name], 0)
            obs.obs_property_set_long_description(item, self.texts(f"panel.{name}.help"))

    def show_relevant(self, obs: LibObs, properties: Properties, settings: Data) -> bool:
        """Show the controls that have an effect, hide the others; return whether any changed."""
        return panel.show_relevant(obs, properties, settings)

    def hide_guard(self, obs: LibObs, properties: Properties) -> None:
        """Hide the button that adds the guard."""
        button = obs.obs_properties_get(properties, panel.GUARD)
        if button:
            obs.obs_property_set_visible(button, False)

    def show_status(self, obs: LibObs, properties: Properties, state: State) -> None:
        """Renew the status line."""
        panel.show_text(obs, properties, panel.STATUS, state.sentence(self.texts), warning=state.is_warning)
