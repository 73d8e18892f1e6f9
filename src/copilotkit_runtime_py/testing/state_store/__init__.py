"""What every state store must do, as functions that fail where one does not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, TypeAlias

from . import attachments as files
from . import claims, crowds, endings, ids, imports, logs, retention, signals, states, stops, threads, workers
from . import leases as leasing
from .steps import OpenStore

__all__ = ["Check", "OpenStore", "state_store_checks"]

Check: TypeAlias = Callable[[OpenStore], Coroutine[Any, Any, None]]
"""A sentence about a store's behaviour. It raises an error where the sentence does not hold."""

_EVERYWHERE = (claims, logs, endings, states, stops, signals, threads, ids, retention, crowds)


def state_store_checks(
    *, leases: bool = True, signals_between_workers: bool = True, attachments: bool = True
) -> list[Check]:
    """Returns the checks that a state store must pass, as coroutine functions named after what they check.

    Each is given a function that opens the store (see `OpenStore`), over data that no check has seen before.

    Args:
        leases: the store outlives its process. A store that does not has no leases.
        signals_between_workers: a signal reaches watchers of another store on the same data.
        attachments: the store stores files, too; see `AttachmentStore`.
    """
    modules = [*_EVERYWHERE, *[leasing, imports] * leases, *[workers] * signals_between_workers]
    modules += [files] * attachments
    return [check for module in modules for check in _checks(module)]


def _checks(module: ModuleType) -> list[Check]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.iscoroutinefunction(value) and value.__module__ == module.__name__ and name[0] != "_"
    ]
