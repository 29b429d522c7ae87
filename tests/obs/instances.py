"""Filters as OBS has them, made from plain numbers."""

from __future__ import annotations

from typing import Any

from eoam_obs.binding.functions import Event, Source, WeakSource
from eoam_obs.source.instances import Instance


def instance(handle: int, source: int, *, weak: int = 0, **more: Any) -> Instance:
    """Return a filter with these handles; `more` is of `Instance`."""
    return Instance(Event(handle), Source(source), weak=WeakSource(weak), **more)
