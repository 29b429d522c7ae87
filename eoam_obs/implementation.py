"""What the registered filter type does while the script is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eoam_core.settings import Settings
from eoam_obs import panel
from eoam_obs.filter import Filter
from eoam_obs.libobs import LibObs


class FilterImplementation:
    """Make filters, and their panels, with `defaults` for the new ones."""

    def __init__(self, defaults: Settings) -> None:
        self.defaults = defaults

    def create(self, obs: LibObs, source: int, values: Mapping[str, object]) -> Filter:
        """Make the filter for `source`."""
        return Filter(obs, source, values, self.defaults)

    def write_defaults(self, obs: LibObs, settings: int) -> None:
        """Write the defaults for new filters into an obs_data."""
        panel.write_defaults(obs, settings, self.defaults.to_mapping())

    def keep_defaults(self, obs: LibObs, settings: int) -> None:
        """Store them in a new filter's obs_data."""
        panel.keep_defaults(obs, settings, self.defaults.to_mapping())

    def properties(self, obs: LibObs, status: str, refresh: Callable[[int], int]) -> int:
        """Return the panel of one filter."""
        properties = obs.obs_properties_create()
        panel.add_settings(obs, properties)
        if status:
            panel.add_text(obs, properties, panel.STATUS, status)
            refresh(properties)
        return properties

    def show_status(self, obs: LibObs, properties: int, status: str) -> None:
        """Renew the status line."""
        panel.show_text(obs, properties, panel.STATUS, status)
