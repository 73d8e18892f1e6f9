"""Renews the leases of a process whose event loop is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

from ..logs.records import get_logger
from ..state_store.base import Append, BatchStateStore

logger = get_logger(__name__)

# A loop that is blocked for longer than this, in seconds, may never recover: the leases of its runs expire.
_LONGEST: Final = 120.0


class LeaseGuard:
    """Renews leases while the event loop cannot.

    A request or an agent that computes for long blocks the loop. Without this class, other workers would take
    this one for dead, and end the runs of all its users.

    Args:
        store: the store of the runs. It is opened again, for the thread that renews.
        lease_seconds: how long a lease is.
        held: returns appends that add nothing, for the runs that the process holds.
    """

    def __init__(
        self, store: BatchStateStore, lease_seconds: float, held: Callable[[], Sequence[Append]]
    ) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._held = held
        self._renewed_after = 0.0

    def while_blocked(self, seconds: float) -> None:
        """Called by the watchdog's thread while the loop is blocked, with the seconds since it began."""
        lease = self._lease_seconds
        if seconds < self._renewed_after:  # another block
            self._renewed_after = 0.0
        if not lease / 2 < seconds < _LONGEST or seconds - self._renewed_after < lease / 4:
            return
        self._renewed_after = seconds
        held = self._held()
        if not held:
            return
        try:
            asyncio.run(self._renew(held))
        except Exception:
            logger.exception("leases cannot be renewed while the event loop is blocked")

    async def _renew(self, held: Sequence[Append]) -> None:
        async with aclosing(self._store.reopen()) as store:
            await store.append_many(held)
