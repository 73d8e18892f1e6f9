"""The memory budget for the logs of a process."""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
from typing import Any, Final, Protocol
from weakref import WeakSet

# A log within its share of the budget drops nothing. This is the greatest share.
_LARGEST_SHARE: Final = 1 / 16
# How many times its size a log needs while it is folded and stored.
_FOLD: Final = 6
_TRIM_SECONDS: Final = 1.0
# The GNU C library keeps up to 64 MiB of freed memory for each thread, unless it is asked for another bound.
_KEPT: Final = 1024 * 1024
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_TUNED_BY_OPERATOR: Final = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}


class Log(Protocol):
    """A log that is counted; see `EventLog`."""

    held: int

    def drop(self, *, also_unread: bool) -> None:
        """Drops events that the store has."""


class LogMemory:
    """The memory budget for the logs in a process, also for those of other workers' runs.

    Beyond the budget, logs drop stored events: the largest log first, and events that every reader
    has taken before events that a slow reader still needs. That reader then gets them from the store.

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
        if math.isfinite(max_bytes):
            _have_freed_memory_returned()

    def register(self, log: Log) -> None:
        """Counts a log for as long as it exists."""
        self._logs.add(log)

    @property
    def is_full(self) -> bool:
        """Whether the logs hold more than the budget."""
        return self.held > self.max_bytes

    @property
    def share(self) -> float:
        """How many bytes one log may hold once the budget is used up."""
        return self.max_bytes * min(_LARGEST_SHARE, 1 / max(len(self._logs), 1))

    def relieve(self) -> None:
        """Makes logs drop stored events if the budget is exceeded."""
        # If that does not help, the next events try again.
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
        """Returns memory that is freed in the next second to the operating system, in a thread."""
        loop = asyncio.get_running_loop()
        if _MALLOC_TRIM is not None and (self._trimming is None or self._trimming.when() < loop.time()):
            trim = partial(loop.run_in_executor, None, _MALLOC_TRIM, 0)
            self._trimming = loop.call_later(_TRIM_SECONDS, trim)

    @asynccontextmanager
    async def folding(self, size: int) -> AsyncIterator[None]:
        """Folds one long log at a time, and makes other logs free memory for it.

        Args:
            size: how many bytes of JSON the log has.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # If each request has a loop of its own, as in tests, a lock belongs to one of them.
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


def _c_function(name: str) -> Any:
    """Returns a function of the C library, or None if it is not the GNU C library."""
    with suppress(OSError, AttributeError, TypeError):
        return ctypes.CDLL(None)[name]
    return None


_MALLOC_TRIM: Final = _c_function("malloc_trim")


@cache
def _have_freed_memory_returned() -> None:
    """Has large pieces of memory given back to the operating system as soon as they are freed."""
    mallopt = _c_function("mallopt")
    if _MALLOC_TRIM is not None and mallopt is not None and not _TUNED_BY_OPERATOR & os.environ.keys():
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
