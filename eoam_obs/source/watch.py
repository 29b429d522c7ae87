"""Poll the filters twice a second on two threads, for work that no libobs callback covers.

An open panel is refreshed when the state of its filter changes, or when its settings were changed elsewhere. A filter
that has been added to a source registers its hotkeys. A filter that is not drawn reads its settings if they changed.
OBS's list of missing files is updated on the second thread, because a drive that does not answer may block for half a
minute.

OBS rebuilds a panel to refresh it, which interrupts an active slider drag and closes an open list. So panels are not
refreshed by the clock, and only after some time without a change. Whether the masks fall behind or have caught up may
change every few seconds on a busy computer; that refreshes a panel twice a minute at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from eoam_obs.binding.callbacks import report
from eoam_obs.binding.libobs import LibObs
from eoam_obs.binding.python_lock import LOCK
from eoam_obs.source import hotkeys, missing_files
from eoam_obs.source.instances import INSTANCES, Instance
from eoam_obs.source.state import BEHIND

QUIET_S: Final = 0.7
_PERIOD_S: Final = 0.5
_CALM_S: Final = 30.0
_JOIN_TIMEOUT_S: Final = 2.0


class Watch:
    """The threads; only `close` ends them: an error of one filter is logged.

    `update_soon` is called for every filter, every `period_s` seconds.
    """

    def __init__(
        self, obs: LibObs, update_soon: Callable[[LibObs, Instance], None], *, period_s: float = _PERIOD_S
    ) -> None:
        self._obs = obs
        self._lock_looked_at = -period_s
        self._period_s = period_s
        self._closing = threading.Event()
        # Separate: the settings are read even if the state fails.
        looks = (self._look_at_lock, self._look_at, update_soon)
        self._thread = threading.Thread(target=self._run, args=(looks,), name="eoam-watch", daemon=True)
        self._files = threading.Thread(
            target=self._run, args=((missing_files.look_soon,),), name="eoam-files", daemon=True
        )
        for thread in (self._thread, self._files):
            thread.start()

    def close(self) -> None:
        """Stop and wait, only briefly for a drive that does not answer; may be called more than once."""
        self._closing.set()
        for thread in (self._thread, self._files):
            if threading.current_thread() is not thread:
                thread.join(_JOIN_TIMEOUT_S)

    def _run(self, looks: Sequence[Callable[[LibObs, Instance], None]]) -> None:
        while not self._closing.wait(self._period_s):
            for instance in list(INSTANCES.values()):
                for look in looks:
                    if self._closing.is_set():
                        return
                    try:
                        look(self._obs, instance)
                    except Exception as error:  # one filter's error must not stop the others, nor the next round
                        report("watch", error)

    def _look_at_lock(self, obs: LibObs, instance: Instance) -> None:
        now = time.monotonic()
        if now - self._lock_looked_at >= self._period_s / 2:  # once for all filters
            self._lock_looked_at = now
            LOCK.look()

    def _look_at(self, obs: LibObs, instance: Instance) -> None:
        look_at(obs, instance, time.monotonic())


def look_at(obs: LibObs, instance: Instance, now: float) -> None:
    """Do what is due for one filter at `now`, seconds of `time.monotonic`."""
    video_filter = instance.video_filter
    look = "stopped" if video_filter is None else video_filter.state().look
    due = bool(instance.refresh_at) and now >= instance.refresh_at
    only_pace = look.replace(BEHIND, "") == instance.seen.replace(BEHIND, "")
    has_changed = look != instance.seen and not (only_pace and now - instance.renewed_at < _CALM_S)
    if due or has_changed:
        instance.refresh_at, instance.seen = 0.0 if due else instance.refresh_at, look
        instance.renewed_at = now
        with instance.held(obs) as source:
            if source:
                obs.obs_source_update_properties(source)
    hotkeys.register_soon(obs, instance)
