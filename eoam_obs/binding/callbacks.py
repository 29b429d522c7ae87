"""Make functions that libobs may call: permanent, and without exceptions leaving them.

libobs keeps what it was given until the process ends, so a callback must never be freed: this module, and every module
that makes one, is imported once and never reloaded.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

_LOG: Final = logging.getLogger("eoam")
_MOST_REPORTS: Final = 100

_permanent: Final[list[object]] = []
_reported: Final[set[tuple[str, str]]] = set()
# The callbacks outlive even this module's namespace, if sys.modules should ever be cleared.
vars(sys).setdefault("_eoam_obs_permanent", []).append(_permanent)

_Function = TypeVar("_Function", bound=Callable[..., Any])


def callback(prototype: Any, *, failed: object) -> Callable[[_Function], Any]:
    """Make a permanent callback of a function: an exception is logged once, and libobs gets `failed`."""

    def decorate(function: _Function) -> Any:
        @functools.wraps(function)
        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as error:  # libobs is C: no exception of any kind may pass
                report(function.__name__, error)
                return failed

        callback = prototype(guarded)
        keep(callback)
        return callback

    return decorate


def permanent(prototype: Any) -> Callable[[_Function], Any]:
    """Make a permanent callback of a function that raises nothing itself: one call less while drawing."""

    def decorate(function: _Function) -> Any:
        callback = prototype(function)
        keep(callback)
        return callback

    return decorate


def keep(*objects: object) -> None:
    """Keep an object that libobs points to for ever."""
    _permanent.extend(objects)


def report(where: str, error: BaseException) -> None:
    """Log an error the first time only; a render callback would repeat it sixty times a second."""
    key = (where, f"{type(error).__name__}: {error}")
    if key in _reported or len(_reported) > _MOST_REPORTS:
        return
    _reported.add(key)
    _LOG.error("callback_failed callback=%s error=%r", where, error, exc_info=error)
