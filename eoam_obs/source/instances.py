"""Map libobs's handles to the live filters. Imported once, never reloaded."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from eoam_core.settings import Settings
from eoam_obs.binding.functions import NULL, Data, Event, Source, WeakSource
from eoam_obs.binding.libobs import LibObs
from eoam_obs.source.state import State
from eoam_obs.source.stored import Stored


class VideoFilter(Protocol):
    """One filter on one source, as the callbacks need it."""

    space: int  # the colour space (`libobs.GS_CS_...`) that `render` draws in
    hidden: bool  # draw nothing, while a hotkey is held

    def update(self, settings: Settings) -> None:
        """Use these effective settings."""

    def render(self) -> None:
        """Draw, on the graphics thread with the graphics context held."""

    def suspend(self) -> None:
        """Stop and draw nothing: the script is unloaded."""

    def resume(self) -> None:
        """Continue after `suspend`: the script is loaded again."""

    def destroy(self) -> None:
        """Free everything, on any thread, without the graphics context."""

    def state(self) -> State:
        """Return the current state."""


@dataclass(eq=False)
class Instance:
    """One filter as OBS has it: `source` is the filter's own obs_source_t, `weak` a weak reference to it.

    `handle` is an os_event_t, which libobs signals when the settings were changed.
    """

    handle: Event
    source: Source
    weak: WeakSource = NULL
    stored: Stored | None = None
    video_filter: VideoFilter | None = None
    hotkeys: tuple[int, ...] = ()
    hotkey_number: int = 0
    hotkey_attempts: int = 0
    refresh_at: float = 0.0  # time.monotonic() at which to refresh an open panel; 0: not at all
    seen: str = ""  # the `State.look` that an open panel shows
    renewed_at: float = 0.0  # time.monotonic() at which it was last rebuilt
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while `weak` is used

    @contextlib.contextmanager
    def held(self, obs: LibObs) -> Iterator[Source]:
        """Yield the filter's obs_source_t with a reference of our own, or NULL if it is being destroyed."""
        with self.lock:
            source = (obs.obs_weak_source_get_source(self.weak) or NULL) if self.weak else NULL
        try:
            yield source
        finally:
            if source:
                obs.obs_source_release(source)

    def let_go(self, obs: LibObs) -> None:
        """Release the weak reference."""
        with self.lock:
            weak, self.weak = self.weak, NULL
        if weak:
            obs.obs_weak_source_release(weak)


INSTANCES: Final[dict[Event, Instance]] = {}


@contextlib.contextmanager
def settings_of(obs: LibObs, source: Source) -> Iterator[Data]:
    """Yield the obs_data of a source, which is its own and not a copy."""
    data = (obs.obs_source_get_settings(source) or NULL) if source else NULL
    try:
        yield data
    finally:
        if data:
            obs.obs_data_release(data)
