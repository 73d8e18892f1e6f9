"""What one execution of CrewAI emits, from any thread, to its one reader."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

Item: TypeAlias = tuple[Any, Any]
"""An event of CrewAI's bus, and what emitted it. An AG-UI event emitted by hand has None for its source."""


class Abort(BaseException):
    """Ends an execution from the inside, through code of CrewAI that catches every `Exception`."""


class Stopped(Abort):
    """The run was stopped, and this part of it still goes on."""


class HandedOver(Abort):
    """An agent called a tool of the frontend, which answers it with its next request."""


class Unanswerable(Abort):
    """Something asks a question that only a console could answer.

    Args:
        error: what the run ends with.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Feed:
    """The events of one execution. It is a stream sink of CrewAI: called with every event that is emitted.

    What CrewAI started cannot always be cancelled: a synchronous method goes on in its thread, and so do the
    siblings of a method that failed. Once the feed is closed nothing of that is seen any more, and its next
    event ends it with `Stopped`.

    It must be made on the loop that reads it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._woken = False
        self._finished = False
        self._closed = False
        self._over = False

    def __call__(self, source: Any, event: Any) -> None:
        """Takes an event.

        Raises:
            Stopped: the run is over.
        """
        if self._closed:
            if self._over or threading.get_ident() != self._thread:
                raise Stopped
            return
        self._items.append((source, event))
        if not self._woken:
            self._woken = True
            self._awaken()

    def finish(self) -> None:
        """Says that the execution is over. What it has emitted can still be read."""
        self._finished = True
        self._wake.set()

    def close(self) -> None:
        """Drops all further events, and stops the threads that emit them."""
        self._closed = True
        self._items.clear()

    def end(self) -> None:
        """Stops also the tasks that emit further events, after the execution's own has ended."""
        self.close()
        self._over = True

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            self._wake.clear()
            self._woken = False
            while self._items:
                yield self._items.popleft()
            if self._finished:
                return
            await self._wake.wait()

    def _awaken(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop is closed: the process shuts down
            raise Stopped from None
