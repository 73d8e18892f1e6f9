"""A synchronous generator as an asynchronous stream."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Generic, TypeVar

from ..logs.records import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

_AHEAD: Final = 64


class ThreadStream(Generic[T]):
    """Iterates in a thread of its own, so that an iterator that blocks does not block the event loop.

    A thread cannot be cancelled. Closing the stream ends the iterator after its current step, and does not
    wait for it. The thread is not part of a pool, which a few stuck iterators could use up, and does not keep
    the process alive.

    Invariant: the thread is at most `_AHEAD` items ahead of the reader, because it takes a place from
    `_room` before each item that it stores, and the reader returns the place.

    Args:
        iterator: where the items come from. It is closed by the thread if it has a `close()`.
    """

    def __init__(self, iterator: Iterator[T]) -> None:
        self._iterator = iterator
        self._loop = asyncio.get_running_loop()
        self._items: deque[T] = deque()
        self._room = threading.Semaphore(_AHEAD)
        self._news = asyncio.Event()
        self._closed = False
        self._finished = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name="agent", daemon=True
        )

    async def __aiter__(self) -> AsyncIterator[T]:
        self._thread.start()
        while True:
            self._news.clear()
            finished = self._finished  # looked at before the items, of which the thread stores none after it
            while self._items:
                self._room.release()
                yield self._items.popleft()
            if finished:
                break
            await self._news.wait()
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        """Ends the iterator after its current step."""
        self._closed = True
        self._room.release()
        if self._thread.is_alive() and not self._finished:
            logger.warning("a run was stopped, but its synchronous agent continues until its next event")

    def _work(self) -> None:
        try:
            for item in self._iterator:
                self._room.acquire()
                if self._closed:
                    break
                self._items.append(item)
                self._announce()
            close: Any = getattr(self._iterator, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self._error = error
            if self._closed:
                logger.error("a synchronous agent failed after its run was stopped", exc_info=error)
        self._finished = True
        self._announce()

    def _announce(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed, and its reader is gone
            self._closed = True
            self._room.release()
