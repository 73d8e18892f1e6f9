"""What renews the leases of a process whose event loop is blocked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

from ..logs.records import get_logger
from ..state_store.base import Append, BatchStateStore

logger = get_logger(__name__)

# A loop that is blocked for longer than this, in seconds, may never go on: its runs are left to their leases.
_LONGEST: Final = 120.0


class LeaseGuard:
    """A thread that renews leases where the event loop is late to do it.

    One request or agent that computes for long holds up the loop. Without this, the runs of all other users
    would be lost to workers that take this one for dead.

    Args:
        store: what the runs are in. The thread opens it again for itself, when it needs it.
        lease_seconds: how long a lease is.
        held: returns appends that add nothing, for the runs that the process holds. Called in the thread.
    """

    def __init__(
        self, store: BatchStateStore, lease_seconds: float, held: Callable[[], Sequence[Append]]
    ) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._held = held
        self._alive_at = time.monotonic()
        self._busy = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="copilotkit-leases", daemon=True)
        self._thread.start()

    def loop_is_alive(self) -> None:
        """Called on the event loop, more often than leases have to be renewed while there are runs."""
        self._alive_at = time.monotonic()
        self._busy.set()

    def close(self) -> None:
        """Ends the thread, without waiting for it."""
        self._closed.set()
        self._busy.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            self._busy.wait()
            if self._closed.wait(self._lease_seconds / 4):
                return
            held = self._held()
            if not held:
                self._busy.clear()
            blocked = time.monotonic() - self._alive_at
            if held and self._lease_seconds / 2 < blocked < _LONGEST:
                logger.warning(
                    "the event loop is blocked for %.0f s; %d leases are renewed", blocked, len(held)
                )
                try:
                    asyncio.run(self._renew(held))
                except Exception:
                    logger.exception("leases cannot be renewed while the event loop is blocked")

    async def _renew(self, held: Sequence[Append]) -> None:
        async with aclosing(self._store.reopen()) as store:
            await store.append_many(held)
