"""How much memory the logs of a process take, and what happens when that is too much."""

from __future__ import annotations

import asyncio
import ctypes
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, Protocol
from weakref import WeakSet

# A log that holds no more than its share of the budget is left alone, and this is the greatest share.
_LARGEST_SHARE: Final = 1 / 16
# How many times its size a log takes while it is folded and stored.
_FOLD: Final = 6
_TRIM_SECONDS: Final = 1.0


class Log(Protocol):
    """A log that is counted; see `EventLog`."""

    held: int

    def drop(self, *, also_unread: bool) -> None:
        """Drops events that the store has."""


class LogMemory:
    """The budget of the logs in a process: those of runs and those of runs that other workers produce.

    Beyond the budget, logs drop the events that the store has: the largest log first, and what every reader
    has taken before what a slow reader still needs. Such readers then get them from the store.

    Args:
        max_bytes: the budget.

    Attributes:
        max_bytes: the budget.
        held: about how many bytes the logs hold.
    """

    def __init__(self, max_bytes: float = math.inf) -> None:
        self.max_bytes = max_bytes
        self.held = 0
        self._reserved = 0
        self._logs: WeakSet[Log] = WeakSet()
        self._tried_at = 0
        self._trimming: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def register(self, log: Log) -> None:
        """Counts a log for as long as it exists."""
        self._logs.add(log)

    @property
    def is_full(self) -> bool:
        """Whether the logs hold more than the budget."""
        return self.held > self.max_bytes

    @property
    def share(self) -> float:
        """The bytes that one log may hold when the budget is used up."""
        return self.max_bytes * min(_LARGEST_SHARE, 1 / max(len(self._logs), 1))

    def relieve(self) -> None:
        """Has logs drop what the store has, if there is too much."""
        # Where that does not help, it is tried again when there is more.
        max_bytes = self.max_bytes - self._reserved
        if self.held <= max_bytes or abs(self.held - self._tried_at) < self.max_bytes / 64:
            return
        logs = sorted(self._logs, key=lambda log: log.held, reverse=True)
        for also_unread, enough in ((False, max_bytes / 2), (True, max_bytes)):
            for log in logs:
                if self.held <= enough:
                    break
                log.drop(also_unread=also_unread)
        self._tried_at = self.held
        self.trim_soon()

    def trim_soon(self) -> None:
        """Gives memory that is freed in the next second back to the operating system, in a thread."""
        loop = asyncio.get_running_loop()
        if _MALLOC_TRIM is not None and (self._trimming is None or self._trimming.when() < loop.time()):
            trim = partial(loop.run_in_executor, None, _MALLOC_TRIM, 0)
            self._trimming = loop.call_later(_TRIM_SECONDS, trim)

    @asynccontextmanager
    async def folding(self, size: int) -> AsyncIterator[None]:
        """Lets one long log be folded at a time, and has others make room for it.

        Args:
            size: how many bytes of JSON the log has.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Where each request has a loop of its own, as in tests, a lock belongs to one of them.
            self._loop, self._fold = loop, asyncio.Lock()
        async with self._fold:
            self._reserved, self._tried_at = _FOLD * size, 0
            before = self.held
            self.relieve()
            if _MALLOC_TRIM is not None and self.held < before:
                await asyncio.to_thread(_MALLOC_TRIM, 0)
            try:
                yield
            finally:
                self._reserved = 0
        self.trim_soon()


def _malloc_trim() -> Any:
    """Returns the function of the GNU C library that gives free pages back, or None."""
    with suppress(OSError, AttributeError, TypeError):
        return ctypes.CDLL(None).malloc_trim
    return None


_MALLOC_TRIM: Final = _malloc_trim()
