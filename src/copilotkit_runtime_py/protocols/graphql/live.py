"""Values that grow while a response is on its way: the sources behind `@stream` and `@defer`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterable
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class _Signal:
    """Wakes everyone who waits for the next change of one value."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


class LiveList(Generic[T]):
    """An append-only list that is read while it grows.

    Reading is synchronous (`items`, `closed`) for a reader that polls after each change, and asynchronous
    (`async for`) for one that waits. Every reader sees every item, from the first.
    """

    __slots__ = ("_signal", "closed", "items")

    def __init__(self, items: Iterable[T] = (), *, closed: bool = False) -> None:
        self.items: list[T] = list(items)
        self.closed = closed
        self._signal = _Signal()

    def append(self, item: T) -> None:
        """Adds an item.

        Raises:
            RuntimeError: the list is closed.
        """
        if self.closed:
            raise RuntimeError("append to a closed LiveList")
        self.items.append(item)
        self._signal.notify()

    def close(self) -> None:
        """Says that no item follows. Closing twice is harmless."""
        self.closed = True
        self._signal.notify()

    async def __aiter__(self) -> AsyncIterator[T]:
        position = 0
        while True:
            while position < len(self.items):
                yield self.items[position]
                position += 1
            if self.closed:
                return
            await self._signal.wait()


class Deferred(Generic[T]):
    """A value that is set once, later. Awaiting it waits; `done` and `value` read without waiting."""

    __slots__ = ("_signal", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._signal = _Signal()

    @classmethod
    def of(cls, value: T) -> Deferred[T]:
        """A deferred that is already set."""
        deferred: Deferred[T] = cls()
        deferred.set(value)
        return deferred

    @property
    def value(self) -> T:
        """The value.

        Raises:
            RuntimeError: it is not set yet.
        """
        if not self.done:
            raise RuntimeError("the deferred value is not set")
        return cast("T", self._value)

    def set(self, value: T) -> None:
        """Sets the value. Only the first call counts."""
        if not self.done:
            self.done = True
            self._value = value
            self._signal.notify()

    def __await__(self) -> Generator[object, None, T]:
        while not self.done:
            yield from self._signal.wait().__await__()
        return self.value
