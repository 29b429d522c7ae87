"""A thread that looks at the filters twice a second, for what no callback of libobs is there to do.

A panel that is open is renewed when the state of its filter changes, or when its settings were changed from elsewhere;
and a filter that has got its source is told to register its hotkeys. OBS rebuilds a panel to renew it, which takes a
slider out of the hand that drags it: so there is no renewing by the clock, and after a change some time without one
must have passed.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from eoam_obs import hotkeys
from eoam_obs.instances import INSTANCES, Instance
from eoam_obs.libobs import LibObs

QUIET_S: Final = 0.7
_PERIOD_S: Final = 0.5
_JOIN_TIMEOUT_S: Final = 2.0
_LOG: Final = logging.getLogger("eoam")


class Watch:
    """The thread; it ends with `close`."""

    def __init__(self, obs: LibObs) -> None:
        self._obs = obs
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eoam-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait; may be called more than once."""
        self._closing.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_TIMEOUT_S)

    def _run(self) -> None:
        while not self._closing.wait(_PERIOD_S):
            for instance in list(INSTANCES.values()):
                try:
                    look_at(self._obs, instance, time.monotonic())
                except Exception as error:  # one filter's trouble is not the others'
                    _LOG.error("watch_failed error=%r", error, exc_info=error)
                    self._closing.set()


def look_at(obs: LibObs, instance: Instance, now: float) -> None:
    """Do for one filter what is due at `now`, seconds of `time.monotonic`."""
    video_filter = instance.video_filter
    kind = "stopped" if video_filter is None else video_filter.state().kind
    due = bool(instance.refresh_at) and now >= instance.refresh_at
    if due or kind != instance.seen:
        instance.refresh_at, instance.seen = 0.0 if due else instance.refresh_at, kind
        with instance.held(obs) as source:
            if source:
                obs.obs_source_update_properties(source)
    hotkeys.register_soon(obs, instance)
